"""Databases that many tests start from, made over the surfaces."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.databases import Recipe, copied, template_of
from tests.fixtures import FURNISHED, Api

Make = Callable[[Api], Awaitable[Any]]


@contextlib.contextmanager
def world(
    kind: str, request: pytest.FixtureRequest, make: Make
) -> Iterator[tuple[str, dict[str, str], Any]]:
    """The URL of a new database with two firms and what *make* makes there, the keys, and what it
    returned."""
    _furnished, keys = template_of(kind, request, FURNISHED)
    name = f"{make.__module__}_{make.__name__}".replace(".", "_")
    recipe = Recipe(name, lambda url: _made(url, keys, make), FURNISHED)
    with copied(kind, request, recipe) as (url, made):
        yield url, keys, made


async def _made(url: str, keys: dict[str, str], make: Make) -> Any:
    app = create_app(Settings(database_url=url, rate_limit=1_000_000, webhooks=False))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
            return await make(Api(http, app.state.services, keys))
