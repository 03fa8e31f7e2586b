"""Telling one webhook, whose turn is ours, what changed: one change after the other, in order."""

import asyncio
import time
from collections.abc import Callable
from urllib.parse import quote

import orjson

from domain.access.principal import Principal, Scope
from domain.errors import (
    Damaged,
    DomainError,
    InsufficientScope,
    InvalidKey,
    RateLimited,
    TimedOut,
    Unavailable,
)
from domain.reading.changes import ChangeList, changes, cursor
from domain.services import Services
from domain.storage.turns import READING
from domain.webhooks import claims, signing
from domain.webhooks.claims import HELD_SECONDS, Attempt, Turn
from gateway.execution.feeds import BATCH
from gateway.http.feeding import PACE, Batch, Change, Refused, read
from gateway.limits.points import metered
from gateway.telemetry import metrics
from gateway.webhooks.payloads import Payloads
from gateway.webhooks.sending import Sender

NOTED_SECONDS = 0.5
"""How long what was read and delivered is good: then it is noted, and read anew, with the rights
that the key has by then."""
RENEWED_SECONDS = HELD_SECONDS / 3
"""How long reading may take before the turn is held for longer."""
BODY_BYTES = 1 << 20
"""How long a body may be."""
QUIET_SECONDS = 1.0
"""How long a webhook waits that was told of nothing at its last turn."""
AGAIN_SECONDS = 2.0
"""How long a webhook waits whose changes could not be read."""
_REVOKED = "Its API key was revoked or has expired; change the webhook with another key."
_NARROWED = "Its API key lacks the scope {}; change the webhook with another key."
_UNANSWERABLE = "Its query cannot be answered: {}"
_TOO_LONG = "A change takes more than 1 MiB; have the query select less."
_NOT_READ = "What its query selects could not be read in time."
_DAMAGED = "What its query selects is damaged in the database: run casegraph verify."
_DEFECT = "What its query selects could not be read: an internal error, which is logged."


class Telling:
    """What one process does for one webhook, as long as it has the turn.

    *others_wait* says whether others wait for a turn.
    """

    def __init__(
        self,
        services: Services,
        payloads: Payloads,
        sender: Sender,
        turn: Turn,
        holder: str,
        others_wait: Callable[[], bool],
    ) -> None:
        self._services = services
        self._payloads = payloads
        self._sender = sender
        self._turn: Turn | None = turn
        self._holder = holder
        self._others_wait = others_wait
        self._attempts: list[Attempt] = []
        self._told = turn.webhook.seq
        self._failures = turn.webhook.failures
        self._most = BATCH
        self._held = time.monotonic()
        self._stopping = False

    def stop(self) -> None:
        """Begin no delivery any more; what was delivered is noted."""
        self._stopping = True

    async def run(self) -> float:
        """Deliver until everything is told, something fails, or it is somebody else's turn.

        For how many seconds nobody need try again. Raises TimedOut, Unavailable, Damaged.
        """
        try:
            return await self._run()
        except asyncio.CancelledError:
            # It stops, and a receiver takes its time: somebody else delivers that again, at once.
            if self._turn is not None:
                await self._note(done=True)
            raise

    async def _run(self) -> float:
        while self._turn is not None:
            if self._stopping:
                await self._note(done=True)
                break
            try:
                who, batch, last = await self._read(self._turn)
            except InvalidKey:
                return await self._pause(self._turn, _REVOKED)
            except InsufficientScope as refusal:
                return await self._pause(self._turn, _NARROWED.format(refusal.scope))
            except Refused as refusal:
                codes = [error.get("extensions", {}).get("code") for error in refusal.errors]
                if "INTERNAL_ERROR" in codes:
                    return await self._failed(self._turn, _DEFECT)
                reason = " ".join(str(error["message"]) for error in refusal.errors[:1])
                return await self._pause(self._turn, _UNANSWERABLE.format(reason))
            except RateLimited as refusal:
                # It goes on from where it was; nobody has failed.
                await self._note(done=True)
                return refusal.retry_after
            except TimedOut:
                if self._most == 1:
                    return await self._failed(self._turn, _NOT_READ)
                # Of so many changes; one may be read in time.
                self._most = 1
                await self._note()
                continue
            except Damaged:
                return await self._failed(self._turn, _DAMAGED)
            except Unavailable:
                await self._note(done=True)
                return AGAIN_SECONDS
            except DomainError as refusal:
                return await self._pause(self._turn, _UNANSWERABLE.format(refusal.message))
            if not batch.changes and not batch.more:
                # Not after each change: most who are told of few types wait for something rare.
                self._told = max(self._told, last)
                await self._note(done=True)
                return QUIET_SECONDS
            await self._deliver(self._turn, changes(who), batch, last)
        return 0

    async def _read(self, turn: Turn) -> tuple[Principal, Batch, int]:
        """Who reads, what comes next, and the number of the last change before it was read."""
        services, webhook = self._services, turn.webhook
        who = await services.keys.holder(webhook.key_id)
        who.require(Scope.WEBHOOKS_WRITE)
        listed = changes(who)
        subscription = self._payloads.of(webhook)
        meter = await metered(services.rates, who.key_id)
        last = await services.database.run(listed.last, PACE, who.workspace_id)
        try:
            after = cursor(who, webhook.seq)
            batch = await read(services, subscription, who, after, self._most, whole=True)
        finally:
            reading = READING.get()
            meter.settle(reading.total if reading is not None else 0)
        if not batch.changes and meter.charged == 1:
            meter.waive()
        metrics.POINTS.labels("webhooks").inc(meter.charged)
        return who, batch, last

    async def _deliver(self, turn: Turn, listed: ChangeList, batch: Batch, last: int) -> None:
        """Deliver of the changes that were read what there is time for, and note how it went."""
        if time.monotonic() - self._held > RENEWED_SECONDS:
            await self._note()
            if self._turn is None:
                return
            turn = self._turn
        began = time.monotonic()
        numbers = [listed.number(change.cursor) for change in batch.changes]
        events: dict[int, tuple[str, str]] = {}
        if numbers:
            database = self._services.database
            events = await claims.events(database, turn.workspace_id, numbers[0], numbers[-1])
        more = batch.more
        for number, change in zip(numbers, batch.changes, strict=True):
            if time.monotonic() - began > NOTED_SECONDS or self._stopping:
                # By now it may be erased, or the key revoked. A slow receiver needs few at a time.
                self._most, more = 1, True
                break
            if number not in events:
                continue  # it was erased since it was read
            if len(change.answer) > BODY_BYTES:
                await self._note()
                if self._turn is not None:
                    await self._pause(self._turn, _TOO_LONG)
                return
            attempt = await self._attempt(turn, number, *events[number], change)
            self._attempts.append(attempt)
            if attempt.error is not None:
                break
            self._told, self._failures = number, 0
        else:
            self._most = BATCH
            if not more:
                self._told = max(self._told, last)
        await self._note(done=not more or self._others_wait())

    async def _attempt(
        self, turn: Turn, number: int, event_id: str, event_type: str, change: Change
    ) -> Attempt:
        """Try once to deliver a change."""
        webhook = turn.webhook
        at = self._services.database.clock()
        if _is_defect(change.answer):
            return Attempt(number, event_id, event_type, at, 0, None, _DEFECT)
        # The same at each attempt, and another one for each webhook (Standard Webhooks).
        id = f"{event_id}_{webhook.id}"
        timestamp = int(time.time())
        headers = {
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signing.signatures(turn.secrets, id, timestamp, change.answer),
            "casegraph-webhook": webhook.id,
            # A type that was imported may have any letters.
            "casegraph-event": quote(event_type),
            "casegraph-attempt": str(self._failures + 1),
        }
        outcome = await self._sender.send(webhook.url, change.answer, headers)
        (metrics.UNDELIVERED if outcome.error else metrics.DELIVERED).inc()
        metrics.DELIVERY_SECONDS.observe(outcome.duration_ms / 1_000)
        return Attempt(
            seq=number,
            event_id=event_id,
            type=event_type,
            at=at,
            duration_ms=outcome.duration_ms,
            status=outcome.status,
            error=outcome.error,
            retry_after=outcome.retry_after,
            is_last=outcome.status == 410,
        )

    async def _failed(self, turn: Turn, error: str) -> float:
        """Note that the next change could not be read, as an attempt that failed."""
        database = self._services.database
        following = await claims.following(database, turn, self._told)
        if following is not None:
            self._attempts.append(Attempt(*following, database.clock(), 0, None, error))
        await self._note(done=True)
        return AGAIN_SECONDS

    async def _note(self, *, done: bool = False) -> None:
        """Note what was delivered; the turn is what to go on with after that."""
        assert self._turn is not None
        attempts, self._attempts = self._attempts, []
        before = self._turn
        self._held = time.monotonic()
        # Were it kept and something went wrong, it would be noted twice.
        self._turn = None
        database = self._services.database
        self._turn = await claims.settle(
            database, before, self._holder, attempts, self._told, done=done or self._stopping
        )

    async def _pause(self, turn: Turn, reason: str) -> float:
        self._turn = None
        await claims.pause(self._services.database, turn, self._holder, reason)
        return 0


def _is_defect(answer: bytes) -> bool:
    """Whether a part of an answer is missing because of a defect here, which may be mended."""
    if b'"INTERNAL_ERROR"' not in answer:
        return False
    errors = orjson.loads(answer).get("errors", ())
    return any(error["extensions"]["code"] == "INTERNAL_ERROR" for error in errors)
