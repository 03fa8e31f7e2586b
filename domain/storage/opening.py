"""Opens the database at a URL: SQLite in a file, or PostgreSQL."""

import contextlib
from collections.abc import AsyncIterator, Callable

import sqlalchemy.exc
from sqlalchemy import make_url
from sqlalchemy.engine import URL

from domain import instants
from domain.errors import Unavailable
from domain.instants import Instant
from domain.storage.database import Database


@contextlib.asynccontextmanager
async def opened(
    url: str,
    *,
    migrate: bool = True,
    clock: Callable[[], Instant] = instants.now,
    read_seconds: float | None = None,
    bound: bool = False,
) -> AsyncIterator[Database]:
    """The database at *url*, open for the length of the block.

    A snapshot that is read for longer than *read_seconds* ends with TimedOut. Only a server sets
    it; its writes do not wait long either. If *bound*, a role that PostgreSQL's row-level policies
    do not bind is refused. Raises Unavailable, Damaged.
    """
    database = _database(parse_url(url), clock, read_seconds)
    try:
        await database.open(migrate=migrate)
        if bound:
            await database.require_bound()
        yield database
    finally:
        await database.close()


def parse_url(text: str) -> URL:
    """Parse sqlite:///path, a bare path or postgresql://...; anything else raises Unavailable."""
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
    # Imported here so that an unused driver is not loaded.
    if url.get_backend_name() == "postgresql":
        from domain.storage.postgresql.server import PostgresqlDatabase

        return PostgresqlDatabase(url, clock, read_seconds)
    from domain.storage.sqlite.file import SqliteDatabase

    return SqliteDatabase(url, clock, read_seconds)
