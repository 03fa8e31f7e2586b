"""A database on a PostgreSQL server, shared by any number of processes and hosts.

Every transaction names its workspace: the schema's row-level policies hide the rows of all others
(PostgreSQL, 5.9). Writes to one workspace take turns on the head of its timeline, which gives
them the same semantics as SQLite's single writer. Writes to different workspaces run in parallel.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import URL

from domain.errors import Unavailable, invalid
from domain.instants import Instant
from domain.storage import migrating
from domain.storage.database import (
    BUSY_SECONDS,
    PATIENT_SECONDS,
    READY_SECONDS,
    Database,
    Pace,
    Row,
    Snapshot,
    Transaction,
)
from domain.storage.postgresql.errors import UNKNOWN, lost, translated
from domain.storage.postgresql.snapshots import Connection, ServerSnapshot, ServerTransaction
from domain.storage.statements import POSTGRESQL, Fetch, Prepared
from domain.storage.tables import metadata
from domain.storage.turns import Turns

log = logging.getLogger("casegraph.sql")

T = TypeVar("T")
READERS = 8
"""The most read connections in a process, and so the most snapshots open at once."""
WRITERS = 4
"""The most write connections in a process."""
CONNECT_SECONDS = 5.0
STATEMENTS = 500
"""How many prepared statements a connection keeps."""

EVERY = "*"
"""The name of all workspaces together, for the operator's transactions only."""
_READY = Prepared(text("SELECT 1 FROM alembic_version"))
_ROLE = Prepared(
    text("SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
)
_TURN = "SELECT at FROM timeline_head WHERE workspace_id = $1 FOR UPDATE"
_HEAD = "SELECT casegraph_head($1)"
_LAST = "SELECT max(at) FROM timeline_head"
_OPERATOR_TURN = "SELECT pg_advisory_xact_lock(7381, 1)"
_MIGRATOR_TURN = text("SELECT pg_advisory_xact_lock(7381, 2)")


class PostgresqlDatabase(Database):
    """A pool of read connections and a pool of write connections."""

    def __init__(self, url: URL, clock: Callable[[], Instant], read_seconds: float | None) -> None:
        super().__init__(url, clock)
        self._read_seconds = read_seconds
        self._patience = PATIENT_SECONDS if read_seconds is None else BUSY_SECONDS
        self._readers: asyncpg.Pool | None = None
        self._writers: asyncpg.Pool | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._turns = Turns(READERS)
        self._probe: Connection | None = None
        self._probing = asyncio.Lock()

    async def open(self, *, migrate: bool = True) -> None:
        with translated():
            self._readers = await self._pool(READERS, self._read_seconds)
            if not await self._has_schema(self._readers):
                work = migrating.upgrade if migrate else migrating.check
                await migrating.run_on_server(self._connect, _MIGRATOR_TURN, work)
            self._writers = await self._pool(WRITERS, None)

    async def close(self) -> None:
        if self._ending:
            await asyncio.wait(self._ending)
        if self._probe is not None:
            self._probe.terminate()
            self._probe = None
        for pool in (self._readers, self._writers):
            if pool is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(pool.close(), CONNECT_SECONDS)
                pool.terminate()
        self._readers = self._writers = None

    @contextlib.asynccontextmanager
    async def read(self, workspace_id: int | None = None) -> AsyncIterator[Snapshot]:
        async with self._turns.turn(self._read_seconds or PATIENT_SECONDS):
            connection = await self._begun(workspace_id)
            try:
                yield ServerSnapshot(connection)
            finally:
                self._end(connection)

    async def run(
        self,
        work: Callable[[Snapshot], Coroutine[Any, Any, T]],
        pace: Pace,
        workspace_id: int | None = None,
    ) -> T:
        """Runs *work* again if the connection was lost: the server may be back already."""
        try:
            async with self.read(workspace_id) as snapshot:
                return await work(snapshot)
        except Unavailable as error:
            if not (isinstance(error.__cause__, Exception) and lost(error.__cause__)):
                raise
        async with self.read(workspace_id) as snapshot:
            return await work(snapshot)

    async def head(self, workspace_id: int) -> str | None:
        async with self._turns.turn(self._read_seconds or PATIENT_SECONDS):
            pool = self._pool_of(self._readers)
            with translated():
                async with pool.acquire(timeout=self._read_seconds or PATIENT_SECONDS) as one:
                    head: str | None = await one.fetchval(_HEAD, workspace_id)
        return head

    @contextlib.asynccontextmanager
    async def write(self, workspace_id: int | None = None) -> AsyncIterator[Transaction]:
        with translated():
            connection, last = await self._writing(workspace_id)
            try:
                yield ServerTransaction(connection, max(self.clock(), last))
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
        told: Fetch | None = None,
    ) -> list[Row]:
        raise invalid("PostgreSQL has its own backup tools: pg_dump and pg_basebackup.", "database")

    async def damage(self) -> list[tuple[str, str]]:
        """Invalid indexes and dangling references; verify() checks everything else."""
        problems: list[tuple[str, str]] = []
        async with self.read() as db:
            for (name,) in await db.fetch(Fetch(_INVALID_INDEXES, {})):
                problems.append((f"index {name}", "it is not valid. See: REINDEX"))
            if await db.fetch(Fetch(_UNINDEXED, {})):
                problems.append(("search index", "it does not match the search entries."))
            for table, parent, statement in _references():
                if await db.fetch(Fetch(statement, {})):
                    problems.append((f"table {table}", f"a row refers to nothing in {parent}."))
        return problems

    async def rewrite(self, on_wait: Callable[[str], object] = lambda _what: None) -> None:
        """VACUUM frees the space for reuse. Backups and the WAL are the server's concern."""
        pool = self._pool_of(self._writers)
        with translated():
            async with pool.acquire() as connection:
                for name in (*(table.name for table in metadata.sorted_tables), "search_gram"):
                    await connection.execute(f"VACUUM (ANALYZE) {name}")

    async def require_bound(self) -> None:
        async with self.read() as db:
            [(role, free)] = await db.fetch(Fetch(_ROLE, {}))
        if free:
            raise Unavailable(
                f"The role {role} is a superuser or has BYPASSRLS: PostgreSQL would not keep the "
                "workspaces apart. Connect as another role, or set CASEGRAPH_BYPASS_POLICIES=true."
            )

    async def ready(self) -> None:
        self._pool_of(self._readers)  # raises Unavailable once this is closed
        async with self._probing:
            try:
                with translated():
                    if self._probe is None or self._probe.is_closed():
                        self._probe = await self._connect(READY_SECONDS)
                    sql, _ = _READY.bound(POSTGRESQL, {})
                    await self._probe.fetch(sql, timeout=READY_SECONDS)
            except BaseException:
                if self._probe is not None:
                    self._probe.terminate()
                    self._probe = None
                raise

    async def _begun(self, workspace_id: int | None) -> Connection:
        """A connection in a read-only transaction, which is one snapshot."""
        pool = self._pool_of(self._readers)
        try:
            with translated():
                connection = await pool.acquire(timeout=self._read_seconds or PATIENT_SECONDS)
        except Unavailable as error:
            if isinstance(error.__cause__, TimeoutError):
                raise Unavailable("Too many reads are in progress right now.") from None
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
        """End a snapshot's transaction in the background."""

        async def ended() -> None:
            await _rolled_back(connection)
            await self._pool_of(self._readers).release(connection)

        task = asyncio.get_running_loop().create_task(ended())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _writing(self, workspace_id: int | None) -> tuple[Connection, Instant]:
        """A connection in a transaction whose turn it is to write, and when it was last written."""
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
                    last = await connection.fetchval(_LAST)
                else:
                    last = await connection.fetchval(_TURN, workspace_id)
                return connection, last or ""
            except BaseException as error:
                await self._in_full(_rolled_back(connection))
                await pool.release(connection)
                # Nothing is done yet, so a retry is safe: the server may have restarted since.
                if attempt == 2 or not (isinstance(error, Exception) and lost(error)):
                    raise
        raise AssertionError

    async def _has_schema(self, pool: asyncpg.Pool) -> bool:
        """Whether there is nothing to migrate; Alembic would take longer to find out."""
        async with pool.acquire() as connection:
            try:
                revision = await connection.fetchval("SELECT version_num FROM alembic_version")
            except asyncpg.UndefinedTableError:
                return False
        return bool(revision == migrating.head())

    async def _commit(self, connection: Connection) -> None:
        try:
            await connection.execute("COMMIT")
        except Exception as error:
            if lost(error):
                raise Unavailable(UNKNOWN) from error
            raise

    async def _in_full(self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work* to completion even if the caller is cancelled, perhaps more than once."""
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


def _works_for(workspace_id: int | None) -> str:
    return f"SET LOCAL casegraph.workspace = '{EVERY if workspace_id is None else workspace_id}'"


async def _rolled_back(connection: Connection) -> None:
    """Roll back the transaction, if one is open. Closes the connection if that fails."""
    if connection.is_closed() or not connection.is_in_transaction():
        return
    try:
        await connection.execute("ROLLBACK", timeout=CONNECT_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()


async def _nothing(_connection: Connection) -> None:
    """The pool's reset hook. Does nothing: connections keep no state but their transactions."""


_UNINDEXED = Prepared(
    text(
        "SELECT 1 FROM search_entry AS e FULL JOIN search_gram AS g ON g.entry = e.entry "
        "WHERE g.grams IS DISTINCT FROM casegraph_grams(e.scope, e.plain, e.loose, e.number) "
        "OR e.entry IS NULL LIMIT 1"
    )
)
_INVALID_INDEXES = Prepared(
    text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1")
)


def _references() -> list[tuple[str, str, Prepared]]:
    """For each foreign key: its table, the parent table, and a query for a dangling reference."""
    references = []
    for table in metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            parent = key.referred_table.alias("parent")
            pairs = [(element.parent, parent.c[element.column.name]) for element in key.elements]
            there = [mine == theirs for mine, theirs in pairs]
            missing = [mine.is_not(None) for mine, _theirs in pairs]
            nobody = ~parent.select().where(*there).correlate(table).exists()
            statement = table.select().where(*missing, nobody).with_only_columns(pairs[0][0])
            references.append((table.name, key.referred_table.name, Prepared(statement.limit(1))))
    return references
