"""Delivering what changes, to each webhook in order, until it has been told of everything.

Every process looks which webhooks are behind, and claims one before it delivers to it. What was
delivered is noted now and then, and so delivered again by somebody else if this process dies first:
each change at least once.
"""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from contextlib import ExitStack

import structlog

from domain.errors import DomainError
from domain.reading.following import Following
from domain.services import Services
from domain.webhooks import claims
from domain.webhooks.claims import Active
from gateway.webhooks.payloads import Payloads
from gateway.webhooks.sending import AT_ONCE, Sender
from gateway.webhooks.telling import AGAIN_SECONDS, Telling

log = structlog.get_logger("casegraph.webhooks")

EVERY_SECONDS = 1.0
"""How long it takes to see a webhook that is new, or due again."""
PAUSE_SECONDS = 0.05
"""How long one look at all webhooks waits for the next, at least."""
OF_ONE = AT_ONCE // 4
"""How many of these may be of one workspace."""
STOP_SECONDS = 3.0
"""How long a delivery may go on when the server stops."""


class Deliveries:
    """All deliveries of one process."""

    def __init__(
        self, services: Services, payloads: Payloads, sender: Sender, following: Following
    ) -> None:
        self._services = services
        self._payloads = payloads
        self._sender = sender
        self._following = following
        self._holder = secrets.token_hex(8)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._telling: dict[str, Telling] = {}
        self._of_workspace: Counter[int] = Counter()
        # When each had a turn last, and until when nobody need try it (monotonic seconds).
        self._ended: dict[str, float] = {}
        self._waiting: dict[str, float] = {}
        self._none_before = 0.0
        self._is_crowded = False
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> None:
        """Begin no delivery any more."""
        self._stopping.set()
        for telling in self._telling.values():
            telling.stop()

    async def close(self) -> None:
        """Stop, and note what was delivered."""
        self.stop()
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        if self._running:
            tasks = list(self._running.values())
            _done, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._sender.close()

    async def _watch(self) -> None:
        """Look who is behind: when something was committed, and every second."""
        followed = ExitStack()
        workspaces: set[int] = set()
        try:
            while not self._stopping.is_set():
                found = await self._active()
                now = {one.workspace_id for one in found}
                if now != workspaces:
                    followed.close()
                    for id in now:
                        followed.enter_context(self._following.follow(id))
                    workspaces = now
                self._begin_due(found)
                await asyncio.sleep(PAUSE_SECONDS)
                await self._woken()
        finally:
            followed.close()

    async def _active(self) -> list[Active]:
        try:
            return await claims.active(self._services.database, self._holder)
        except DomainError:
            return []
        except Exception as error:
            # Whatever it is: nothing would be delivered any more.
            log.error("webhooks_not_seen", error=type(error).__name__)
            return []

    async def _woken(self) -> None:
        """Wait until something was committed, or a turn has ended that others wait for."""
        waits = [
            asyncio.ensure_future(self._following.next()),
            asyncio.ensure_future(self._wake.wait()),
        ]
        try:
            await asyncio.wait(waits, timeout=EVERY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._wake.clear()

    def _begin_due(self, found: list[Active]) -> None:
        """Begin those that are due, as far as there is room: who had no turn for longest first."""
        known = {one.id for one in found}
        for kept in (self._ended, self._waiting):
            for id in kept.keys() - known:
                del kept[id]
        now = time.monotonic()
        due = [
            one
            for one in found
            if one.is_due and one.id not in self._running and self._waiting.get(one.id, 0.0) <= now
        ]
        if now < self._none_before:
            return
        due.sort(key=lambda one: self._ended.get(one.id, 0.0))
        self._is_crowded = False
        for one in due:
            if len(self._running) < AT_ONCE and self._of_workspace[one.workspace_id] < OF_ONE:
                self._begin(one)
            else:
                self._is_crowded = True

    def _begin(self, one: Active) -> None:
        self._of_workspace[one.workspace_id] += 1
        task = asyncio.get_running_loop().create_task(self._deliver(one.workspace_id, one.id))
        self._running[one.id] = task
        task.add_done_callback(lambda _task: self._end(one))

    def _end(self, one: Active) -> None:
        self._running.pop(one.id, None)
        self._ended[one.id] = time.monotonic()
        self._of_workspace[one.workspace_id] -= 1
        if not self._of_workspace[one.workspace_id]:
            del self._of_workspace[one.workspace_id]
        if self._is_crowded:
            self._wake.set()

    async def _deliver(self, workspace_id: int, id: str) -> None:
        """Deliver to one webhook what there is."""
        try:
            database = self._services.database
            turn = await claims.claim(database, workspace_id, id, self._holder)
            if turn is None:
                return
            telling = Telling(
                self._services,
                self._payloads,
                self._sender,
                turn,
                self._holder,
                lambda: self._is_crowded,
            )
            self._telling[id] = telling
            if self._stopping.is_set():
                telling.stop()
            wait = await telling.run()
        except DomainError:
            # The database is not there: what was not noted is delivered again.
            wait = AGAIN_SECONDS
            self._none_before = time.monotonic() + wait
        except Exception as error:
            log.error("webhook_failed", webhook=id, error=type(error).__name__, exc_info=error)
            wait = 10 * AGAIN_SECONDS
        finally:
            self._telling.pop(id, None)
        self._waiting[id] = time.monotonic() + wait
