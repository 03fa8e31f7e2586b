"""The databases that tests start from, each made once: to copy one is quicker than to make it.

On the tests' PostgreSQL server even a copy took most of the time of a test that writes a few rows.
What looks like a new database there is an old one with the template's rows; one that was changed in
any other way than by its rows, or grew, is dropped.
"""

import asyncio
import contextlib
import itertools
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from domain.storage.tables import metadata
from tests.postgresql import TEMPLATE, Raw, Server, migrate

CATALOGS = (
    "pg_class",
    "pg_attribute",
    "pg_constraint",
    "pg_index",
    "pg_namespace",
    "pg_policy",
    "pg_proc",
    "pg_statistic",
    "pg_trigger",
)
ROOM = 1 << 20
"""Bytes that a database may grow by."""
_TABLES = [*(table.name for table in metadata.sorted_tables), "search_gram", "rate_window"]
_NUMBERS = itertools.count(1)
_IDLE: dict[tuple[Path, str], list["Fresh"]] = {}
"""What may be used again, by the server and the template."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a database is made: *make* gets the URL of a copy of *onto*."""

    name: str
    make: Callable[[str], Awaitable[Any]]
    onto: "Recipe | None" = None


EMPTY = Recipe("empty", migrate)
"""The schema, and nothing in it."""
_MADE: dict[tuple[str, str], tuple[str, Any]] = {}
"""The template of each recipe, a file or a database, and what its *make* returned; by the kind of
database and the recipe's name."""


@contextlib.contextmanager
def copied(kind: str, request: pytest.FixtureRequest, recipe: Recipe) -> Iterator[tuple[str, Any]]:
    """The URL of a new database that was made by *recipe*, and what its *make* returned."""
    template, made = template_of(kind, request, recipe)
    if kind == "sqlite":
        path = request.getfixturevalue("tmp_path") / "cases.db"
        shutil.copy(template, path)
        yield f"sqlite:///{path}", made
        return
    with fresh_database(request.getfixturevalue("postgresql"), template) as url:
        yield url, made


def template_of(kind: str, request: pytest.FixtureRequest, recipe: Recipe) -> tuple[str, Any]:
    """The file or the name of the database that *recipe* has made, and what its *make* returned."""
    key = kind, recipe.name
    if key not in _MADE:
        onto = template_of(kind, request, recipe.onto)[0] if recipe.onto else None
        if kind == "sqlite":
            factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
            name = str(factory.mktemp(recipe.name) / "cases.db")
            if onto is not None:
                shutil.copy(onto, name)
            url = f"sqlite:///{name}"
        else:
            server: Server = request.getfixturevalue("postgresql")
            name, onto = f"template_{recipe.name}", onto or TEMPLATE
            server.past.execute(f"CREATE DATABASE {name} OWNER casegraph TEMPLATE {onto}")
            url = server.url(name, "casegraph")
        _MADE[key] = name, asyncio.run(recipe.make(url))  # type: ignore[arg-type]
    return _MADE[key]


@dataclass(frozen=True, slots=True)
class Fresh:
    """A database with the rows of its template, and a superuser's connection to it."""

    name: str
    past: Raw


@contextlib.contextmanager
def fresh_database(server: Server, template: str = TEMPLATE) -> Iterator[str]:
    """The URL of a database with what is in *template*."""
    idle = _IDLE.setdefault((server.folder, template), [])
    one = idle.pop() if idle else _made(server, template)
    try:
        yield server.url(one.name, "casegraph")
    finally:
        if _restored(one):
            idle.append(one)
        else:
            server.past.execute(f"DROP DATABASE IF EXISTS {one.name} WITH (FORCE)")


def _made(server: Server, template: str) -> Fresh:
    name = f"cases_{next(_NUMBERS)}"
    server.past.execute(
        f"CREATE DATABASE {name} OWNER casegraph TEMPLATE {template} STRATEGY FILE_COPY"
    )
    past = Raw(server.url(name))
    kept = [table for table in _TABLES if past.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall()]
    past.execute("CREATE SCHEMA made")
    for table in kept:
        past.execute(f"CREATE TABLE made.{table} AS TABLE {table}")
    past.execute(f"CREATE TABLE made.state AS {_STATE}")
    past.execute(_restoring(kept))
    # Before, it could not tell of itself.
    past.execute(f"UPDATE made.state SET catalogs = now.catalogs FROM ({_STATE}) AS now")
    return Fresh(name, past)


def _restored(one: Fresh) -> bool:
    """Put the rows back that were there; False for a database that is not to be used again."""
    with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        [[restored]] = one.past.execute("SELECT made.restored()").fetchall()
        if restored:
            return True
    # It was changed, or a test has stopped the server, or dropped the database.
    with contextlib.suppress(OSError):
        one.past.close()
    return False


def _restoring(kept: Sequence[str]) -> str:
    """A function that does it all at once: PostgreSQL plans its statements only the first time."""
    inserts = (
        f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM made.{table}; "
        for table in kept
    )
    return (
        "CREATE FUNCTION made.restored() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid(); "
        f"PERFORM FROM made.state AS was, ({_STATE}) AS now "
        f"WHERE now.catalogs = was.catalogs AND now.bytes < was.bytes + {ROOM}; "
        "IF NOT FOUND THEN RETURN false; END IF; "
        "SET LOCAL session_replication_role = replica; "
        + "".join(f"DELETE FROM {table}; " for table in _TABLES)
        + "".join(inserts)
        + "PERFORM setval(pg_get_serial_sequence('workspace', 'id'), coalesce(max(id), 1), "
        "max(id) IS NOT NULL) FROM workspace; RETURN true; END $$"
    )


_STATE = (
    "SELECT pg_database_size(current_database()) AS bytes, concat("
    + ", ' ', ".join(
        f"(SELECT concat(count(*), ':', sum(xmin::text::bigint)) FROM {catalog})"
        for catalog in CATALOGS
    )
    + ", ' ', (SELECT sum(relpages) FROM pg_class WHERE relkind = 'r')) AS catalogs"
)
