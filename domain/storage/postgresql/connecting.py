"""How connections to a PostgreSQL server are made, and what their transactions begin with."""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
from sqlalchemy.engine import URL

from domain.errors import Unavailable
from domain.storage.database import Pooling
from domain.storage.postgresql.errors import BAD_URL, POOLER
from domain.storage.postgresql.sessions import CONNECT_SECONDS

OLDEST = 15
"""The oldest version of PostgreSQL that is tested."""
MARGIN_SECONDS = 0.25
"""How much longer than the server, which may be frozen, we wait before we give up."""
KEEPALIVES = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
"""For the server to notice within half a minute that a client's machine is gone."""

EVERY = "*"
"""The name of all workspaces together, for the operator's transactions only."""


@dataclass(frozen=True, slots=True)
class Connector:
    """One server and the settings of what runs there.

    A *serving* process stops each read after *read_seconds*. The server ends a transaction in which
    it hears nothing for *idle_seconds*.
    """

    url: URL
    pooling: Pooling
    serving: bool
    read_seconds: float
    idle_seconds: float

    async def connect(
        self, seconds: float = CONNECT_SECONDS, *, reads: bool = False
    ) -> asyncpg.Connection:
        """A connection; *reads* says what for. Raises Unavailable, and what asyncpg raises."""
        settings = {"application_name": "casegraph"}
        if self.pooling.statements:
            settings |= KEEPALIVES | self._settings(reads=reads)
        try:
            return await asyncpg.connect(
                self.url.set(drivername="postgresql").render_as_string(hide_password=False),
                timeout=seconds,
                statement_cache_size=self.pooling.statements,
                max_cached_statement_lifetime=0,
                server_settings=settings,
            )
        except (asyncpg.UndefinedObjectError, asyncpg.InvalidParameterValueError) as error:
            raise Unavailable(BAD_URL) from error  # whose parameters are settings of the session
        except asyncpg.ProtocolViolationError as error:
            raise Unavailable(POOLER) from error

    def snapshot(self, workspace_id: int | None) -> str:
        """Begins a read-only transaction, which is one snapshot."""
        settings = _set(self._local(reads=True)) + _works_for(workspace_id)
        return f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {settings}"

    def transaction(self, workspace_id: int | None, lock_seconds: float) -> str:
        """Begins a transaction that waits for a lock no longer than *lock_seconds*."""
        milliseconds = max(1, int(lock_seconds * 1000))
        local = self._local(reads=False) | {"lock_timeout": str(milliseconds)}
        return f"BEGIN; {_set(local)}{_works_for(workspace_id)}"

    def _local(self, *, reads: bool) -> dict[str, str]:
        """The settings that each transaction makes, because its connection does not have them."""
        return {} if self.pooling.statements else self._settings(reads=reads)

    def _settings(self, *, reads: bool) -> dict[str, str]:
        found = {}
        if self.serving or not reads:  # what a command reads may go to a slow pipe
            found["idle_in_transaction_session_timeout"] = _milliseconds(self.idle_seconds)
        if self.serving and reads:
            found["statement_timeout"] = _milliseconds(self.read_seconds - MARGIN_SECONDS)
            # What is served is in an index. The planner takes a table of one page, like a small
            # firm's staff, for cheaper to read whole, and reads it for each of a hundred roles.
            found["enable_seqscan"] = "off"
        return found


def require_fit(connection: asyncpg.Connection) -> None:
    """Raise Unavailable if the server is too old, or the database cannot hold every text."""
    version = connection.get_server_version().major
    if version < OLDEST:
        raise Unavailable(f"PostgreSQL {OLDEST} or newer is needed; the server is {version}.")
    encoding = connection.get_settings().server_encoding
    if encoding != "UTF8":
        raise Unavailable(
            f"The encoding of the database is {encoding}; it must be UTF8. Create another one with:"
            " createdb --encoding=UTF8 --template=template0"
        )


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def _set(settings: Mapping[str, str]) -> str:
    return "".join(f"SET LOCAL {name} = {value}; " for name, value in settings.items())


def _works_for(workspace_id: int | None) -> str:
    return f"SET LOCAL casegraph.workspace = '{EVERY if workspace_id is None else workspace_id}'"
