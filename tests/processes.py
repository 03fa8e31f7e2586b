"""Other processes, as /proc shows them: one may end while it is looked at, and is gone then."""

import contextlib
from pathlib import Path

_PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """The ids of the processes that process *pid* has started; none once it has ended."""
    return [*map(int, _read(pid, f"task/{pid}/children").split())]


def workers(pid: int) -> list[int]:
    """Of these, the workers of `casegraph serve`: multiprocessing has one of its own besides."""
    return [child for child in children(pid) if b"spawn_main" in _read(child, "cmdline")]


def is_running(pid: int) -> bool:
    """Whether it runs: one that has ended may still be listed, until somebody asks how it did."""
    return _read(pid, "stat").rpartition(b")")[2].split()[:1] not in ([], [b"Z"], [b"X"])


def environment(pid: int) -> dict[bytes, bytes]:
    """The environment variables that it was started with."""
    lines = _read(pid, "environ").split(b"\0")
    return {name: text for name, equals, text in (line.partition(b"=") for line in lines) if equals}


def _read(pid: int, name: str) -> bytes:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / name).read_bytes()
    return b""
