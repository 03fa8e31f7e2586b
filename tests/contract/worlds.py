"""Databases that many tests start from, each made once: to copy one is quicker than to make it."""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from tests.conftest import Api
from tests.databases import fresh_database

Make = Callable[[Api], Awaitable[Any]]
_MADE: dict[tuple[str, Make], Any] = {}
"""What was made, by the kind of database."""


@contextlib.contextmanager
def world(
    kind: str, request: pytest.FixtureRequest, make: Make
) -> Iterator[tuple[str, dict[str, str], Any]]:
    """The URL of a new database with two firms and what *make* makes there, the keys, and what it
    returned."""
    if kind == "sqlite":
        furnished, keys = request.getfixturevalue("furnished_file")
        path = furnished.with_name(f"{make.__name__}.db")
        if (kind, make) not in _MADE:
            shutil.copy(furnished, path)
            _MADE[kind, make] = asyncio.run(_made(f"sqlite:///{path}", keys, make))
        copy = request.getfixturevalue("tmp_path") / "cases.db"
        shutil.copy(path, copy)
        yield f"sqlite:///{copy}", keys, _MADE[kind, make]
        return
    server = request.getfixturevalue("postgresql")
    furnished, keys = request.getfixturevalue("furnished_template")
    template = f"template_{make.__name__}"
    if (kind, make) not in _MADE:
        server.sql(f"CREATE DATABASE {template} OWNER casegraph TEMPLATE {furnished}")
        _MADE[kind, make] = asyncio.run(_made(server.url(template, "casegraph"), keys, make))
    with fresh_database(server, template) as url:
        yield url, keys, _MADE[kind, make]


async def _made(url: str, keys: dict[str, str], make: Make) -> Any:
    app = create_app(Settings(database_url=url, rate_limit=1_000_000, webhooks=False))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
            return await make(Api(http, app.state.services, keys))
