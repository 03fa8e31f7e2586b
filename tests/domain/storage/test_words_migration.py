"""A database of the schema before words: all that is found by search is indexed anew."""

import json
import sqlite3
from contextlib import closing

import pytest

from domain.demo.firm import demo_cases
from domain.inputs import CaseFilter, NewParty, PartyFilter, PartyRole
from domain.reading import objects
from domain.storage.opening import opened
from domain.storage.tables import metadata
from domain.transfer.importing import dumped, import_cases
from domain.upkeep import administration
from domain.upkeep.verifying import verify
from domain.writing import cases
from tests.postgresql import Raw

CASES = 60
TABLES = [table for table in metadata.sorted_tables if table.name != "search_entry"]


@pytest.fixture
async def old(database, clerk, given_case, raw, empty, at_revision):
    """The URL of a database at the revision before, with a firm, and a connection past it."""
    lines = [dumped(case) for case in demo_cases(CASES)]
    assert (await import_cases(clerk, database, lines, source="test")).rejected == 0
    await given_case("Müller", parties=[PartyRole(NewParty("P"), "client", "907 Js 123456/22")])
    gone = await given_case("Gone", parties=[PartyRole(NewParty("Q"), "client", "12 C 7/26")])
    await cases.delete_case(clerk, database, gone.id)
    url, past = empty
    await at_revision(url, "0014")
    for table in TABLES:
        names = ", ".join(column.name for column in table.c)
        for row in raw.execute(f"SELECT {names} FROM {table.name}").fetchall():
            values = ", ".join(map(literal, row))
            over = " OVERRIDING SYSTEM VALUE" if isinstance(past, Raw) else ""
            past.execute(f"INSERT INTO {table.name} ({names}){over} VALUES ({values})")
    past.execute(
        "INSERT INTO search_entry (workspace_id, kind, id, scope, plain, loose, number)"
        " SELECT workspace_id, 'case', id, '\ue000\ue000\ue003', name, name, '' FROM cases"
        " WHERE deleted_at IS NULL"
    )
    return url, past


def literal(value):
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


async def test_everything_is_found_by_its_words(old):
    url, _past = old
    told = []

    async with opened(url, on_progress=lambda done, total: told.append((done, total))) as database:
        who = await administration.operator(database)
        assert [str(one) for one in (await verify(database)).findings] == []
        async with database.read(who.workspace_id) as db:
            for wanted in (
                CaseFilter(search="mueller 907js"),
                CaseFilter(party=PartyFilter(reference="907 js 123456/22")),
            ):
                assert [case.name for case in await objects.cases(who, db, wanted)] == ["Müller"]
            assert not list(await objects.cases(who, db, CaseFilter(search="gone")))

    done = [one for one, _total in told]
    assert done == sorted(done)
    assert told[-1][0] == told[-1][1] > CASES


async def test_readers_go_on_with_what_was_there_before(old):
    url, past = old
    seen = []

    def look(_done, _total):
        if isinstance(past, Raw):
            past.execute("SET lock_timeout = '1s'")
        seen.append(past.execute("SELECT count(*) FROM search_entry WHERE loose <> ''").fetchall())
        seen.append(past.execute("SELECT count(*) FROM cases").fetchall())

    async with opened(url, on_progress=look):
        pass

    assert [tuple(count) for [count] in seen[:2]] == [(CASES + 1,), (CASES + 2,)]
    assert seen == seen[:2] * (len(seen) // 2)


async def test_an_upgrade_that_ends_before_its_time_has_not_happened(old):
    url, past = old
    before = past.execute("SELECT * FROM search_entry ORDER BY id").fetchall()

    class Killed(BaseException):
        pass

    def kill(done, total):
        if done > total / 2:
            raise Killed

    with pytest.raises(Killed):
        async with opened(url, on_progress=kill):
            pass

    assert past.execute("SELECT * FROM search_entry ORDER BY id").fetchall() == before
    assert past.execute("SELECT version_num FROM alembic_version").fetchall()[0][0] == "0014"
    async with opened(url) as database:
        assert (await verify(database)).findings == []


def test_the_literals_are_right():
    with closing(sqlite3.connect(":memory:")) as connection:
        for value in (None, 7, "it's", json.dumps({"a": "'"})):
            [[back]] = connection.execute(f"SELECT {literal(value)}")
            assert back == value
