"""A database is copied to another one of either kind, whole, or not at all."""

import asyncio

import pytest
from sqlalchemy import select, text

from domain.access.keys import KeyRing
from domain.demo.firm import demo_cases
from domain.errors import Invalid, Refused, Unavailable
from domain.inputs import CaseChanges, NewCase
from domain.reading import anchors
from domain.storage.opening import opened
from domain.storage.tables import metadata, search_entry
from domain.transfer.importing import dumped, import_cases
from domain.upkeep import administration
from domain.upkeep.copying import BATCH, copy
from domain.upkeep.forgetting import forget_party
from domain.upkeep.verifying import verify
from domain.writing import cases
from tests.databases import fresh_database

CASES = 120


@pytest.fixture
async def source(database, clerk, stranger):
    """Two firms' databases, with everything that an export leaves out."""
    lines = [dumped(case) for case in demo_cases(CASES)]
    report = await import_cases(clerk, database, lines, source="demo")
    assert report.rejected == 0
    again = {"idempotency_key": "once"}
    made = await cases.create_case(clerk, database, NewCase("Once"), **again)
    await cases.update_case(clerk, database, made.id, CaseChanges(description="Twice"))
    gone = await cases.create_case(clerk, database, NewCase("Gone"))
    await cases.delete_case(clerk, database, gone.id)
    await cases.create_case(stranger, database, NewCase("Of others"))
    async with database.read(clerk.workspace_id) as db:
        [(party,)] = await db.rows(text("SELECT max(id) FROM party"))
    await forget_party(clerk, database, party)
    return database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'copy.db'}"
        return
    with fresh_database(request.getfixturevalue("postgresql")) as url:
        yield url


async def everything(database):
    """All rows of all tables, but for the numbers that a database gives to search entries."""
    found = {}
    async with database.read() as db:
        for table in metadata.sorted_tables:
            columns = [one for one in table.c if one is not search_entry.c.entry]
            found[table.name] = await db.rows(select(*columns).order_by(*columns))
    return {name: [tuple(row) for row in rows] for name, rows in found.items()}


async def test_the_copy_is_its_source(source, clerk, empty_url, clock):
    seen = []
    async with opened(empty_url, clock=clock) as target:
        copied = await copy(source, target, on_progress=lambda *step: seen.append(step))

        assert copied.findings == []
        assert await everything(target) == await everything(source)
        assert seen[0] == (0, seen[-1][1])
        assert seen[-1][0] == seen[-1][1] == sum(copied.rows.values()) > 4 * BATCH
        assert await anchors.heads(source) == await anchors.heads(target)


async def test_the_copy_goes_on_where_its_source_ended(source, clerk, empty_url, clock):
    raw, _entry = await administration.create_key(source, "app", list(clerk.scopes))
    before = await cases.create_case(clerk, source, NewCase("Before"), idempotency_key="k")
    async with opened(empty_url, clock=clock) as target:
        await copy(source, target)

        ring = KeyRing(target)
        who = await ring.authenticate(raw)
        await ring.settled()
        assert who.workspace_id == clerk.workspace_id
        again = await cases.create_case(clerk, target, NewCase("Before"), idempotency_key="k")
        assert again.id == before.id
        await cases.create_case(who, target, NewCase("After"))
        await administration.create_workspace(target, "third")
        assert (await verify(target)).findings == []


async def test_a_target_that_holds_anything_is_refused(source, empty_url):
    async with opened(empty_url) as target:
        await administration.create_workspace(target, "default")
        before = await everything(target)

        with pytest.raises(Invalid, match="not empty"):
            await copy(source, target)

        assert await everything(target) == before


async def test_a_copy_that_ends_early_leaves_nothing_and_can_begin_again(source, empty_url):
    class Ended(Exception):
        pass

    def end(done, total):
        if done > total * 2 // 3:
            raise Ended

    async with opened(empty_url) as target:
        for _ in range(2):
            with pytest.raises(Ended):
                await copy(source, target, on_progress=end)
            assert not any((await everything(target)).values())

        assert (await copy(source, target)).findings == []


async def test_nobody_writes_to_the_source_meanwhile(source, clerk, empty_url, database_url):
    refused = []
    async with (
        opened(empty_url) as target,
        opened(database_url, read_seconds=5) as gateway,
    ):
        tasks = []

        async def write():
            try:
                await cases.create_case(clerk, gateway, NewCase("Meanwhile"))
            except Unavailable as error:
                refused.append(error)

        def begin(_done, _total):
            if not tasks:
                tasks.append(asyncio.ensure_future(write()))

        copied = await copy(source, target, on_progress=begin)
        await tasks[0]

        assert copied.rows["cases"] == len((await everything(target))["cases"])
        stored = {row[2] for row in (await everything(source))["cases"]}
        assert ("Meanwhile" in stored) == (not refused)
        assert "Meanwhile" not in {row[2] for row in (await everything(target))["cases"]}


@pytest.mark.sqlite
async def test_a_text_that_postgresql_cannot_hold_is_told_of(source, raw, postgresql):
    raw.execute("UPDATE cases SET description = 'a' || char(0) || 'b' WHERE name = 'Once'")
    with fresh_database(postgresql) as url:
        async with opened(url) as target:
            with pytest.raises(Refused, match="description contains the character U"):
                await copy(source, target)
            assert not any((await everything(target)).values())
