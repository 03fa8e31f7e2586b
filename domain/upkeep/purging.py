"""Erasing deleted cases for good.

The content of its events goes, so that nothing is left but that something happened: erasing.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select

from domain.access.principal import Principal, Scope
from domain.instants import Instant
from domain.storage.database import Database, Transaction
from domain.storage.tables import (
    case_link,
    case_party,
    cases,
    idempotency_key,
    imported,
    staff_assignment,
    timeline_event,
)
from domain.upkeep import erasing
from domain.writing import rows, timeline
from domain.writing.timeline import NewEvent


@dataclass(frozen=True, slots=True)
class Purged:
    """The numbers of cases erased and of their events."""

    cases: int
    events: int


async def purge(
    who: Principal,
    database: Database,
    *,
    before: Instant | None = None,
    dry_run: bool = False,
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> Purged:
    """Erase the workspace's deleted cases, or those deleted before *before*.

    Each case is one transaction; afterwards the file is rewritten, so that nothing is left in it.
    *on_progress* takes the cases done and their total. *dry_run* counts and changes nothing.
    """
    who.require(Scope.CASES_DELETE)
    c = cases.c
    conditions = [c.workspace_id == who.workspace_id, c.deleted_at.is_not(None)]
    if before is not None:
        conditions.append(c.deleted_at < before)
    async with database.write(who.workspace_id) as db:
        ids = [id for (id,) in await db.rows(select(c.id).where(*conditions).order_by(c.id))]
        if dry_run:
            return Purged(len(ids), sum([await _count_events(db, who, id) for id in ids]))
    events = 0
    for done, id in enumerate(ids):
        on_progress(done, len(ids))
        async with database.write(who.workspace_id) as db:
            events += await _erase(db, who, id)
    if ids:
        await database.rewrite()
    on_progress(len(ids), len(ids))
    return Purged(len(ids), events)


async def _erase(db: Transaction, who: Principal, case_id: str) -> int:
    """Erase one case; return the number of its events."""
    workspace_id = who.workspace_id
    events = await erasing.events_where(db, who, timeline_event.c.case_id == case_id)
    of_nobody = {"case_id": None, "subject_id": None}
    left = [event | erasing.EMPTIED | of_nobody | {"occurred_at": event["at"]} for event in events]
    erased = await erasing.replace_events(db, who, left)
    for roles in (case_party, staff_assignment):
        await db.run(
            delete(roles).where(roles.c.workspace_id == workspace_id, roles.c.case_id == case_id)
        )
    links = case_link.c
    await db.run(
        delete(case_link).where(
            links.workspace_id == workspace_id,
            or_(links.case_id == case_id, links.linked_case_id == case_id),
        )
    )
    for table, column in (
        (idempotency_key, idempotency_key.c.result_id),
        (imported, imported.c.object_id),
        (cases, cases.c.id),
    ):
        await db.run(delete(table).where(table.c.workspace_id == workspace_id, column == case_id))
    await rows.remove_entry(db, who, "case", case_id)
    event = NewEvent("case_purged", subject_id=case_id, changes=[erased])
    await timeline.record(db, workspace_id, who.key_name, [event])
    return len(events)


async def _count_events(db: Transaction, who: Principal, case_id: str) -> int:
    e = timeline_event.c
    mine = (e.workspace_id == who.workspace_id, e.case_id == case_id)
    [(count,)] = await db.rows(select(func.count()).select_from(timeline_event).where(*mine))
    return int(count)
