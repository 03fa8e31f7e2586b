"""A database on a PostgreSQL server, shared by any number of processes and hosts.

Every transaction names its workspace: the schema's row-level policies hide the rows of all others
(PostgreSQL, 5.9). Writes to one workspace take turns on the head of its timeline, which gives
them the same semantics as SQLite's single writer. Writes to different workspaces run in parallel.
One file, since it is one class: what Database asks of a server.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import asyncpg
import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.engine import URL

from domain.errors import Unavailable, invalid
from domain.instants import Instant
from domain.storage import revisions
from domain.storage.cancellation import in_full
from domain.storage.database import (
    BUSY_SECONDS,
    PATIENT_SECONDS,
    READY_SECONDS,
    Database,
    Pace,
    Pooling,
    Row,
    Snapshot,
    Transaction,
)
from domain.storage.postgresql import grants
from domain.storage.postgresql.connecting import MARGIN_SECONDS, Connector, require_fit
from domain.storage.postgresql.damage import found
from domain.storage.postgresql.errors import DRIVER, NOT_THE_OWNER, SILENT, lost, translated
from domain.storage.postgresql.listening import NOTIFY, Listener
from domain.storage.postgresql.sessions import CONNECT_SECONDS, Pool, Session
from domain.storage.postgresql.snapshots import ServerSnapshot, ServerTransaction
from domain.storage.postgresql.standby import HEAD, Elsewhere, Standby, seq_of
from domain.storage.statements import POSTGRESQL, Fetch, Prepared
from domain.storage.tables import metadata
from domain.storage.turns import READING, Turns
from domain.storage.watch import Load, Use, Watch

T = TypeVar("T")
ABANDONED_SECONDS = 5.0
"""After which the server ends the transaction of a gateway that sends nothing, as if it were dead:
until then nobody else can write to the workspace. It waits for a command as long as for a turn."""
_READY = "SELECT 1 FROM alembic_version"
_SIZE = Prepared(text("SELECT pg_database_size(current_database())"))
_ROLE = Prepared(
    text("SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
)
# As the policies ask it: see the migration 0012.
_OWNS = Prepared(text("SELECT has_table_privilege('workspace', 'INSERT')"))
_TURN = "SELECT at, seq, hash FROM timeline_head WHERE workspace_id = $1 FOR UPDATE"
_LAST = "SELECT max(at) FROM timeline_head"
_HEADS = "SELECT id, casegraph_head(id) FROM unnest($1::int[]) AS id"
_OPERATOR_TURN = "SELECT pg_advisory_xact_lock(7381, 1)"
_MIGRATOR_TURN = text("SELECT pg_advisory_xact_lock(7381, 2)")


class PostgresqlDatabase(Database):
    """A pool of read connections and a pool of write connections.

    A server's reads and writes end after a while, come what may; a command's are waited for.
    """

    is_shared = True

    def __init__(
        self,
        url: URL,
        clock: Callable[[], Instant],
        read_seconds: float | None,
        watch: Watch,
        pooling: Pooling,
        read_url: URL | None = None,
        *,
        bound: bool = False,
    ) -> None:
        super().__init__(url, clock, watch)
        self._pooling = pooling
        self._serves = read_seconds is not None
        self._read_seconds = PATIENT_SECONDS if read_seconds is None else read_seconds
        self._patience = PATIENT_SECONDS if read_seconds is None else BUSY_SECONDS
        idle_seconds = PATIENT_SECONDS if read_seconds is None else ABANDONED_SECONDS
        self._connector = Connector(url, pooling, self._serves, self._read_seconds, idle_seconds)
        self._standby: Standby | None = None
        if read_url is not None:
            self._standby = Standby(replace(self._connector, url=read_url), watch, bound=bound)
        self._readers: Pool | None = None
        self._writers: Pool | None = None
        self._turns = Turns(pooling.readers)
        # By workspace, for as long as anybody writes or waits.
        self._writing: WeakValueDictionary[int | None, asyncio.Lock] = WeakValueDictionary()
        self._queued = 0
        self._probe: asyncpg.Connection | None = None
        self._probing = asyncio.Lock()
        self._listener = Listener(self._connect if pooling.statements else None)

    async def open(
        self,
        *,
        migrate: bool = True,
        on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    ) -> None:
        self._readers = Pool(partial(self._connect, reads=True), self._pooling.readers, self.watch)
        self._writers = Pool(self._connect, self._pooling.writers, self.watch, writes=True)
        with translated():
            if not await self._has_schema(self._readers):
                await self._migrated(on_progress, migrate=migrate)
                await self._as_owner(grants.grant_again)
                await self.analyze()
        self._readers.beside, self._writers.beside = self._writers, self._readers
        if self._standby is not None:
            await self._standby.open()

    async def close(self) -> None:
        if self._standby is not None:
            await self._standby.close()
        self._listener.close()
        if self._probe is not None:
            self._probe.terminate()
            self._probe = None
        for pool in (self._readers, self._writers):
            if pool is not None:
                await pool.close()
        self._readers = self._writers = None

    @contextlib.asynccontextmanager
    async def read(self, workspace_id: int | None = None) -> AsyncIterator[Snapshot]:
        async with self._reading(workspace_id, time.monotonic() + self._read_seconds) as snapshot:
            yield snapshot

    async def run(
        self,
        work: Callable[[Snapshot], Coroutine[Any, Any, T]],
        pace: Pace,
        workspace_id: int | None = None,
    ) -> T:
        """Runs *work* again if the connection was lost: the server may be back already."""
        until = time.monotonic() + self._read_seconds
        if self._standby is not None and workspace_id is not None:
            with contextlib.suppress(Elsewhere):
                return await self._standby.run(work, workspace_id, until)
        try:
            async with self._reading(workspace_id, until) as snapshot:
                return await work(snapshot)
        except Unavailable as error:
            if not self.lost(error):
                raise
        async with self._reading(workspace_id, until) as snapshot:
            return await work(snapshot)

    def lost(self, error: BaseException | None) -> bool:
        return isinstance(error, Unavailable) and lost(error.__cause__)

    async def head(self, workspace_id: int) -> str | None:
        async def read(session: Session) -> str | None:
            [(head,)] = await session.fetch(HEAD, [workspace_id])
            return head  # type: ignore[no-any-return]

        until = time.monotonic() + self._read_seconds
        if self._standby is not None:
            with contextlib.suppress(Elsewhere):
                return await self._standby.head(workspace_id, until)
        if self._pooling.statements:
            async with self._session(read, until) as (_session, head):
                pass
        else:
            async with self._reading(workspace_id, until) as snapshot:
                head = await read(snapshot.session)
        if self._standby is not None and head and (reading := READING.get()) is not None:
            # What is read next is to be of this state or a later one.
            reading.position = max(reading.position, seq_of(head))
        return head

    async def heads(self, workspace_ids: Sequence[int]) -> dict[int, str]:
        async def read(session: Session) -> list[Row]:
            if not self._pooling.statements:
                await session.execute(self._connector.snapshot(None))
            return await session.fetch(_HEADS, [workspace_ids])

        until = time.monotonic() + self._read_seconds
        async with self._session(read, until) as (_session, rows):
            return {id: head for id, head in rows if head}

    async def woken(self, seconds: float) -> None:
        """Listens to the server. Behind a pooler of transactions, it waits in any case."""
        await self._listener.woken(seconds)

    @contextlib.asynccontextmanager
    async def write(self, workspace_id: int | None = None) -> AsyncIterator[Transaction]:
        until = time.monotonic() + self._patience

        async def begin(session: Session) -> tuple[Instant, tuple[int, str] | None]:
            wait = until - time.monotonic()
            await session.execute(self._connector.transaction(workspace_id, wait))
            if workspace_id is None:
                await session.execute(_OPERATOR_TURN)
                [(last,)] = await session.fetch(_LAST)
                return last or "", None
            rows = await session.fetch(_TURN, [workspace_id])
            if not rows:
                return "", None
            [(last, *head)] = rows
            return last, (head[0], head[1])

        # Waiting for locks ends at the server; the margin lets it say so.
        deadline = until + MARGIN_SECONDS if self._serves else None
        async with self._alone(workspace_id, until):
            pool = self._pool_of(self._writers)
            session, (last, head) = await pool.begun(begin, until, deadline)
            try:
                transaction = ServerTransaction(session, max(self.clock(), last), head)
                yield transaction
                # Of all workspaces, or of one that has a new event.
                is_told = head is None or transaction.head != head
                commit = asyncio.ensure_future(session.commit(NOTIFY if is_told else ""))
                cancelled = await in_full(commit)
                commit.result()
            finally:
                session.end()
        if cancelled is not None:
            raise cancelled

    @contextlib.asynccontextmanager
    async def _alone(self, workspace_id: int | None, until: float) -> AsyncIterator[None]:
        """The turn of one workspace's writers in this process.

        At the server only one of them waits: the others would take the connections of the writers
        of other workspaces, and if this process froze, each would get the workspace's turn there,
        one after another, and keep it until it is taken for dead.
        """
        turn = self._writing.setdefault(workspace_id, asyncio.Lock())
        if turn.locked():
            self._queued += 1
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await turn.acquire()
            except TimeoutError:
                raise Unavailable("Too many writes are in progress right now.") from None
            finally:
                self._queued -= 1
        else:
            await turn.acquire()
        try:
            yield
        finally:
            turn.release()

    async def note(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(POSTGRESQL, wanted.values)

        async def execute(session: Session) -> list[Row]:
            return await session.fetch(sql, parameters)

        # A reader's turn might wait for what the same key reads.
        until = time.monotonic() + self._patience
        session, rows = await self._pool_of(self._writers).begun(execute, until, until)
        session.end()
        return rows

    async def analyze(self) -> None:
        """Needs the owner of the tables: for others the server skips them."""
        await self._maintained("ANALYZE")

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
        async with self.read() as db:
            return await found(db)

    async def rewrite(self, on_wait: Callable[[str], object] = lambda _what: None) -> None:
        """VACUUM frees the space for reuse. Backups and the WAL are the server's concern."""
        names = (*(table.name for table in metadata.sorted_tables), "search_gram")
        await self._maintained(*(f"VACUUM (ANALYZE) {name}" for name in names))

    async def grant(self, role: str) -> None:
        await self._as_owner(partial(grants.grant, role=role))

    async def _maintained(self, *commands: str) -> None:
        """Execute commands that no transaction may contain."""

        async def maintain(connection: asyncpg.Connection) -> None:
            for command in commands:
                await connection.execute(command)

        await self._as_owner(maintain)

    async def _as_owner(self, work: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        """Do what only the owner of the tables may do, on a connection for it alone."""
        with translated():
            connection = await self._connect()
            try:
                await work(connection)
            finally:
                await connection.close(timeout=CONNECT_SECONDS)

    async def is_owner(self) -> bool:
        async with self.read() as db:
            [(owns,)] = await db.fetch(Fetch(_OWNS, {}))
        return bool(owns)

    async def require_bound(self) -> None:
        async with self.read() as db:
            [(role, free)] = await db.fetch(Fetch(_ROLE, {}))
        if free:
            raise Unavailable(
                f"The role {role} is a superuser or has BYPASSRLS: PostgreSQL would not keep the "
                "workspaces apart. Connect as another role, or set CASEGRAPH_BYPASS_POLICIES=true."
            )

    def load(self) -> Load:
        reads = self._turns.use()
        pools = [pool for pool in (self._readers, self._writers) if pool is not None]
        connections = sum(pool.connections for pool in pools) + (self._probe is not None)
        lag = None
        if self._standby is not None:
            there = self._standby.use()
            reads = Use(
                reads.most + there.most, reads.busy + there.busy, reads.waiting + there.waiting
            )
            connections += self._standby.connections
            lag = self._standby.lag
        busy = self._writers.taken if self._writers is not None else 0
        waiting = self._queued + (self._writers.waiting if self._writers is not None else 0)
        writes = Use(self._pooling.writers, busy, waiting)
        return Load(reads, writes, connections, lag)

    async def sizes(self) -> dict[str, int]:
        async with self.read() as db:
            [(size,)] = await db.fetch(Fetch(_SIZE, {}))
        return {"database": size}

    async def ready(self) -> None:
        self._pool_of(self._readers)  # raises Unavailable once this is closed
        try:
            # Those who ask meanwhile wait for their turn no longer than for the answer.
            async with asyncio.timeout(READY_SECONDS), self._probing:
                await self._probed()
        except TimeoutError as error:
            raise Unavailable(SILENT) from error

    async def _probed(self) -> None:
        try:
            with translated():
                if self._probe is None or self._probe.is_closed():
                    self._probe = await self._connect()
                await self._probe.execute(_READY)
        except BaseException:
            if self._probe is not None:
                self._probe.terminate()
                self._probe = None
            raise

    @contextlib.asynccontextmanager
    async def _reading(
        self, workspace_id: int | None, until: float
    ) -> AsyncIterator[ServerSnapshot]:
        """A read-only transaction, which is one snapshot."""

        async def begin(session: Session) -> None:
            await session.execute(self._connector.snapshot(workspace_id))

        async with self._session(begin, until) as (session, _begun):
            yield ServerSnapshot(session)

    @contextlib.asynccontextmanager
    async def _session(
        self, begin: Callable[[Session], Awaitable[T]], until: float
    ) -> AsyncIterator[tuple[Session, T]]:
        """A session for reading. A server's ends at *until* (of time.monotonic())."""
        async with self._turns.turn(until - time.monotonic()):
            pool = self._pool_of(self._readers)
            session, found = await pool.begun(begin, until, until if self._serves else None)
            try:
                yield session, found
            finally:
                session.end()

    async def _has_schema(self, pool: Pool) -> bool:
        """Whether there is nothing to migrate; Alembic would take longer to find out.

        The connection is the first one of *pool*.
        """
        connection = await self._connect(reads=True)
        try:
            require_fit(connection)
            async with connection.transaction():
                revision = await connection.fetchval("SELECT version_num FROM alembic_version")
            if revision != revisions.head() and not await grants.may_migrate(connection):
                raise Unavailable(NOT_THE_OWNER)
        except asyncpg.UndefinedTableError:
            revision = None
        finally:
            pool.keep(connection)
        return bool(revision == revisions.head())

    async def _migrated(self, on_progress: Callable[[int, int], object], *, migrate: bool) -> None:
        # Alembic takes long to load, and hardly any start needs it.
        from domain.storage import migrating

        work = migrating.work(on_progress, migrate=migrate)
        try:
            await migrating.run_on_server(self._connect, _MIGRATOR_TURN, work)
        except sqlalchemy.exc.DBAPIError as error:
            cause = error.orig.__cause__ if error.orig is not None else None
            raise (cause if isinstance(cause, DRIVER) else error) from None

    def _pool_of(self, pool: Pool | None) -> Pool:
        if pool is None:
            raise Unavailable  # it was closed, or never opened
        return pool

    async def _connect(
        self, seconds: float = CONNECT_SECONDS, *, reads: bool = False
    ) -> asyncpg.Connection:
        return await self._connector.connect(seconds, reads=reads)
