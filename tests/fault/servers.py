"""The gateway as a process of its own, as an operator runs it: started, stopped and killed."""

import asyncio
import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from domain.access.principal import Scope
from domain.storage.opening import opened
from domain.upkeep import administration
from tests import forking

ROOT = Path(__file__).parent.parent.parent


@functools.cache
def _made() -> tuple[bytes, str]:
    """A new database file, and a key to it for all scopes: making both takes a second."""

    async def make(path: Path) -> str:
        async with opened(str(path)) as database:
            await administration.create_workspace(database, administration.DEFAULT_SLUG)
            key, _entry = await administration.create_key(database, "test", list(Scope))
            return key

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cases.db"
        with ThreadPoolExecutor(1) as thread:  # on this one an event loop may be running
            key = thread.submit(asyncio.run, make(path)).result()
        return path.read_bytes(), key


def wait_until_ready(url: str) -> None:
    """Wait until a server that was started by other means answers."""
    until = time.monotonic() + 30
    while True:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{url}/readyz").status_code == 200:
                return
        assert time.monotonic() < until
        time.sleep(0.05)


class Gateway:
    """`casegraph serve` on a free port, over a database file with a key for all scopes."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.database = folder / "cases.db"
        self.log = folder / "server.log"
        self._folder = folder
        self.environment = {
            **{name: text for name, text in os.environ.items() if "CASEGRAPH" not in name},
            "CASEGRAPH_DATABASE_URL": f"sqlite:///{self.database}",
            "CASEGRAPH_RATE_LIMIT": "100000000",
            "CASEGRAPH_FAILED_AUTH_LIMIT": "100000000",
            # Tests make webhooks to any address: nothing is delivered unless they ask for it.
            "CASEGRAPH_WEBHOOKS": "false",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
            "PGSSLMODE": "prefer",  # as by itself
            **{f"CASEGRAPH_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.process: forking.Running | None = None
        self.url = ""
        self.key = ""
        self._keys = 0

    def command(self, *arguments: object, status: int = 0, **popen: object) -> str:
        """Run a casegraph command on the same database; what it printed.

        *popen* goes to subprocess.Popen.
        """
        done = forking.run(arguments, cwd=self._folder, env=self.environment, **popen)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def make_key(self, *options: object) -> str:
        """A new key, with the *options* of `casegraph keys create`."""
        self._keys += 1
        name = f"test {self._keys}" if self._keys > 1 else "test"
        printed = self.command("keys", "create", name, *options)
        found = re.search(r"cg_(?:live|test)_\w+", printed)
        assert found, printed
        return found[0]

    def start(self, *options: object, **popen: object) -> None:
        """Start it and wait until it is ready. *popen* goes to subprocess.Popen."""
        if not self.key and not self.database.exists():
            made, self.key = _made()
            self._keys = 1
            self.database.write_bytes(made)
            self.database.chmod(0o600)
        elif not self.key:
            self.key = self.make_key(
                "--scope", "cases:read", "--scope", "cases:write", "--scope", "cases:delete"
            )
        before = self.log.stat().st_size if self.log.exists() else 0
        process = self.launch(*options, **popen)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert process.poll() is None, self.logged()
            printed = self.log.read_bytes()[before:].decode(errors="replace")
            if found := re.search(r"http://[\d.:]+", printed):
                self.url = found[0]
                with contextlib.suppress(httpx2.TransportError):
                    if httpx2.get(f"{self.url}/healthz").status_code == 200:
                        return
            time.sleep(0.03)
        raise AssertionError(self.logged())

    def launch(self, *options: object, **popen: object) -> forking.Running:
        """Start it, and wait for nothing. *popen* goes to subprocess.Popen."""
        with self.log.open("ab") as log:
            self.process = forking.launch(
                ["serve", "--port", "0", *options],
                cwd=self._folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                **popen,
            )
        return self.process

    def stop(self) -> int:
        """Stop it as an init system does, and wait; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.process = None
        return status

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)
        self.process = None

    def client(self, **options: object) -> httpx2.Client:
        return httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=30,
            **options,  # type: ignore[arg-type]
        )

    def logged(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def events(self) -> list[dict[str, object]]:
        """The lines of the log that are JSON."""
        found = []
        for line in self.logged().splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                if isinstance(event := json.loads(line), dict):
                    found.append(event)
        return found


@contextlib.contextmanager
def gateway(folder: Path, **settings: object) -> Iterator[Gateway]:
    """A running gateway, ended at the end whatever happened. *settings* are CASEGRAPH_*."""
    made = Gateway(folder, **settings)
    try:
        made.start()
        yield made
    finally:
        if made.process is not None:
            made.kill()
