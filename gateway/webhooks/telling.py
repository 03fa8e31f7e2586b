"""Telling one webhook, whose turn is ours, what changed: one change after the other, in order."""

import asyncio
import time
from urllib.parse import quote

from domain.access.principal import Principal, Scope
from domain.errors import DomainError, InsufficientScope, InvalidKey, RateLimited
from domain.reading.changes import ChangeList, changes, cursor
from domain.services import Services
from domain.webhooks import claims, signing
from domain.webhooks.claims import Attempt, Turn
from gateway.http.feeding import PACE, Batch, Change, Refused, read
from gateway.limits.points import metered
from gateway.telemetry import metrics
from gateway.webhooks.payloads import Payloads
from gateway.webhooks.sending import Sender

NOTED_SECONDS = 0.5
"""How long what was delivered is not noted; with the next delivery it must be far less than
HELD_SECONDS, after which somebody else may deliver."""
AGAIN_SECONDS = 2.0
"""How long a webhook waits whose changes could not be read."""
_REVOKED = "Its API key was revoked or has expired; change the webhook with another key."
_NARROWED = "Its API key lacks the scope {}; change the webhook with another key."
_UNANSWERABLE = "Its query cannot be answered: {}"


class Telling:
    """What one process does for one webhook, as long as it has the turn."""

    def __init__(
        self, services: Services, payloads: Payloads, sender: Sender, turn: Turn, holder: str
    ) -> None:
        self._services = services
        self._payloads = payloads
        self._sender = sender
        self._turn: Turn | None = turn
        self._holder = holder
        self._attempts: list[Attempt] = []
        self._told = turn.webhook.seq
        self._noted = time.monotonic()
        self._stopping = False

    def stop(self) -> None:
        """Begin no delivery any more; what was delivered is noted."""
        self._stopping = True

    async def run(self) -> float:
        """Deliver until everything is told, something fails, or somebody else has the turn.

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
                reason = _UNANSWERABLE.format(refusal.errors[0]["message"])
                return await self._pause(self._turn, reason)
            except DomainError as refusal:
                await self._note(done=True)
                return refusal.retry_after if isinstance(refusal, RateLimited) else AGAIN_SECONDS
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
        batch = await read(services, subscription, who, cursor(who, webhook.seq))
        meter.settle(batch.visited)
        metrics.POINTS.labels("webhooks").inc(meter.charged)
        return who, batch, last

    async def _deliver(self, turn: Turn, listed: ChangeList, batch: Batch, last: int) -> None:
        """Deliver the changes that were read, and note how it went."""
        numbers = [listed.number(change.cursor) for change in batch.changes]
        events: dict[int, tuple[str, str]] = {}
        if numbers:
            database = self._services.database
            events = await claims.events(database, turn.workspace_id, numbers[0], numbers[-1])
        for number, change in zip(numbers, batch.changes, strict=True):
            if time.monotonic() - self._noted > NOTED_SECONDS:
                told = self._told
                await self._note()
                if self._turn is None or _is_other(self._turn, turn, told):
                    return
                turn = self._turn
            if number not in events:
                continue  # it was erased since it was read
            attempt = await self._attempt(turn, number, *events[number], change)
            self._attempts.append(attempt)
            if attempt.error is not None:
                break
            self._told = number
            if self._stopping:
                break
        else:
            if not batch.more:
                self._told = max(self._told, last)
        await self._note(done=not batch.more)

    async def _attempt(
        self, turn: Turn, number: int, event_id: str, event_type: str, change: Change
    ) -> Attempt:
        """Try once to deliver a change."""
        webhook = turn.webhook
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
            "casegraph-attempt": str(webhook.failures + 1),
        }
        at = self._services.database.clock()
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

    async def _note(self, *, done: bool = False) -> None:
        """Note what was delivered; the turn is what to go on with after that."""
        assert self._turn is not None
        attempts, self._attempts = self._attempts, []
        before = self._turn
        # Were it kept and something went wrong, it would be noted twice.
        self._turn = None
        database = self._services.database
        self._turn = await claims.settle(
            database, before, self._holder, attempts, self._told, done=done or self._stopping
        )
        if self._turn is not None:
            self._told = self._turn.webhook.seq
        self._noted = time.monotonic()

    async def _pause(self, turn: Turn, reason: str) -> float:
        self._turn = None
        await claims.pause(self._services.database, turn, self._holder, reason)
        return 0


def _is_other(now: Turn, before: Turn, told: int) -> bool:
    """Whether a webhook is told something else by now, or from elsewhere on."""
    one, other = now.webhook, before.webhook
    return one.seq != told or (one.url, one.events, one.query, one.key_id) != (
        other.url,
        other.events,
        other.query,
        other.key_id,
    )
