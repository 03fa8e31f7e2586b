"""Erasing a party for good: the name in every spelling, its references, and what the record tells.

Where a case still names the party, it is called "erased" from then on. Events keep what they tell
of others. (Regulation (EU) 2016/679, Article 17: the right to erasure.)
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import delete, or_, select, update

from domain import folding
from domain.access.principal import Principal, Scope
from domain.errors import PartyNotFound
from domain.models import EventSource, Party
from domain.storage.database import Database, Transaction
from domain.storage.spellings import holds
from domain.storage.tables import (
    case_party,
    cases,
    idempotency_key,
    imported,
    party,
    party_alias,
    timeline_event,
)
from domain.upkeep import erasing
from domain.upkeep.erasing import Event
from domain.writing import register, rows, timeline
from domain.writing.timeline import NewEvent

ERASED = "erased"
"""What stands in place of a name."""
BLOCK = 1_000


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased of a party, and where its name may still be: in texts that people wrote."""

    events: int
    cases: int
    """Cases that still name the party, which is called "erased" there."""
    mentions: tuple[str, ...]
    """The ids of cases whose own name or description has the party's name."""


async def forget_party(who: Principal, database: Database, party_id: str) -> Forgotten:
    """Erase a party, or one that was deleted or merged into another.

    The space is not overwritten: see Database.rewrite(). Raises PartyNotFound for a party that
    there never was.
    """
    who.require(Scope.CASES_DELETE)
    async with database.write(who.workspace_id) as db:
        return await forget(db, who, party_id)


async def forget(db: Transaction, who: Principal, party_id: str) -> Forgotten:
    """The same, in a transaction."""
    party_id = (await rows.kept_ids(db, who, {party_id})).get(party_id, party_id)
    mine = party_alias.c.workspace_id == who.workspace_id
    aliases = await db.rows(
        select(party_alias.c.id).where(mine, party_alias.c.party_id == party_id)
    )
    ids = {party_id, *(id for (id,) in aliases)}
    e = timeline_event.c
    own = await erasing.events_where(db, who, e.case_id.is_(None), e.subject_id.in_(sorted(ids)))
    found = await db.first(
        select(*(party.c[name] for name in Party.__slots__)).where(
            party.c.workspace_id == who.workspace_id, party.c.id == party_id
        )
    )
    if found is None and not own:
        raise PartyNotFound(party_id)
    names = _names(own) | ({found[2]} if found is not None else set())
    spellings = {folding.plain(name) for name in names if name != ERASED} - {""}
    left = [changed for event in own if (changed := _own_left(event))]
    async for block in _candidates(db, who, ids):
        left += [changed for event in block if (changed := _left(event, ids, spellings))]
    named = await _unnamed(db, who, ids)
    erased = await erasing.replace_events(db, who, sorted(left, key=lambda event: event["seq"]))
    await _drop_marks(db, who, {*ids, *named})
    events: list[NewEvent] = []
    if found is not None:
        await _rename_or_remove(db, who, Party(*found), events, in_use=bool(named))
    events.append(NewEvent("party_purged", subject_id=party_id, changes=[erased]))
    await timeline.record(db, who.workspace_id, who.key_name, events)
    return Forgotten(len(left), len(named), await _mentions(db, who, spellings))


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


def _names(own: Collection[Event]) -> set[str]:
    """Every name that the events of a party tell."""
    return {
        value
        for event in own
        for change in orjson.loads(event["changes"])
        if change["field"] == "name"
        for value in (change["before"], change["after"])
        if isinstance(value, str)
    }


def _own_left(event: Event) -> Event | None:
    """What is left of an event of the party's own; None if nothing has to go."""
    if event["source"] == EventSource.IMPORTED:
        return _emptied(event)
    changes = orjson.loads(event["changes"])
    for change in changes:
        if change["field"] == "name":
            for side in ("before", "after"):
                change[side] = None if change[side] is None else ERASED
    return _changed(event, changes)


def _left(event: Event, ids: set[str], spellings: set[str]) -> Event | None:
    """What is left of an event that may name the party; None if it does not."""
    changes = orjson.loads(event["changes"])
    if event["source"] == EventSource.IMPORTED:
        told = [event["title"], event["claimed_actor"], *_texts(changes)]
        folded = [folding.plain(text) for text in told if text]
        if ids & set(told) or any(one in text for one in spellings for text in folded):
            return _emptied(event)
        return None
    for change in changes:
        for side in ("before", "after"):
            role = change[side]
            if change["field"] == "parties" and isinstance(role, dict) and role.get("id") in ids:
                role |= {"name": ERASED, "reference": None}
    return _changed(event, changes)


def _emptied(event: Event) -> Event | None:
    emptied = event | erasing.EMPTIED
    return None if emptied == event else emptied


def _changed(event: Event, changes: list[Any]) -> Event | None:
    told = orjson.dumps(changes).decode()
    return None if told == event["changes"] else event | {"changes": told}


def _texts(value: Any) -> list[str]:
    """All strings in a JSON value, names of fields included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in _texts(one)]
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else []


async def _candidates(db: Transaction, who: Principal, ids: set[str]) -> AsyncIterator[list[Event]]:
    """The events of cases that name the party by its ids, and all that an import claims."""
    e = timeline_event.c
    may_name = or_(e.source == EventSource.IMPORTED.value, *(holds(e.changes, id) for id in ids))
    seq = 0
    while True:
        conditions = (e.seq > seq, or_(e.case_id.is_not(None), e.subject_id.not_in(ids)), may_name)
        block = await erasing.events_where(db, who, *conditions, most=BLOCK)
        if not block:
            return
        yield block
        seq = block[-1]["seq"]


async def _unnamed(db: Transaction, who: Principal, ids: set[str]) -> set[str]:
    """Clear the references that the party has in cases; return these cases."""
    mine = (case_party.c.workspace_id == who.workspace_id, case_party.c.party_id.in_(sorted(ids)))
    named = {id for (id,) in await db.rows(select(case_party.c.case_id).where(*mine))}
    await db.run(update(case_party).where(*mine).values(reference=None))
    return named


async def _drop_marks(db: Transaction, who: Principal, objects: set[str]) -> None:
    """Drop the marks that led to the party, and the requests that may have named it."""
    listed = sorted(objects)
    for table, column in (
        (imported, imported.c.object_id),
        (idempotency_key, idempotency_key.c.result_id),
    ):
        # A case stays imported: only the marks of names go.
        of_party = [id for id in listed if table is idempotency_key or id.startswith("pty_")]
        await db.run(
            delete(table).where(table.c.workspace_id == who.workspace_id, column.in_(of_party))
        )


async def _mentions(db: Transaction, who: Principal, spellings: set[str]) -> tuple[str, ...]:
    """The cases whose own texts have one of the names."""
    if not spellings:
        return ()
    c = cases.c
    after, found = "", []
    statement = select(c.id, c.name, c.description).where(c.workspace_id == who.workspace_id)
    while block := await db.rows(statement.where(c.id > after).order_by(c.id).limit(BLOCK)):
        for id, *texts in block:
            folded = [folding.plain(text) for text in texts if text]
            if any(one in text for one in spellings for text in folded):
                found.append(id)
        after = block[-1][0]
    return tuple(found)
