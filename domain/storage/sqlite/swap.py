"""Puts another file in the place of a database that nobody uses."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from domain.errors import Unavailable

_BESIDE = ("-wal", "-shm", "-lock")
"""What stands beside a database in use; nothing of it belongs to another file."""


def put(new: Path, target: Path, aside: Path) -> bool:
    """Move the file *new* to *target*, and what was there *aside*; whether anything was.

    Raises Unavailable if another process has the database open: it would write to a file that
    nobody finds any more.
    """
    there = target.exists()
    with _alone(target) if there else contextlib.nullcontext():
        if there:
            target.rename(aside)
        for suffix in _BESIDE:
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        new.rename(target)
    folder = os.open(target.resolve().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return there


def is_a_database(path: Path) -> bool:
    """Whether the file has tables of casegraph's, of whatever version."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        try:
            return bool(db.execute("SELECT 1 FROM alembic_version").fetchall())
        except sqlite3.Error:
            return False


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the database so that nobody else has it. Raises Unavailable.

    SQLite leaves WAL mode only for the single connection that there is.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as db:
        try:
            db.execute("PRAGMA journal_mode=DELETE")
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise Unavailable(
                f"Another process has {path} open. Stop the gateway first, and every command."
            ) from error
        except sqlite3.DatabaseError:
            pass  # it is damaged, which may be why another file is to take its place
        yield
