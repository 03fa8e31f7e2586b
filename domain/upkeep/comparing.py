"""Comparing what is stored with what its events lead to, and sealed rows with their seals.

Findings name the object and the field, never a value.
"""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Table, bindparam, select, tuple_

from domain.models import EventSource, Workspace
from domain.storage import seals
from domain.storage.database import Snapshot
from domain.storage.spellings import each
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import (
    api_key,
    case_link,
    cases,
    idempotency_key,
    imported,
    party,
    party_alias,
    staff,
    timeline_erasure,
    timeline_event,
    webhook,
    workspace,
)
from domain.upkeep import replaying
from domain.upkeep.replaying import LINK_COLUMNS, Event, Row
from domain.webhooks import signing
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES, RoleTable

BLOCK = 500
"""Objects compared at a time."""
Note = Callable[[str, str], None]
_NOT_TOLD = "no event tells of it."
_OTHERWISE = "its {} is not what its events lead to."
_SEALED = (api_key, idempotency_key, imported, webhook)
_WORKSPACE: Any = bindparam("workspace_id")
_ROLE_NAMES = {PARTY_ROLES: "party role", STAFF_ROLES: "staff role"}


async def seals_of(db: Snapshot, owner: Workspace, note: Note) -> None:
    """Check the seals of a workspace, its keys, webhooks, idempotency keys and import marks."""
    [row] = await _fetched(db, _OWNER, workspace, {"workspace_id": owner.id})
    try:
        names = seals.broken(owner.secret, workspace, row)
    except ValueError:
        names = ["secret"]
    if len(names) == len(seals.columns(workspace)):
        names = ["secret"]  # with which all others are sealed
    for name in names:
        note("workspace", f"its {name} was changed from outside.")
    if "secret" in names:
        return
    for table in _SEALED:
        async for row in _rows_of(db, owner, table):
            names = seals.broken(owner.secret, table, row)
            if len(names) == len(seals.columns(table)):
                names = ["id"]  # which is part of what each column is sealed with
            for name in names:
                place = f"{table.name.replace('_', ' ')} {row['id']}"
                note(place, f"its {name} was changed from outside.")
    for (seq,) in await db.fetch(Fetch(_ERASURES, {"workspace_id": owner.id})):
        note(f"event {seq}", "somebody has prepared to take it out of the timeline.")


async def cases_of(
    db: Snapshot, owner: Workspace, note: Note, on_events: Callable[[int], object]
) -> None:
    """Compare each case, its roles and its ends of links with what the case's events lead to.

    *on_events* takes how many events were read.
    """
    names = _told(cases, without=("name_order", "number_order", "number_key"))
    async for block in _blocks(_rows_of(db, owner, cases)):
        ids = orjson.dumps([row["id"] for row in block]).decode()
        values = {"workspace_id": owner.id, "ids": ids}
        events = await _grouped(db, _CASE_EVENTS, "case_id", values)
        on_events(sum(map(len, events.values())))
        roles = {
            table: await _grouped(db, statement, "case_id", values)
            for table, statement in _ROLES.items()
        }
        links = await _grouped(db, _LINKS, "case_id", values)
        for row in block:
            place = f"case {row['id']}"
            state = _replayed(replaying.case, events.get(row["id"], ()), place, note)
            if state is None:
                continue
            if state.row is None:
                note(place, _NOT_TOLD)
                continue
            _compare(place, "", row, state.row, names, note)
            for table, of_case in roles.items():
                stored = {one["number"]: one for one in of_case.get(row["id"], ())}
                _compare_roles(place, table, stored, state.roles[table], note)
            own = {one["id"]: one for one in links.get(row["id"], ())}
            for id in own.keys() | state.links.keys():
                _compare_one(f"{place}: link {id}", own.get(id), state.links.get(id), note)


async def people_of(db: Snapshot, owner: Workspace, note: Note) -> None:
    """Compare parties, staff, keys and webhooks with what the events about them lead to."""
    stored: dict[str, dict[str, Row]] = {}
    for table in (party, staff, api_key, webhook):
        stored[table.name] = {row["id"]: row async for row in _rows_of(db, owner, table)}
    for one in stored["webhook"].values():
        one["events"] = None if one["events"] is None else orjson.loads(one["events"])
        one["secret_digest"] = signing.digest(one["secret"])
    replays: Mapping[str, tuple[str, Callable[[Sequence[Event]], Row | None]]] = {
        "party": ("party", replaying.person),
        "staff": ("staff", replaying.person),
        "key": ("api_key", replaying.key),
        "webhook": ("webhook", replaying.webhook),
    }
    merged: dict[str, str] = {}
    existing = set(stored["party"])
    async for id, events in _by_subject(db, owner):
        kind = events[0]["type"].partition("_")[0]
        for event in events:
            if event["type"] == "party_merged":
                [merged[id]] = [
                    one["after"] for one in event["changes"] if one["field"] == "merged_into"
                ] or [""]
        if kind not in replays:
            continue
        name, replay = replays[kind]
        place = f"{kind} {id}"
        row = stored[name].pop(id, None)
        try:
            expected = replay(events)
        except (ValueError, KeyError, TypeError):
            note(place, "its events cannot be read.")
            continue
        _compare_one(place, row, expected, note)
    for kind, (name, _replay) in replays.items():
        for id in stored[name]:
            note(f"{kind} {id}", _NOT_TOLD)
    aliases = {row["id"]: row async for row in _rows_of(db, owner, party_alias)}
    for id in aliases.keys() | merged.keys():
        kept = id
        while kept in merged:
            kept = merged[kept]
        expected = {"party_id": kept} if id in merged and kept in existing else None
        _compare_one(f"merged party {id}", aliases.get(id), expected, note)


def _replayed(replay: Callable[[Any], Any], events: Any, place: str, note: Note) -> Any:
    try:
        return replay(events)
    except (ValueError, KeyError, TypeError):
        # Changes that casegraph does not write; the error's own message would show them.
        note(place, "its events cannot be read.")
        return None


def _compare_roles(
    place: str, table: RoleTable, stored: dict[int, Row], expected: dict[int, Row], note: Note
) -> None:
    for number in sorted(stored.keys() | expected.keys()):
        one = f"{place}: {_ROLE_NAMES[table]} {number}"
        _compare_one(one, stored.get(number), expected.get(number), note)


def _compare_one(place: str, stored: Row | None, expected: Row | None, note: Note) -> None:
    if stored is None and expected is not None:
        note(place, "it is missing.")
    elif expected is None and stored is not None:
        note(place, _NOT_TOLD)
    elif stored is not None and expected is not None:
        _compare(place, "", stored, expected, list(expected), note)


def _compare(
    place: str, what: str, stored: Row, expected: Row, names: Sequence[str], note: Note
) -> None:
    for name in names:
        if stored[name] != expected[name]:
            note(place, _OTHERWISE.format(f"{what}{name}"))


async def _by_subject(
    db: Snapshot, owner: Workspace
) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """The recorded events that are about no case, grouped by whom they are about."""
    values: dict[str, Any] = {"workspace_id": owner.id, "after": "", "seq": 0}
    subject: str | None = None
    events: list[dict[str, Any]] = []
    while rows := await db.fetch(Fetch(_PERSON_EVENTS, values)):
        for id, seq, kind, at, changes in rows:
            if id != subject:
                if subject is not None:
                    yield subject, events
                subject, events = id, []
            events.append({"seq": seq, "type": kind, "at": at, "changes": orjson.loads(changes)})
        values |= {"after": rows[-1][0], "seq": rows[-1][1]}
    if subject is not None:
        yield subject, events


async def _grouped(
    db: Snapshot, statement: Prepared, name: str, values: dict[str, Any]
) -> dict[str, list[Row]]:
    """Rows as dictionaries, grouped by their first column; JSON in *changes* is read."""
    names = [column.name for column in statement.statement.selected_columns]  # type: ignore[attr-defined]
    grouped: dict[str, list[Row]] = {}
    rows = await db.fetch(Fetch(statement, values))
    for id, group in itertools.groupby(rows, key=lambda row: row[0]):
        made = [dict(zip(names, row, strict=True)) for row in group]
        for one in made:
            if "changes" in one:
                one["changes"] = orjson.loads(one["changes"])
        grouped[id] = made
    return grouped


async def _rows_of(db: Snapshot, owner: Workspace, table: Table) -> AsyncIterator[Row]:
    """All rows of a workspace, in blocks, by id."""
    page = _PAGES[table]
    values = {"workspace_id": owner.id, "after": ""}
    while rows := await _fetched(db, page, table, values):
        for row in rows:
            yield row
        values["after"] = rows[-1]["id"]


async def _blocks(rows: AsyncIterator[Row]) -> AsyncIterator[list[Row]]:
    block: list[Row] = []
    async for row in rows:
        block.append(row)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block


async def _fetched(
    db: Snapshot, statement: Prepared, table: Table, values: dict[str, Any]
) -> list[Row]:
    rows = await db.fetch(Fetch(statement, values))
    return [dict(zip(table.columns.keys(), row, strict=True)) for row in rows]


def _told(table: Table, without: Sequence[str]) -> list[str]:
    """The columns of a table that its events tell: not its key, nor what is folded from others."""
    return [name for name in table.columns.keys() if name not in ("workspace_id", "id", *without)]  # noqa: SIM118


def _all(table: Table) -> Any:
    return select(*table.columns)


def _page(table: Table) -> Prepared:
    mine = (table.c.workspace_id == _WORKSPACE, table.c.id > bindparam("after"))
    return Prepared(_all(table).where(*mine).order_by(table.c.id).limit(BLOCK))


def _of_cases(table: Table, *names: str) -> Any:
    listed = select(each.value(bindparam("ids")).c.value)
    columns = [table.c.case_id, *(table.c[name] for name in names)]
    return select(*columns).where(table.c.workspace_id == _WORKSPACE, table.c.case_id.in_(listed))


_OWNER = Prepared(_all(workspace).where(workspace.c.id == _WORKSPACE))
_ERASURES = Prepared(
    select(timeline_erasure.c.seq).where(timeline_erasure.c.workspace_id == _WORKSPACE)
)
_PAGES = {table: _page(table) for table in (*_SEALED, cases, party, party_alias, staff)}
_e = timeline_event.c
_RECORDED = _e.source == EventSource.RECORDED.value
_CASE_EVENTS = Prepared(
    _of_cases(timeline_event, "seq", "type", "at", "changes")
    .where(_RECORDED)
    .order_by(_e.case_id, _e.seq)
)
_PERSON_EVENTS = Prepared(
    select(_e.subject_id, _e.seq, _e.type, _e.at, _e.changes)
    .where(
        _e.workspace_id == _WORKSPACE,
        _e.case_id.is_(None),
        _RECORDED,
        tuple_(_e.subject_id, _e.seq) > tuple_(bindparam("after"), bindparam("seq")),
    )
    .order_by(_e.subject_id, _e.seq)
    .limit(BLOCK)
)
_ROLES = {
    roles: Prepared(
        _of_cases(
            roles.table, "number", "position", roles.node, "role", roles.remark, roles.since
        ).order_by(roles.table.c.case_id)
    )
    for roles in (PARTY_ROLES, STAFF_ROLES)
}
_LINKS = Prepared(_of_cases(case_link, *LINK_COLUMNS).order_by(case_link.c.case_id))
