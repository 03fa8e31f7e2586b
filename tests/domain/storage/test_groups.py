"""Writes that wait for one another are committed together: each is told the truth about its own."""

import asyncio
import contextlib
import random
import sqlite3
import threading

import pytest
from sqlalchemy import text

from domain.errors import CaseNotFound, FileNumberTaken, Unavailable
from domain.inputs import CaseChanges, NewCase, NewParty
from domain.reading import lists, objects
from domain.storage.sqlite import groups
from domain.upkeep.verifying import verify
from domain.writing import cases, register

pytestmark = pytest.mark.sqlite


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """No group ends because the machine is busy."""
    monkeypatch.setattr(groups, "SECONDS", 60)


@pytest.fixture
def commits(database):
    """The commits so far, as SQLite tells of them."""
    seen = []
    connection = database._writer._connection
    connection.set_trace_callback(lambda sql: seen.append(sql) if sql == "COMMIT" else None)
    yield seen
    connection.set_trace_callback(None)


async def create(database, clerk, name, **values):
    return await cases.create_case(clerk, database, NewCase(name, **values))


def names(raw):
    return {name for (name,) in raw.execute("SELECT name FROM cases").fetchall()}


async def outcomes(*works):
    return await asyncio.gather(*works, return_exceptions=True)


async def together(database, clerk, *works):
    """The outcomes of works that are begun while somebody else writes."""
    with contextlib.suppress(Exception):  # it shares their fate
        async with database.write(clerk.workspace_id):
            tasks = await waiting(database, works)
    return await outcomes(*tasks)


async def waiting(database, works):
    """Tasks of works, all of which wait for their turn to write."""
    tasks = list(map(asyncio.ensure_future, works))
    while len(database._writer._queue._waiting) < len(tasks):  # noqa: ASYNC110 - tells nobody
        await asyncio.sleep(0.001)
    return tasks


async def test_those_who_wait_are_committed_together(database, clerk, raw, commits):
    made = await together(database, clerk, *(create(database, clerk, f"N {n}") for n in range(20)))

    assert len({case.id for case in made}) == 20
    assert names(raw) == {f"N {n}" for n in range(20)}
    assert len(commits) == 1
    assert (await verify(database)).findings == []


async def test_a_group_has_a_limit(database, clerk, commits, monkeypatch):
    monkeypatch.setattr(groups, "MOST", 4)

    await together(database, clerk, *(create(database, clerk, f"N {n}") for n in range(19)))

    assert len(commits) == 5


async def test_one_that_waits_is_not_committed_with_one_that_is_refused(database, clerk, raw):
    await create(database, clerk, "One", file_number="A-1")

    made = await together(
        database,
        clerk,
        create(database, clerk, "Two"),
        create(database, clerk, "Taken", file_number="A-1"),
        create(database, clerk, "Three", file_number="A-3"),
        create(database, clerk, "Taken in the group", file_number="A-3"),
        cases.update_case(clerk, database, "01890000-0000-7000-8000-000000000000", CaseChanges()),
        create(database, clerk, "Four"),
    )

    assert [type(one) for one in made if isinstance(one, Exception)] == [
        FileNumberTaken,
        FileNumberTaken,
        CaseNotFound,
    ]
    assert names(raw) == {"One", "Two", "Three", "Four"}
    assert (await verify(database)).findings == []


async def broken(database, clerk):
    """A write that is found to be wrong only when it is committed."""
    async with database.write(clerk.workspace_id) as db:
        await db.run(text("PRAGMA defer_foreign_keys = ON"))
        await db.run(text("INSERT INTO imported VALUES (99, 'i', 'o', 's')"))


@pytest.mark.parametrize("place", range(4))
async def test_a_commit_that_fails_fails_for_all(database, clerk, raw, place):
    await create(database, clerk, "One", file_number="A-1")
    works = [
        create(database, clerk, "Two"),
        create(database, clerk, "Three", file_number="A-1"),  # is refused, but not for sure
        create(database, clerk, "Four"),
    ]
    works.insert(place, broken(database, clerk))

    made = await together(database, clerk, *works)

    assert [type(one) for one in made] == [sqlite3.IntegrityError] * 4
    assert names(raw) == {"One"}
    await create(database, clerk, "Five")
    assert names(raw) == {"One", "Five"}


async def test_an_error_that_ends_the_transaction_fails_it_for_all(database, clerk, raw):
    async def ending():
        async with database.write(clerk.workspace_id) as db:
            await db.run(text("ROLLBACK"))
            await db.run(text("SELECT * FROM nothing"))

    works = create(database, clerk, "Two"), ending(), create(database, clerk, "Three")
    made = await together(database, clerk, *works)

    assert [isinstance(one, Exception) for one in made] == [True, True, False]
    assert names(raw) == {"Three"}


@pytest.mark.parametrize("seed", range(12))
async def test_whoever_is_cancelled_leaves_the_others_alone(database, clerk, raw, seed):
    chance = random.Random(seed)
    known = {"acknowledged": set(), "refused": set()}

    async def one(name):
        await asyncio.sleep(chance.random() * 0.01)
        if chance.random() < 0.2:
            async with database.write(clerk.workspace_id) as db:
                await db.run(text(f"UPDATE workspace SET name = '{name}' WHERE id = 1"))
                await asyncio.sleep(chance.random() * 0.002)
                known["refused"].add(name)
                raise Unavailable
        await create(database, clerk, name)
        known["acknowledged"].add(name)

    tasks = [asyncio.create_task(one(f"N {n}")) for n in range(60)]
    for task in chance.sample(tasks, 25):
        asyncio.get_running_loop().call_later(chance.random() * 0.02, task.cancel)
    async with asyncio.timeout(20):
        await outcomes(*tasks)

    assert known["acknowledged"] <= names(raw)
    assert not known["refused"] & names(raw)
    assert raw.execute("SELECT name FROM workspace WHERE id = 1").fetchone() == ("default",)
    await register.create_party(clerk, database, NewParty("After all of it"))
    assert (await verify(database)).findings == []


@pytest.fixture
def slow_commit(database, monkeypatch):
    """Commits wait until *go* is set; *begun*: one is waiting."""
    submit, go, begun = database._writer._submit, threading.Event(), asyncio.Event()

    def later(work, *arguments):
        def delayed():
            assert go.wait(10)
            return work(*arguments)

        begun.set()
        return submit(delayed)

    monkeypatch.setattr(database._writer, "_submit", later)
    yield go, begun
    go.set()


async def leading(database, clerk, works):
    """A task that leads works, which takes its turn first and calls all of them; their tasks."""
    go = asyncio.Event()

    async def lead():
        async with database.write(clerk.workspace_id):
            await go.wait()

    leader = asyncio.ensure_future(lead())
    await asyncio.sleep(0)
    tasks = await waiting(database, works)
    return go, leader, tasks


@pytest.mark.parametrize("cancelled", range(4))
async def test_one_that_is_cancelled_during_the_commit(
    database, clerk, raw, slow_commit, cancelled
):
    works = (create(database, clerk, f"N {n}") for n in range(3))
    lead, leader, tasks = await leading(database, clerk, works)
    go, begun = slow_commit
    lead.set()
    await begun.wait()

    everybody = [leader, *tasks]
    everybody[cancelled].cancel()
    await asyncio.sleep(0.01)
    everybody[cancelled].cancel()
    go.set()
    made = await outcomes(*everybody)

    assert [isinstance(one, asyncio.CancelledError) for one in made] == [
        n == cancelled for n in range(4)
    ]
    assert names(raw) == {"N 0", "N 1", "N 2"}


async def test_a_leader_that_is_cancelled_while_another_works_commits_what_is_done(
    database, clerk, raw
):
    begun = asyncio.Event()

    async def slow():
        async with database.write(clerk.workspace_id) as db:
            begun.set()
            await asyncio.sleep(0.1)
            await db.run(text("UPDATE workspace SET name = 'New' WHERE id = 1"))

    works = slow(), create(database, clerk, "After")
    lead, leader, tasks = await leading(database, clerk, works)
    lead.set()
    await begun.wait()
    leader.cancel()
    made = await outcomes(leader, *tasks)

    assert isinstance(made[0], asyncio.CancelledError)
    assert made[1] is None
    assert made[2].name == "After"
    assert raw.execute("SELECT name FROM workspace WHERE id = 1").fetchone() == ("New",)
    assert names(raw) == {"After"}


@pytest.mark.parametrize("leads", [False, True])
async def test_one_that_is_cancelled_when_it_is_called_holds_nobody_up(
    database, clerk, raw, monkeypatch, leads
):
    call = groups.Queue.call
    chosen = []

    def cancelling(queue, group):
        found = call(queue, group)
        if found and chosen and (group is None) == leads:
            chosen.pop().cancel()
        return found

    monkeypatch.setattr(groups.Queue, "call", cancelling)
    if leads:
        monkeypatch.setattr(groups, "MOST", 1)
    works = (create(database, clerk, f"N {n}") for n in range(3))
    lead, leader, tasks = await leading(database, clerk, works)
    chosen.append(tasks[0])
    lead.set()
    async with asyncio.timeout(5):
        made = await outcomes(leader, *tasks)

    assert isinstance(made[1], asyncio.CancelledError)
    assert names(raw) == {"N 1", "N 2"}


async def test_what_one_of_a_group_has_written_is_not_read_before_the_commit(
    database, clerk, monkeypatch
):
    submit = database._writer._submit
    seen = []

    def looking(work, *arguments):
        if database._inline is not None:  # it is not being closed
            seen.append(database._inline.run(lambda db: objects.count(db, listed)))
        return submit(work, *arguments)

    listed = lists.cases(clerk)
    monkeypatch.setattr(database._writer, "_submit", looking)

    await together(database, clerk, *(create(database, clerk, f"N {n}") for n in range(5)))

    assert seen == [0]
