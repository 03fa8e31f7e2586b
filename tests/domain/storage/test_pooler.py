"""Through PgBouncer in transaction mode, where each transaction may have another connection."""

import asyncio

import pytest
from sqlalchemy import text

from domain.errors import TimedOut, Unavailable
from domain.inputs import CaseFilter, NewCase
from domain.reading import objects
from domain.storage.database import Pace, Pooling
from domain.storage.opening import opened
from domain.storage.statements import Fetch, Prepared
from domain.transfer.importing import dumped, import_cases
from domain.upkeep.verifying import verify
from domain.writing import cases
from tests.poolers import pooler

pytestmark = pytest.mark.postgresql


@pytest.fixture
def pooled_url(database):
    with pooler(database.url.port) as port:
        yield database.url.set(port=port).render_as_string(hide_password=False)


async def test_all_that_a_server_and_commands_do_works_through_a_pooler(
    database, clerk, stranger, pooled_url
):
    options = {"read_seconds": 5, "bound": True, "pooling": Pooling(statements=0)}
    async with opened(pooled_url, **options) as one, opened(pooled_url, **options) as other:

        async def work(who, number):
            there = (one, other)[number % 2]
            case = await cases.create_case(who, there, NewCase(f"Müller {number}"))
            head = await there.head(who.workspace_id)

            async def read(db):
                found = await objects.cases(who, db, CaseFilter(search=f"müller {number}"))
                return await objects.case(who, db, case.id), [hit.id for hit in found]

            return case, await there.run(read, Pace(), who.workspace_id), head

        both = [who for who in (clerk, stranger) for _ in range(30)]
        for case, (same, found), head in await asyncio.gather(
            *(work(who, number) for number, who in enumerate(both))
        ):
            assert same == case
            assert case.id in found
            assert head
        for who in (clerk, stranger):
            async with one.read(who.workspace_id) as db:
                assert await db.rows(text("SELECT count(*) FROM cases")) == [(30,)]
        await one.ready()

    async with opened(pooled_url, pooling=Pooling(statements=0)) as command:
        lines = [dumped({"name": f"Imported {number}"}) for number in range(300)]
        report = await import_cases(clerk, command, lines, source="test")
        assert report.rejected == 0
        assert (await verify(command)).findings == []


async def test_whoever_forgets_to_tell_of_the_pooler_is_told(pooled_url):
    with pytest.raises(Unavailable, match="CASEGRAPH_PG_STATEMENTS=0"):
        async with opened(pooled_url, migrate=False):
            pass


async def test_a_long_read_is_stopped_behind_a_pooler(pooled_url):
    sleep = Fetch(Prepared(text("SELECT pg_sleep(60)")), {})
    async with opened(
        pooled_url, read_seconds=1, migrate=False, pooling=Pooling(statements=0)
    ) as database:
        with pytest.raises(TimedOut):
            await database.run(lambda db: db.fetch(sleep), Pace())
