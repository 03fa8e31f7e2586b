"""The servers that are compared: how each is started, asked and ended.

Each is one process on one core, on loopback. A process is ended by its own handle, whatever
happens in between.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson

from benchmarks import works
from benchmarks.data import Firm
from benchmarks.works import Call, Work

ROOT = Path(__file__).parent.parent
STARTING_SECONDS = 60.0
ENDING_SECONDS = 10.0
SERVER_CORE, LOAD_CORE = 0, 1
_READS = frozenset(work.name for work in works.WORKS if not work.writes)
_BY_HAND = frozenset(works.BY_NAME) - {"Q1p"}


class BenchmarkError(Exception):
    """Something without which nothing can be measured; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Server:
    """One of the servers, and the works that it knows."""

    name: str
    title: str
    works: frozenset[str]
    settings: Mapping[str, str] = field(default_factory=dict)
    """Beyond the defaults, which are what is measured."""
    is_ours: bool = False
    again: bool = False
    """Whether it is asked the same again and again; if not, no request of ours is like another."""
    written: bool = False
    """Whether a write a second goes into the same workspace meanwhile."""

    def knows(self, work: Work) -> bool:
        return work.name in self.works

    def command(self, firm: Firm, port: int) -> list[str]:
        if self.is_ours:
            return ["gateway", "serve", "--database", firm.url, "--port", str(port)]
        database, module = str(firm.path), self.name
        if self.name == "floor" and firm.server_url is not None:
            database, module = firm.server_url, "floor_postgresql"
        given = ["--database", database, "--workspace", str(firm.workspace_id)]
        if self.name != "stock":
            given += ["--seal", firm.seal]
        return [f"benchmarks.{module}", *given, "--port", str(port)]


SERVERS = {
    server.name: server
    for server in (
        Server("casegraph", "casegraph", frozenset(works.BY_NAME), is_ours=True),
        Server(
            "unlogged",
            "casegraph, no access log",
            frozenset(works.BY_NAME),
            {"CASEGRAPH_LOG_LEVEL": "warning"},
            is_ours=True,
        ),
        Server("again", "casegraph, asked again", _READS, is_ours=True, again=True),
        Server(
            "written",
            "casegraph, asked again, a write a second",
            _READS,
            is_ours=True,
            again=True,
            written=True,
        ),
        Server("floor", "floor (a), by hand", _BY_HAND),
        Server("finished", "floor (b), finished bytes", _BY_HAND),
        Server("stock", "stock Strawberry", frozenset(works.STOCK)),
    )
}

ON_POSTGRESQL = {
    name: replace(server, works=_READS & _BY_HAND) if name == "floor" else server
    for name, server in SERVERS.items()
    if name != "stock"
}
"""The same where the cases are on PostgreSQL; the floor only reads there."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call as one server takes it."""

    method: str
    path: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is running, on a database of its own."""

    server: Server
    firm: Firm
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.server.is_ours:
            headers["Authorization"] = f"Bearer {self.firm.key}"
        return headers

    def request(self, work: Work, call: Call) -> Request:
        if call.path is not None:
            return Request("GET", call.path, None)
        stock = self.server.name == "stock"
        document = works.STOCK[work.name] if stock else work.document
        body = orjson.dumps({"query": document, "variables": call.variables})
        by_hand = self.server.name in ("floor", "finished")
        return Request("POST", f"/{work.name}" if by_hand else "/graphql", body)

    def ask(self, work: Work, call: Call) -> bytes:
        """The body of the answer. Raises BenchmarkError for any other status than 200."""
        request = self.request(work, call)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(request.method, request.path, request.body, self.headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise BenchmarkError(
                f"{self.server.name} answered {work.name} with {response.status}: {body[:500]!r}\n"
                f"{_end_of(self.log)}"
            )
        return body

    def peak_memory(self) -> int:
        """The most memory that the process ever had in use, in bytes."""
        return self._status("VmHWM:")

    def memory(self) -> int:
        """The memory that the process has in use now, in bytes."""
        return self._status("VmRSS:")

    def _status(self, name: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024


@contextlib.contextmanager
def running(server: Server, firm: Firm, logs: Path) -> Iterator[Running]:
    """The server, for as long as the block lasts; it takes requests when the block begins."""
    port = _free_port()
    log = logs / f"{server.name}.log"
    # The defaults of whoever runs it, except that one key asks for everything.
    given = {name: value for name, value in os.environ.items() if not name.startswith("CASEGRAPH_")}
    environment = given | server.settings | {"CASEGRAPH_RATE_LIMIT": "999999999"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [*pinned(SERVER_CORE), sys.executable, "-m", *server.command(firm, port)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (our own servers)
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for the benchmark, which ends its servers itself.
            start_new_session=True,
        )
    try:
        _await_answers(server, process, port, log)
        yield Running(server, firm, process, port, log)
    finally:
        process.terminate()
        try:
            process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def pinned(core: int) -> list[str]:
    """What goes before a command to keep it on one core, where there are two and taskset."""
    cores: Any = sorted(os.sched_getaffinity(0))
    taskset = shutil.which("taskset")
    if taskset is None or len(cores) < 2:
        return []
    return [taskset, "-c", str(cores[core])]


def _await_answers(server: Server, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise BenchmarkError(f"{server.name} did not start:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-3_000:]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
