"""Streams of answers to subscriptions, whatever carries them, and who may have how many.

What several clients ask for in the same words is read once for all of them: see feeding.py.
"""

import asyncio
import time
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
)
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from graphql import GraphQLError

from domain.access.positions import read_latest
from domain.access.principal import Principal
from domain.errors import DomainError, InvalidKey, RateLimited, TimedOut, Unavailable
from domain.reading.changes import ChangeList, changes
from domain.reading.following import Follower, Following
from domain.services import Services
from domain.storage.database import Pace
from gateway.http.feeding import Batch, Change, Refused, Subscription, error_of, prepared, read
from gateway.http.pacing import Pacing
from gateway.http.parameters import Parameters
from gateway.http.pipeline import (
    parsed,
    subscription_of,
)
from gateway.limits.points import Meter, metered
from gateway.limits.text import check_text
from gateway.settings import Settings
from gateway.telemetry import metrics

RECHECK_SECONDS = 3.0
"""How long a key that was revoked goes on to be told of changes, at most."""
ALIVE_SECONDS = 12.0
"""How long a stream is silent at most: whoever passes it on must not take it for dead."""
AGAIN_SECONDS = 1.0
"""How long to wait before reading again what could not be read."""
SHARED_SECONDS = 1.0
"""How long what was read for one is there for others."""
_PACE = Pace()

Authenticate = Callable[[], Awaitable[Principal]]


def is_subscription(asked: Parameters, settings: Settings) -> bool:
    """Whether the operation that is asked for is a subscription."""
    if "subscription" not in asked.query:
        return False
    try:
        check_text(asked.query, settings)
        subscription_of(parsed(asked.query), asked.operation_name)
    except GraphQLError:
        return False
    return True


class Subscriptions:
    """All subscriptions of one process."""

    def __init__(self, services: Services, settings: Settings) -> None:
        self._services = services
        self._settings = settings
        self.following = Following(services.database)
        self._open: Counter[str] = Counter()
        self._connected: Counter[str] = Counter()
        self._shared: dict[Any, asyncio.Future[Batch]] = {}
        self._stopping = asyncio.Event()
        database = services.database
        self._pacing = Pacing(
            lambda: database.load().writes.busy > 0 and not self._stopping.is_set()
        )

    @property
    def most(self) -> int:
        """How many subscriptions, and how many WebSockets, one key may have open."""
        return self._settings.subscriptions

    def stop(self) -> None:
        """Let all streams end: the server is stopping."""
        self._stopping.set()

    async def close(self) -> None:
        self.stop()
        await self.following.close()

    @contextmanager
    def counted(self, key_id: str) -> Iterator[None]:
        """Count a subscription for the length of the block. Raises RateLimited for too many."""
        with self._one_more(self._open, key_id, "subscriptions"):
            metrics.SUBSCRIPTIONS.set(self._open.total())
            try:
                yield
            finally:
                metrics.SUBSCRIPTIONS.set(self._open.total() - 1)

    @contextmanager
    def connected(self, key_id: str) -> Iterator[None]:
        """Count a WebSocket for the length of the block. Raises RateLimited for too many."""
        with self._one_more(self._connected, key_id, "WebSockets"):
            yield

    @contextmanager
    def _one_more(self, counter: Counter[str], key_id: str, what: str) -> Iterator[None]:
        if counter[key_id] >= self.most:
            raise RateLimited(1, f"This key has {self.most:,} {what} open: end one of them.")
        counter[key_id] += 1
        try:
            yield
        finally:
            counter[key_id] -= 1
            if not counter[key_id]:
                del counter[key_id]

    async def admitted(
        self, asked: Parameters, who: Principal, meter: Meter, last: str | None = None
    ) -> Subscription:
        """The subscription that is asked for; it begins after *last*, if that is given.

        The key is charged what its first read may take. Raises Refused, RateLimited, Unavailable,
        TimedOut.
        """
        subscription = prepared(asked, self._settings)
        try:
            listed = changes(who, subscription.wanted.filter)
            await meter.admit(subscription.rows, 0)
            begins = await self._begins(listed, who, last or subscription.wanted.after)
        except (RateLimited, Unavailable, TimedOut):
            raise
        except DomainError as refusal:
            raise Refused([error_of(refusal)]) from None
        return replace(subscription, begins=begins)

    async def _begins(self, listed: ChangeList, who: Principal, after: str | None) -> str:
        """The cursor to begin after: the one that is given, or that of the last change."""
        read_latest()

        async def read(db: Any) -> str:
            if after is None:
                return await listed.end(db)
            await listed.require_reached(db, after)
            return after

        return await self._services.database.run(read, _PACE, who.workspace_id)

    async def answers(
        self, subscription: Subscription, authenticate: Authenticate
    ) -> AsyncGenerator[Change | None, None]:
        """The answers, one for each change; None if there was nothing for a while.

        Ends when the server stops. Raises Refused when the key may not be told any more, and when
        the selection cannot be answered.
        """
        who = await self._admitted_still(authenticate, None)
        cursor = subscription.begins
        with self.following.follow(who.workspace_id) as follower:
            while not self._stopping.is_set():
                await self._pacing.turn()
                began = time.thread_time()
                who = await self._admitted_still(authenticate, who)
                try:
                    batch = await self._next(subscription, who, cursor, follower)
                except RateLimited as refusal:
                    # It goes on when there are points again, from where it was.
                    async for quiet in self._waited(refusal.retry_after, authenticate, who):
                        yield quiet
                    continue
                except (TimedOut, Unavailable):
                    async for quiet in self._waited(AGAIN_SECONDS, authenticate, who):
                        yield quiet
                    continue
                for change in batch.changes:
                    metrics.CHANGES.inc()
                    yield change
                cursor = batch.cursor or cursor
                self._pacing.took(time.thread_time() - began)
                if batch.more:
                    continue
                silent = time.monotonic()
                while not self._stopping.is_set() and not await self._moved(follower):
                    who = await self._admitted_still(authenticate, who)
                    if time.monotonic() - silent > ALIVE_SECONDS:
                        silent = time.monotonic()
                        yield None

    async def _moved(self, follower: Follower) -> bool:
        """Wait for a change, until the key is to be looked at again or the server stops."""
        moved = asyncio.ensure_future(follower.moved(RECHECK_SECONDS))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((moved, stopping), return_when=asyncio.FIRST_COMPLETED)
            return moved.done() and moved.result()
        finally:
            moved.cancel()
            stopping.cancel()

    async def _waited(
        self, seconds: float, authenticate: Authenticate, who: Principal
    ) -> AsyncIterator[None]:
        """Wait, while the key is good, and tell now and then that the stream is still there."""
        until = time.monotonic() + seconds
        told = checked = time.monotonic()
        while (left := until - time.monotonic()) > 0 and not self._stopping.is_set():
            await asyncio.sleep(min(left, 0.5))
            if time.monotonic() - checked > RECHECK_SECONDS:
                checked = time.monotonic()
                await self._admitted_still(authenticate, who)
            if time.monotonic() - told > ALIVE_SECONDS:
                told = time.monotonic()
                yield None

    async def _admitted_still(
        self, authenticate: Authenticate, before: Principal | None
    ) -> Principal:
        try:
            who = await authenticate()
        except InvalidKey as refusal:
            raise Refused([error_of(refusal)]) from None
        except (RateLimited, TimedOut, Unavailable):
            if before is None:
                raise
            return before  # the database is not there; what is read next says so
        return who

    async def _next(
        self,
        subscription: Subscription,
        who: Principal,
        cursor: str,
        follower: Follower,
    ) -> Batch:
        """What comes after the cursor, charged to the key."""
        meter = await metered(self._services.rates, who.key_id)
        # Noted before anything is read: what is stored from here on moves the end once more.
        head = follower.note()
        key = (who.workspace_id, who.scopes, subscription.question, cursor, head)
        shared = self._shared.get(key) if head is not None else None
        if shared is None:
            shared = asyncio.ensure_future(read(self._services, subscription, who, cursor))
            shared.add_done_callback(_looked_at)
            if head is not None:
                self._shared[key] = shared
                loop = asyncio.get_running_loop()
                loop.call_later(SHARED_SECONDS, self._shared.pop, key, None)
        try:
            batch = await asyncio.shield(shared)
        except asyncio.CancelledError:
            if not shared.cancelled():
                raise
            raise Unavailable from None
        meter.settle(batch.visited)
        metrics.POINTS.labels("graphql").inc(meter.charged)
        return batch


def _looked_at(future: asyncio.Future[Batch]) -> None:
    if not future.cancelled():
        future.exception()  # those who wait for it tell
