"""The real application over ASGI, on a real database of each kind, with keys for two firms."""

import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from xdist.scheduler import LoadScopeScheduling

from domain.access import keys, rates
from domain.access.keys import KeyRing
from domain.access.principal import Scope
from domain.models import Mode
from domain.services import Services
from domain.storage.database import Database
from domain.storage.opening import opened
from domain.storage.postgresql import snapshots
from domain.upkeep import administration
from gateway.app import create_app
from gateway.settings import Settings
from tests import cells
from tests.databases import EMPTY, Recipe, copied
from tests.postgresql import APP_ROLE, postgresql

__all__ = ["postgresql"]


@dataclass
class Api:
    """A client of both surfaces, with the keys of a firm, of its sandbox and of another firm."""

    http: httpx2.AsyncClient
    services: Services
    keys: dict[str, str]

    async def graphql(
        self, query: str, variables: dict[str, Any] | None = None, *, key: str = "all"
    ) -> dict[str, Any]:
        """The whole answer, errors included."""
        response = await self.http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers=self.bearer(key),
        )
        return response.json()

    async def data(
        self, query: str, variables: dict[str, Any] | None = None, *, key: str = "all"
    ) -> dict[str, Any]:
        """The data of an answer that must not have errors."""
        answer = await self.graphql(query, variables, key=key)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def rest(
        self, method: str, path: str, *, key: str = "all", **options: Any
    ) -> httpx2.Response:
        headers = self.bearer(key) | options.pop("headers", {})
        return await self.http.request(method, f"/api/v1{path}", headers=headers, **options)

    def bearer(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys.get(key, key)}"}


DATABASES = os.environ.get("CASEGRAPH_TEST_DATABASES", "sqlite,postgresql").split(",")
"""What the tests run on. A test of one of them alone is marked with its name."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        kinds = ("sqlite", "postgresql")
        only = {name for name in kinds if metafunc.definition.get_closest_marker(name)}
        metafunc.parametrize("database_kind", [one for one in DATABASES if one in (only or kinds)])


SLOW = {"fault", "browser", "commands", "benchmarks", "execution"}
"""Folders whose tests start processes, or make very many requests."""
IN_MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that must be free there."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no worker waits for it at the end."""
    config.hook.pytest_deselected(items=cells.leave_out(items))
    items.sort(key=lambda item: SLOW.isdisjoint(item.path.parts))


def pytest_collection_finish() -> None:
    """What was collected stays: the collector need not look through it again and again."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(100_000, 50, 50)


def pytest_sessionfinish() -> None:
    """What is left at the end need not be looked through either, five times, by pytest itself."""
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the databases of tests in memory: most of their time went into copying and fsync.

    What is killed loses nothing by it: only a machine that stops would. The tests also start
    hundreds of processes, which must not each compile the same files anew.
    """
    gc.disable()  # until the tests are collected
    cells.choose(config)
    # A shell that starts the tests in the background lets them, and all they start, ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Reading the machine's certificates takes 20 ms for each client of HTTP: those that tests trust
    # are their own. And no connection to PostgreSQL need ask for TLS, which the tests' has not.
    os.environ |= {"SSL_CERT_FILE": "", "SSL_CERT_DIR": str(ROOT / "tests")}
    os.environ.setdefault("PGSSLMODE", "disable")
    # By itself it would draw each traceback with colours and frames.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[plain])
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)


class Scheduling(LoadScopeScheduling):
    """Tests that share a server or a database of their module run in one worker, in order.

    All others are divided by test function, so that no worker waits long for the last one.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        return file if file in SHARING else f"{file}::{test.partition('[')[0]}"


ROOT = Path(__file__).parents[1]
SHARING = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "tests").rglob("test_*.py")
    if any(
        'scope="module"' in file.read_text(encoding="utf-8")
        for file in (path, path.with_name("conftest.py"))
        if file.exists()
    )
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many workers as there are cores: many tests wait for a server or a deadline."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


@pytest.fixture
def database_kind() -> str:
    """For those who ask for a database by name, while they run."""
    return "sqlite"


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new database: a file, or one of a PostgreSQL server."""
    with copied(database_kind, request, EMPTY) as (url, _made):
        yield url


KEYS = {
    "all": (list(Scope), "default", Mode.LIVE),
    "read": ([Scope.CASES_READ], "default", Mode.LIVE),
    "write": ([Scope.CASES_WRITE], "default", Mode.LIVE),
    "delete": ([Scope.CASES_DELETE], "default", Mode.LIVE),
    "hooks": ([Scope.WEBHOOKS_WRITE], "default", Mode.LIVE),
    "test": (list(Scope), "default", Mode.TEST),
    "stranger": (list(Scope), "other", Mode.LIVE),
}
"""The keys of a furnished database: the scopes, the workspace and the mode of each."""


async def furnish(url: str) -> dict[str, str]:
    """Make two firms, and the keys; each by its name."""
    made = {}
    async with opened(url) as database:
        for slug in ("default", "other"):
            await administration.create_workspace(database, slug)
        for name, (scopes, slug, mode) in KEYS.items():
            made[name], _ = await administration.create_key(
                database, name, scopes, slug=slug, mode=mode
            )
        # So that nothing is written when a test uses them first.
        ring = KeyRing(database)
        for raw in made.values():
            await ring.authenticate(raw)
        await ring.settled()
        if database.url.get_backend_name() == "postgresql":
            await database.grant(APP_ROLE)
    return made


FURNISHED = Recipe("furnished", furnish, EMPTY)
"""A database with two firms; made returns their keys."""


@pytest.fixture
def firms(
    database_kind: str, request: pytest.FixtureRequest
) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of a new database with two firms, and their keys."""
    with copied(database_kind, request, FURNISHED) as made:
        yield made


@pytest.fixture
def settings(firms: tuple[str, dict[str, str]]) -> Settings:
    """On PostgreSQL, a role serves that owns nothing, as README recommends.

    Nothing is delivered to webhooks: tests make some to any address.
    """
    return Settings(
        database_url=firms[0].replace("//casegraph@", f"//{APP_ROLE}@"),
        rate_limit=1_000_000,
        failed_auth_limit=1_000_000,
        webhooks=False,
    )


@pytest.fixture
async def owner(firms: tuple[str, dict[str, str]]) -> AsyncIterator[Database]:
    """The same database for what commands do: on PostgreSQL, as the owner of the tables."""
    async with opened(firms[0]) as database:
        yield database


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing depends on how slow the machine is.

    A key that was looked up stays known, what PostgreSQL reads is charged by its rows alone, and
    points that processes share are waited for.
    """
    monkeypatch.setattr(keys, "CACHED_SECONDS", 600)
    monkeypatch.setattr(snapshots, "LONG_SECONDS", 600)
    monkeypatch.setattr(rates, "LEASE_SECONDS", 600)


@pytest.fixture
async def api(settings: Settings, firms: tuple[str, dict[str, str]]) -> AsyncIterator[Api]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
            yield Api(http, app.state.services, dict(firms[1]))
