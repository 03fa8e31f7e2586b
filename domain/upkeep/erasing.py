"""Taking the content of events out of the timeline, so that its chain holds.

An erased event keeps its number, id, type, actor, time and hash. The hash can no longer be checked,
so the event of the purge, itself in the chain, lists the hashes of what is left: verifying.py
accepts no other gaps.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select

from domain.access.principal import Principal
from domain.models import Change
from domain.storage.database import Snapshot, Transaction
from domain.storage.tables import timeline_erasure, timeline_event
from domain.writing import timeline

ERASURES = frozenset({"case_purged", "party_purged"})
"""The types of the events that list erased events."""
EMPTIED: dict[str, Any] = {"title": None, "changes": "[]", "claimed_actor": None}

Event = dict[str, Any]
"""The columns of an event."""


async def events_where(
    db: Snapshot, who: Principal, *conditions: Any, most: int | None = None
) -> list[Event]:
    """The workspace's events that meet the conditions, whole, by number; at most *most*."""
    e = timeline_event.c
    mine = e.workspace_id == who.workspace_id
    found = select(timeline_event).where(mine, *conditions).order_by(e.seq)
    rows = await db.rows(found if most is None else found.limit(most))
    return [dict(zip(e.keys(), row, strict=True)) for row in rows]


async def replace_events(db: Transaction, who: Principal, events: Sequence[Event]) -> Change:
    """Store events with what is left of them; the change that the purge's event is to have."""
    mine = timeline_erasure.c.workspace_id == who.workspace_id
    e = timeline_event.c
    for event in events:
        place = {"workspace_id": who.workspace_id, "seq": event["seq"]}
        await db.run(insert(timeline_erasure).values(place))
        await db.run(
            delete(timeline_event).where(e.workspace_id == who.workspace_id, e.seq == event["seq"])
        )
    if events:
        await db.run(insert(timeline_event), events)
    await db.run(delete(timeline_erasure).where(mine))
    digests = [timeline.digest(event) for event in events]
    return Change("events", [event["seq"] for event in events], digests)
