"""Reading one snapshot: on the event loop for what is brief, in a thread for the rest.

Whoever reads is a coroutine function that is given a Snapshot, and need not know which kind. On
the event loop nothing is waited for, so its coroutine is simply run to the end.
"""

import asyncio
import contextlib
import logging
import math
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import Dialect

from domain.driver_errors import interrupted, translated, translation
from domain.errors import Unavailable
from domain.prepared import Fetch

log = logging.getLogger("casegraph.sql")

T = TypeVar("T")
Row = tuple[Any, ...]

READERS = 4
BUSY_TIMEOUT_MS = 5_000
BRIEF_SECONDS = 0.003
"""How long a statement may hold up the event loop before it is given to a thread instead."""
THREADED_AFTER_OVERRUN = 50
"""How many reads of a kind go to a thread at once after one of them was not brief."""

_CHECK_EVERY = 2_000  # virtual machine instructions, some 20 to 50 microseconds
_PRAGMAS = ("PRAGMA query_only=ON", f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


class Pace:
    """Remembers of one kind of read whether it is brief."""

    __slots__ = ("_threaded",)

    def __init__(self) -> None:
        self._threaded = 0

    def brief(self) -> bool:
        """Whether the next one is worth trying on the event loop."""
        if self._threaded:
            self._threaded -= 1
            return False
        return True

    def overran(self) -> None:
        self._threaded = THREADED_AFTER_OVERRUN


class Overrun(Exception):
    """A read was not brief; nothing of it was used."""


class Snapshot(ABC):
    """One state of the database: whatever is fetched through it belongs together."""

    @abstractmethod
    async def fetch(self, wanted: Fetch) -> list[Row]:
        """The rows. Raises TimedOut, Unavailable."""

    async def fetch_each(self, wanted: Sequence[Fetch | None]) -> list[list[Row]]:
        """The rows of each, none for None."""
        return [[] if one is None else await self.fetch(one) for one in wanted]


class InlineReader(Snapshot):
    """A connection that is read on the event loop itself.

    Asking a thread takes longer than most reads do. SQLite stops a statement that is not done
    when the time is up.
    """

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self._dialect = dialect
        self._until = math.inf
        self._connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            cached_statements=512,
            check_same_thread=False,
        )
        for pragma in (*_PRAGMAS, "PRAGMA cache_size=-32000"):
            self._connection.execute(pragma)
        self._connection.set_progress_handler(self._overrun, _CHECK_EVERY)

    def run(self, work: Callable[[Snapshot], Coroutine[Any, Any, T]]) -> T:
        """Do *work*, which waits for nothing but its rows, in one snapshot.

        Raises Overrun, Unavailable, and what *work* raises.
        """
        try:
            self._connection.execute("BEGIN")
            coroutine = work(self)
            coroutine.send(None)
        except StopIteration as done:
            found: T = done.value
            return found
        except sqlite3.Error as error:
            if interrupted(error):
                raise Overrun from None
            known = translation(error)
            raise known from None if known is error else error
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        coroutine.close()
        raise AssertionError("what reads must wait for nothing but its rows")

    def close(self) -> None:
        self._connection.close()

    async def fetch(self, wanted: Fetch) -> list[Row]:
        return self._fetched(wanted)

    async def fetch_each(self, wanted: Sequence[Fetch | None]) -> list[list[Row]]:
        return [[] if one is None else self._fetched(one) for one in wanted]

    def _fetched(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(self._dialect, wanted.values)
        log.debug("%s", sql)
        self._until = time.perf_counter() + BRIEF_SECONDS
        return self._connection.execute(sql, parameters).fetchall()

    def _overrun(self) -> bool:
        return time.perf_counter() > self._until


class _ThreadSnapshot(Snapshot):
    def __init__(self, connection: aiosqlite.Connection, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect

    async def fetch(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(self._dialect, wanted.values)
        log.debug("%s", sql)
        with translated():
            return list(await self._connection.execute_fetchall(sql, parameters))  # type: ignore[arg-type]


class _Reader:
    """A connection with a thread of its own, and when its work must be done by."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.deadline = math.inf

    def late(self) -> bool:
        return time.monotonic() > self.deadline


class Readers:
    """Connections that are read in threads, each by one snapshot at a time."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self._path = path
        self._dialect = dialect
        self._idle: asyncio.LifoQueue[_Reader] = asyncio.LifoQueue()
        self._opened: list[_Reader] = []

    async def open(self) -> None:
        for _ in range(READERS):
            connection = await aiosqlite.connect(
                f"{self._path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None
            )
            reader = _Reader(connection)
            self._opened.append(reader)
            for pragma in (*_PRAGMAS, "PRAGMA cache_size=-4000"):
                await connection.execute(pragma)
            await connection.set_progress_handler(reader.late, _CHECK_EVERY)
            self._idle.put_nowait(reader)

    async def close(self) -> None:
        for reader in self._opened:
            await reader.connection.close()

    @contextlib.asynccontextmanager
    async def snapshot(self, seconds: float | None) -> AsyncIterator[Snapshot]:
        """A snapshot whose statements are stopped *seconds* from now, if that is given."""
        try:
            reader = await asyncio.wait_for(self._idle.get(), seconds)
        except TimeoutError:
            raise Unavailable("Too much is being read right now.") from None
        connection = reader.connection
        try:
            reader.deadline = math.inf if seconds is None else time.monotonic() + seconds
            with translated():
                try:
                    await connection.execute("BEGIN")
                except ValueError as error:  # aiosqlite's word for a connection that was lost
                    raise Unavailable from error
            try:
                yield _ThreadSnapshot(connection, self._dialect)
            finally:
                reader.deadline = math.inf
                # Shielded: a cancelled request must not give back a reader in mid-transaction.
                await asyncio.shield(_end(connection))
        finally:
            self._idle.put_nowait(reader)


async def _end(connection: aiosqlite.Connection) -> None:
    with contextlib.suppress(sqlite3.Error, ValueError):
        await connection.execute("ROLLBACK")
