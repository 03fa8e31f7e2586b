"""The timeline: the events of every write, chained by hashes.

seq is gapless and increasing within a workspace. An event's hash is the SHA-256 of its
predecessor's hash and its own content, so editing, dropping or reordering events from outside
breaks the chain (checked by verifying.py).
"""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select, update

from domain import ids
from domain.access.principal import Principal
from domain.instants import Instant
from domain.models import Change, EventSource
from domain.storage.database import Database, Transaction
from domain.storage.statements import Prepared
from domain.storage.tables import timeline_event, timeline_head
from domain.storage.turns import READING

GENESIS = "0" * 64
"""The hash before the first event."""
OPERATOR = "casegraph"
"""The actor of what a command does, and casegraph by itself."""


_HEAD = Prepared(
    select(timeline_head.c.seq, timeline_head.c.hash)
    .where(timeline_head.c.workspace_id == bindparam("workspace_id"))
    .with_for_update()
)
_APPEND = Prepared(insert(timeline_event))
_MOVE_HEAD = Prepared(
    update(timeline_head)
    .where(timeline_head.c.workspace_id == bindparam("mine"))
    .values(seq=bindparam("new_seq"), hash=bindparam("new_hash"), at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to write; the id and when it happened default to a new id and now.

    *source* tells an event that an import claims from one that casegraph records itself.
    """

    type: str
    case_id: str | None = None
    subject_id: str | None = None
    changes: Sequence[Change] = ()
    title: str | None = None
    occurred_at: Instant | None = None
    id: str | None = None
    source: EventSource = EventSource.RECORDED
    claimed_actor: str | None = None


@contextlib.asynccontextmanager
async def recorded(
    who: Principal, database: Database
) -> AsyncIterator[tuple[Transaction, list[NewEvent]]]:
    """A transaction in the caller's workspace, and the list that collects its events.

    The events are appended to the timeline together at the end, in list order.
    """
    async with database.write(who.workspace_id) as db:
        events: list[NewEvent] = []
        yield db, events
        position = await record(db, who.workspace_id, who.key_name, events)
    if (reading := READING.get()) is not None:
        reading.wrote(position)


async def record(db: Transaction, workspace_id: int, actor: str, events: list[NewEvent]) -> int:
    """Append *events* to the workspace's timeline, in the transaction that they record.

    The number of the last event, whether it is one of them or not.
    """
    head = db.head or await db.first(_HEAD, {"workspace_id": workspace_id})
    if head is None:
        raise AssertionError(f"workspace {workspace_id} has no timeline")
    seq: int
    seq, last = head
    if not events:
        return seq
    rows: list[dict[str, Any]] = []
    for event in events:
        seq += 1
        row = {
            "workspace_id": workspace_id,
            "seq": seq,
            "id": event.id or ids.new_id(ids.EVENT),
            "case_id": event.case_id,
            "subject_id": event.subject_id,
            "type": event.type,
            "actor": actor,
            "at": db.now,
            "occurred_at": event.occurred_at or db.now,
            "title": event.title,
            "changes": orjson.dumps(list(event.changes)).decode(),
            "source": str(event.source),
            "claimed_actor": event.claimed_actor,
        }
        last = row["hash"] = chained(last, row)
        rows.append(row)
    await db.run(_APPEND, rows)
    new_head = {"mine": workspace_id, "new_seq": seq, "new_hash": last, "now": db.now}
    await db.run(_MOVE_HEAD, new_head)
    if db.head is not None:
        db.head = seq, last
    return seq


CONTENT = (
    "seq",
    "id",
    "case_id",
    "subject_id",
    "type",
    "actor",
    "at",
    "occurred_at",
    "title",
    "changes",
    "source",
    "claimed_actor",
)
"""The columns that an event's hash covers, in order."""


def chained(previous: str, row: dict[str, Any]) -> str:
    """The hash, in hexadecimal, of an event whose predecessor has the hash *previous*."""
    return hashlib.sha256(previous.encode() + b"\n" + _content(row)).hexdigest()


def digest(row: dict[str, Any]) -> str:
    """The hash, in hexadecimal, of what is left of an event that was erased."""
    return hashlib.sha256(_content(row)).hexdigest()


def _content(row: dict[str, Any]) -> bytes:
    return orjson.dumps([row[name] for name in CONTENT])


def changes_between(before: Any, after: Any, names: Sequence[str]) -> list[Change]:
    """The changes in the fields *names*; *before* is None for a new object."""
    changes = []
    for name in names:
        old = None if before is None else getattr(before, name)
        new = None if after is None else getattr(after, name)
        if old != new:
            changes.append(Change(name, old, new))
    return changes
