"""A lock between the processes of one machine, held by a file."""

import asyncio
import os
import time
from pathlib import Path

from domain.errors import Unavailable

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no fcntl; SQLite's own locks remain
    fcntl = None  # type: ignore[assignment]


ASK_AGAIN_SECONDS = 0.001
HELD = "Another process is writing to the database, and has not finished yet."


class FileLock:
    """Exclusive among processes; the kernel frees it when its holder dies.

    Within one process, callers take turns by other means: flock() belongs to the open file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    async def acquire(self, until: float) -> None:
        """Wait for it until *until*, in seconds of time.monotonic(), but try at least once.

        Raises Unavailable when the time is up, and OSError if there can be no such file.
        """
        if fcntl is None:  # pragma: no cover
            return
        # Not waiting in a thread: if the caller were cancelled, it would get the lock for nobody.
        while not self._taken():
            if time.monotonic() > until:
                raise Unavailable(HELD)
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    def release(self) -> None:
        if fcntl is not None and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of it and of the file; it can be acquired again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _taken(self) -> bool:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if os.fstat(self._file).st_nlink == 0:
            # Somebody deleted the file. Other processes would lock another one of that name.
            self.close()
            return False
        return True
