"""Writing one transaction at a time.

Statements run on the event loop, each for some ten microseconds; only the commit, which waits for
the disk, is given to a thread. SQLite 3.40, which Debian 12 ships, may corrupt a WAL that one
connection checkpoints while another commits, so transactions of all processes on the machine take
turns by a lock on a file beside the database.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ClauseElement, Dialect

from domain.driver_errors import translated
from domain.errors import Unavailable
from domain.instants import Instant
from domain.locking import FileLock
from domain.prepared import Prepared
from domain.reading import Row

T = TypeVar("T")
Statement = Prepared | ClauseElement
Values = Mapping[str, Any]

BUSY_SECONDS = 5.0
"""How long to wait for a program that writes without taking its turn."""
_PRAGMAS = (
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA cache_size=-16000",
    # Waiting within SQLite would hold up the event loop: begin() waits instead.
    "PRAGMA busy_timeout=0",
)


class Transaction:
    """All or nothing; the only way to write. *now* is one instant for all that it writes.

    What runs often is a Prepared; any other statement is compiled each time.
    """

    def __init__(self, connection: sqlite3.Connection, dialect: Dialect, now: Instant) -> None:
        self._connection = connection
        self._dialect = dialect
        self.now = now

    async def rows(self, statement: Statement, values: Values | None = None) -> list[Row]:
        sql, parameters = _prepared(statement).bound(self._dialect, values or {})
        return self._connection.execute(sql, parameters).fetchall()

    async def first(self, statement: Statement, values: Values | None = None) -> Row | None:
        rows = await self.rows(statement, values)
        return rows[0] if rows else None

    async def run(
        self, statement: Statement, values: Values | Sequence[Values] | None = None
    ) -> None:
        """Execute, once or for each row of *values*."""
        if isinstance(values, Sequence):
            if values:
                made = _prepared(statement)
                rows = [made.bound(self._dialect, row)[1] for row in values]
                self._connection.executemany(made.sql(self._dialect), rows)
            return
        made = _prepared(statement)
        self._connection.execute(*made.bound(self._dialect, values or {}))


class Writer:
    """The one connection of a process that writes, and the turns that are taken at it."""

    def __init__(self, path: Path, dialect: Dialect) -> None:
        self._path = path
        self._dialect = dialect
        self._turn = asyncio.Lock()
        self._lock = FileLock(path.with_name(path.name + "-lock"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="casegraph-commit")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        async with self.turn():
            self._connection = await self._in_thread(_connect, self._path)

    async def close(self) -> None:
        # The last connection to close checkpoints the WAL, so closing takes its turn, too.
        async with self.turn():
            if self._connection is not None:
                await self._in_thread(self._connection.close)
                self._connection = None
                self._thread.shutdown()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Nobody else writes for as long as the block lasts, in any process."""
        async with self._turn, self._lock:
            with translated():
                yield

    @contextlib.asynccontextmanager
    async def transaction(self, clock: Callable[[], Instant]) -> AsyncIterator[Transaction]:
        """Committed durably when the block ends, rolled back if it raises."""
        async with self.turn():
            connection = await self._begun()
            try:
                yield Transaction(connection, self._dialect, clock())
                await self._in_thread(connection.commit)
            finally:
                if connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        connection.rollback()

    async def maintain(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do *work* outside of a transaction, in a thread."""
        async with self.turn():
            return await self._in_thread(work, self._opened())

    async def _begun(self) -> sqlite3.Connection:
        connection = self._opened()
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return connection
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > until:
                    raise
            await asyncio.sleep(0.01)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Unavailable
        return self._connection

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
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode=WAL")
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    return connection


def _prepared(statement: Statement) -> Prepared:
    return statement if isinstance(statement, Prepared) else Prepared(statement)
