"""Translates the errors of PostgreSQL and its driver into the domain's.

A temporary problem is Unavailable; its message tells the operator what to do where something can
be done. SQL and values are never shown. For SQLite, see sqlite/errors.py.
"""

import contextlib
import logging
import ssl
from collections.abc import Iterator

import asyncpg

from domain.errors import Damaged, TimedOut, Unavailable
from domain.storage.database import DISK_FULL

log = logging.getLogger("casegraph.sql")

LOST = "The connection to the database was lost."
UNREACHABLE = "The database server cannot be reached."
REFUSED = "The database server rejects the user or the password in the database URL."
MISSING = "The database in the database URL does not exist. Create it with: createdb"
FORBIDDEN = (
    "The database user may not do this. Commands need the owner of casegraph's tables, with CREATE "
    "on the schema; a user that only serves is let in by casegraph init --app-role."
)
NOT_THE_OWNER = (
    "The database has another schema than this version, and its user does not own the tables. Run "
    "casegraph init as the owner."
)
NO_TLS = "The database server does not offer TLS, which the sslmode in the database URL requires."
BAD_CERTIFICATE = "The certificate of the database server is not trusted: see sslmode, sslrootcert."
POOLER = (
    "The database server refuses the settings of a session. If it is a pooler, like PgBouncer, set "
    "CASEGRAPH_PG_STATEMENTS=0."
)
BAD_URL = "The database URL has a parameter that is not known or has a wrong value."
STARTING = "The database server is starting or stopping."
CROWDED = "The database server has no connection left for casegraph: see max_connections."
STANDBY = "The database server is a standby and accepts no writes."
HELD = "Another transaction holds a lock on the rows to be written."
SILENT = "The database server does not answer."
STOPPED = "The database server stopped the write because it took too long. Nothing was stored."
UNKNOWN = (
    "The connection to the database was lost during the commit: the change may or may not be "
    "stored. Send it again with the same idempotency key, or check."
)

DRIVER = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""What asyncpg raises, of the server's and of its own."""

# PostgreSQL, appendix A: the class is in the first two characters.
_BY_CODE: dict[str, type[Damaged] | type[TimedOut] | str] = {
    "57014": TimedOut,
    "XX001": Damaged,
    "XX002": Damaged,
    "28P01": REFUSED,
    "28000": REFUSED,
    "3D000": MISSING,
    "42501": FORBIDDEN,
    "25006": STANDBY,
    "25P03": LOST,
    "53100": DISK_FULL,
    "53300": CROWDED,
    "57P01": STARTING,
    "57P02": STARTING,
    "57P03": STARTING,
    "55P03": HELD,
    "40P01": HELD,
    "40001": HELD,
}
_BY_CLASS = {"08": LOST, "53": "The database server is short of memory or disk space."}


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise the driver's errors as DomainErrors: see translation()."""
    try:
        yield
    except DRIVER as error:
        refusal = translation(error)
        if refusal is error:
            raise
        raise refusal from error


def translation(error: Exception) -> Exception:
    """The exception to raise for *error*: a DomainError, or *error* if it is a defect of ours."""
    defect: Exception = error
    if isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        refusal = _BY_CODE.get(code) or _BY_CLASS.get(code[:2])
        if refusal is None:
            return defect
        if refusal is TimedOut:
            return TimedOut()
        # Only the code is logged: the message may quote a row.
        log.error("database: %s (%s)", type(error).__name__, code)
        return Unavailable(refusal) if isinstance(refusal, str) else refusal()
    if isinstance(error, asyncpg.DataError):
        return defect
    log.error("database: %s", type(error).__name__)
    if isinstance(error, ssl.SSLError):
        return Unavailable(BAD_CERTIFICATE)
    if isinstance(error, ConnectionError) and "SSL" in str(error):
        return Unavailable(NO_TLS)
    if isinstance(error, asyncpg.ClientConfigurationError):
        return Unavailable(BAD_URL)
    return Unavailable(UNREACHABLE if isinstance(error, OSError | TimeoutError) else LOST)


def lost(error: BaseException | None) -> bool:
    """Whether the connection is gone, and with it any work in progress."""
    if isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        return code == "25P03" or (code[:2] in ("08", "57") and code != "57014")
    return isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError)
