"""What PostgreSQL and its driver raise, in the domain's words; see driver_errors for SQLite's.

Trouble that may pass is Unavailable, and tells the operator what to do where there is something to
be done. Nobody is shown SQL or a value.
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
REFUSED = "The database server refuses the user or the password of the database URL."
MISSING = "The database of the database URL does not exist. Make it with: createdb"
FORBIDDEN = "The database user may not do this: it must own casegraph's tables."
STARTING = "The database server is starting or stopping."
CROWDED = "The database server has no connection left for casegraph: see max_connections."
STANDBY = "The database server is a standby and takes no writes."
HELD = "Another transaction keeps what is to be written locked."
UNKNOWN = (
    "The connection to the database was lost while the change was being stored: it may be there or "
    "not. Send it again with the same idempotency key, or look."
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
_BY_CLASS = {"08": LOST, "53": "The database server has too little memory or room."}


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """The driver's trouble becomes a DomainError: see translation()."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        found = translation(error)
        if found is error:
            raise
        raise found from error


def translation(error: Exception) -> Exception:
    """What to raise for *error*: a DomainError, or itself where it tells of a defect of ours."""
    found: Exception = error
    if isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        known = _BY_CODE.get(code) or _BY_CLASS.get(code[:2])
        if known is None:
            return found
        if known is TimedOut:
            return TimedOut()
        # The code alone: the message may quote a row.
        log.error("database: %s (%s)", type(error).__name__, code)
        return Unavailable(known) if isinstance(known, str) else known()
    if isinstance(error, asyncpg.DataError):
        return found
    log.error("database: %s", type(error).__name__)
    return Unavailable(LOST if isinstance(error, asyncpg.InterfaceError) else UNREACHABLE)


def lost(error: Exception) -> bool:
    """Whether the connection is gone, and with it whatever it was about to do."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in ("08", "57") and error.sqlstate != "57014"
    return isinstance(error, asyncpg.InterfaceError | OSError)
