"""Erasing a party for good: the name in every spelling, its references, and what the record tells.

Where a case still names the party, it is called "erased" from then on. Events keep what they tell
of others. What people wrote into texts that still stand is theirs to change: it is told of, and the
record keeps it until then. (Regulation (EU) 2016/679, Article 17: the right to erasure.)
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    bindparam,
    cast,
    delete,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.types import NullType

from domain import folding
from domain.access.principal import Principal, Scope
from domain.errors import PartyNotFound
from domain.models import EventSource, Party
from domain.reading import search
from domain.storage.database import Database, Row, Snapshot, Transaction
from domain.storage.spellings import each, holds
from domain.storage.tables import (
    case_party,
    idempotency_key,
    imported,
    party,
    timeline_event,
)
from domain.upkeep import erasing
from domain.upkeep.erasing import Event
from domain.upkeep.redacting import (
    CHOICES,
    ERASED,
    TEXTS,
    Standing,
    left_of,
    mentions_one,
    names_in,
    own_left,
)
from domain.writing import register, rows, timeline
from domain.writing.timeline import NewEvent

ABSORBED = "party_absorbed"
BLOCK = 1_000
FEW = 20
"""So few ids are looked for by the database."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased of a party, and where its name may still be: in texts that people wrote."""

    events: int
    cases: int
    """Cases that still name the party, which is called "erased" there."""
    mentions: tuple[str, ...]
    """The ids of cases, other parties, staff, keys and webhooks whose own texts have the name."""


async def forget_party(
    who: Principal, database: Database, party_id: str, names: Collection[str] = ()
) -> Forgotten:
    """Erase a party, or one that was deleted or merged into another, or erased before.

    Other *names* of it are erased from texts as well. The space is not overwritten: see
    Database.rewrite(). Raises PartyNotFound for a party that there never was.
    """
    who.require(Scope.CASES_DELETE)
    # Beforehand, since it may take seconds, and while it writes nobody else can.
    async with database.read(who.workspace_id) as db:
        scan = await _scanned(db, who, [party_id], names)
    async with database.write(who.workspace_id) as db:
        return await forget(db, who, [party_id], names, texts=True, scan=scan)


@dataclass(frozen=True, slots=True)
class _Search:
    """What is erased: the ids of parties, and the folded names that they had."""

    parties: set[str]
    ids: set[str]
    spellings: set[str]
    own: list[Event]
    found: list[Row]


@dataclass(frozen=True, slots=True)
class Scan:
    """The events up to the number *last* that may have to change, at most, for a search."""

    ids: set[str]
    spellings: set[str]
    last: int
    seqs: list[int]

    def covers(self, wanted: _Search) -> bool:
        return wanted.ids <= self.ids and wanted.spellings <= self.spellings


async def _scanned(
    db: Snapshot, who: Principal, party_ids: Collection[str], names: Collection[str]
) -> Scan:
    wanted = await _wanted(db, who, party_ids, names)
    seqs, last = [], 0
    async for block in _candidates(db, who):
        last = block[-1]["seq"]
        # As if no text stood: more than what forget() will erase.
        seqs += [one["seq"] for one in block if left_of(one, wanted.ids, wanted.spellings, set())]
    return Scan(wanted.ids, wanted.spellings, last, seqs)


async def forget(
    db: Transaction,
    who: Principal,
    party_ids: Collection[str],
    names: Collection[str] = (),
    *,
    texts: bool = False,
    scan: Scan | None = None,
) -> Forgotten:
    """The same for several parties, in a transaction and one reading of the timeline.

    Only with *texts* are the names looked for in what cases, other parties and staff were called
    or described as: a name may be a common word. A *scan* of before saves reading it all again.
    """
    wanted = await _wanted(db, who, party_ids, names)
    parties, ids, spellings = wanted.parties, wanted.ids, wanted.spellings
    own, found = wanted.own, wanted.found
    named = await _unnamed(db, who, ids)
    standing = await _standing(db, who, spellings, ids) if texts else None
    left = [changed for event in own if (changed := own_left(event))]
    seen = {event["seq"] for event in own}
    if not (texts and spellings):
        candidates = _candidates(db, who, _naming(ids))
    elif scan is not None and scan.covers(wanted):
        e = timeline_event.c
        numbers = select(cast(_listed(scan.seqs), BigInteger))
        candidates = _candidates(db, who, or_(e.seq > scan.last, e.seq.in_(numbers)))
    else:
        candidates = _candidates(db, who)
    async for block in candidates:
        others = (event for event in block if event["seq"] not in seen)
        redacted = (left_of(event, ids, spellings, standing) for event in others)
        left += [event for event in redacted if event]
    erased = await erasing.replace_events(db, who, sorted(left, key=lambda event: event["seq"]))
    await _drop_marks(db, who, ids | set(named))
    events: list[NewEvent] = []
    in_use = {id for parties_ in named.values() for id in parties_}
    for row in found:
        gone = Party(*row)
        await _rename_or_remove(db, who, gone, events, in_use=gone.id in in_use)
    # One event for each party; the first lists what was erased for all.
    lists = [[erased], *[[] for _ in parties]]
    events += [
        NewEvent("party_purged", subject_id=id, changes=changes)
        for id, changes in zip(sorted(parties), lists, strict=False)
    ]
    await timeline.record(db, who.workspace_id, who.key_name, events)
    return Forgotten(len(left), len(named), tuple(sorted({id for id, _text in standing or ()})))


async def _wanted(
    db: Snapshot, who: Principal, party_ids: Collection[str], names: Collection[str]
) -> _Search:
    """Raises PartyNotFound."""
    kept = await rows.kept_ids(db, who, set(party_ids))
    parties = {kept.get(id, id) for id in party_ids}
    ids, own = await _own_events(db, who, parties)
    found = await db.rows(
        select(*(party.c[name] for name in Party.__slots__)).where(
            party.c.workspace_id == who.workspace_id, among(party.c.id, parties)
        )
    )
    known = {row[0] for row in found} | {event["subject_id"] for event in own}
    if unknown := sorted(parties - known):
        raise PartyNotFound(unknown[0])
    all_names = names_in(own) | {row[2] for row in found} | set(names)
    spellings = {folding.plain(name) for name in all_names if name != ERASED} - {""}
    return _Search(parties, ids, spellings, own, found)


async def _own_events(
    db: Snapshot, who: Principal, parties: Collection[str]
) -> tuple[set[str], list[Event]]:
    """The ids of the parties and of all that were merged into them, and the events about these."""
    e = timeline_event.c
    ids: set[str] = set()
    own: list[Event] = []
    new = set(parties)
    while new:
        ids |= new
        about = (e.case_id.is_(None), among(e.subject_id, new))
        events = await erasing.events_where(db, who, *about)
        own += events
        # From the events, since a party that was deleted has no aliases any more.
        recorded = [one for one in events if one["source"] == EventSource.RECORDED]
        absorbed = [orjson.loads(one["changes"]) for one in recorded if one["type"] == ABSORBED]
        new = {change["after"] for changes in absorbed for change in changes} - ids
    return ids, own


def among(column: Any, values: Collection[str]) -> Any:
    """The condition that a column is one of many values."""
    return column.in_(select(_listed(values)))


def _listed(values: Collection[Any]) -> Any:
    """A column with many values, as texts."""
    listed = orjson.dumps(sorted(values)).decode()
    # Without a type, as which PostgreSQL takes a text for JSON.
    return each.value(bindparam("listed", listed, type_=NullType(), unique=True)).c.value


async def _rename_or_remove(
    db: Transaction, who: Principal, gone: Party, events: list[NewEvent], *, in_use: bool
) -> None:
    nameless = Party(
        gone.id,
        gone.kind,
        ERASED,
        gone.created_at,
        max(db.now, gone.created_at),
        gone.version + 1,
    )
    if in_use:
        await rows.update_register(db, who, "party", nameless)
        events.append(NewEvent("party_erased", subject_id=gone.id))
    else:
        await register.remove(db, who, "party", nameless, events)


def _naming(ids: set[str]) -> Any:
    """The condition that an event may name a party by its id, or is what an import claims."""
    e = timeline_event.c
    if len(ids) > FEW:
        return true()
    return or_(e.source == EventSource.IMPORTED.value, *(holds(e.changes, id) for id in ids))


async def _candidates(db: Snapshot, who: Principal, *conditions: Any) -> AsyncIterator[list[Event]]:
    """The events that meet the conditions, block by block."""
    e = timeline_event.c
    seq = 0
    while block := await erasing.events_where(db, who, e.seq > seq, *conditions, most=BLOCK):
        yield block
        seq = block[-1]["seq"]


async def _unnamed(db: Transaction, who: Principal, ids: set[str]) -> dict[str, set[str]]:
    """Clear the references that the parties have in cases; return these cases, and who is there."""
    c = case_party.c
    mine = (c.workspace_id == who.workspace_id, among(c.party_id, ids))
    named: dict[str, set[str]] = {}
    written = []
    for case_id, party_id, position in await db.rows(
        select(c.case_id, c.party_id, c.position).where(*mine)
    ):
        named.setdefault(case_id, set()).add(party_id)
        written.append(search.reference_id(case_id, position))
    await db.run(update(case_party).where(*mine).values(reference=None))
    await rows.remove_entries(db, who.workspace_id, "reference", written)
    return named


async def _drop_marks(db: Transaction, who: Principal, objects: set[str]) -> None:
    """Drop the marks that led to the party, and the requests that may have named it."""
    for table, column in (
        (imported, imported.c.object_id),
        (idempotency_key, idempotency_key.c.result_id),
    ):
        # A case stays imported: only the marks of names go.
        gone = {id for id in objects if table is idempotency_key or id.startswith("pty_")}
        mine = table.c.workspace_id == who.workspace_id
        await db.run(delete(table).where(mine, among(column, gone)))


async def _standing(
    db: Transaction, who: Principal, spellings: set[str], ids: set[str]
) -> Standing:
    """The texts that have one of the names, other than the parties' names."""
    found: Standing = set()
    for table, names in TEXTS.items() if spellings else ():
        keys = [column for column in table.primary_key if column.name != "workspace_id"]
        texts = [table.c[name] for name in names if name not in CHOICES]
        statement = select(*keys, *texts).where(table.c.workspace_id == who.workspace_id)
        statement = statement.order_by(*keys).limit(BLOCK)
        block = await db.rows(statement)
        while block:
            found |= {
                (row[0], text)
                for row in block
                if row[0] not in ids
                for text in row[len(keys) :]
                if text and mentions_one(folding.plain(text), spellings)
            }
            last = tuple_(*block[-1][: len(keys)])
            block = await db.rows(statement.where(tuple_(*keys) > last))
    return found
