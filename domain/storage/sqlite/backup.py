"""Copies the database while it is in use."""

import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from domain.errors import Damaged, Unavailable, invalid
from domain.storage.cancellation import in_thread
from domain.storage.database import Row
from domain.storage.sqlite.errors import translation
from domain.storage.statements import SQLITE, Fetch

PAGES = 1_000
"""How many pages are copied in one step; writers may run between steps."""
_PARTIAL = re.compile(r"\..+\.([0-9]{1,9})\.partial")


async def copy(
    source: Path,
    target: Path,
    *,
    overwrite: bool,
    on_progress: Callable[[int, int], object],
    told: Fetch | None,
) -> list[Row]:
    """Copy the database *source* to *target*, complete and consistent, readable by its owner only.

    *target* appears only once it is complete, and is not opened: a process killed just then would
    leave files beside it that only a database in use has. See Database.backup().
    """
    try:
        stopped = threading.Event()
        await in_thread(_check, source, target, overwrite)
        return await in_thread(_copy, source, target, on_progress, told, stopped, hurry=stopped.set)
    except (sqlite3.Error, OSError) as error:
        if isinstance(damaged := translation(error), Damaged):
            raise damaged from error
        raise Unavailable(f"The copy could not be made: {error}.") from error


def _check(source: Path, target: Path, overwrite: bool) -> None:
    if target.exists() and not overwrite:
        raise invalid(f"{target} exists. Choose another name, or --overwrite.", "target")
    if target.exists() and target.samefile(source):
        raise invalid("The copy must not be the database file itself.", "target")
    if target.with_name(f"{target.name}-wal").exists():
        # SQLite would take the old file's WAL for the copy's own.
        raise invalid(
            f"{target} is a database in use, or was when its program was killed. Choose another "
            f"name; or, if nobody uses it, run: casegraph verify --database {target}",
            "target",
        )


def _copy(
    source: Path,
    target: Path,
    on_progress: Callable[[int, int], object],
    told: Fetch | None,
    stopped: threading.Event,
) -> list[Row]:
    def look(_status: int, remaining: int, total: int) -> None:
        if stopped.is_set():
            raise Unavailable
        on_progress(total - remaining, total)

    _sweep(target.parent)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
            ) as db,
            contextlib.closing(sqlite3.connect(partial)) as copy,
        ):
            # An interrupted copy leaves a file that nobody opens, so it needs no journal.
            copy.execute("PRAGMA journal_mode=OFF")
            copy.execute("PRAGMA synchronous=OFF")  # fsync runs once, below
            # Held open for the whole copy, so that it is one state even while others write.
            db.execute("BEGIN")
            db.execute("SELECT 1 FROM alembic_version").fetchall()
            rows: list[Row] = []
            if told is not None:
                rows = db.execute(*told.statement.bound(SQLITE, told.values)).fetchall()
            db.backup(copy, pages=PAGES, progress=look)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
        folder = os.open(target.resolve().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return rows
    finally:
        partial.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what copies left in a folder whose processes were killed: it holds clients' data."""
    for left in folder.glob(".*.partial"):
        match = _PARTIAL.fullmatch(left.name)
        if match and not _is_alive(int(match[1])):
            left.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
