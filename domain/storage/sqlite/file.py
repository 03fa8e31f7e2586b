"""A database in a SQLite file, in WAL mode: one writer connection per process, and readers."""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.engine import URL

from domain.errors import Damaged, Unavailable
from domain.instants import Instant
from domain.storage import revisions
from domain.storage.cancellation import in_thread
from domain.storage.database import (
    BUSY_SECONDS,
    PATIENT_SECONDS,
    READY_SECONDS,
    Database,
    Pace,
    Row,
    Snapshot,
    Transaction,
)
from domain.storage.sqlite import backup
from domain.storage.sqlite.errors import translated, translation
from domain.storage.sqlite.readers import InlineReader, Overrun, Readers
from domain.storage.sqlite.writer import Writer
from domain.storage.statements import Fetch, Prepared
from domain.storage.watch import Load, Watch

T = TypeVar("T")
KEPT_BY_READERS = (
    "What was erased is still in the -wal file, because another program has been reading an older "
    "state of the database all the time. When it has ended, run: casegraph purge"
)
POLL_SECONDS = 0.01
"""How long another process's commit may go unseen by who waits for it."""
_READY = Prepared(text("SELECT 1 FROM alembic_version"))


class SqliteDatabase(Database):
    """A file that this process has open; other processes on the machine may have it open, too."""

    is_shared = False

    def __init__(
        self, url: URL, clock: Callable[[], Instant], read_seconds: float | None, watch: Watch
    ) -> None:
        super().__init__(url, clock, watch)
        self.path = Path(url.database or "")
        self._read_seconds = read_seconds
        patience = PATIENT_SECONDS if read_seconds is None else BUSY_SECONDS
        self._writer = Writer(self.path, watch, patience)
        self._readers = Readers(self.path, watch)
        self._inline: InlineReader | None = None
        self._seen = 0

    async def open(
        self,
        *,
        migrate: bool = True,
        on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    ) -> None:
        try:
            _make(self.path, missing=migrate)
        except OSError as error:
            raise Unavailable(
                f"{self.path} cannot be opened for writing: {error.strerror}."
            ) from error
        # Held open until the writer is open: the last connection to close would checkpoint.
        with contextlib.closing(_probe(self.path)) as probe:
            if not await in_thread(_has_schema, probe, hurry=probe.interrupt):
                # Alembic takes long to load, and hardly any start needs it.
                from domain.storage import migrating

                async with self._writer.turn(PATIENT_SECONDS):
                    await migrating.run(self.url, migrating.work(on_progress, migrate=migrate))
            with translated():
                await self._writer.open()
        with translated():
            self._inline = InlineReader(self.path, self.watch)
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
        """Runs *work* on the event loop if it is short, else again, in a thread."""
        if self._inline is not None and pace.brief():
            try:
                return self._inline.run(work)
            except Overrun:
                pace.overran()
                self.watch.overran()
        async with self.read() as snapshot:
            return await work(snapshot)

    async def head(self, workspace_id: int) -> str | None:
        """Asks the file only if another connection has committed since the last time."""
        if self._inline is None:
            raise Unavailable
        return self._inline.head(workspace_id)

    async def heads(self, workspace_ids: Sequence[int]) -> dict[int, str]:
        found = {id: await self.head(id) for id in workspace_ids}
        return {id: head for id, head in found.items() if head}

    async def woken(self, seconds: float) -> None:
        """Looks at the file's data version again and again, and at once after an own commit."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._inline is not None:
            version = self._inline.version()
            if version != self._seen:
                self._seen = version
                return
            await self._writer.committed(POLL_SECONDS)

    def write(self, workspace_id: int | None = None) -> AbstractAsyncContextManager[Transaction]:
        """One at a time, whatever the workspace."""
        return self._writer.transaction(self.clock, workspace_id)

    async def note(self, wanted: Fetch) -> list[Row]:
        async with self.write() as db:
            return await db.fetch(wanted)

    async def analyze(self) -> None:
        pass

    async def backup(
        self,
        target: Path,
        *,
        overwrite: bool = False,
        on_progress: Callable[[int, int], object] = lambda _done, _total: None,
        told: Fetch | None = None,
    ) -> list[Row]:
        return await backup.copy(
            self.path, target, overwrite=overwrite, on_progress=on_progress, told=told
        )

    async def damage(self) -> list[tuple[str, str]]:
        # Not on the writer's connection: writes would have to wait for the whole check.
        uri = f"{self.path.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as one:
            problems = await in_thread(_damage, one, hurry=one.interrupt)
        return problems + await self._writer.maintain(_search_damage)

    async def rewrite(self, on_wait: Callable[[str], object] = lambda _what: None) -> None:
        """Rewrite the file, and empty the -wal, so that no erased data remains in them."""
        await self._writer.maintain(_rewrite)
        until = time.monotonic() + PATIENT_SECONDS
        told = False
        # One turn for each try: writers go on meanwhile.
        while not await self._writer.maintain(_emptied_wal):
            if not told:
                on_wait("Waiting for others to end what they read of the state before.")
                told = True
            if time.monotonic() > until:
                raise Unavailable(KEPT_BY_READERS)
            await asyncio.sleep(0.2)

    def load(self) -> Load:
        inline = self._inline is not None
        return Load(
            reads=self._readers.use(),
            writes=self._writer.use(),
            connections=inline + self._readers.connections() + self._writer.is_open(),
        )

    async def sizes(self) -> dict[str, int]:
        found = {}
        for part, ending in (("file", ""), ("wal", "-wal")):
            with contextlib.suppress(OSError):
                found[part] = os.stat(f"{self.path}{ending}").st_size
        return found

    async def ready(self) -> None:
        """Also refuses if the open file is no longer the one at its path."""
        self._writer.check_in_place()
        if self._inline is None:
            raise Unavailable
        try:
            self._inline.run(lambda db: db.fetch(Fetch(_READY, {})))
        except Overrun:
            async with self._readers.probe(READY_SECONDS) as snapshot:
                await snapshot.fetch(Fetch(_READY, {}))


def _make(path: Path, *, missing: bool) -> None:
    """Ensure that a writable file exists. Without *missing*, refuse rather than create one."""
    # Checked before opening: closing takes a lock, which needs the folder and leaves a file.
    if not path.parent.is_dir():
        raise Unavailable(f"There is no folder {path.parent}.")
    if not missing and not path.exists():
        raise Unavailable(f"There is no database at {path}. Run: casegraph init")
    # The data names clients: only its owner may read a new file, or SQLite's -wal and -shm.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _probe(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, not even the journal mode of another program's file."""
    with translated():
        uri = f"{path.resolve().as_uri()}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=0, check_same_thread=False)


def _has_schema(connection: sqlite3.Connection) -> bool:
    """Whether there is nothing to migrate; Alembic would take longer to find out.

    Also False if the answer cannot be read: the migration will then say why.
    """
    try:
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            return False
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return False
    return rows == [(revisions.head(),)]


def _damage(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    try:
        for (message,) in connection.execute("PRAGMA integrity_check"):
            if message != "ok":
                problems.append(("file", f"{message}."))
        for table, _row, parent, _key in connection.execute("PRAGMA foreign_key_check"):
            problems.append((f"table {table}", f"a row refers to nothing in {parent}."))
    except sqlite3.DatabaseError as error:
        problems.append(("file", f"the check failed: {error}."))
    return problems


def _search_damage(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    try:
        connection.execute(
            "INSERT INTO search_index(search_index, rank) VALUES ('integrity-check', 1)"
        )
    except sqlite3.DatabaseError as error:
        if not isinstance(translation(error), Damaged):
            raise
        return [("search index", "it does not match the search entries.")]
    return []


def _rewrite(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO search_index(search_index) VALUES ('optimize')")
    connection.execute("VACUUM")


def _emptied_wal(connection: sqlite3.Connection) -> bool:
    """Whether all of the -wal is in the file now, and the -wal is empty.

    Not while somebody reads from it: SQLite, PRAGMA wal_checkpoint.
    """
    [(busy, _frames, _moved)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return not busy
