"""Erasing deleted cases for good.

The events of an erased case become tombstones, which keep only number, id, time and hash, so that
the chain holds. A case_purged event, itself in the chain, lists them; verifying.py accepts no
other tombstones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, or_, select

from domain.access.principal import Principal, Scope
from domain.instants import Instant
from domain.models import Change
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
from domain.writing import rows, timeline
from domain.writing.timeline import NewEvent

TOMBSTONE = "purged"
"""The type of an erased event."""
CASE_PURGED = "case_purged"


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
            return Purged(len(ids), sum([len(await _events(db, who, id)) for id in ids]))
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
    events = await _events(db, who, case_id)
    e = timeline_event.c
    await db.run(delete(timeline_event).where(e.workspace_id == workspace_id, e.case_id == case_id))
    await db.run(
        insert(timeline_event),
        [
            {
                "workspace_id": workspace_id,
                "seq": seq,
                "id": id,
                "type": TOMBSTONE,
                "actor": "",
                "at": at,
                "occurred_at": at,
                "changes": "[]",
                "hash": hash,
            }
            for seq, id, at, hash in events
        ],
    )
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
    erased = Change("events", [seq for seq, *_rest in events], None)
    event = NewEvent(CASE_PURGED, subject_id=case_id, changes=[erased])
    await timeline.record(db, workspace_id, who.key_name, [event])
    return len(events)


async def _events(db: Transaction, who: Principal, case_id: str) -> list[Any]:
    e = timeline_event.c
    rows = await db.rows(
        select(e.seq, e.id, e.at, e.hash)
        .where(e.workspace_id == who.workspace_id, e.case_id == case_id)
        .order_by(e.seq)
    )
    return list(rows)
