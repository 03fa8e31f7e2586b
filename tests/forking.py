"""The casegraph command as processes of its own, forked from one that has loaded the program.

To load it takes most of the second that a command lasts, and the tests start hundreds. A process
made here is the same otherwise: its folder, environment, files and signals are its own, and nothing
but imported modules is there before its start. What a test asks for that the loaded program cannot
give (another user, other systems than Linux) is started anew.
"""

import array
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
COMMAND = (sys.executable, "-m", "gateway")
_RENEWED = "gateway.commands"
"""The package that looks at the environment while it is imported: each process imports it anew."""
_NEEDED = (
    "gateway.__main__",
    "gateway.app",
    "gateway.server.process",
    "domain.storage.migrating",
    "domain.storage.postgresql.server",
    "domain.storage.sqlite.file",
    "anyio._backends._asyncio",
    "rich._emoji_codes",
    "uvicorn.lifespan.on",
    "uvloop",
)
"""What the commands import, some of it only when they need it."""
_ASKED = 1 << 20
"""Bytes of one request, at most: arguments and environment."""


class Process:
    """What tests use of a subprocess.Popen."""

    def __init__(self, arguments: Sequence[object], **popen: Any) -> None:
        """Start `casegraph` with *arguments*; *popen* goes by the names that Popen gives."""
        self.args = [*COMMAND, *map(str, arguments)]
        self.returncode: int | None = None
        self.stdout: IO[Any] | None = None
        self.stderr: IO[Any] | None = None
        self._asked, theirs = socket.socketpair()
        text = popen.pop("text", False)
        closed, files = [theirs.fileno()], [theirs.fileno()]
        for name, usual in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
            wanted = popen.pop(name, None)
            if wanted == subprocess.PIPE:
                assert name != "stdin", "not here: give a file"
                mine, given = os.pipe()
                setattr(self, name, open(mine, "r" if text else "rb"))  # noqa: SIM115
                closed.append(given)
            elif wanted == subprocess.DEVNULL:
                given = os.open(os.devnull, os.O_RDWR)
                closed.append(given)
            elif wanted == subprocess.STDOUT:
                given = files[-1]
            else:
                given = usual if wanted is None else wanted.fileno()
            files.append(given)
        asked = {
            "arguments": self.args[len(COMMAND) :],
            "cwd": os.fspath(popen.pop("cwd", None) or os.getcwd()),
            "environment": dict(popen.pop("env", None) or os.environ),
            "session": popen.pop("start_new_session", False),
        }
        assert not popen, popen
        _send(_loaded(), asked, files)
        for number in closed[1:]:
            os.close(number)
        theirs.close()
        self.pid = int.from_bytes(self._asked.recv(4), "little")
        assert self.pid, "the loaded program has ended"

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status; a signal's number, negative, if that has ended it."""
        if self.returncode is None:
            waited = None if timeout is None else max(0, timeout) * 1_000
            ended = select.poll()
            ended.register(self._asked, select.POLLIN)
            if not ended.poll(waited):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            told = self._asked.recv(4)
            assert told, "the loaded program has ended"
            self.returncode = int.from_bytes(told, "little", signed=True)
            self._asked.close()
        return self.returncode

    def send_signal(self, how: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, how)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_error: object) -> None:
        self.wait()
        for file in (self.stdout, self.stderr):
            if file is not None:
                file.close()


Running = Process | subprocess.Popen[Any]


def launch(arguments: Sequence[object], **popen: Any) -> Running:
    """Start `casegraph` with *arguments*; *popen* goes by the names that subprocess.Popen gives."""
    if sys.platform != "linux" or "preexec_fn" in popen or not _as_here(popen.get("env")):
        return subprocess.Popen([*COMMAND, *map(str, arguments)], **popen)
    return Process(arguments, **popen)


def run(
    arguments: Sequence[object], *, input: bytes = b"", timeout: float = 120, **popen: Any
) -> "subprocess.CompletedProcess[str]":
    """Run `casegraph` with *arguments* to its end; what it printed.

    Raises subprocess.TimeoutExpired after *timeout* seconds, when it is killed.
    """
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as printed,
        tempfile.TemporaryFile() as told,
    ):
        given.write(input)
        given.seek(0)
        process = launch(arguments, stdin=given, stdout=printed, stderr=told, **popen)
        try:
            status = process.wait(timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        texts = []
        for file in (printed, told):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(process.args, status, *texts)


def _as_here(environment: Mapping[str, str] | None) -> bool:
    """Whether the interpreter itself would start alike in *environment*."""

    def of_python(given: Mapping[str, str]) -> dict[str, str]:
        return {
            name: text
            for name, text in given.items()
            if name.startswith("PYTHON") and name != "PYTHONPATH"
        }

    return environment is None or of_python(environment) == of_python(os.environ)


@functools.cache
def _loaded() -> socket.socket:
    """The door of the process that has loaded the program, which ends when this one does."""
    mine, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ASKED)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.forking", str(theirs.fileno())],
        cwd=ROOT,
        pass_fds=[theirs.fileno()],
        env={name: text for name, text in os.environ.items() if "CASEGRAPH" not in name},
    )
    theirs.close()

    def end() -> None:
        mine.close()
        process.wait(60)

    atexit.register(end)
    return mine


def _send(door: socket.socket, asked: dict[str, Any], files: list[int]) -> None:
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))
    door.sendmsg([json.dumps(asked).encode()], [rights])


def _asked_for(door: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork a process for each request, in which this returns it; and tell who asked of its end.

    None once nobody asks any more.
    """
    answering: dict[int, tuple[int, int]] = {}  # by its pidfd: its pid, and whom to tell
    ready = select.poll()
    ready.register(door, select.POLLIN)
    while True:
        for number, _event in ready.poll():
            if number in answering:
                pid, asker = answering.pop(number)
                _pid, status = os.waitpid(pid, 0)
                ready.unregister(number)
                os.close(number)
                told = os.waitstatus_to_exitcode(status).to_bytes(4, "little", signed=True)
                with contextlib.suppress(OSError):  # nobody waits for it
                    os.write(asker, told)
                os.close(asker)
                continue
            asked, files, _flags, _address = socket.recv_fds(door, _ASKED, 4)
            if not asked:
                return None
            pid = os.fork()
            if pid == 0:
                return json.loads(asked), files[1:]
            for given in files[1:]:
                os.close(given)
            os.write(files[0], pid.to_bytes(4, "little"))
            watched = os.pidfd_open(pid)
            answering[watched] = (pid, files[0])
            ready.register(watched, select.POLLIN)


def _become(asked: dict[str, Any], files: list[int]) -> None:
    """Go on as the command that was asked for."""
    if asked["session"]:
        os.setsid()
    for number, given in enumerate(files):
        os.dup2(given, number)
    os.closerange(3, 1 + max(map(int, os.listdir("/proc/self/fd"))))
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.path[0] = asked["cwd"]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, errors="backslashreplace", buffering=1)  # noqa: SIM115
    sys.argv = ["casegraph", *asked["arguments"]]
    runpy.run_module("gateway", run_name="__main__", alter_sys=True)


def _load() -> None:
    """Import what the commands import; what looked at the environment is imported again later."""
    for name in _NEEDED:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.startswith((_RENEWED, "gateway.__main__"))]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    asking = socket.socket(fileno=int(sys.argv[1]))
    _load()
    if (found := _asked_for(asking)) is not None:
        asking.detach()
        _become(*found)
