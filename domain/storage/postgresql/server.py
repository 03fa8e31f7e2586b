"""A database on a PostgreSQL server, shared by as many processes and hosts as there are.

Every transaction says for which workspace it works: the row-level policies of the schema hide the
rows of all others (PostgreSQL, 5.9). Writes of one workspace take turns at the head of its
timeline, which gives them the same semantics as SQLite's single writer; those of others go on
beside them.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import URL

from domain.errors import Unavailable, invalid
from domain.instants import Instant
from domain.storage import migrating
from domain.storage.database import (
    BUSY_SECONDS,
    PATIENT_SECONDS,
    Database,
    Pace,
    Row,
    Snapshot,
    Statement,
    Transaction,
    Values,
    prepared,
)
from domain.storage.postgresql.errors import UNKNOWN, lost, translated
from domain.storage.statements import POSTGRESQL, Fetch, Prepared
from domain.storage.tables import metadata

log = logging.getLogger("casegraph.sql")

T = TypeVar("T")
Connection = Any
"""asyncpg.Connection, or a pool's proxy for one."""

READERS = 8
"""Connections of a process that read, at most; as many snapshots are open at once."""
WRITERS = 4
"""Connections of a process that write, at most."""
CONNECT_SECONDS = 5.0
STATEMENTS = 500
"""How many statements a connection keeps prepared."""

EVERY = "*"
"""What a transaction says that works for all workspaces: only the operator's do."""
_READY = Prepared(text("SELECT 1 FROM alembic_version"))
_TURN = "SELECT seq FROM timeline_head WHERE workspace_id = $1 FOR UPDATE"
_OPERATOR_TURN = "SELECT pg_advisory_xact_lock(7381, 1)"
_MIGRATOR_TURN = text("SELECT pg_advisory_xact_lock(7381, 2)")


class PostgresqlDatabase(Database):
    """A pool of connections that read and one of those that write."""

    def __init__(self, url: URL, clock: Callable[[], Instant], read_seconds: float | None) -> None:
        super().__init__(url, clock)
        self._read_seconds = read_seconds
        self._patience = PATIENT_SECONDS if read_seconds is None else BUSY_SECONDS
        self._readers: asyncpg.Pool | None = None
        self._writers: asyncpg.Pool | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def open(self, *, migrate: bool = True) -> None:
        with translated():
            if not await self._has_schema():
                work = migrating.upgrade if migrate else migrating.check
                await migrating.run_on_server(self._connect, _MIGRATOR_TURN, work)
            self._readers = await self._pool(READERS, self._read_seconds)
            self._writers = await self._pool(WRITERS, None)

    async def close(self) -> None:
        if self._ending:
            await asyncio.wait(self._ending)
        for pool in (self._readers, self._writers):
            if pool is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(pool.close(), CONNECT_SECONDS)
                pool.terminate()
        self._readers = self._writers = None

    @contextlib.asynccontextmanager
    async def read(self, workspace_id: int | None = None) -> AsyncIterator[Snapshot]:
        connection = await self._begun(workspace_id)
        try:
            yield _Snapshot(connection)
        finally:
            self._end(connection)

    async def run(
        self,
        work: Callable[[Snapshot], Coroutine[Any, Any, T]],
        pace: Pace,
        workspace_id: int | None = None,
    ) -> T:
        """Done again if the connection was lost: the server may be back already."""
        try:
            async with self.read(workspace_id) as snapshot:
                return await work(snapshot)
        except Unavailable as error:
            if not (isinstance(error.__cause__, Exception) and lost(error.__cause__)):
                raise
        async with self.read(workspace_id) as snapshot:
            return await work(snapshot)

    @contextlib.asynccontextmanager
    async def write(self, workspace_id: int | None = None) -> AsyncIterator[Transaction]:
        with translated():
            connection = await self._writing(workspace_id)
            try:
                yield _Transaction(connection, self.clock())
                await self._in_full(self._commit(connection))
            except BaseException:
                await self._in_full(_rolled_back(connection))
                raise
            finally:
                await self._pool_of(self._writers).release(connection)

    async def backup(
        self,
        target: Path,
        *,
        overwrite: bool = False,
        on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    ) -> None:
        raise invalid("PostgreSQL has its own: pg_dump, or pg_basebackup.", "database")

    async def damage(self) -> list[tuple[str, str]]:
        """Indexes that are not valid, and references to nothing; verify() reads all the rest."""
        found: list[tuple[str, str]] = []
        async with self.read() as db:
            for (name,) in await db.fetch(Fetch(_INVALID_INDEXES, {})):
                found.append((f"index {name}", "it is not valid. See: REINDEX"))
            for table, parent, statement in _references():
                if await db.fetch(Fetch(statement, {})):
                    found.append((f"table {table}", f"a row refers to nothing in {parent}."))
        return found

    async def rewrite(self) -> None:
        """VACUUM: the room is used again. What backups and the WAL hold is the server's matter."""
        pool = self._pool_of(self._writers)
        with translated():
            async with pool.acquire() as connection:
                for table in metadata.sorted_tables:
                    await connection.execute(f"VACUUM (ANALYZE) {table.name}")

    async def ready(self) -> None:
        async with self.read() as snapshot:
            await snapshot.fetch(Fetch(_READY, {}))

    async def _begun(self, workspace_id: int | None) -> Connection:
        """A connection in a read-only transaction, which is one snapshot."""
        pool = self._pool_of(self._readers)
        try:
            with translated():
                connection = await pool.acquire(timeout=self._read_seconds or PATIENT_SECONDS)
        except Unavailable as error:
            if isinstance(error.__cause__, TimeoutError):
                raise Unavailable("Too much is being read right now.") from None
            raise
        try:
            with translated():
                await connection.execute(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; " + _works_for(workspace_id)
                )
        except BaseException:
            self._end(connection)
            raise
        return connection

    def _end(self, connection: Connection) -> None:
        """End a snapshot's transaction, which nobody has to wait for."""

        async def ended() -> None:
            await _rolled_back(connection)
            await self._pool_of(self._readers).release(connection)

        task = asyncio.get_running_loop().create_task(ended())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _writing(self, workspace_id: int | None) -> Connection:
        """A connection in a transaction that has its turn."""
        pool = self._pool_of(self._writers)
        milliseconds = int(self._patience * 1000)
        for attempt in (1, 2):
            connection = await pool.acquire(timeout=self._patience)
            try:
                await connection.execute(
                    f"BEGIN; SET LOCAL lock_timeout = {milliseconds}; {_works_for(workspace_id)}"
                )
                if workspace_id is None:
                    await connection.execute(_OPERATOR_TURN)
                else:
                    await connection.fetch(_TURN, workspace_id)
                return connection
            except BaseException as error:
                await self._in_full(_rolled_back(connection))
                await pool.release(connection)
                # Nothing was done yet. The server may have been started anew since the last time.
                if attempt == 2 or not (isinstance(error, Exception) and lost(error)):
                    raise
        raise AssertionError

    async def _has_schema(self) -> bool:
        """Whether there is nothing to migrate, which Alembic takes its time to find out."""
        connection = await self._connect()
        try:
            revision = await connection.fetchval("SELECT version_num FROM alembic_version")
        except asyncpg.UndefinedTableError:
            return False
        finally:
            await connection.close()
        return bool(revision == migrating.head())

    async def _commit(self, connection: Connection) -> None:
        try:
            await connection.execute("COMMIT")
        except Exception as error:
            if lost(error):
                raise Unavailable(UNKNOWN) from error
            raise

    async def _in_full(self, work: Coroutine[Any, Any, T]) -> T:
        """Do *work* to the end even if the caller is cancelled, perhaps more than once."""
        task = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            raise

    def _pool_of(self, pool: asyncpg.Pool | None) -> asyncpg.Pool:
        if pool is None:
            raise Unavailable  # it was closed, or never opened
        return pool

    async def _pool(self, most: int, seconds: float | None) -> asyncpg.Pool:
        return await asyncpg.create_pool(
            min_size=1,
            max_size=most,
            max_inactive_connection_lifetime=300,
            reset=_nothing,
            connect=lambda *_arguments, **options: self._connect(seconds, **options),
        )

    async def _connect(self, seconds: float | None = None, **options: Any) -> Connection:
        settings = {"application_name": "casegraph"}
        if seconds is not None:
            settings["statement_timeout"] = str(int(seconds * 1000))
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            statement_cache_size=STATEMENTS,
            max_cached_statement_lifetime=0,
            server_settings=settings,
            **options,
        )

    @property
    def _dsn(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)


class _Snapshot(Snapshot):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Whoever reads for several places at once shares the snapshot; a connection does one thing.
        self._turn = asyncio.Lock()

    async def fetch(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(POSTGRESQL, wanted.values)
        log.debug("%s", sql)
        with translated():
            async with self._turn:
                found = await self._connection.fetch(sql, *parameters)
            # asyncpg's records can do whatever is done with rows, and are tuples but by name.
            return cast("list[Row]", found)


class _Transaction(Transaction):
    def __init__(self, connection: Connection, now: Instant) -> None:
        super().__init__(now)
        self._connection = connection

    async def fetch(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(POSTGRESQL, wanted.values)
        log.debug("%s", sql)
        return cast("list[Row]", await self._connection.fetch(sql, *parameters))

    async def run(
        self, statement: Statement, values: Values | Sequence[Values] | None = None
    ) -> None:
        made = prepared(statement)
        if not isinstance(values, Sequence):
            await self.rows(made, values)
        elif len(values) == 1:
            await self.rows(made, values[0])
        elif values:
            sql = made.sql(POSTGRESQL)
            log.debug("%s", sql)
            await self._connection.executemany(
                sql, [made.bound(POSTGRESQL, row)[1] for row in values]
            )


def _works_for(workspace_id: int | None) -> str:
    return f"SET LOCAL casegraph.workspace = '{EVERY if workspace_id is None else workspace_id}'"


async def _rolled_back(connection: Connection) -> None:
    """End what is left of a transaction. A connection that cannot is closed."""
    if connection.is_closed() or not connection.is_in_transaction():
        return
    try:
        await connection.execute("ROLLBACK", timeout=CONNECT_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()


async def _nothing(_connection: Connection) -> None:
    """What is done to a connection that goes back to its pool: it has no state but transactions."""


_INVALID_INDEXES = Prepared(
    text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1")
)


def _references() -> list[tuple[str, str, Prepared]]:
    """For each foreign key: the table, what it refers to, and a statement that finds a bad row."""
    found = []
    for table in metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            parent = key.referred_table.alias("parent")
            pairs = [(element.parent, parent.c[element.column.name]) for element in key.elements]
            there = [mine == theirs for mine, theirs in pairs]
            missing = [mine.is_not(None) for mine, _theirs in pairs]
            nobody = ~parent.select().where(*there).correlate(table).exists()
            statement = table.select().where(*missing, nobody).with_only_columns(pairs[0][0])
            found.append((table.name, key.referred_table.name, Prepared(statement.limit(1))))
    return found
