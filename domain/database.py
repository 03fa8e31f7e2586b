"""Opening a database, reading one snapshot of it, writing one transaction.

SQLite: one writer connection in a process and read-only readers, in WAL. SQLite 3.40, which
Debian 12 ships, may corrupt a WAL that one connection checkpoints while another commits, so
transactions of all processes on the machine take turns by a lock on a file beside the database.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiosqlite
import sqlalchemy.exc
from sqlalchemy import Dialect, Executable, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from domain import instants, migrating
from domain.errors import Unavailable
from domain.instants import Instant
from domain.locking import FileLock
from domain.prepared import Prepared

log = logging.getLogger("casegraph.sql")

Row = tuple[Any, ...]
READERS = 4
BUSY_TIMEOUT_MS = 5_000
_WRITER_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA secure_delete=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA cache_size=-16000",
)
_READER_PRAGMAS = (
    "PRAGMA query_only=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA cache_size=-16000",
)


class Snapshot:
    """One state of the database: whatever is fetched through it belongs together."""

    def __init__(self, connection: aiosqlite.Connection, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect

    async def fetch(self, statement: Prepared, values: Mapping[str, Any]) -> list[Row]:
        sql, parameters = statement.bound(self._dialect, values)
        log.debug("%s", sql)
        with _translated():
            return list(await self._connection.execute_fetchall(sql, parameters))  # type: ignore[arg-type]


class Transaction:
    """All or nothing; the only way to write. *now* is one instant for all that it writes."""

    def __init__(self, connection: AsyncConnection, now: Instant) -> None:
        self._connection = connection
        self.now = now

    async def rows(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> Sequence[Any]:
        return (await self._connection.execute(statement, values or {})).all()

    async def first(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> Any | None:
        return (await self._connection.execute(statement, values or {})).first()

    async def run(
        self, statement: Executable, values: Mapping[str, Any] | list[dict[str, Any]] | None = None
    ) -> int:
        """Execute, once or for each row of *values*; returns how many rows changed."""
        if isinstance(values, list) and not values:
            return 0
        return (await self._connection.execute(statement, values)).rowcount


class Database:
    """An open database. Make one with opened()."""

    def __init__(self, url: URL, clock: Callable[[], Instant] = instants.now) -> None:
        self.url = url
        self.clock = clock
        self.path = _sqlite_path(url)
        self._engine = _writer(url)
        self.dialect = self._engine.dialect
        self._turn = asyncio.Lock()
        self._lock = FileLock(self.path.with_name(self.path.name + "-lock"))
        self._readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        self._opened: list[aiosqlite.Connection] = []

    async def open(self, *, migrate: bool = True) -> None:
        """Connect and bring the schema up to date. Raises Unavailable, saying what to do."""
        async with self.write() as transaction:
            await transaction._connection.run_sync(
                migrating.upgrade if migrate else migrating.check
            )
        with _translated():
            for _ in range(READERS):
                reader = await aiosqlite.connect(
                    f"{self.path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None
                )
                self._opened.append(reader)
                for pragma in _READER_PRAGMAS:
                    await reader.execute(pragma)
                self._readers.put_nowait(reader)

    async def close(self) -> None:
        for reader in self._opened:
            await reader.close()
        # The last connection to close checkpoints the WAL, so closing takes its turn, too.
        async with self._turn, self._lock:
            await self._engine.dispose()

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Snapshot]:
        """One snapshot, read-only, for as long as the block lasts: keep it short."""
        reader = await self._readers.get()
        try:
            with _translated():
                try:
                    await reader.execute("BEGIN")
                except ValueError as error:  # aiosqlite's word for a connection that was lost
                    raise Unavailable from error
            try:
                yield Snapshot(reader, self.dialect)
            finally:
                # Shielded: a cancelled request must not give back a reader in mid-transaction.
                await asyncio.shield(_end(reader))
        finally:
            self._readers.put_nowait(reader)

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """One transaction: committed durably when the block ends, rolled back if it raises."""
        async with self._turn, self._lock:
            with _translated():
                async with self._engine.begin() as connection:
                    yield Transaction(connection, self.clock())

    async def damage(self) -> list[tuple[str, str]]:
        """What the database itself finds wrong: a place and a sentence for each."""
        found: list[tuple[str, str]] = []
        async with self._raw_writer() as raw:
            for (message,) in await raw.execute_fetchall("PRAGMA integrity_check"):
                if message != "ok":
                    found.append(("file", f"{message}."))
            for table, _row, parent, _key in await raw.execute_fetchall("PRAGMA foreign_key_check"):
                found.append((f"table {table}", f"a row refers to nothing in {parent}."))
            try:
                await raw.execute(
                    "INSERT INTO search_index(search_index, rank) VALUES ('integrity-check', 1)"
                )
            except sqlite3.DatabaseError:
                found.append(("search index", "it does not fit the search entries."))
        return found

    async def rewrite(self) -> None:
        """Write the file anew, so that nothing that was erased is left in it."""
        async with self._raw_writer() as raw:
            await raw.execute("INSERT INTO search_index(search_index) VALUES ('optimize')")
            await raw.execute("VACUUM")
            await raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextlib.asynccontextmanager
    async def _raw_writer(self) -> AsyncIterator[aiosqlite.Connection]:
        """The writer's own connection, for what cannot stand in a transaction."""
        async with self._turn, self._lock:
            with _translated():
                async with self._engine.connect() as connection:
                    raw = (await connection.get_raw_connection()).driver_connection
                    assert raw is not None
                    yield raw

    async def ready(self) -> None:
        """Raise Unavailable unless a read works."""
        async with self.read() as snapshot:
            with _translated():
                await snapshot._connection.execute_fetchall("SELECT 1 FROM alembic_version")


@contextlib.asynccontextmanager
async def opened(
    url: str, *, migrate: bool = True, clock: Callable[[], Instant] = instants.now
) -> AsyncIterator[Database]:
    """The database at *url*, open for as long as the block lasts."""
    database = Database(parse_url(url), clock)
    # Before anything is opened: closing takes a lock, which would need the folder and leave a file.
    if not database.path.parent.is_dir():
        raise Unavailable(f"There is no folder {database.path.parent}.")
    if not migrate and not database.path.exists():
        raise Unavailable(f"There is no database at {database.path}. Run: casegraph init")
    # Clients' names: a new file is for its owner only, and SQLite's -wal and -shm take after it.
    os.close(os.open(database.path, os.O_RDWR | os.O_CREAT, 0o600))
    try:
        await database.open(migrate=migrate)
        yield database
    finally:
        await database.close()


def parse_url(text: str) -> URL:
    """sqlite:///path, or just a path. Raises Unavailable for anything else."""
    try:
        url = make_url(text if "://" in text else f"sqlite:///{text}")
    except sqlalchemy.exc.ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        raise Unavailable("The database URL must be like sqlite:///casegraph.db (a file).")
    return url.set(drivername="sqlite+aiosqlite")


def _sqlite_path(url: URL) -> Path:
    return Path(url.database or "")


def _writer(url: URL) -> AsyncEngine:
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=30,
        hide_parameters=True,  # they are clients' names, and errors are logged
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        cursor = connection.cursor()
        for pragma in _WRITER_PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


async def _end(reader: aiosqlite.Connection) -> None:
    with contextlib.suppress(sqlite3.Error, ValueError):
        await reader.execute("ROLLBACK")


@contextlib.contextmanager
def _translated() -> Any:
    """The driver's trouble becomes Unavailable: the caller may try again, and sees no SQL."""
    try:
        yield
    except (
        sqlite3.DatabaseError,
        sqlalchemy.exc.DatabaseError,
        sqlalchemy.exc.TimeoutError,
        OSError,
    ) as error:
        cause = getattr(error, "orig", error)
        if isinstance(cause, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        log.error("database: %s", cause)
        raise Unavailable from error
