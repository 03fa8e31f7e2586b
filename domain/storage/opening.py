"""Opens the database at a URL: SQLite in a file, or PostgreSQL."""

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import unquote

import sqlalchemy.exc
from sqlalchemy import make_url
from sqlalchemy.engine import URL

from domain import instants
from domain.errors import Unavailable
from domain.instants import Instant
from domain.storage.database import Database, Pooling
from domain.storage.watch import Watch

_POOLING = Pooling()
_WATCH = Watch()


@contextlib.asynccontextmanager
async def opened(
    url: str,
    *,
    migrate: bool = True,
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    clock: Callable[[], Instant] = instants.now,
    read_seconds: float | None = None,
    bound: bool = False,
    owner: bool = False,
    pooling: Pooling = _POOLING,
    read_url: str | None = None,
    watch: Watch = _WATCH,
) -> AsyncIterator[Database]:
    """The database at *url*, open for the length of the block.

    An older schema is brought up to date; *on_progress* is told of a long update's rows: how many
    are done, and of how many.
    A snapshot that is read for longer than *read_seconds* ends with TimedOut. Only a server sets
    it; its writes do not wait long either. If *bound*, a role that PostgreSQL's row-level policies
    do not bind is refused; if *owner*, one that may only serve. What can be is read from the
    PostgreSQL server at *read_url*, a standby of the other. *watch* is told what it does. Raises
    Unavailable, Damaged.
    """
    database = _database(parse_url(url), clock, read_seconds, pooling, read_url, bound, watch)
    try:
        await database.open(migrate=migrate, on_progress=on_progress)
        if bound:
            await database.require_bound()
        if owner and not await database.is_owner():
            raise Unavailable(_NOT_THE_OWNER)
        yield database
    finally:
        await database.close()


def parse_url(text: str) -> URL:
    """Parse sqlite:///path, a bare path or postgresql://...; anything else raises Unavailable.

    Several hosts, as host1:5432,host2:5432, are those of one database: the first that takes writes
    is used.
    """
    try:
        url = _with_one_host(text if "://" in text else f"sqlite:///{text}")
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise Unavailable(_WRONG_URL) from None
    if url.drivername in ("postgresql", "postgres", "postgresql+asyncpg"):
        return url.set(drivername="postgresql+asyncpg")
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        raise Unavailable(_WRONG_URL)
    return url.set(drivername="sqlite+aiosqlite")


def _standby_url(text: str) -> URL:
    """Like parse_url(), for PostgreSQL only; of several hosts, rather one that is a standby."""
    url = parse_url(text)
    if url.get_backend_name() != "postgresql":
        raise Unavailable(
            "CASEGRAPH_READ_URL must be like postgresql://user:password@host/database."
        )
    if "," in str(url.query.get("host", "")) and "target_session_attrs" not in text:
        return url.update_query_dict({"target_session_attrs": "prefer-standby"})
    return url


def without_password(text: str) -> str:
    """The URL as it may be shown."""
    text = re.sub(r"(?<=://)([^:/@]*):.*@", r"\1:***@", text)
    start, mark, query = text.partition("?")
    pairs = [part.partition("=") for part in query.split("&")]
    shown = [
        name + sign + ("***" if "password" in unquote(name).lower() else value)
        for name, sign, value in pairs
    ]
    return start + mark + "&".join(shown)


def _with_one_host(text: str) -> URL:
    """The URL, with several hosts and their ports as parameters: a host is one to SQLAlchemy."""
    found = _HOSTS.fullmatch(text)
    if found is None:
        return make_url(text)
    start, hosts, rest = found.groups()
    pairs = [host.rpartition(":") if ":" in host else (host, "", "") for host in hosts.split(",")]
    url = make_url(start + rest)
    several: dict[str, Any] = {
        "host": ",".join(host for host, _colon, _port in pairs),
        "port": ",".join(port or "5432" for _host, _colon, port in pairs),
    }
    return url.set(query={"target_session_attrs": "read-write", **url.query, **several})


_HOSTS = re.compile(r"(\w+://(?:[^@/]*@)?)([\w.:-]+(?:,[\w.:-]+)+)(/.*)?")
_NOT_THE_OWNER = (
    "The database user may only serve: run this as the owner of casegraph's tables, whose role is "
    "another one since casegraph init --app-role."
)
_WRONG_URL = (
    "The database URL must be like sqlite:///casegraph.db (a file) or "
    "postgresql://user:password@host/database."
)


def _database(
    url: URL,
    clock: Callable[[], Instant],
    read_seconds: float | None,
    pooling: Pooling,
    read_url: str | None,
    bound: bool,
    watch: Watch,
) -> Database:
    # Imported here so that an unused driver is not loaded.
    if url.get_backend_name() == "postgresql":
        from domain.storage.postgresql.server import PostgresqlDatabase

        standby = _standby_url(read_url) if read_url else None
        return PostgresqlDatabase(url, clock, read_seconds, watch, pooling, standby, bound=bound)
    if read_url:
        raise Unavailable("Only a PostgreSQL database has a standby: CASEGRAPH_READ_URL is set.")
    from domain.storage.sqlite.file import SqliteDatabase

    return SqliteDatabase(url, clock, read_seconds, watch)
