"""Whose turn it is to deliver, how far a webhook has got, and when it is tried again.

One process at a time holds a webhook, for as long as it says so again: changes are delivered in
their order. What a process had delivered when it died, and had not noted, is delivered again.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, select, text

from domain import instants
from domain.instants import Instant
from domain.models import Change, Webhook, WebhookState
from domain.storage.database import Database, Pace, Transaction
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import timeline_event, timeline_head, webhook, webhook_delivery
from domain.webhooks import rows
from domain.webhooks.rows import Stored
from domain.writing import timeline
from domain.writing.timeline import OPERATOR, NewEvent

log = logging.getLogger("casegraph.webhooks")

HELD_SECONDS = 30
"""How long a webhook is held; nobody else delivers meanwhile."""
LOGGED = 1_000
"""How many attempts are kept in the log of a webhook."""
RETRIES = (1, 5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
"""Seconds to wait after the first failure, the second, and so on; then always the last."""
GIVE_UP = timedelta(days=3)
"""How long a delivery is tried before its webhook is paused."""
_SPREAD = 0.1
"""By how much a wait may be longer, so that not all come back at one moment."""

_PACE = Pace()
_ACTIVE = Prepared(
    select(
        webhook.c.workspace_id,
        webhook.c.id,
        webhook.c.seq,
        timeline_head.c.seq,
        webhook.c.due_at,
        webhook.c.holder,
        webhook.c.held_until,
    )
    .join(timeline_head, timeline_head.c.workspace_id == webhook.c.workspace_id)
    .where(webhook.c.state == "active"),
    # The role that serves sees one workspace at a time.
    postgresql=text("SELECT * FROM casegraph_webhooks()"),
)
_LOG = Prepared(insert(webhook_delivery))
_FORGET = Prepared(
    delete(webhook_delivery).where(
        webhook_delivery.c.workspace_id == bindparam("mine"),
        webhook_delivery.c.webhook_id == bindparam("its_id"),
        webhook_delivery.c.number <= bindparam("last"),
    )
)
_EVENTS = Prepared(
    select(timeline_event.c.seq, timeline_event.c.id, timeline_event.c.type).where(
        timeline_event.c.workspace_id == bindparam("workspace_id"),
        timeline_event.c.seq >= bindparam("first"),
        timeline_event.c.seq <= bindparam("last"),
    )
)
_FOLLOWING = Prepared(
    select(timeline_event.c.seq, timeline_event.c.id, timeline_event.c.type)
    .where(
        timeline_event.c.workspace_id == bindparam("workspace_id"),
        timeline_event.c.seq > bindparam("after"),
    )
    .order_by(timeline_event.c.seq)
    .limit(1_000)
)


@dataclass(frozen=True, slots=True)
class Active:
    """A webhook that is not paused; *is_due* if there may be something to deliver now."""

    workspace_id: int
    id: str
    is_due: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """A webhook that this process holds, and the secrets that sign what it delivers."""

    workspace_id: int
    webhook: Webhook
    secrets: tuple[str, ...]
    edits: int
    """How often it had been changed then."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to deliver one change: see Delivery.

    *retry_after* is how many seconds the receiver wants to be left alone; *is_last* says that it
    wants to be told of nothing any more.
    """

    seq: int
    event_id: str
    type: str
    at: Instant
    duration_ms: int
    status: int | None = None
    error: str | None = None
    retry_after: int = 0
    is_last: bool = False


async def active(database: Database, holder: str) -> list[Active]:
    """The active webhooks of all workspaces. Raises TimedOut, Unavailable, Damaged."""
    found = await database.run(lambda db: db.fetch(Fetch(_ACTIVE, {})), _PACE)
    now = database.clock()
    return [
        Active(
            workspace_id,
            id,
            seq < last and due_at <= now and (held_by in (None, holder) or held_until <= now),
        )
        for workspace_id, id, seq, last, due_at, held_by, held_until in found
    ]


async def claim(database: Database, workspace_id: int, id: str, holder: str) -> Turn | None:
    """Hold a webhook for a while; None if it is not due, or somebody else holds it.

    Raises Unavailable.
    """
    async with database.write(workspace_id) as db:
        found = await rows.find(db, workspace_id, id)
        if found is None or found.webhook.state is not WebhookState.ACTIVE:
            return None
        if found.row["due_at"] > db.now:
            return None
        if found.row["holder"] not in (None, holder) and (found.row["held_until"] or "") > db.now:
            return None
        found = await rows.change(db, found, {"holder": holder, "held_until": _held(db)})
        return _turn(found, db.now)


async def settle(
    database: Database,
    turn: Turn,
    holder: str,
    attempts: Sequence[Attempt],
    seq: int,
    *,
    done: bool = False,
) -> Turn | None:
    """Note how deliveries went, in order: the last one may have failed. *seq* is the last change
    that need not be told any more. Unless it is *done*, hold the webhook for longer.

    What to go on with; None if that is nothing: it was changed, paused or deleted, it is to wait,
    or somebody else holds it, who notes what they do. Raises Unavailable.
    """
    async with database.write(turn.workspace_id) as db:
        found = await rows.find(db, turn.workspace_id, turn.webhook.id)
        if found is None or found.row["holder"] != holder:
            return None
        before = found.webhook
        logged = await _log(db, found, attempts)
        if found.row["edits"] != turn.edits:
            # Who has changed it has said where it begins, and mended what had failed.
            released = {"holder": None, "held_until": None, "attempts": logged}
            await rows.change(db, found, released)
            return None
        after = _after(before, attempts, seq, db.now)
        keeps = not done and after.state is WebhookState.ACTIVE and after.failures == 0
        held = {
            "holder": holder if keeps else None,
            "held_until": _held(db) if keeps else None,
            "attempts": logged,
        }
        found = await rows.change(db, found, rows.row_of(after) | held)
        if after.state is not before.state:
            await _tell(db, turn.workspace_id, before, after)
        return _turn(found, db.now) if keeps else None


async def pause(database: Database, turn: Turn, holder: str, reason: str) -> None:
    """Pause a webhook that cannot be told of anything, by the key it has. Raises Unavailable."""
    async with database.write(turn.workspace_id) as db:
        found = await rows.find(db, turn.workspace_id, turn.webhook.id)
        if found is None or found.row["holder"] != holder:
            return
        before = found.webhook
        is_mended = found.row["edits"] != turn.edits
        after = before if is_mended else _paused(before, reason)
        await rows.change(db, found, rows.row_of(after) | {"holder": None, "held_until": None})
        if after.state is not before.state:
            await _tell(db, turn.workspace_id, before, after)


async def _log(db: Transaction, found: Stored, attempts: Sequence[Attempt]) -> int:
    """Log attempts, and forget the oldest ones; the number of the last one."""
    logged: int = found.row["attempts"]
    failures: int = found.row["failures"]
    new = []
    for attempt in attempts:
        logged += 1
        new.append(
            {
                "workspace_id": found.row["workspace_id"],
                "webhook_id": found.row["id"],
                "number": logged,
                "seq": attempt.seq,
                "event_id": attempt.event_id,
                "type": attempt.type,
                "attempt": failures + 1,
                "at": attempt.at,
                "duration_ms": attempt.duration_ms,
                "status": attempt.status,
                "error": attempt.error,
            }
        )
        failures = failures + 1 if attempt.error else 0
    if new:
        await db.run(_LOG, new)
        await db.run(_FORGET, {**found.place, "last": logged - LOGGED})
    return logged


async def _tell(db: Transaction, workspace_id: int, before: Webhook, after: Webhook) -> None:
    # Not why: an error about its query may repeat what a client sent.
    log.warning("webhook %s is paused", after.id)
    change = Change("state", str(before.state), str(after.state))
    event = NewEvent("webhook_updated", subject_id=before.id, changes=[change])
    await timeline.record(db, workspace_id, OPERATOR, [event])


async def events(
    database: Database, workspace_id: int, first: int, last: int
) -> dict[int, tuple[str, str]]:
    """The id and the type of each event with a number between two."""
    values = {"workspace_id": workspace_id, "first": first, "last": last}
    found = await database.run(lambda db: db.fetch(Fetch(_EVENTS, values)), _PACE, workspace_id)
    return {seq: (id, type) for seq, id, type in found}


async def following(database: Database, turn: Turn, seq: int) -> tuple[int, str, str] | None:
    """The number, the id and the type of the next event that the webhook may be told of."""
    values = {"workspace_id": turn.workspace_id, "after": seq}
    found = await database.run(
        lambda db: db.fetch(Fetch(_FOLLOWING, values)), _PACE, turn.workspace_id
    )
    wanted = turn.webhook.events
    return next((one for one in found if wanted is None or one[2] in wanted), None)


def _turn(found: Stored, now: Instant) -> Turn:
    row = found.row
    secrets = [row["secret"]]
    if row["old_secret"] and row["old_until"] > now:
        secrets.append(row["old_secret"])
    return Turn(row["workspace_id"], found.webhook, tuple(secrets), row["edits"])


def _held(db: Transaction) -> Instant:
    return instants.after(db.now, timedelta(seconds=HELD_SECONDS))


def _after(before: Webhook, attempts: Sequence[Attempt], seq: int, now: Instant) -> Webhook:
    """The webhook after the attempts, of which the last one may have failed."""
    after = replace(before, seq=seq)
    if any(attempt.error is None for attempt in attempts):
        after = replace(after, failures=0, failing_since=None)
    last = attempts[-1] if attempts else None
    if last is None or last.error is None:
        return after
    failures = after.failures + 1
    since = after.failing_since or now
    after = replace(after, failures=failures, failing_since=since)
    if last.is_last:
        return _paused(after, "The receiver answered 410 Gone.")
    if _span(since, now) >= GIVE_UP:
        return _paused(after, f"For three days no delivery has succeeded: {last.error}")
    wait = RETRIES[min(failures, len(RETRIES)) - 1]
    wait += int(wait * random.uniform(0, _SPREAD))  # noqa: S311 - it is no secret
    wait = max(wait, min(last.retry_after, RETRIES[-1]))
    return replace(after, due_at=instants.after(now, timedelta(seconds=wait)))


def _paused(one: Webhook, reason: str) -> Webhook:
    return replace(one, state=WebhookState.PAUSED, reason=reason)


def _span(since: Instant, until: Instant) -> timedelta:
    return datetime.fromisoformat(until) - datetime.fromisoformat(since)
