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
from domain.models import Change
from domain.storage.database import Database, Transaction
from domain.storage.statements import Prepared
from domain.storage.tables import timeline_event, timeline_head

GENESIS = "0" * 64
"""The hash before the first event."""


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
    """An event to write; id, actor and times default to a new id, the writer and now."""

    type: str
    case_id: str | None = None
    subject_id: str | None = None
    changes: Sequence[Change] = ()
    title: str | None = None
    occurred_at: Instant | None = None
    id: str | None = None
    actor: str | None = None
    at: Instant | None = None


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
        await record(db, who.workspace_id, who.key_name, events)


async def record(db: Transaction, workspace_id: int, actor: str, events: list[NewEvent]) -> None:
    """Append *events* to the workspace's timeline, in the transaction that they record."""
    if not events:
        return
    head = await db.first(_HEAD, {"workspace_id": workspace_id})
    if head is None:
        raise AssertionError(f"workspace {workspace_id} has no timeline")
    seq, last = head
    rows: list[dict[str, Any]] = []
    for event in events:
        seq += 1
        at = event.at or db.now
        row = {
            "workspace_id": workspace_id,
            "seq": seq,
            "id": event.id or ids.new_id(ids.EVENT),
            "case_id": event.case_id,
            "subject_id": event.subject_id,
            "type": event.type,
            "actor": event.actor or actor,
            "at": at,
            "occurred_at": event.occurred_at or at,
            "title": event.title,
            "changes": orjson.dumps(list(event.changes)).decode(),
        }
        last = row["hash"] = chained(last, row)
        rows.append(row)
    await db.run(_APPEND, rows)
    new_head = {"mine": workspace_id, "new_seq": seq, "new_hash": last, "now": db.now}
    await db.run(_MOVE_HEAD, new_head)


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
)


def chained(previous: str, row: dict[str, Any]) -> str:
    """The hash, in hexadecimal, of an event whose predecessor has the hash *previous*."""
    content = orjson.dumps([row[name] for name in CONTENT])
    return hashlib.sha256(previous.encode() + b"\n" + content).hexdigest()


def changes_between(before: Any, after: Any, names: Sequence[str]) -> list[Change]:
    """The changes in the fields *names*; *before* is None for a new object."""
    changes = []
    for name in names:
        old = None if before is None else getattr(before, name)
        new = None if after is None else getattr(after, name)
        if old != new:
            changes.append(Change(name, old, new))
    return changes
