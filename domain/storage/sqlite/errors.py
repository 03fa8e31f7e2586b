"""Translates the driver's errors into the domain's.

A temporary problem with the database is Unavailable, a lasting one Damaged. Any other error is a
defect of ours and is raised unchanged. SQL and values are never shown.
"""

import contextlib
import errno
import logging
import sqlite3
from collections.abc import Iterator

import sqlalchemy.exc

from domain.errors import Damaged, TimedOut, Unavailable
from domain.storage.database import DISK_FULL

log = logging.getLogger("casegraph.sql")
# The command line configures no logging and prints only the refusal.
log.addHandler(logging.NullHandler())

UNWRITABLE = "The database cannot be written: its disk is full, read-only, failing or at a limit."
READ_ONLY = "The database cannot be written: the file or its folder is read-only."
LOCKED = "Another program keeps the database locked."
UNOPENED = "The database file cannot be opened, or files beside it cannot be created."
UNREADABLE = "The disk that holds the database reports errors."
NO_DATABASE = "The file is not a database, or its header is damaged."

_PRIMARY = 0xFF
_DEFECTS = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
}
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_PROTOCOL: LOCKED,
    sqlite3.SQLITE_FULL: DISK_FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: UNOPENED,
    sqlite3.SQLITE_IOERR: UNREADABLE,
}
_WRITING = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_DIR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}
_BY_ERRNO = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: UNWRITABLE,
    errno.EFBIG: UNWRITABLE,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
    errno.EROFS: READ_ONLY,
}


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise the driver's errors as DomainErrors: see translation()."""
    try:
        yield
    except (
        sqlite3.DatabaseError,
        sqlalchemy.exc.DatabaseError,
        sqlalchemy.exc.TimeoutError,
        OSError,
    ) as error:
        refusal = translation(error)
        if refusal is error:
            raise
        raise refusal from error


def translation(error: Exception) -> Exception:
    """The exception to raise for *error*: a DomainError, or *error* if it is a defect of ours."""
    cause = getattr(error, "orig", error)
    if isinstance(cause, OSError):
        log.error("database: %s", cause)
        return Unavailable(_BY_ERRNO.get(cause.errno or 0, UNOPENED))
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return _without_code(error, cause)
    if code == sqlite3.SQLITE_INTERRUPT:
        return TimedOut()
    if code & _PRIMARY in _DEFECTS:
        return error
    log.error("database: %s (%s)", cause, getattr(cause, "sqlite_errorname", code))
    if code & _PRIMARY == sqlite3.SQLITE_NOTADB:
        return Damaged(NO_DATABASE)
    if code & _PRIMARY == sqlite3.SQLITE_CORRUPT or code == sqlite3.SQLITE_IOERR_CORRUPTFS:
        return Damaged()
    if code in _WRITING:
        return Unavailable(UNWRITABLE)
    return Unavailable(_UNAVAILABLE.get(code & _PRIMARY, UNOPENED))


def _without_code(error: Exception, cause: Exception) -> Exception:
    """The translation of an error that comes from Python's driver or SQLAlchemy itself."""
    if isinstance(cause, sqlite3.OperationalError):
        # Text that is not UTF-8. The message is not logged, because it quotes the text.
        log.error("database: a text cannot be decoded")
        return Damaged()
    if isinstance(cause, sqlalchemy.exc.TimeoutError):
        return Unavailable()
    return error


def interrupted(error: Exception) -> bool:
    """Whether the connection's progress handler stopped the statement."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT


def busy(error: Exception) -> bool:
    """Whether another connection held the lock."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
