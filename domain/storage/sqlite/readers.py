"""Reads snapshots of a SQLite file: short reads run on the event loop, the rest in threads.

A reader is a coroutine function that takes a Snapshot of either kind. On the event loop it waits
for nothing, so its coroutine simply runs to the end.
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
from domain.storage.statements import SQLITE, Fetch, Fetchable
from domain.storage.turns import READING, STEPS_A_ROW, Reading, Turns
from domain.storage.watch import Use, Watch, watched

log = logging.getLogger("casegraph.sql")

T = TypeVar("T")

READERS = 4
BUSY_TIMEOUT_MS = 5_000
"""How long a thread waits for a lock; the event loop does not wait."""
BRIEF_SECONDS = 0.003
"""Processor time that the statements of a read may keep from the event loop before a thread runs
them instead."""
BRIEF_WALL_SECONDS = 0.03
"""The same by the clock on the wall, for a slow disk.

It is wider because it also counts the time in which a busy machine ran something else.
"""
_CHECK_EVERY = 2_000  # virtual machine instructions, about 20 to 50 microseconds
_THREADED = f"PRAGMA query_only=ON; PRAGMA busy_timeout={BUSY_TIMEOUT_MS}; PRAGMA cache_size=-4000"
_HEAD = "SELECT hash FROM timeline_head WHERE workspace_id = ?"
_INLINE = ("PRAGMA query_only=ON", "PRAGMA busy_timeout=0", "PRAGMA cache_size=-32000")


class Overrun(Exception):
    """A read was not short; none of its rows were used."""


class InlineReader(Snapshot):
    """A connection that is read on the event loop itself.

    A round trip to a thread takes longer than most reads. SQLite stops a statement that is still
    running when its time is up.
    """

    def __init__(self, path: Path, watch: Watch) -> None:
        self._path = path
        self._watch = watch
        self._until: tuple[float, float] | None = None
        self._left = BRIEF_SECONDS
        self._asked = 0
        self._version = 0
        self._heads: dict[int, str] = {}
        self._connection = self._connected()

    def run(self, work: Callable[[Snapshot], Coroutine[Any, Any, T]]) -> T:
        """Run *work*, which must await nothing but its rows, in one snapshot.

        Raises Overrun, Unavailable, Damaged, and any error of *work*.
        """
        # SQLite counts a cached statement's steps across its executions, so that it may ask the
        # progress handler in BEGIN and ROLLBACK too.
        self._until, self._left = None, BRIEF_SECONDS
        reading = READING.get()
        visited = reading.visited if reading is not None else 0
        try:
            self._connection.execute("BEGIN")
            coroutine = work(self)
            coroutine.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        except sqlite3.Error as error:
            if interrupted(error) or busy(error):
                if reading is not None:
                    reading.visited = visited  # all of it is read again
                raise Overrun from None
            refusal = translation(error)
            raise refusal from None if refusal is error else error
        finally:
            self._until = None
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self._renew_if_lost()
        coroutine.close()
        raise AssertionError("a reader must await nothing but its rows")

    def version(self) -> int:
        """Another number whenever a connection in any process has committed since the last call.

        Raises Unavailable, Damaged.
        """
        self._until, self._left = None, BRIEF_SECONDS
        try:
            [(version,)] = self._connection.execute("PRAGMA data_version")
        except sqlite3.Error as error:
            self._renew_if_lost()
            raise translation(error) from error
        return int(version)

    def head(self, workspace_id: int) -> str | None:
        """The end of a workspace's timeline; None if it cannot be read on the event loop.

        The data version moves whenever another connection, in any process, has committed (SQLite,
        PRAGMA data_version), so the ends need to be read only then.
        """
        self._until, self._left = None, BRIEF_SECONDS
        try:
            [(version,)] = self._connection.execute("PRAGMA data_version")
            if version != self._version:
                self._version = version
                self._heads.clear()
            head = self._heads.get(workspace_id)
            if head is None:
                row = self._connection.execute(_HEAD, (workspace_id,)).fetchone()
                head = self._heads[workspace_id] = row[0] if row else ""
        except sqlite3.Error:
            self._renew_if_lost()
            return None
        return head

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
        """Handle a failed ROLLBACK: nothing was open, or the connection is bad.

        A bad connection would fail every time. If replacing it fails, the next call tries again.
        """
        with contextlib.suppress(sqlite3.Error):
            try:
                if not self._connection.in_transaction:
                    return
            except sqlite3.ProgrammingError:  # it is closed
                pass
            self._connection.close()
            self._connection = self._connected()
            self._version = 0  # each connection has its own

    async def fetch(self, wanted: Fetch) -> list[Row]:
        return self._fetched(wanted)

    async def fetch_each(self, wanted: Sequence[Fetchable]) -> list[list[Row]]:
        return [
            self._fetched(one) if isinstance(one, Fetch) else one.rows if one else []
            for one in wanted
        ]

    def _fetched(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(SQLITE, wanted.values)
        log.debug("%s", sql)
        self._until, self._asked = None, 0
        if self._watch.statement is None:
            rows = self._connection.execute(sql, parameters).fetchall()
        else:
            with self._watch.statement(sql):
                rows = self._connection.execute(sql, parameters).fetchall()
        if self._until is not None:
            # It was not the shortest, and others may follow.
            self._left = self._until[0] - time.thread_time()
        _count(READING.get(), self._asked, len(rows))
        return rows

    def _overrun(self) -> bool:
        """Whether to stop the statement. Its time counts from when SQLite first asks."""
        self._asked += 1
        if self._until is None:
            self._until = (
                time.thread_time() + self._left,
                time.perf_counter() + BRIEF_WALL_SECONDS,
            )
            return False
        until, wall_until = self._until
        return time.thread_time() > until or time.perf_counter() > wall_until


class _ThreadSnapshot(Snapshot):
    def __init__(self, reader: "_Reader", connection: aiosqlite.Connection, watch: Watch) -> None:
        self._reader = reader
        self._connection = connection
        self._watch = watch

    async def fetch(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(SQLITE, wanted.values)
        log.debug("%s", sql)
        rows: list[Row] = []
        before = self._reader.asked
        try:
            with translated(), watched(self._watch, sql):
                rows = list(await self._connection.execute_fetchall(sql, parameters))  # type: ignore[arg-type]
        finally:
            # What is given up at the deadline counts, too.
            _count(READING.get(), self._reader.asked - before, len(rows))
        return rows


def _count(reading: Reading | None, asked: int, rows: int) -> None:
    """Count what a statement has visited, which asked *asked* times whether to go on."""
    if reading is not None:
        reading.visited += max(asked * _CHECK_EVERY // STEPS_A_ROW, 2 * rows + 1)


class _Reader:
    """A connection with its own thread, and the deadline of its work.

    aiosqlite raises ValueError for a lost connection.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None
        self.deadline = math.inf
        self.asked = 0

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    async def connection(self) -> aiosqlite.Connection:
        """The connection, opened now if there is none."""
        if self._connection is None:
            fresh = await aiosqlite.connect(_read_only(self._path), uri=True, isolation_level=None)
            try:
                await fresh.executescript(_THREADED)
                await fresh.set_progress_handler(self._late, _CHECK_EVERY)
            except BaseException:
                await asyncio.shield(fresh.close())
                raise
            self._connection = fresh
        return self._connection

    async def end(self) -> None:
        """End the transaction. If that fails, the next one gets another connection."""
        if self._connection is None:
            return
        # Stops a statement that nobody awaits any more.
        self.deadline = 0.0
        try:
            await self._connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            # BEGIN failed, or an error has already ended the transaction.
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
        self.asked += 1
        return time.monotonic() > self.deadline


class Readers:
    """Connections that are read in threads, each used by one snapshot at a time."""

    def __init__(self, path: Path, watch: Watch) -> None:
        self._watch = watch
        self._readers = [_Reader(path) for _ in range(READERS)]
        self._idle: list[_Reader] = []
        self._turns = Turns(READERS)
        # Whoever reads whatever: whether the database can be read is told at once.
        self._probe = _Reader(path)
        self._probing = asyncio.Lock()
        self._open = False

    async def open(self) -> None:
        """Connect one reader, the next to be used; the others connect when they are needed."""
        self._open = True
        await self._readers[-1].connection()
        self._idle = list(self._readers)

    async def close(self) -> None:
        self._open = False
        for reader in (*self._readers, self._probe):
            await reader.close()

    def use(self) -> Use:
        return self._turns.use()

    def connections(self) -> int:
        """How many are open."""
        return sum(one.is_open for one in (*self._readers, self._probe))

    @contextlib.asynccontextmanager
    async def snapshot(self, seconds: float | None) -> AsyncIterator[Snapshot]:
        """A snapshot whose statements are stopped *seconds* from now, unless that is None."""
        if not self._open:
            raise Unavailable
        async with self._turns.turn(seconds):
            reader = self._idle.pop()
            try:
                async with self._begun(reader, seconds) as snapshot:
                    yield snapshot
            finally:
                self._idle.append(reader)

    @contextlib.asynccontextmanager
    async def probe(self, seconds: float | None) -> AsyncIterator[Snapshot]:
        """A snapshot of a connection that nothing else uses."""
        async with self._probing, self._begun(self._probe, seconds) as snapshot:
            yield snapshot

    @contextlib.asynccontextmanager
    async def _begun(self, reader: _Reader, seconds: float | None) -> AsyncIterator[Snapshot]:
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
            yield _ThreadSnapshot(reader, connection, self._watch)
        finally:
            # Shielded: a cancelled request must not return a reader in mid-transaction.
            await asyncio.shield(reader.end())


def _read_only(path: Path) -> str:
    return f"{path.resolve().as_uri()}?mode=ro"
