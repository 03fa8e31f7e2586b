"""An open database, whichever it is: SQLite in a file, or PostgreSQL."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import sqlalchemy.exc
from sqlalchemy import make_url
from sqlalchemy.engine import URL

from domain import instants
from domain.errors import Unavailable
from domain.instants import Instant
from domain.storage.transactions import Pace, Row, Snapshot, Transaction

__all__ = ["Database", "Pace", "Row", "Snapshot", "Transaction", "opened", "parse_url"]

T = TypeVar("T")


class Database(ABC):
    """What is read and written by everybody. Make one with opened().

    Whoever reads or writes says in which workspace; None stands for all of them, which only the
    operator's commands and the look for a key have reason to ask for.
    """

    def __init__(self, url: URL, clock: Callable[[], Instant]) -> None:
        self.url = url
        self.clock = clock

    @abstractmethod
    async def open(self, *, migrate: bool = True) -> None:
        """Connect and bring the schema up to date. Raises Unavailable, Damaged: what to do."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of all connections."""

    @abstractmethod
    def read(self, workspace_id: int | None = None) -> AbstractAsyncContextManager[Snapshot]:
        """One snapshot, read-only, for as long as the block lasts: keep it short."""

    @abstractmethod
    async def run(
        self,
        work: Callable[[Snapshot], Coroutine[Any, Any, T]],
        pace: Pace,
        workspace_id: int | None = None,
    ) -> T:
        """Do *work* in one snapshot.

        It waits for nothing but its rows, and may be done a second time. *pace* is kept by the
        caller for each kind of work. Raises TimedOut, Unavailable, Damaged, and what *work* raises.
        """

    @abstractmethod
    def write(self, workspace_id: int | None = None) -> AbstractAsyncContextManager[Transaction]:
        """One transaction: committed durably when the block ends, rolled back if it raises.

        Of one workspace there is one at a time.
        """

    @abstractmethod
    async def damage(self) -> list[tuple[str, str]]:
        """What the database itself finds wrong: a place and a sentence for each."""

    @abstractmethod
    async def rewrite(self) -> None:
        """Give back the room of what was erased, so that as little as possible of it is left."""

    @abstractmethod
    async def ready(self) -> None:
        """Raise a DomainError unless a read works.

        Whether a write would work is not asked: on a full disk, reading goes on.
        """


@contextlib.asynccontextmanager
async def opened(
    url: str,
    *,
    migrate: bool = True,
    clock: Callable[[], Instant] = instants.now,
    read_seconds: float | None = None,
) -> AsyncIterator[Database]:
    """The database at *url*, open for as long as the block lasts.

    A snapshot that is read for longer than *read_seconds* ends with TimedOut. Who sets that is a
    server: its writes do not wait for long, either. Raises Unavailable, Damaged.
    """
    database = _database(parse_url(url), clock, read_seconds)
    try:
        await database.open(migrate=migrate)
        yield database
    finally:
        await database.close()


def parse_url(text: str) -> URL:
    """sqlite:///path, just a path, or postgresql://...; Unavailable for anything else."""
    try:
        url = make_url(text if "://" in text else f"sqlite:///{text}")
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise Unavailable(_WRONG_URL) from None
    if url.drivername in ("postgresql", "postgres", "postgresql+asyncpg"):
        return url.set(drivername="postgresql+asyncpg")
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        raise Unavailable(_WRONG_URL)
    return url.set(drivername="sqlite+aiosqlite")


_WRONG_URL = (
    "The database URL must be like sqlite:///casegraph.db (a file) or "
    "postgresql://user:password@host/database."
)


def _database(url: URL, clock: Callable[[], Instant], read_seconds: float | None) -> Database:
    # Both know this module; and a driver that is not used need not be loaded.
    if url.get_backend_name() == "postgresql":
        from domain.storage.postgresql.server import PostgresqlDatabase

        return PostgresqlDatabase(url, clock, read_seconds)
    from domain.storage.sqlite.file import SqliteDatabase

    return SqliteDatabase(url, clock, read_seconds)
