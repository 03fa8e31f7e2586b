"""The real application over ASGI, on a real database of each kind, with keys for two firms."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import structlog

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
from tests.databases import EMPTY, Recipe, copied
from tests.postgresql import APP_ROLE, postgresql

__all__ = ["postgresql"]


def pytest_configure() -> None:
    # By itself it would draw each traceback with colours and frames.
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[plain])


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
