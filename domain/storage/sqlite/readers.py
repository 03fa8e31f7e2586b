"""Reading one snapshot of a SQLite file: on the event loop what is brief, the rest in a thread.

Whoever reads is a coroutine function that is given a Snapshot, and need not know which kind. On
the event loop nothing is waited for, so its coroutine is simply run to the end.
"""

import asyncio
import contextlib
import logging
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from domain.errors import Unavailable
from domain.storage.database import Row, Snapshot
from domain.storage.sqlite.errors import busy, interrupted, translated, translation
from domain.storage.statements import SQLITE, Fetch

log = logging.getLogger("casegraph.sql")

T = TypeVar("T")

READERS = 4
BUSY_TIMEOUT_MS = 5_000
"""How long a thread waits for a lock; on the event loop nothing is waited for."""
BRIEF_SECONDS = 0.003
"""How long a statement may hold up the event loop before it is given to a thread instead."""
_CHECK_EVERY = 2_000  # virtual machine instructions, some 20 to 50 microseconds
_THREADED = (
    "PRAGMA query_only=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA cache_size=-4000",
)
_INLINE = ("PRAGMA query_only=ON", "PRAGMA busy_timeout=0", "PRAGMA cache_size=-32000")


class Overrun(Exception):
    """A read was not brief; nothing of it was used."""


class InlineReader(Snapshot):
    """A connection that is read on the event loop itself.

    Asking a thread takes longer than most reads do. SQLite stops a statement that is not done
    when the time is up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._until = math.inf
        self._connection = self._connected()

    def run(self, work: Callable[[Snapshot], Coroutine[Any, Any, T]]) -> T:
        """Do *work*, which waits for nothing but its rows, in one snapshot.

        Raises Overrun, Unavailable, Damaged, and what *work* raises.
        """
        try:
            self._connection.execute("BEGIN")
            coroutine = work(self)
            coroutine.send(None)
        except StopIteration as done:
            found: T = done.value
            return found
        except sqlite3.Error as error:
            if interrupted(error) or busy(error):
                raise Overrun from None
            known = translation(error)
            raise known from None if known is error else error
        finally:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self._renew_if_lost()
        coroutine.close()
        raise AssertionError("what reads must wait for nothing but its rows")

    def close(self) -> None:
        self._connection.close()

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            _read_only(self._path),
            uri=True,
            isolation_level=None,
            cached_statements=512,
            check_same_thread=False,
        )
        for pragma in _INLINE:
            connection.execute(pragma)
        connection.set_progress_handler(self._overrun, _CHECK_EVERY)
        return connection

    def _renew_if_lost(self) -> None:
        """After a ROLLBACK that failed: there was nothing to roll back, or the connection is bad.

        A bad one would fail each time from now on. If it cannot be replaced now, the next time.
        """
        with contextlib.suppress(sqlite3.Error):
            try:
                if not self._connection.in_transaction:
                    return
            except sqlite3.ProgrammingError:  # it is closed
                pass
            self._connection.close()
            self._connection = self._connected()

    async def fetch(self, wanted: Fetch) -> list[Row]:
        return self._fetched(wanted)

    async def fetch_each(self, wanted: Sequence[Fetch | None]) -> list[list[Row]]:
        return [[] if one is None else self._fetched(one) for one in wanted]

    def _fetched(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(SQLITE, wanted.values)
        log.debug("%s", sql)
        self._until = time.perf_counter() + BRIEF_SECONDS
        return self._connection.execute(sql, parameters).fetchall()

    def _overrun(self) -> bool:
        return time.perf_counter() > self._until


class _ThreadSnapshot(Snapshot):
    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def fetch(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(SQLITE, wanted.values)
        log.debug("%s", sql)
        with translated():
            return list(await self._connection.execute_fetchall(sql, parameters))  # type: ignore[arg-type]


class _Reader:
    """A connection with a thread of its own, and when its work must be done by.

    aiosqlite's word for a connection that was lost is ValueError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None
        self.deadline = math.inf

    async def connection(self) -> aiosqlite.Connection:
        """The connection, opened now if there is none."""
        if self._connection is None:
            made = await aiosqlite.connect(_read_only(self._path), uri=True, isolation_level=None)
            try:
                for pragma in _THREADED:
                    await made.execute(pragma)
                await made.set_progress_handler(self._late, _CHECK_EVERY)
            except BaseException:
                await asyncio.shield(made.close())
                raise
            self._connection = made
        return self._connection

    async def end(self) -> None:
        """End the transaction. If that fails, the next one gets another connection."""
        if self._connection is None:
            return
        # A statement that nobody waits for any more is stopped.
        self.deadline = 0.0
        try:
            await self._connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            # It was begun in vain; or an error has ended it already.
            if self._connection.in_transaction:
                await self.close()
        except (sqlite3.Error, ValueError):
            await self.close()

    async def close(self) -> None:
        lost, self._connection = self._connection, None
        if lost is not None:
            with contextlib.suppress(sqlite3.Error, ValueError):
                await lost.close()

    def _late(self) -> bool:
        return time.monotonic() > self.deadline


class Readers:
    """Connections that are read in threads, each by one snapshot at a time."""

    def __init__(self, path: Path) -> None:
        self._idle: asyncio.LifoQueue[_Reader] = asyncio.LifoQueue()
        self._readers = [_Reader(path) for _ in range(READERS)]
        self._open = False

    async def open(self) -> None:
        self._open = True
        for reader in self._readers:
            await reader.connection()
            self._idle.put_nowait(reader)

    async def close(self) -> None:
        self._open = False
        for reader in self._readers:
            await reader.close()

    @contextlib.asynccontextmanager
    async def snapshot(self, seconds: float | None) -> AsyncIterator[Snapshot]:
        """A snapshot whose statements are stopped *seconds* from now, if that is given."""
        if not self._open:
            raise Unavailable
        try:
            reader = await asyncio.wait_for(self._idle.get(), seconds)
        except TimeoutError:
            raise Unavailable("Too much is being read right now.") from None
        try:
            if not self._open:
                raise Unavailable
            with translated():
                connection = await reader.connection()
            try:
                reader.deadline = math.inf if seconds is None else time.monotonic() + seconds
                with translated():
                    try:
                        await connection.execute("BEGIN")
                    except ValueError as error:
                        raise Unavailable from error
                yield _ThreadSnapshot(connection)
            finally:
                # Shielded: a cancelled request must not give back a reader in mid-transaction.
                await asyncio.shield(reader.end())
        finally:
            self._idle.put_nowait(reader)


def _read_only(path: Path) -> str:
    return f"{path.resolve().as_uri()}?mode=ro"
