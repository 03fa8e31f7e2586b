"""The REST surface alone, mounted at /api/v1 as the gateway does it, on a real database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.routing import Mount

from domain.access.keys import KeyRing
from domain.access.positions import Positions
from domain.access.principal import Principal
from domain.access.rates import RateLimiter
from domain.reading.kept import KeptAnswers
from domain.reading.sizes import Sizes
from domain.services import Services
from domain.storage.opening import opened
from domain.storage.statements import Prepared
from domain.storage.tables import metadata
from domain.upkeep import administration
from domain.webhooks.registering import Terms
from gateway.server.caps import BodyCap
from gateway.server.edge import Envelope
from gateway.settings import Settings
from rest_compat.application import Application

UNCOUNTED = {
    "search_entry": {"entry"},  # SQLite alone numbers them
    "api_key": {"last_used_on", "seal"},  # written once a day, by whatever comes first
}
COLUMNS = {
    table.name: [
        column for column in table.c if column.name not in UNCOUNTED.get(table.name, set())
    ]
    for table in metadata.sorted_tables
}
ROWS = {name: Prepared(select(*found).order_by(*found)) for name, found in COLUMNS.items()}
LIMIT = 100_000
"""Calls a minute: more than any test makes."""


@dataclass
class Rest:
    """A client of the REST surface, with keys by name."""

    http: httpx2.AsyncClient
    services: Services
    keys: dict[str, str]

    async def __call__(
        self, method: str, path: str, *, key: str | None = "all", **options: Any
    ) -> httpx2.Response:
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers = {"Authorization": f"Bearer {self.keys[key]}"} | headers
        return await self.http.request(method, f"/api/v1{path}", headers=headers, **options)

    async def get(self, path: str, **options: Any) -> Any:
        """The body of a GET that must succeed."""
        response = await self("GET", path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    async def case(self, *, key: str = "all", **values: Any) -> dict[str, Any]:
        """A new case."""
        response = await self("POST", "/cases", key=key, json={"name": "M ./. W"} | values)
        assert response.status_code == 201, response.text
        return response.json()

    async def party(self, case: dict[str, Any], name: str, role: str = "client") -> dict[str, Any]:
        """A new party of a case, as the list shows it."""
        response = await self(
            "POST", f"/cases/{case['id']}/parties", json={"name": name, "role": role}
        )
        assert response.status_code == 201, response.text
        return response.json()["data"][-1]

    async def staff(
        self, case: dict[str, Any], name: str, role: str = "lead_attorney"
    ) -> dict[str, Any]:
        """A new staff member of a case, as the list shows them."""
        response = await self(
            "POST", f"/cases/{case['id']}/staff", json={"name": name, "role": role}
        )
        assert response.status_code == 201, response.text
        return response.json()["data"][-1]

    async def link(self, case: dict[str, Any], other: dict[str, Any], kind: str) -> dict[str, Any]:
        body = {"target_case_id": other["id"], "type": kind}
        response = await self("POST", f"/cases/{case['id']}/links", json=body)
        assert response.status_code == 201, response.text
        return response.json()

    async def webhook(self) -> dict[str, Any]:
        response = await self("POST", "/webhooks", json={"url": "https://hooks.example.org/a"})
        assert response.status_code == 201, response.text
        return response.json()

    async def version(self, case: dict[str, Any], *, key: str = "all") -> str:
        return (await self("GET", f"/cases/{case['id']}", key=key)).headers["ETag"]

    async def everything(self) -> Any:
        """All that a refused request must leave as it was: every row of every table."""
        async with self.services.database.read() as db:
            return {name: await db.rows(statement) for name, statement in ROWS.items()}

    async def operator(self) -> Principal:
        return await administration.operator(self.services.database)


@pytest.fixture
def rate_limit() -> int:
    return LIMIT


@pytest.fixture
async def rest(firms: tuple[str, dict[str, str]], rate_limit: int) -> AsyncIterator[Rest]:
    url, keys = firms
    async with opened(url) as database:
        services = Services(
            database,
            KeyRing(database),
            RateLimiter(rate_limit),
            Sizes(database),
            KeptAnswers(database, 1 << 20),
            Positions(),
            Terms(query="subscription { caseChanges { cursor } }"),
        )
        application = Application()
        application.state.services = services
        routes = Starlette(routes=[Mount("/api/v1", application)])
        app = Envelope(BodyCap(routes, Settings().body_bytes), rate_limit)
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
            yield Rest(http, services, keys)


@pytest.fixture
def refused(rest: Rest) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Makes a request that must be refused and change nothing; gives the error back."""

    async def refuse(status: int, code: str, method: str, path: str, **options: Any) -> Any:
        before = await rest.everything()
        response = await rest(method, path, **options)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code), (
            method,
            path,
            options,
            response.text,
        )
        assert response.json().keys() == {"error"}
        assert await rest.everything() == before
        return response.json()["error"]

    return refuse
