"""Writing one transaction at a time to a SQLite file.

Statements run on the event loop, each for some ten microseconds; only the commit, which waits for
the disk, is given to a thread. SQLite 3.40, which Debian 12 ships, may corrupt a WAL that one
connection checkpoints while another commits, so transactions of all processes on the machine take
turns by a lock on a file beside the database.
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
from domain.storage.database import BUSY_SECONDS, Row, Statement, Transaction, Values, prepared
from domain.storage.sqlite.errors import busy, translated
from domain.storage.sqlite.lock import FileLock
from domain.storage.statements import SQLITE, Fetch

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
    # Waiting within SQLite would hold up the event loop: begin() waits instead.
    "PRAGMA busy_timeout=0",
)


class _Transaction(Transaction):
    def __init__(self, connection: sqlite3.Connection, now: Instant) -> None:
        super().__init__(now)
        self._connection = connection

    async def fetch(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(SQLITE, wanted.values)
        log.debug("%s", sql)
        return self._connection.execute(sql, parameters).fetchall()

    async def run(
        self, statement: Statement, values: Values | Sequence[Values] | None = None
    ) -> None:
        made = prepared(statement)
        if not isinstance(values, Sequence):
            await self.rows(made, values)
        elif values:
            sql = made.sql(SQLITE)
            log.debug("%s", sql)
            self._connection.executemany(sql, [made.bound(SQLITE, row)[1] for row in values])


class Writer:
    """The one connection of a process that writes, and the turns that are taken at it.

    After trouble with the file the connection is opened anew before the next transaction, so that
    writing goes on as soon as it can. Who may wait for long says so with *patience*, in seconds.
    """

    def __init__(self, path: Path, patience: float = BUSY_SECONDS) -> None:
        self._path = path
        self._name = os.fspath(path)
        self._patience = patience
        self._turn = asyncio.Lock()
        self._lock = FileLock(path.with_name(path.name + "-lock"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="casegraph-commit")
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._doubtful = False

    async def open(self) -> None:
        """Connect to a file that is in WAL already: that neither commits nor checkpoints."""
        self._file = self._found()
        self._connection = await self._in_thread(_connect, self._path)

    async def close(self) -> None:
        async with self._turn:
            self._file = None
            if self._connection is not None:
                # The last connection to close checkpoints the WAL, so closing takes its turn, too.
                # If it cannot, it is not the last: who writes has the file open.
                with contextlib.suppress(Unavailable, OSError):
                    await self._lock.acquire(time.monotonic() + self._patience)
                with contextlib.suppress(sqlite3.Error):
                    await self._in_thread(self._connection.close)
                self._connection = None
            self._lock.close()
            self._thread.shutdown()

    @contextlib.asynccontextmanager
    async def turn(self, patience: float | None = None) -> AsyncIterator[float]:
        """Nobody else writes for as long as the block lasts, in any process.

        Gives until when its holder may wait, in seconds of time.monotonic(). That is reckoned from
        the call: those who queue up behind a write that waits in vain do not add up their waits.
        """
        until = time.monotonic() + (self._patience if patience is None else patience)
        async with self._turn:
            with translated():
                await self._lock.acquire(until)
                try:
                    yield until
                finally:
                    self._lock.release()

    @contextlib.asynccontextmanager
    async def transaction(self, clock: Callable[[], Instant]) -> AsyncIterator[Transaction]:
        """Committed durably when the block ends, rolled back if it raises."""
        async with self.turn() as until:
            connection = await self._begun(until)
            try:
                yield _Transaction(connection, clock())
                await self._in_thread(connection.commit)
            except sqlite3.DatabaseError:
                self._doubtful = True
                raise
            finally:
                if connection.in_transaction:
                    self._undo(connection)

    async def maintain(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do *work* outside of a transaction, in a thread."""
        async with self.turn():
            return await self._in_thread(work, await self._usable())

    def check_in_place(self) -> None:
        """Raise Unavailable unless the file that is open is still the one of its name."""
        # Else what is written now would be gone when the process ends.
        if self._found() != self._file:
            raise Unavailable(MOVED)

    def _found(self) -> tuple[int, int]:
        try:
            found = os.stat(self._name)
        except FileNotFoundError:
            raise Unavailable(MOVED) from None
        return found.st_dev, found.st_ino

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
        """The connection, opened anew if it is in doubt. Its file must be in its place."""
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

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do *work* in the writer's thread, to the end even if the caller is cancelled."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # Whoever is cancelled, perhaps more than once, leaves nothing half done behind.
            while not future.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            raise


def _connect(path: Path) -> sqlite3.Connection:
    # mode=rw: a file that is gone must not be made anew, and empty.
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
