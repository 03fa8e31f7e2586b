"""What the driver raises, in the domain's words."""

import contextlib
import logging
import sqlite3
from collections.abc import Iterator

import sqlalchemy.exc

from domain.errors import DomainError, TimedOut, Unavailable

log = logging.getLogger("casegraph.sql")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """The driver's trouble becomes Unavailable: the caller may try again, and sees no SQL."""
    try:
        yield
    except (
        sqlite3.DatabaseError,
        sqlalchemy.exc.DatabaseError,
        sqlalchemy.exc.TimeoutError,
        OSError,
    ) as error:
        found = translation(error)
        if found is error:
            raise
        raise found from error


def translation(error: Exception) -> Exception:
    """What to raise for *error*: a DomainError, or itself where it tells of a defect of ours."""
    cause = getattr(error, "orig", error)
    if isinstance(cause, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return error
    if interrupted(cause):
        return TimedOut()
    log.error("database: %s", cause)
    found: DomainError = Unavailable()
    return found


def interrupted(error: Exception) -> bool:
    """Whether a statement was stopped by the progress handler of its connection."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT
