"""Writes one transaction at a time to a SQLite file.

Statements run on the event loop, each for about ten microseconds; only the commit, which waits
for the disk, runs in a thread, once for all who were waiting to write (groups). SQLite 3.40, which
Debian 12 ships, may corrupt a WAL that one connection checkpoints while another commits. So the
transactions of all processes on the machine take turns, through a lock on a file beside the
database.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from domain.errors import Unavailable
from domain.instants import Instant
from domain.storage.cancellation import finished, in_full
from domain.storage.database import BUSY_SECONDS, Row, Statement, Transaction, Values, prepared
from domain.storage.sqlite.errors import busy, translated
from domain.storage.sqlite.groups import Group, Queue
from domain.storage.sqlite.lock import FileLock
from domain.storage.statements import SQLITE, Fetch
from domain.storage.watch import Use, Watch, watched

log = logging.getLogger("casegraph.sql")

T = TypeVar("T")

MOVED = (
    "The database file was moved, replaced or deleted while it was in use. Put it back, or "
    "start casegraph again."
)
_PRAGMAS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA cache_size=-16000",
    # Waiting inside SQLite would block the event loop: Writer._begun() waits instead.
    "PRAGMA busy_timeout=0",
)


_HEAD = "SELECT at, seq, hash FROM timeline_head WHERE workspace_id = ?"
_LAST = "SELECT max(at) FROM timeline_head"


class _Transaction(Transaction):
    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Callable[[], Instant],
        workspace_id: int | None,
        watch: Watch,
    ) -> None:
        head = None
        if workspace_id is None:
            (last,) = connection.execute(_LAST).fetchone()
        else:
            row = connection.execute(_HEAD, (workspace_id,)).fetchone()
            last, *rest = row or (None,)
            head = (rest[0], rest[1]) if rest else None
        # Not before the workspace's last one.
        super().__init__(max(clock(), last or ""), head)
        self._connection = connection
        self._watch = watch

    async def fetch(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(SQLITE, wanted.values)
        log.debug("%s", sql)
        with watched(self._watch, sql):
            return self._connection.execute(sql, parameters).fetchall()

    async def run(
        self, statement: Statement, values: Values | Sequence[Values] | None = None
    ) -> None:
        compiled = prepared(statement)
        if not isinstance(values, Sequence):
            await self.rows(compiled, values)
        elif values:
            sql = compiled.sql(SQLITE)
            log.debug("%s", sql)
            with watched(self._watch, sql):
                self._connection.executemany(
                    sql, [compiled.bound(SQLITE, row)[1] for row in values]
                )


class Writer:
    """The process's one write connection, and the turns that writers take on it.

    After trouble with the file, the connection is reopened before the next transaction, so that
    writing resumes as soon as it can. *patience* is the longest wait for a turn, in seconds.
    """

    def __init__(self, path: Path, watch: Watch, patience: float = BUSY_SECONDS) -> None:
        self._path = path
        self._watch = watch
        self._name = os.fspath(path)
        self._patience = patience
        self._queue = Queue()
        self._turn = asyncio.Lock()
        self._lock = FileLock(path.with_name(path.name + "-lock"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="casegraph-commit")
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._doubtful = False
        self._committed = asyncio.Event()

    async def open(self) -> None:
        """Connect to a file already in WAL mode: this neither commits nor checkpoints."""
        self._file = self._identity()
        self._connection = await self._in_thread(_connect, self._path)

    async def close(self) -> None:
        async with self._turn:
            self._file = None
            if self._connection is not None:
                # The last connection to close checkpoints the WAL, so closing takes a turn, too.
                # If it gets none, it is not the last: the current writer has the file open.
                with contextlib.suppress(Unavailable, OSError):
                    await self._lock.acquire(time.monotonic() + self._patience)
                with contextlib.suppress(sqlite3.Error):
                    await self._in_thread(self._connection.close)
                self._connection = None
            self._lock.close()
            self._thread.shutdown()

    @contextlib.asynccontextmanager
    async def turn(self, patience: float | None = None) -> AsyncIterator[float]:
        """Keep out all other writers, in every process, for the length of the block.

        Yields the deadline, in seconds of time.monotonic(). It counts from the call, so that
        callers queued behind a write that waits in vain do not add up their waits.
        """
        until = time.monotonic() + (self._patience if patience is None else patience)
        async with self._turn_until(until):
            yield until

    @contextlib.asynccontextmanager
    async def _turn_until(self, until: float) -> AsyncIterator[None]:
        async with self._turn:
            with translated():
                await self._lock.acquire(until)
                try:
                    yield
                finally:
                    self._lock.release()

    @contextlib.asynccontextmanager
    async def transaction(
        self, clock: Callable[[], Instant], workspace_id: int | None
    ) -> AsyncIterator[Transaction]:
        """A transaction: committed durably when the block ends, rolled back if it raises."""
        until = time.monotonic() + self._patience
        group = await self._queue.admitted()
        if group is None:
            try:
                async with self._led(until) as connection:
                    yield _Transaction(connection, clock, workspace_id, self._watch)
            finally:
                self._queue.leave()
            return
        connection = group.connection
        with translated():
            async with group.member():
                yield _Transaction(connection, clock, workspace_id, self._watch)

    @contextlib.asynccontextmanager
    async def _led(self, until: float) -> AsyncIterator[sqlite3.Connection]:
        """A transaction that others may take part in when the block has ended."""
        async with self._turn_until(until):
            connection = await self._begun(until)
            group = Group(connection)
            try:
                yield connection
                cancelled = await group.call(self._queue)
                if group.lost is not None:
                    raise group.lost
                began = time.perf_counter()
                with watched(self._watch, "COMMIT"):
                    commit = self._submit(connection.commit)
                    cancelled = await in_full(commit) or cancelled
                    commit.result()
                self._watch.committed(time.perf_counter() - began, group.members)
                self._committed.set()
                group.end(None)
                if cancelled is not None:
                    raise cancelled
            except sqlite3.DatabaseError as error:
                self._doubtful = True
                group.end(error)
                raise
            finally:
                if connection.in_transaction:
                    self._undo(connection)
                group.end(Unavailable())

    async def committed(self, seconds: float) -> None:
        """Wait until this process has committed since the last call, at most for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._committed.wait()
        self._committed.clear()

    def use(self) -> Use:
        return Use(1, self._queue.led, self._queue.waiting())

    def is_open(self) -> bool:
        return self._connection is not None

    async def maintain(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run *work* outside a transaction, in a thread; interrupted if the caller is cancelled."""
        async with self.turn():
            connection = await self._usable()
            return await self._in_thread(work, connection, hurry=connection.interrupt)

    def check_in_place(self) -> None:
        """Raise Unavailable unless the open file is still the one at its path."""
        # Otherwise, new writes would be lost when the process ends.
        if self._identity() != self._file:
            raise Unavailable(MOVED)

    def _identity(self) -> tuple[int, int]:
        try:
            status = os.stat(self._name)
        except FileNotFoundError:
            raise Unavailable(MOVED) from None
        return status.st_dev, status.st_ino

    async def _begun(self, until: float) -> sqlite3.Connection:
        connection = await self._usable()
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return connection
            except sqlite3.DatabaseError as error:
                if not busy(error):
                    self._doubtful = True
                    raise
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(0.01)

    async def _usable(self) -> sqlite3.Connection:
        """The connection, reopened if it is in doubt. Its file must be in place."""
        if self._file is None:
            raise Unavailable  # it was closed, or never opened
        self.check_in_place()
        if self._doubtful or self._connection is None:
            await self._renew()
        assert self._connection is not None
        return self._connection

    async def _renew(self) -> None:
        lost, self._connection = self._connection, None
        if lost is not None:
            with contextlib.suppress(sqlite3.Error):
                await self._in_thread(lost.close)
        self._connection = await self._in_thread(_connect, self._path)
        self._doubtful = False

    def _undo(self, connection: sqlite3.Connection) -> None:
        try:
            connection.rollback()
        except sqlite3.Error:
            self._doubtful = True

    async def _in_thread(
        self,
        work: Callable[..., T],
        *arguments: Any,
        hurry: Callable[[], object] = lambda: None,
    ) -> T:
        return await finished(self._submit(work, *arguments), hurry)

    def _submit(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


def _connect(path: Path) -> sqlite3.Connection:
    # mode=rw: a missing file must not be recreated, empty.
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
