"""A database in a SQLite file, in WAL: one writer connection in a process, and readers."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.engine import URL

from domain.errors import Damaged, Unavailable
from domain.instants import Instant
from domain.storage import migrating
from domain.storage.database import (
    BUSY_SECONDS,
    PATIENT_SECONDS,
    Database,
    Pace,
    Snapshot,
    Transaction,
)
from domain.storage.sqlite import backup
from domain.storage.sqlite.errors import translated, translation
from domain.storage.sqlite.readers import InlineReader, Overrun, Readers
from domain.storage.sqlite.writer import Writer
from domain.storage.statements import Fetch, Prepared

T = TypeVar("T")
_READY = Prepared(text("SELECT 1 FROM alembic_version"))


class SqliteDatabase(Database):
    """A file that this process has open, perhaps together with others on the same machine."""

    def __init__(self, url: URL, clock: Callable[[], Instant], read_seconds: float | None) -> None:
        super().__init__(url, clock)
        self.path = Path(url.database or "")
        self._read_seconds = read_seconds
        patience = PATIENT_SECONDS if read_seconds is None else BUSY_SECONDS
        self._writer = Writer(self.path, patience)
        self._readers = Readers(self.path)
        self._inline: InlineReader | None = None

    async def open(self, *, migrate: bool = True) -> None:
        try:
            _make(self.path, missing=migrate)
        except OSError as error:
            raise Unavailable(
                f"{self.path} cannot be opened for writing: {error.strerror}."
            ) from error
        # Held open until the writer is: the last connection to close would checkpoint.
        with contextlib.closing(_looking(self.path)) as looking:
            if not await asyncio.to_thread(_has_schema, looking):
                async with self._writer.turn(PATIENT_SECONDS):
                    await migrating.run(self.url, migrating.upgrade if migrate else migrating.check)
            with translated():
                await self._writer.open()
        with translated():
            self._inline = InlineReader(self.path)
            await self._readers.open()

    async def close(self) -> None:
        if self._inline is not None:
            self._inline.close()
            self._inline = None
        await self._readers.close()
        await self._writer.close()

    def read(self, workspace_id: int | None = None) -> AbstractAsyncContextManager[Snapshot]:
        return self._readers.snapshot(self._read_seconds)

    async def run(
        self,
        work: Callable[[Snapshot], Coroutine[Any, Any, T]],
        pace: Pace,
        workspace_id: int | None = None,
    ) -> T:
        """On the event loop if it is brief, else in a thread, where it is done again."""
        if self._inline is not None and pace.brief():
            try:
                return self._inline.run(work)
            except Overrun:
                pace.overran()
        async with self.read() as snapshot:
            return await work(snapshot)

    def write(self, workspace_id: int | None = None) -> AbstractAsyncContextManager[Transaction]:
        """One at a time, of whichever workspace."""
        return self._writer.transaction(self.clock)

    async def backup(
        self,
        target: Path,
        *,
        overwrite: bool = False,
        on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    ) -> None:
        await backup.copy(self.path, target, overwrite=overwrite, on_progress=on_progress)

    async def damage(self) -> list[tuple[str, str]]:
        # Not at the writer's connection: writes would have to wait for the whole of it.
        found = await asyncio.to_thread(_damage, self.path)
        return found + await self._writer.maintain(_search_damage)

    async def rewrite(self) -> None:
        """Write the file anew: nothing that was erased is left in it."""
        await self._writer.maintain(_rewrite)

    async def ready(self) -> None:
        """Also refuses a file that is not the one of its name any more."""
        async with self.read() as snapshot:
            await snapshot.fetch(Fetch(_READY, {}))
        self._writer.check_in_place()


def _make(path: Path, *, missing: bool) -> None:
    """See that there is a file that can be written; make one that is *missing*, or refuse."""
    # Before anything is opened: closing takes a lock, which would need the folder and leave a file.
    if not path.parent.is_dir():
        raise Unavailable(f"There is no folder {path.parent}.")
    if not missing and not path.exists():
        raise Unavailable(f"There is no database at {path}. Run: casegraph init")
    # Clients' names: a new file is for its owner only, and SQLite's -wal and -shm take after it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _looking(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, not even the journal mode of a foreign file."""
    with translated():
        uri = f"{path.resolve().as_uri()}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=0, check_same_thread=False)


def _has_schema(connection: sqlite3.Connection) -> bool:
    """Whether there is nothing to migrate, which Alembic takes its time to find out.

    False also if that cannot be told: whoever migrates will say why.
    """
    try:
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            return False
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return False
    return rows == [(migrating.head(),)]


def _damage(path: Path) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        try:
            for (message,) in connection.execute("PRAGMA integrity_check"):
                if message != "ok":
                    found.append(("file", f"{message}."))
            for table, _row, parent, _key in connection.execute("PRAGMA foreign_key_check"):
                found.append((f"table {table}", f"a row refers to nothing in {parent}."))
        except sqlite3.DatabaseError as error:
            found.append(("file", f"checking it failed: {error}."))
    return found


def _search_damage(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    try:
        connection.execute(
            "INSERT INTO search_index(search_index, rank) VALUES ('integrity-check', 1)"
        )
    except sqlite3.DatabaseError as error:
        if not isinstance(translation(error), Damaged):
            raise
        return [("search index", "it does not fit the search entries.")]
    return []


def _rewrite(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO search_index(search_index) VALUES ('optimize')")
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
