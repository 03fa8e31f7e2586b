"""Restoring a backup of a SQLite database: checked first, and nothing that was there is lost."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Unavailable, invalid
from domain.storage.cancellation import in_thread
from domain.storage.opening import opened
from domain.storage.sqlite import backup as copies
from domain.storage.sqlite import swap
from domain.upkeep import verifying

_BESIDE = ("", "-wal", "-shm", "-lock")


@dataclass(frozen=True, slots=True)
class Restored:
    """How much was restored, and where the database is that was there before."""

    cases: int
    events: int
    replaced: Path | None


async def restore(
    backup: Path,
    target: Path,
    *,
    force: bool,
    on_progress: Callable[[int, int | None], object] = lambda _done, _total: None,
) -> Restored:
    """Put a copy of *backup* in the place of *target*, verified and brought up to date.

    What was there is kept beside it. Raises Invalid if there is a database and not *force*;
    Unavailable if the backup is none, or not sound, or another process uses the database.
    """
    _check(backup, target, force)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        await _copy(backup, partial)
        # An empty file would become a new database.
        if not await in_thread(swap.is_a_database, partial):
            raise Unavailable(f"{backup} is no casegraph database. Nothing was restored.")
        async with opened(f"sqlite:///{partial}") as database:
            checked = await verifying.verify(database, on_progress=on_progress)
            now = database.clock()
        if checked.findings:
            raise Unavailable(
                f"The backup is not sound: {checked.findings[0]} Nothing was restored. All that is "
                f"wrong is told by: casegraph verify --database {backup}"
            )
        aside = target.with_name(f"{target.name}.replaced-{now.replace(':', '')}")
        replaced = swap.put(partial, target, aside)
        return Restored(checked.cases, checked.events, aside if replaced else None)
    finally:
        for suffix in _BESIDE:
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)


async def _copy(backup: Path, partial: Path) -> None:
    """Copy the file, readable by its owner only; with what is beside it, if it is in use."""
    if await in_thread(backup.with_name(f"{backup.name}-wal").exists):
        await copies.copy(
            backup, partial, overwrite=True, on_progress=lambda _done, _total: None, told=None
        )
    else:
        # SQLite would leave files beside a backup that it only reads.
        stopped = threading.Event()
        await in_thread(_copy_file, backup, partial, stopped, hurry=stopped.set)


def _copy_file(backup: Path, partial: Path, stopped: threading.Event) -> None:
    with (
        backup.open("rb") as source,
        open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target,
    ):
        while (part := source.read(1 << 20)) and not stopped.is_set():
            target.write(part)
        target.flush()
        os.fsync(target.fileno())


def _check(backup: Path, target: Path, force: bool) -> None:
    if target.exists() and not force:
        raise invalid(f"{target} exists. Choose another --database, or --force.", "target")
    if target.exists() and target.samefile(backup):
        raise invalid("The backup must not be the database itself.", "target")
