"""Brief reads on the event loop, long ones in a thread, and the deadline that ends them."""

import asyncio
import itertools
import sqlite3
import time
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from domain.errors import TimedOut, Unavailable
from domain.storage import database as databases
from domain.storage.database import Pace
from domain.storage.opening import opened
from domain.storage.sqlite import readers
from domain.storage.sqlite.lock import FileLock
from domain.storage.statements import Fetch, Prepared
from domain.upkeep import administration

pytestmark = pytest.mark.sqlite

ENDLESS = Fetch(
    Prepared(
        text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n")
    ),
    {},
)
LONG = Fetch(
    Prepared(
        text(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
            " SELECT count(*) FROM n"
        )
    ),
    {},
)
BRIEF = Fetch(Prepared(text("SELECT 7")), {})


@pytest.fixture
async def impatient(tmp_path):
    async with opened(f"sqlite:///{tmp_path}/cases.db", read_seconds=0.2) as database:
        yield database


async def test_a_query_that_takes_too_long_is_stopped(impatient):
    started = time.monotonic()
    with pytest.raises(TimedOut):
        await impatient.run(lambda db: db.fetch(ENDLESS), Pace())

    assert time.monotonic() - started < 5
    # The connection is as good as before.
    for _ in range(readers.READERS):
        async with impatient.read() as db:
            assert await db.fetch(BRIEF) == [(7,)]


async def test_other_requests_go_on_while_a_long_one_is_read(tmp_path):
    async with opened(f"sqlite:///{tmp_path}/cases.db", read_seconds=2) as database:
        long = asyncio.create_task(database.run(lambda db: db.fetch(ENDLESS), Pace()))
        for _ in range(20):
            await database.run(lambda db: db.fetch(BRIEF), Pace())
            await asyncio.sleep(0.001)

        assert not long.done()
        with pytest.raises(TimedOut):
            await long


async def test_a_long_read_is_done_in_a_thread_and_that_is_remembered(database):
    pace = Pace()
    kinds = []

    async def work(db):
        kinds.append(type(db).__name__)
        return await db.fetch(LONG)

    assert await database.run(work, pace) == [(200_000,)]
    assert await database.run(work, pace) == [(200_000,)]

    assert kinds == ["InlineReader", "_ThreadSnapshot", "_ThreadSnapshot"]


async def test_many_brief_statements_of_one_read_are_a_long_one(database):
    """Else a document of many counts, each of them brief, would hold up everybody."""
    some = Fetch(
        Prepared(
            text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
                " SELECT count(*) FROM n"
            )
        ),
        {},
    )

    async def work(db, times):
        return [await db.fetch(some) for _ in range(times)]

    alone, many = Pace(), Pace()
    for _ in range(20):
        assert await database.run(lambda db: work(db, 1), alone) == [[(3000,)]]
    assert len(await database.run(lambda db: work(db, 100), many)) == 100

    assert alone.brief()
    assert not many.brief()


async def test_time_that_passed_since_the_last_read_is_not_held_against_the_next(
    database, monkeypatch
):
    # SQLite asks once in about so many executions of BEGIN; seen at the 667th.
    seconds = itertools.count(step=1.0)
    clock = SimpleNamespace(perf_counter=lambda: next(seconds), thread_time=lambda: next(seconds))
    monkeypatch.setattr(readers, "time", clock)
    kinds = set()

    async def work(db):
        kinds.add(type(db).__name__)
        return await db.fetch(BRIEF)

    for _ in range(2_100):
        await database.run(work, Pace())

    assert kinds == {"InlineReader"}
    assert next(seconds) > 3, "SQLite never asked"


async def test_time_in_which_a_busy_machine_ran_something_else_hardly_counts(database, monkeypatch):
    wall = itertools.count(step=readers.BRIEF_WALL_SECONDS / 1_000_000)
    clock = SimpleNamespace(perf_counter=lambda: next(wall), thread_time=lambda: 0.0)
    monkeypatch.setattr(readers, "time", clock)

    kinds = []

    async def work(db):
        kinds.append(type(db).__name__)
        return await db.fetch(LONG)

    await database.run(work, Pace())

    assert kinds == ["InlineReader"]


async def test_a_kind_of_read_is_tried_again_later():
    pace = Pace()
    pace.overran()

    tries = [pace.brief() for _ in range(databases.THREADED_AFTER_OVERRUN + 1)]

    assert tries == [False] * databases.THREADED_AFTER_OVERRUN + [True]


async def test_work_that_waits_for_anything_else_is_a_defect(database):
    async def work(db):
        await asyncio.sleep(0)
        return await db.fetch(BRIEF)

    with pytest.raises(AssertionError, match="await nothing but"):
        await database.run(work, Pace())


async def test_when_all_readers_are_busy_the_wait_is_bounded(impatient):
    held = [impatient.read() for _ in range(readers.READERS)]
    for one in held:
        await one.__aenter__()
    try:
        with pytest.raises(Unavailable):
            async with impatient.read():
                pass
    finally:
        for one in held:
            await one.__aexit__(None, None, None)


async def test_a_writer_that_takes_no_turn_is_waited_for_without_holding_up_the_rest(database):
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(administration.create_workspace(database, "patient"))
    await asyncio.sleep(0.1)
    assert not writing.done()
    assert await database.run(lambda db: db.fetch(BRIEF), Pace()) == [(7,)]

    other.execute("ROLLBACK")
    await writing
    other.close()
    assert "patient" in {one.slug for one in await administration.workspaces(database)}


async def test_a_cancelled_write_is_committed_whole_or_not_at_all(database):
    for delay in (0, 0.0001, 0.0003, 0.001, 0.003):
        slug = f"w{int(delay * 10_000)}"
        writing = asyncio.create_task(administration.create_workspace(database, slug))
        await asyncio.sleep(delay)
        writing.cancel()
        writing.cancel()
        await asyncio.wait([writing])

        there = [one.mode for one in await administration.workspaces(database) if one.slug == slug]
        assert len(there) in (0, 2)
    await administration.create_workspace(database, "after")


async def test_a_cancelled_wait_for_the_lock_holds_nothing(tmp_path):
    mine, theirs = (FileLock(tmp_path / "lock") for _ in range(2))
    await theirs.acquire(time.monotonic())
    waiting = asyncio.create_task(mine.acquire(time.monotonic() + 9))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    theirs.release()
    await theirs.acquire(time.monotonic())
