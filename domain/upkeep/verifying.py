"""Checking every invariant of a database, whatever program wrote to it.

Findings contain numbers and ids, never a client's name, with one exception: of cases that share a
file number the names are told, because somebody must decide which of them gets another number.
One file, since that is one walk through all tables.
"""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Select, and_, bindparam, func, not_, or_, select

from domain import characters
from domain.errors import Damaged
from domain.models import Case, EventSource, LinkType, Party, Staff, Workspace
from domain.reading.anchors import Anchor
from domain.storage.database import Database, Snapshot
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import (
    case_link,
    case_party,
    cases,
    party,
    search_entry,
    staff,
    staff_assignment,
    timeline_event,
    timeline_head,
)
from domain.upkeep import administration, comparing
from domain.upkeep.erasing import ERASURES
from domain.writing import rows, timeline

BLOCK = 1_000
"""Rows read at a time."""
_WORKSPACE: Any = bindparam("workspace_id")


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken invariant: the workspace, the object and the fault."""

    workspace: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.workspace}: {self.place}: {self.message}"


@dataclass(slots=True)
class Verification:
    """The numbers of rows checked, and the findings."""

    cases: int = 0
    events: int = 0
    findings: list[Finding] = field(default_factory=list)
    anchored: set[Anchor] = field(default_factory=set)


async def verify(
    database: Database,
    *,
    anchors: Collection[Anchor] = (),
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> Verification:
    """Check every workspace and the database itself.

    *anchors* are ends that timelines had at some time: see anchors.py. *on_progress* takes the
    events read and how many there are to read, each of them twice: in the chain, and for its case.
    """
    result = Verification()
    note = _noter(result, "database")
    hashes: dict[int, set[str]] = {}
    for anchor in anchors:
        hashes.setdefault(anchor.seq, set()).add(anchor.hash)
    for place, message in await database.damage():
        note(place, message)
    with _readable(note, "file"):
        try:
            workspaces = await administration.workspaces(database)
        except ValueError:
            note("workspace", "the mode of one is neither live nor test; the rest was not checked.")
            return result
        async with database.read() as db:
            [[total]] = await db.fetch(Fetch(_COUNT_EVENTS, {}))
            done = 0

            def read(count: int) -> None:
                nonlocal done
                done += count
                on_progress(done, 2 * total)

            for workspace in workspaces:
                await _verify_workspace(db, workspace, result, hashes, read)
    for anchor in set(anchors) - result.anchored:
        note(
            f"anchor {anchor.seq}:{anchor.hash[:12]}…",
            "no timeline has this event: events were dropped, or their chain was computed anew.",
        )
    return result


async def shared_numbers(database: Database) -> list[Finding]:
    """The file numbers that several cases had before numbers were compared by their keys."""
    result = Verification()
    workspaces = await administration.workspaces(database)
    async with database.read() as db:
        for workspace in workspaces:
            await _numbers(db, workspace, _noter(result, _shown(workspace)))
    return result.findings


async def _verify_workspace(
    db: Snapshot,
    workspace: Workspace,
    result: Verification,
    hashes: Mapping[int, set[str]],
    on_events: Callable[[int], object],
) -> None:
    note = _noter(result, _shown(workspace))
    with _readable(note, "timeline"):
        async for count in _chain(db, workspace, note, result, hashes):
            on_events(count)
    with _readable(note, "seals"):
        await comparing.seals_of(db, workspace, note)
    with _readable(note, "cases"):
        await comparing.cases_of(db, workspace, note, on_events)
    with _readable(note, "parties, staff, keys and webhooks"):
        await comparing.people_of(db, workspace, note)
    with _readable(note, "links"):
        await _links(db, workspace, note)
    with _readable(note, "roles"):
        await _roles(db, workspace, note)
    with _readable(note, "search entries"):
        result.cases += await _search(db, workspace, note)
    with _readable(note, "file numbers"):
        await _numbers(db, workspace, note)


def _shown(workspace: Workspace) -> str:
    return workspace.slug if workspace.mode == "live" else f"{workspace.slug} (test)"


Note = Callable[[str, str], None]


def _noter(result: Verification, workspace: str) -> Note:
    return lambda place, message: result.findings.append(Finding(workspace, place, message))


@contextlib.contextmanager
def _readable(note: Note, place: str) -> Iterator[None]:
    """Turn unreadable data into a finding, so that the next check still runs."""
    try:
        yield
    except Damaged:
        note(place, "a part is damaged; the rest was not checked.")
    except ValueError:
        # Such as an unknown kind of party. The error's own message would show the stored value.
        note(place, "a stored value is impossible; the rest was not checked.")


async def _chain(
    db: Snapshot,
    workspace: Workspace,
    note: Note,
    result: Verification,
    hashes: Mapping[int, set[str]],
) -> AsyncIterator[int]:
    """Check the hash chain: gapless, unbroken, up to the head. Yields the size of each block."""
    expected, last, latest = 1, timeline.GENESIS, ""
    changed: dict[int, str] = {}
    erased: dict[int, str] = {}
    values: dict[str, Any] = {"workspace_id": workspace.id, "seq": 0}
    while rows := await db.fetch(Fetch(_EVENTS, values)):
        for *content, hash in rows:
            event = dict(zip(timeline.CONTENT, content, strict=True))
            seq = event["seq"]
            place = f"event {seq}"
            if seq != expected:
                note(place, f"events {expected} to {seq - 1} are missing.")
            if timeline.chained(last, event) != hash:
                changed[seq] = timeline.digest(event)
            elif event["type"] in ERASURES and event["source"] == EventSource.RECORDED:
                erased |= _erased(event["changes"])
            expected, last, latest = seq + 1, hash, max(latest, event["at"])
            if hash in hashes.get(seq, ()):
                result.anchored.add(Anchor(seq, hash))
            result.events += 1
        values["seq"] = expected - 1
        yield len(rows)
    for seq, digest in changed.items():
        if erased.get(seq) != digest:
            note(f"event {seq}", "its content or its hash was changed from outside.")
    head = await db.fetch(Fetch(_HEAD, {"workspace_id": workspace.id}))
    if [row[:2] for row in head] != [(expected - 1, last)]:
        note(
            "timeline",
            "its end does not match its head: events are missing, or the head was changed.",
        )
    elif head[0][2] != (latest or head[0][2]):
        note("timeline", "the time of its head is not that of its last event.")


def _erased(changes: str) -> dict[int, str]:
    """What a purge left of the events that it erased: the hash of each by its number."""
    try:
        return {
            seq: digest
            for change in orjson.loads(changes)
            if change["field"] == "events"
            for seq, digest in zip(change["before"], change["after"] or (), strict=False)
        }
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}


async def _links(db: Snapshot, workspace: Workspace, note: Note) -> None:
    """Check that each link has two ends, which mirror each other."""
    rows = await db.fetch(Fetch(_LINKS, {"workspace_id": workspace.id}))
    for id, group in itertools.groupby(rows, key=lambda row: row[0]):
        ends = {(case_id, other, kind) for _id, case_id, other, kind in group}
        mirrored = {(other, case_id, _inverse(kind)) for case_id, other, kind in ends}
        if len(ends) != 2 or ends != mirrored:
            note(f"link {id}", "its two ends do not mirror each other.")


def _inverse(kind: str) -> str:
    return str(LinkType(kind).inverse) if kind in set(LinkType) else ""


async def _roles(db: Snapshot, workspace: Workspace, note: Note) -> None:
    """Check that every role has its case and its person, and a position the case gave out."""
    for statement, what in _ORPHANS:
        for case_id, position in await db.fetch(Fetch(statement, {"workspace_id": workspace.id})):
            note(f"case {case_id}", f"{what} {position} refers to nothing.")


async def _search(db: Snapshot, workspace: Workspace, note: Note) -> int:
    """Check all keys of visible cases, parties and staff; return the number of cases."""
    counted = 0
    for kind, (model, entry, own_keys, objects) in _FOUND.items():
        fields = len(model.__dataclass_fields__)
        stored = await _entries(db, workspace, kind)
        async for row in _all(db, objects, {"workspace_id": workspace.id}):
            counted += kind == "case"
            one = model(*row[:fields])
            expected: Mapping[str, Any] = entry(workspace.id, one)
            if stored.pop(row[0], None) != tuple(expected[name] for name in _ENTRY[1:]):
                note(f"{kind} {row[0]}", "its search entry is missing or wrong.")
            keys: dict[str, str | None] = {"name_order": rows.name_order(one.name)}
            if kind == "case":
                keys |= rows.number_keys(one.file_number)
            if tuple(row[fields:]) != tuple(keys[name] for name in own_keys):
                note(f"{kind} {row[0]}", "a key that it is sorted or found by is wrong.")
            if one.version < 1:
                note(f"{kind} {row[0]}", "its version is less than 1.")
        for id in stored:
            note(f"{kind} {id}", "its search entry points to nothing.")
    await _references(db, workspace, note)
    return counted


async def _references(db: Snapshot, workspace: Workspace, note: Note) -> None:
    """Check that parties' references are found by search, those in deleted cases, too."""
    stored = await _entries(db, workspace, "reference")
    for case_id, position, reference in await db.fetch(
        Fetch(_REFERENCES, {"workspace_id": workspace.id})
    ):
        entry = rows.reference_entry(workspace.id, case_id, position, reference)
        if stored.pop(entry["id"], None) != tuple(entry[name] for name in _ENTRY[1:]):
            note(f"case {case_id}", f"the search entry of party role {position} is wrong.")
    for id in stored:
        note(f"case {id.partition('/')[0]}", f"the search entry {id} points to nothing.")


async def _entries(db: Snapshot, workspace: Workspace, kind: str) -> dict[str, tuple[Any, ...]]:
    """The search entries of a kind, by what they point to."""
    values = {"workspace_id": workspace.id, "kind": kind}
    return {row[0]: row[1:] async for row in _all(db, _ENTRIES, values)}


def _register_entry(kind: str) -> Callable[[int, Any], dict[str, Any]]:
    return lambda workspace_id, one: rows.register_entry(workspace_id, kind, one)


async def _numbers(db: Snapshot, workspace: Workspace, note: Note) -> None:
    """Find the visible cases that share a file number."""
    found = await db.fetch(Fetch(_SHARED_NUMBERS, {"workspace_id": workspace.id}))
    for _key, group in itertools.groupby(found, key=lambda row: row[0]):
        sharing = [(id, name, number) for _, id, name, number in group]
        told = " and ".join(
            f"case {id} ({characters.without_formats(name)}) has"
            f" {characters.without_formats(number)}"
            for id, name, number in sharing
        )
        note(f"file number {characters.without_formats(sharing[0][2])}", f"{told}.")


async def _all(
    db: Snapshot, statement: Prepared, values: dict[str, Any]
) -> AsyncIterator[tuple[Any, ...]]:
    """All rows of a statement from _rows(), fetched in blocks."""
    after = ""
    while rows := await db.fetch(Fetch(statement, {**values, "after": after})):
        for row in rows:
            yield row
        after = rows[-1][0]


_ENTRY = ("id", "scope", "name", "code")


def _rows(table: Any, names: tuple[str, ...], *conditions: Any) -> Prepared:
    statement = (
        select(*(table.c[name] for name in names))
        .where(table.c.workspace_id == _WORKSPACE, table.c.id > bindparam("after"), *conditions)
        .order_by(table.c.id)
        .limit(BLOCK)
    )
    return Prepared(statement)


_ENTRIES = _rows(search_entry, _ENTRY, search_entry.c.kind == bindparam("kind"))


class _Found(NamedTuple):
    """What search finds: its model, its search entry, the keys of its own, and all of it."""

    model: Any
    entry: Callable[[int, Any], dict[str, Any]]
    own_keys: tuple[str, ...]
    objects: Prepared


def _found(
    table: Any, model: Any, entry: Any, own_keys: tuple[str, ...], *conditions: Any
) -> _Found:
    names = (*model.__dataclass_fields__, *own_keys)
    return _Found(model, entry, own_keys, _rows(table, names, *conditions))


_FOUND = {
    "case": _found(
        cases,
        Case,
        rows.case_entry,
        ("name_order", "number_order", "number_key"),
        cases.c.deleted_at.is_(None),
    ),
    "party": _found(party, Party, _register_entry("party"), ("name_order",)),
    "staff": _found(staff, Staff, _register_entry("staff"), ("name_order",)),
}


def _orphans(roles: Any, nodes: Any, node_id: str) -> Select[Any]:
    c = roles.c
    has_node = (
        select(1).where(nodes.c.workspace_id == c.workspace_id, nodes.c.id == c[node_id]).exists()
    )
    has_case = (
        select(1)
        .where(
            cases.c.workspace_id == c.workspace_id,
            cases.c.id == c.case_id,
            cases.c.last_position >= c.position,
        )
        .exists()
    )
    return select(c.case_id, c.position).where(
        c.workspace_id == _WORKSPACE, or_(not_(has_node), not_(has_case))
    )


_COUNT_EVENTS = Prepared(select(func.count()).select_from(timeline_event))
_EVENTS = Prepared(
    select(*(timeline_event.c[name] for name in timeline.CONTENT), timeline_event.c.hash)
    .where(
        and_(timeline_event.c.workspace_id == _WORKSPACE, timeline_event.c.seq > bindparam("seq"))
    )
    .order_by(timeline_event.c.seq)
    .limit(BLOCK)
)
_HEAD = Prepared(
    select(timeline_head.c.seq, timeline_head.c.hash, timeline_head.c.at).where(
        timeline_head.c.workspace_id == _WORKSPACE
    )
)
_LINKS = Prepared(
    select(case_link.c.id, case_link.c.case_id, case_link.c.linked_case_id, case_link.c.type)
    .where(case_link.c.workspace_id == _WORKSPACE)
    .order_by(case_link.c.id, case_link.c.case_id)
)
_SHARED_KEYS = (
    select(cases.c.number_key)
    .where(
        cases.c.workspace_id == _WORKSPACE,
        cases.c.deleted_at.is_(None),
        cases.c.number_key.is_not(None),
    )
    .group_by(cases.c.number_key)
    .having(func.count() > 1)
)
_SHARED_NUMBERS = Prepared(
    select(cases.c.number_key, cases.c.id, cases.c.name, cases.c.file_number)
    .where(
        cases.c.workspace_id == _WORKSPACE,
        cases.c.deleted_at.is_(None),
        cases.c.number_key.in_(_SHARED_KEYS),
    )
    .order_by(cases.c.number_key, cases.c.id)
)
_REFERENCES = Prepared(
    select(case_party.c.case_id, case_party.c.position, case_party.c.reference).where(
        case_party.c.workspace_id == _WORKSPACE,
        case_party.c.reference.is_not(None),
        case_party.c.reference != "",
    )
)
_ORPHANS = (
    (Prepared(_orphans(case_party, party, "party_id")), "party role"),
    (Prepared(_orphans(staff_assignment, staff, "staff_id")), "staff role"),
)
