"""Erasing deleted cases and parties for good.

The content of its events goes, so that nothing is left but that something happened: erasing.py.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import and_, bindparam, delete, func, or_, select

from domain.access.principal import Principal, Scope
from domain.instants import Instant
from domain.models import EventSource, Party
from domain.storage.database import Database, Transaction
from domain.storage.spellings import each
from domain.storage.tables import (
    case_party,
    cases,
    idempotency_key,
    imported,
    party,
    staff_assignment,
    timeline_event,
)
from domain.upkeep import erasing
from domain.upkeep.forgetting import among, forget
from domain.writing import links, register, rows, timeline
from domain.writing.idempotency import Call
from domain.writing.timeline import NewEvent

PARTIES = 200
"""How many parties are forgotten in one transaction."""


@dataclass(frozen=True, slots=True)
class Purged:
    """The numbers of cases erased, of their events, and of parties that no case names any more."""

    cases: int
    events: int
    parties: int = 0


async def purge(
    who: Principal,
    database: Database,
    *,
    before: Instant | None = None,
    dry_run: bool = False,
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    on_wait: Callable[[str], object] = lambda _what: None,
) -> Purged:
    """Erase the workspace's deleted cases and parties, or those deleted before *before*.

    Parties of these cases whom no other case names go, too. Each case is one transaction; then the
    parties are forgotten, some at a time, and the file is rewritten, so that nothing is left in it.
    A purge that was interrupted is made good by the next one. *on_progress* takes what is done and
    its total. *dry_run* counts and changes nothing. *on_wait* is Database.rewrite()'s, which raises
    Unavailable.
    """
    who.require(Scope.CASES_DELETE)
    c = cases.c
    conditions = [c.workspace_id == who.workspace_id, c.deleted_at.is_not(None)]
    if before is not None:
        conditions.append(c.deleted_at < before)
    async with database.write(who.workspace_id) as db:
        ids = [id for (id,) in await db.rows(select(c.id).where(*conditions).order_by(c.id))]
        parties = await _deleted_parties(db, who, before)
        if dry_run:
            parties |= await _parties_only_of(db, who, ids)
            events = sum([await _count_events(db, who, id) for id in ids])
            return Purged(len(ids), events, len(parties))
    events, total = 0, len(ids) + len(parties)
    for done, id in enumerate(ids):
        on_progress(done, total)
        async with database.write(who.workspace_id) as db:
            orphans = await _parties_only_of(db, who, [id])
            events += await _erase(db, who, id)
            await _remove(db, who, orphans)
        parties |= orphans
        total += len(orphans)
    rest = sorted(parties)
    for start in range(0, len(rest), PARTIES):
        on_progress(len(ids) + start, total)
        async with database.write(who.workspace_id) as db:
            await forget(db, who, rest[start : start + PARTIES])
    on_progress(total, total)
    await database.rewrite(on_wait)
    return Purged(len(ids), events, len(parties))


async def _remove(db: Transaction, who: Principal, ids: Collection[str]) -> None:
    """Remove parties whom no case names; they are forgotten later, by the next purge if need be."""
    c = party.c
    columns = [c[name] for name in Party.__slots__]
    found = select(*columns).where(c.workspace_id == who.workspace_id, among(c.id, ids))
    told: list[NewEvent] = []
    for row in await db.rows(found):
        await register.remove(db, who, "party", Party(*row), told, event="party_orphaned")
    await timeline.record(db, who.workspace_id, who.key_name, told)


async def _parties_only_of(db: Transaction, who: Principal, ids: Sequence[str]) -> set[str]:
    """The parties that these cases name or named, and no other case names."""
    found: set[str] = set()
    for id in ids:
        events = await erasing.events_where(
            db,
            who,
            timeline_event.c.case_id == id,
            timeline_event.c.source == EventSource.RECORDED.value,
        )
        for event in events:
            for change in orjson.loads(event["changes"]):
                if change["field"] == "parties":
                    found |= {side["id"] for side in (change["before"], change["after"]) if side}
    kept = await rows.kept_ids(db, who, found)
    found = {kept.get(id, id) for id in found}
    c = case_party.c
    listed = orjson.dumps(sorted(found)).decode()
    named = await db.rows(
        select(c.party_id).where(
            c.workspace_id == who.workspace_id,
            c.party_id.in_(select(each.value(bindparam("listed")).c.value)),
            c.case_id.not_in(select(each.value(bindparam("cases"), "gone").c.value)),
        ),
        {"listed": listed, "cases": orjson.dumps(ids).decode()},
    )
    known = await rows.names_of(db, who.workspace_id, "party", found)
    return known.keys() - {id for (id,) in named}


async def _deleted_parties(db: Transaction, who: Principal, before: Instant | None) -> set[str]:
    """The parties that were deleted, and not erased since."""
    e = timeline_event.c
    recorded = (e.case_id.is_(None), e.source == EventSource.RECORDED.value)
    deleted = e.type == "party_deleted"
    gone = await erasing.events_where(
        db,
        who,
        *recorded,
        or_(
            deleted if before is None else and_(deleted, e.at < before), e.type == "party_orphaned"
        ),
    )
    purged = await erasing.events_where(db, who, *recorded, e.type == "party_purged")
    subjects = {event["subject_id"] for event in gone}
    return subjects - {event["subject_id"] for event in purged}


async def _erase(db: Transaction, who: Principal, case_id: str) -> int:
    """Erase one case; return the number of its events."""
    workspace_id = who.workspace_id
    # One deleted before links went with their cases may still have some: the others are told.
    call = Call(db, [], None)
    await links.remove_links_of(call, who, await rows.any_case(db, who, case_id))
    told = [event for event in call.events if event.case_id != case_id]
    await timeline.record(db, workspace_id, who.key_name, told)
    events = await erasing.events_where(db, who, timeline_event.c.case_id == case_id)
    of_nobody = {"case_id": None, "subject_id": None}
    left = [event | erasing.EMPTIED | of_nobody | {"occurred_at": event["at"]} for event in events]
    erased = await erasing.replace_events(db, who, left)
    for roles in (case_party, staff_assignment):
        await db.run(
            delete(roles).where(roles.c.workspace_id == workspace_id, roles.c.case_id == case_id)
        )
    for table, column in (
        (idempotency_key, idempotency_key.c.result_id),
        (imported, imported.c.object_id),
        (cases, cases.c.id),
    ):
        await db.run(delete(table).where(table.c.workspace_id == workspace_id, column == case_id))
    await rows.remove_entry(db, who, "case", case_id)
    await rows.remove_references(db, workspace_id, case_id)
    event = NewEvent("case_purged", subject_id=case_id, changes=[erased])
    await timeline.record(db, workspace_id, who.key_name, [event])
    return len(events)


async def _count_events(db: Transaction, who: Principal, case_id: str) -> int:
    e = timeline_event.c
    mine = (e.workspace_id == who.workspace_id, e.case_id == case_id)
    [(count,)] = await db.rows(select(func.count()).select_from(timeline_event).where(*mine))
    return int(count)
