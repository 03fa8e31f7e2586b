"""A real database with two firms in it, and builders of what a test starts from."""

import functools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from domain.access.keys import KeyRing
from domain.access.principal import Principal, Scope
from domain.inputs import NewCase, NewParty, NewStaff
from domain.models import Case, Party, Staff
from domain.storage.database import Database
from domain.storage.opening import opened
from domain.storage.postgresql.server import PostgresqlDatabase
from domain.storage.sqlite.file import SqliteDatabase
from domain.storage.tables import metadata
from domain.upkeep import administration
from domain.writing import cases, register
from tests.databases import EMPTY, Recipe, copied
from tests.postgresql import Raw, Server


class Clock:
    """Stands still until a test sets *now*."""

    def __init__(self) -> None:
        self.now = "2026-01-15T09:00:00Z"

    def __call__(self) -> str:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def two_firms(
    database_kind: str, request: pytest.FixtureRequest
) -> Iterator[tuple[str, dict[str, Principal]]]:
    """The URL of a new database with two firms, and those of PEOPLE that the test asks for."""
    names = [name for name in PEOPLE if name in request.fixturenames]
    recipe = Recipe("_".join(["office", *names]), functools.partial(furnish, names), EMPTY)
    with copied(database_kind, request, recipe) as made:
        yield made


PEOPLE = {"clerk": "default", "stranger": "other"}
"""Those who may do everything, and in which workspace."""


async def furnish(names: Sequence[str], url: str) -> dict[str, Principal]:
    """Make two firms, and those of PEOPLE that have these *names*; they are returned."""
    found = {}
    async with opened(url, clock=Clock()) as database:
        for slug in ("default", "other"):
            await administration.create_workspace(database, slug)
        for name in names:
            raw, _ = await administration.create_key(database, name, list(Scope), slug=PEOPLE[name])
            ring = KeyRing(database)
            found[name] = await ring.authenticate(raw)
            await ring.settled()
    return found


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """That of *database*, for a test that has it; else of an empty one."""
    if "database" in request.fixturenames:
        yield request.getfixturevalue("two_firms")[0]
        return
    with copied(database_kind, request, EMPTY) as (url, _made):
        yield url


@pytest.fixture
async def database(database_url: str, clock: Clock) -> AsyncIterator[Database]:
    async with opened(database_url, clock=clock) as database:
        yield database


@pytest.fixture
def clerk(two_firms: tuple[str, dict[str, Principal]]) -> Principal:
    """Who may do everything in the workspace default."""
    return two_firms[1]["clerk"]


@pytest.fixture
def stranger(two_firms: tuple[str, dict[str, Principal]]) -> Principal:
    """Who may do everything, but in another workspace."""
    return two_firms[1]["stranger"]


class RawFile(sqlite3.Connection):
    """A connection past the program; tests.postgresql.Raw is its like."""

    def tamper(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Do what triggers and foreign keys forbid."""
        self.execute("PRAGMA foreign_keys=OFF")
        for trigger in ("timeline_event_is_final", "timeline_event_is_kept"):
            self.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        self.execute(statement, parameters)

    def untamper(self) -> None:
        """Let triggers run again: those of search were never off."""

    def everything(self) -> str:
        """The whole database as text."""
        return "\n".join(self.iterdump())


@pytest.fixture
def raw(database: Database, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The database as somebody sees it who does not go through the program."""
    if isinstance(database, PostgresqlDatabase):
        server: Server = request.getfixturevalue("postgresql")
        with closing(Raw(server.url(str(database.url.database)))) as past:
            yield past
        return
    assert isinstance(database, SqliteDatabase)
    with closing(sqlite3.connect(database.path, isolation_level=None, factory=RawFile)) as past:
        past.execute("PRAGMA foreign_keys=ON")
        yield past


@pytest.fixture
def stored(raw: Any) -> Callable[[], dict[str, list[Any]]]:
    """Every row of every table, to compare before and after what must change nothing."""

    def dump() -> dict[str, list[Any]]:
        return {
            table.name: raw.execute(f"SELECT * FROM {table.name} ORDER BY 1, 2").fetchall()
            for table in metadata.sorted_tables
        }

    return dump


@pytest.fixture
def given_case(database: Database, clerk: Principal) -> Callable[..., Awaitable[Case]]:
    async def create(name: str = "Müller ./. Weiß", *, who: Principal = clerk, **values: Any):
        return await cases.create_case(who, database, NewCase(name, **values))

    return create


@pytest.fixture
def given_party(database: Database, clerk: Principal) -> Callable[..., Awaitable[Party]]:
    async def create(name: str = "Jörg Müller", *, who: Principal = clerk, **values: Any):
        return await register.create_party(who, database, NewParty(name, **values))

    return create


@pytest.fixture
def given_staff(database: Database, clerk: Principal) -> Callable[..., Awaitable[Staff]]:
    async def create(name: str = "Dr. Anna Groß", *, who: Principal = clerk, **values: Any):
        return await register.create_staff(who, database, NewStaff(name, **values))

    return create
