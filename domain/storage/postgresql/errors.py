"""Translates the errors of PostgreSQL and its driver into the domain's.

A temporary problem is Unavailable; its message tells the operator what to do where something can
be done. SQL and values are never shown. For SQLite, see sqlite/errors.py.
"""

import contextlib
import logging
from collections.abc import Iterator

import asyncpg

from domain.errors import Damaged, TimedOut, Unavailable
from domain.storage.database import DISK_FULL

log = logging.getLogger("casegraph.sql")

LOST = "The connection to the database was lost."
UNREACHABLE = "The database server cannot be reached."
REFUSED = "The database server rejects the user or the password in the database URL."
MISSING = "The database in the database URL does not exist. Create it with: createdb"
FORBIDDEN = "The database user may not do this: it must own casegraph's tables."
STARTING = "The database server is starting or stopping."
CROWDED = "The database server has no connection left for casegraph: see max_connections."
STANDBY = "The database server is a standby and accepts no writes."
HELD = "Another transaction holds a lock on the rows to be written."
UNKNOWN = (
    "The connection to the database was lost during the commit: the change may or may not be "
    "stored. Send it again with the same idempotency key, or check."
)

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
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
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
    return Unavailable(LOST if isinstance(error, asyncpg.InterfaceError) else UNREACHABLE)


def lost(error: Exception) -> bool:
    """Whether the connection is gone, and with it any work in progress."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in ("08", "57") and error.sqlstate != "57014"
    return isinstance(error, asyncpg.InterfaceError | OSError)
