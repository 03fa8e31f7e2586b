"""A lock between the processes of one machine, held on a file."""

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
HELD = "Another process is writing to the database and has not finished yet."


class FileLock:
    """An exclusive lock between processes; the kernel releases it when its holder dies.

    Within one process, callers take turns by other means: flock() belongs to the open file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    async def acquire(self, until: float) -> None:
        """Wait for the lock until *until*, in seconds of time.monotonic(); try at least once.

        Raises Unavailable at that time, and OSError if the file cannot be created.
        """
        if fcntl is None:  # pragma: no cover
            return
        # Polled, since a waiting thread would get the lock even after its caller was cancelled.
        while not self._try_lock():
            if time.monotonic() > until:
                raise Unavailable(HELD)
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    def release(self) -> None:
        if fcntl is not None and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the lock and close the file; the lock can be acquired again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _try_lock(self) -> bool:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if os.fstat(self._file).st_nlink == 0:
            # The file was deleted. Other processes would lock a new file of the same name.
            self.close()
            return False
        return True
