"""A lock between the processes of one machine, held by a file."""

import asyncio
import os
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no fcntl; SQLite's own locks remain
    fcntl = None  # type: ignore[assignment]


ASK_AGAIN_SECONDS = 0.001


class FileLock:
    """Exclusive among processes; the kernel frees it when its holder dies.

    Within one process, callers take turns by other means: flock() belongs to the open file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    async def __aenter__(self) -> None:
        if fcntl is None:  # pragma: no cover
            return
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Not waiting in a thread: if the caller were cancelled, it would get the lock for nobody.
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await asyncio.sleep(ASK_AGAIN_SECONDS)
            else:
                return

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if fcntl is not None and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
