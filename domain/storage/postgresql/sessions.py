"""A connection's life: taken from a pool, in a transaction, given back or cut off.

All that can go wrong with a connection is caught here, in one place. A server that is silent is not
waited for longer than a deadline: statement_timeout is the server's, and a frozen one keeps none.
asyncpg's pool does without that, refuses at the server's limit of connections at once, and hands
out proxies that are gone in the moment of an error.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import asyncpg

from domain.errors import InDoubt, TimedOut, Unavailable
from domain.storage.database import Row
from domain.storage.postgresql.errors import DRIVER, SILENT, STOPPED, UNKNOWN, lost, translation
from domain.storage.watch import Watch, watched

T = TypeVar("T")
CONNECT_SECONDS = 5.0
"""How long to wait for a connection to be made, and for a transaction to be rolled back."""
IDLE_SECONDS = 300.0
"""A connection that was not used for longer is closed: something between may have forgotten it."""
CROWDED_SECONDS = 0.1
"""How long to wait, at the server's limit of connections, before trying again."""


class Session:
    """A connection for one transaction, cut off at *deadline* (of time.monotonic(), or never)."""

    __slots__ = ("_answered", "_busy", "_connection", "_pool", "_since", "_watch", "overdue")

    def __init__(
        self, pool: "Pool", connection: asyncpg.Connection, deadline: float | None
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._since = self._answered = time.monotonic()
        self._busy = False
        self._watch = self._cut_in(None if deadline is None else deadline - self._since)
        self.overdue = False

    async def execute(self, sql: str) -> str:
        """Execute statements; the tag of the last one. Raises TimedOut, Unavailable, Damaged."""
        # What a transaction begins with has its workspace, and times.
        told = "BEGIN" if sql.startswith("BEGIN") else sql
        with watched(self._pool.watch, told):
            return await self._sent(self._connection.execute(sql))

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of a statement. Raises TimedOut, Unavailable, Damaged."""
        with watched(self._pool.watch, sql):
            return await self._sent(self._connection.fetch(sql, *parameters))

    async def fetch_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a statement for each row of parameters. Raises TimedOut, Unavailable, Damaged."""
        with watched(self._pool.watch, sql):
            await self._sent(self._connection.executemany(sql, rows))

    async def commit(self, before: str = "") -> None:
        """Commit, with another command *before* in the same message.

        Raises InDoubt if the transaction may be stored; after any other error it is not.
        """
        self._busy = True
        began = time.perf_counter()
        try:
            with watched(self._pool.watch, "COMMIT"):
                tag = await self._connection.execute(f"{before}; COMMIT" if before else "COMMIT")
        except DRIVER as error:
            if getattr(error, "severity_en", None) == "ERROR":  # and so rolled back
                raise self._refusal(error)  # noqa: B904
            raise InDoubt(UNKNOWN) from error
        self._busy = False
        if tag != "COMMIT":
            raise AssertionError("A transaction with a failed statement was to be committed.")
        self._pool.watch.committed(time.perf_counter() - began, 1)

    def end(self) -> None:
        """Give the connection back; what is open is rolled back first, in the background."""
        if self._watch is not None:
            self._watch.cancel()
        connection = self._connection
        if (
            self._pool.closed
            or connection.is_closed()
            or not (self._busy or connection.is_in_transaction())
        ):
            self._pool.give_back(connection)
        else:
            self._pool.later(self._roll_back())

    async def _sent(self, work: Awaitable[T]) -> T:
        self._busy = True
        try:
            result = await work
        except DRIVER as error:
            raise self._refusal(error)  # noqa: B904
        except AttributeError as error:
            # asyncpg uses a connection that was cut between two messages as if it were there.
            if not self.overdue:
                raise
            raise self._refusal(asyncpg.InterfaceError(str(error)))  # noqa: B904
        self._busy = False
        self._answered = time.monotonic()
        return result

    async def _roll_back(self) -> None:
        watch = self._cut_in(CONNECT_SECONDS)
        try:
            await self._connection.execute("ROLLBACK")
        except DRIVER:
            self._connection.terminate()
        finally:
            if watch is not None:
                watch.cancel()
            self._pool.give_back(self._connection)

    def _cut_in(self, seconds: float | None) -> asyncio.TimerHandle | None:
        if seconds is None:
            return None
        return asyncio.get_running_loop().call_later(seconds, self.cut)

    def cut(self) -> None:
        """Whoever waits for an answer gets an error, at once."""
        self.overdue = True
        self._connection.terminate()

    def _refusal(self, error: Exception) -> Exception:
        """What to raise for an error of the driver, with its cause."""
        if self.overdue:
            now = time.monotonic()
            # A server that is alive has answered something in the meantime.
            silent = self._answered - self._since < (now - self._since) / 2
            late = Unavailable(SILENT) if silent or self._pool.writes else TimedOut()
            late.__suppress_context__ = True
            return late
        refusal = translation(error)
        if isinstance(refusal, TimedOut) and self._pool.writes:
            refusal = Unavailable(STOPPED)
        if refusal is not error:
            refusal.__cause__ = error
        return refusal


class Pool:
    """Connections to one server: *most* at a time, made by *connect* when they are needed.

    *connect* takes how many seconds it may last. *writes* says what they are for.
    """

    def __init__(
        self,
        connect: Callable[[float], Awaitable[asyncpg.Connection]],
        most: int,
        watch: Watch,
        *,
        writes: bool = False,
    ) -> None:
        self._connect = connect
        self.watch = watch
        self.taken = self.waiting = 0
        self._free = asyncio.Semaphore(most)
        self._idle: list[tuple[asyncpg.Connection, float]] = []
        self.closed = False
        self._ending: set[asyncio.Task[None]] = set()
        self.writes = writes
        self.beside: Pool | None = None
        """Another pool of the process: at the server's limit it gives up what it does not use."""

    async def begun(
        self, begin: Callable[[Session], Awaitable[T]], until: float, deadline: float | None = None
    ) -> tuple[Session, T]:
        """A session, and what *begin* did with it first, which changes nothing.

        It is begun again if the connection is lost meanwhile: the server may have restarted since
        it was last used. Waits for a connection until *until* (of time.monotonic()). The caller
        calls Session.end(). Raises TimedOut, Unavailable, Damaged.
        """
        for attempt in (1, 2):
            session = Session(self, await self._taken(until), deadline)
            try:
                return session, await begin(session)
            except BaseException as error:
                session.end()
                if attempt == 2 or not (isinstance(error, Unavailable) and lost(error.__cause__)):
                    raise
        raise AssertionError

    def give_back(self, connection: asyncpg.Connection) -> None:
        """Take back what begun() gave away."""
        self.keep(connection)
        self._release()

    def keep(self, connection: asyncpg.Connection) -> None:
        """Keep a connection for the next one, if it is as good as new."""
        now = time.monotonic()
        if self.closed or connection.is_closed() or connection.is_in_transaction():
            connection.terminate()
        else:
            self._idle.append((connection, now))
        while self._idle and now - self._idle[0][1] > IDLE_SECONDS:
            self._idle.pop(0)[0].terminate()

    def later(self, work: Any) -> None:
        """Run a coroutine in the background; close() waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Close the connections that nobody uses now, and the others when they are given back."""
        self.closed = True
        while self._ending:
            await asyncio.wait(self._ending)
        idle, self._idle = self._idle, []
        for connection, _since in idle:
            await self._close(connection)

    async def _taken(self, until: float) -> asyncpg.Connection:
        if self.closed:
            raise Unavailable
        if self._free.locked():
            self.waiting += 1
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await self._free.acquire()
            except TimeoutError:
                what = "writes" if self.writes else "reads"
                raise Unavailable(f"Too many {what} are in progress right now.") from None
            finally:
                self.waiting -= 1
        else:
            await self._free.acquire()
        self.taken += 1
        try:
            return await self._connected(until)
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        self.taken -= 1
        self._free.release()

    @property
    def connections(self) -> int:
        """How many are open, about: one that is being made counts."""
        return self.taken + len(self._idle)

    async def _connected(self, until: float) -> asyncpg.Connection:
        while True:
            while self._idle:
                connection, since = self._idle.pop()
                if time.monotonic() - since > IDLE_SECONDS:
                    connection.terminate()
                if not connection.is_closed():
                    return connection
            left = until - time.monotonic()
            try:
                return await self._connect(min(CONNECT_SECONDS, max(left, 0.1)))
            except asyncpg.TooManyConnectionsError as error:
                if left < CROWDED_SECONDS:
                    raise translation(error) from error
            except DRIVER as error:
                raise translation(error) from error
            if self.beside is not None:
                self.beside.shed()
            await asyncio.sleep(CROWDED_SECONDS)

    def shed(self) -> None:
        """Close a connection that nobody uses, if there is one."""
        if self._idle:
            self.later(self._close(self._idle.pop(0)[0]))

    async def _close(self, connection: asyncpg.Connection) -> None:
        with contextlib.suppress(*DRIVER):
            await connection.close(timeout=CONNECT_SECONDS)
