"""Delivering what changes, to each webhook in order, until it has been told of everything.

Every process looks which webhooks are behind, and claims one before it delivers to it. What was
delivered is noted now and then, and so delivered again by somebody else if this process dies first:
each change at least once.
"""

import asyncio
import contextlib
import secrets
import time
from contextlib import ExitStack

import structlog

from domain.errors import DomainError
from domain.reading.following import Following
from domain.services import Services
from domain.webhooks import claims
from gateway.webhooks.payloads import Payloads
from gateway.webhooks.sending import AT_ONCE, Sender
from gateway.webhooks.telling import AGAIN_SECONDS, Telling

log = structlog.get_logger("casegraph.webhooks")

EVERY_SECONDS = 1.0
"""How long it takes to see a webhook that is new, or due again."""
PAUSE_SECONDS = 0.05
"""How long one look at all webhooks waits for the next, at least."""


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
        self._waiting: dict[str, float] = {}
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
                try:
                    found = await claims.active(self._services.database)
                except DomainError:
                    found = []
                except Exception as error:
                    # Whatever it is: nothing would be delivered any more.
                    log.error("webhooks_not_seen", error=type(error).__name__)
                    found = []
                now = {one.workspace_id for one in found}
                if now != workspaces:
                    followed.close()
                    for id in now:
                        followed.enter_context(self._following.follow(id))
                    workspaces = now
                for one in found:
                    if one.is_due and self._may_begin(one.id):
                        self._begin(one.workspace_id, one.id)
                await asyncio.sleep(PAUSE_SECONDS)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_SECONDS):
                        await self._following.next()
        finally:
            followed.close()

    def _may_begin(self, id: str) -> bool:
        if id in self._running or len(self._running) >= AT_ONCE:
            return False
        return self._waiting.get(id, 0.0) <= time.monotonic()

    def _begin(self, workspace_id: int, id: str) -> None:
        self._waiting.pop(id, None)
        task = asyncio.get_running_loop().create_task(self._deliver(workspace_id, id))
        self._running[id] = task
        task.add_done_callback(lambda _task: self._running.pop(id, None))

    async def _deliver(self, workspace_id: int, id: str) -> None:
        """Deliver to one webhook what there is."""
        try:
            database = self._services.database
            turn = await claims.claim(database, workspace_id, id, self._holder)
            if turn is None:
                return
            telling = Telling(self._services, self._payloads, self._sender, turn, self._holder)
            self._telling[id] = telling
            if self._stopping.is_set():
                telling.stop()
            wait = await telling.run()
        except DomainError:
            # The database is not there: what was not noted is delivered again.
            wait = AGAIN_SECONDS
        except Exception as error:
            log.error("webhook_failed", webhook=id, error=type(error).__name__, exc_info=error)
            wait = 10 * AGAIN_SECONDS
        finally:
            self._telling.pop(id, None)
        if wait:
            self._waiting[id] = time.monotonic() + wait
