"""Reads from a standby: a server that replays what the primary has committed, a little later.

Whoever has to see a certain event of the timeline gets a state that has it: the standby's, if it is
that far, or else the primary's. A read that the standby cannot answer is asked of the primary
again. Whether the standby answers at all is looked after in the background, so that no request
waits for one that is gone.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import asyncpg

from domain.errors import Unavailable
from domain.storage import revisions
from domain.storage.database import Snapshot
from domain.storage.postgresql.connecting import Connector, require_fit
from domain.storage.postgresql.sessions import Pool, Session
from domain.storage.postgresql.snapshots import ServerSnapshot
from domain.storage.turns import LATEST, READING, Turns
from domain.storage.watch import Use, Watch

log = logging.getLogger("casegraph.sql")

T = TypeVar("T")
WATCH_SECONDS = 1.0
"""How often the standby is asked whether it answers, and how long it may take to."""
BEGIN_SECONDS = 1.0
"""How long a read waits for a connection and for its transaction to begin."""
HEAD = "SELECT casegraph_head($1)"
_SEQ = "SELECT seq FROM timeline_head WHERE workspace_id = $1"
_FIT = """
    SELECT (SELECT version_num FROM alembic_version), rolsuper OR rolbypassrls,
      pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()
        AND EXISTS (SELECT FROM pg_stat_wal_receiver),
      extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
    FROM pg_roles WHERE rolname = current_user"""


class Elsewhere(Exception):
    """The primary is to be asked."""


class Standby:
    """A pool of connections to a standby. If *bound*, only as a role that the policies bind."""

    def __init__(self, connector: Connector, watch: Watch, *, bound: bool) -> None:
        self._connector = connector
        self._bound = bound
        self._pool = Pool(partial(connector.connect, reads=True), connector.pooling.readers, watch)
        self._turns = Turns(connector.pooling.readers)
        self._sessions: set[Session] = set()
        self._probe: asyncpg.Connection | None = None
        self._watching: asyncio.Task[None] | None = None
        self._reason: str | None = None  # why it is not read; not known yet
        self.answers = False
        self._level_at = -math.inf  # when it was last seen to have all that it gets
        self.lag = math.inf
        """By how many seconds it was behind when it was last asked."""

    async def open(self) -> None:
        """Begin to look after it; it need not be there."""
        await self._look()
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        self._forget_probe()
        await self._pool.close()

    async def run(
        self,
        work: Callable[[Snapshot], Coroutine[Any, Any, T]],
        workspace_id: int,
        until: float,
    ) -> T:
        """Run *work* in one snapshot that has the position that is asked for, by *until*.

        Raises Elsewhere, TimedOut, and any error of *work*.
        """
        reading = READING.get()
        position = reading.position if reading is not None else 0
        visited = reading.visited if reading is not None else 0

        async def begin(session: Session) -> None:
            await session.execute(self._connector.snapshot(workspace_id))
            if position:
                rows = await session.fetch(_SEQ, [workspace_id])
                if not rows or rows[0][0] < position:
                    raise Elsewhere

        try:
            async with self._session(begin, position, until) as session:
                return await work(ServerSnapshot(session))
        except (Unavailable, Elsewhere) as error:
            if reading is not None:
                reading.visited = visited  # all of it is read again
            raise Elsewhere from error

    async def head(self, workspace_id: int, until: float) -> str:
        """The end of the workspace's timeline there. Raises Elsewhere if it is behind."""
        reading = READING.get()
        position = reading.position if reading is not None else 0
        found = ""

        async def begin(session: Session) -> None:
            nonlocal found
            if not self._connector.pooling.statements:
                await session.execute(self._connector.snapshot(workspace_id))
            [(head,)] = await session.fetch(HEAD, [workspace_id])
            if head is None or seq_of(head) < position:
                raise Elsewhere
            found = head

        try:
            async with self._session(begin, position, until):
                return found
        except Unavailable as error:
            raise Elsewhere from error

    def use(self) -> Use:
        return self._turns.use()

    @property
    def connections(self) -> int:
        return self._pool.connections + (self._probe is not None)

    @contextlib.asynccontextmanager
    async def _session(
        self, begin: Callable[[Session], Awaitable[None]], position: int, until: float
    ) -> AsyncIterator[Session]:
        if not self.answers or position == LATEST:
            raise Elsewhere
        began: list[Session] = []

        async def watched(session: Session) -> None:
            began.append(session)
            self._sessions.add(session)
            await begin(session)

        async with self._turns.turn(until - time.monotonic()):
            try:
                try:
                    async with asyncio.timeout(BEGIN_SECONDS):
                        session, _ = await self._pool.begun(watched, until, until)
                except TimeoutError:
                    raise Elsewhere from None
                try:
                    yield session
                finally:
                    session.end()
            finally:
                self._sessions.difference_update(began)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self._look()

    async def _look(self) -> None:
        """Ask it whether it answers. If not, whoever waits for it goes to the primary at once."""
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                if self._probe is None or self._probe.is_closed():
                    self._probe = await self._connector.connect(WATCH_SECONDS, reads=True)
                    require_fit(self._probe)
                revision, free, level, age = await self._probe.fetchrow(_FIT)
            reason = ""
            now = time.monotonic()
            if level:
                self._level_at = now
            # The last transaction may be old only because nobody had written since.
            self.lag = min(now - self._level_at, math.inf if age is None else float(age))
            if revision != revisions.head():
                reason = "it has another schema"
            elif free and self._bound:
                reason = "its role is a superuser or has BYPASSRLS"
        except Exception as error:
            # Whatever it is: unwatched, a standby that hangs would be waited for.
            reason = f"it does not answer ({type(error).__name__})"
            self._forget_probe()
        if reason != self._reason:
            if reason:
                log.warning("the standby is not read: %s", reason)
            else:
                log.info("the standby is read")
        self._reason, self.answers = reason, not reason
        if reason:
            self.lag = math.inf
            for session in tuple(self._sessions):
                session.cut()

    def _forget_probe(self) -> None:
        if self._probe is not None:
            self._probe.terminate()
            self._probe = None


def seq_of(head: str) -> int:
    """The number of the event that a head tells of."""
    return int(head.partition(":")[0])
