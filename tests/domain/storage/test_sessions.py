"""Connections to a PostgreSQL server that die, hang or are too few: what is told is true."""

import asyncio
import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from domain.errors import Damaged, InDoubt, Stored, TimedOut, Unavailable
from domain.inputs import NewCase
from domain.storage.database import Pace
from domain.storage.opening import opened
from domain.storage.postgresql import server
from domain.storage.statements import Fetch, Prepared
from domain.writing import cases
from domain.writing.showing import shown
from tests.proxies import proxy

pytestmark = pytest.mark.postgresql

SLEEP = Fetch(Prepared(text("SELECT pg_sleep(60)")), {})
ONE = Fetch(Prepared(text("SELECT 1")), {})


@pytest.fixture
def network(database):
    with proxy(database.url.port) as made:
        yield made


@pytest.fixture
async def behind(database, network):
    """The same database as a server of ours opens it, through a network that may fail."""
    url = network.url(database.url.render_as_string(hide_password=False))
    async with opened(url, read_seconds=1.5, migrate=False, clock=database.clock) as behind:
        yield behind


def names(raw):
    return {name for (name,) in raw.execute("SELECT name FROM cases").fetchall()}


async def create(clerk, database, name="New"):
    return await cases.create_case(clerk, database, NewCase(name))


async def connect(url):
    return await server.asyncpg.connect(url.set(drivername="postgresql").render_as_string(False))


class Took:
    """How many seconds a block took."""

    def __enter__(self):
        self._since = time.monotonic()
        return self

    def __exit__(self, *_error):
        self.seconds = time.monotonic() - self._since


@pytest.mark.parametrize(("fate", "stored"), [("cut", True), ("unanswered", True), ("lost", False)])
async def test_a_commit_whose_answer_is_lost_is_told_to_be_in_doubt(
    behind, network, clerk, raw, fate, stored
):
    behind._patience = 0.3
    network.commits = fate
    for number in range(6):
        with pytest.raises(InDoubt, match="may or may not be stored"):
            await create(clerk, behind, f"{number}")

    network.commits = ""
    await create(clerk, behind, "last")

    assert network.spoiled == 6
    assert names(raw) == ({*map(str, range(6))} if stored else set()) | {"last"}


async def test_what_is_lost_before_the_commit_is_not_stored(behind, network, clerk, raw):
    async def write():
        async with behind.write(clerk.workspace_id) as db:
            await db.run(text("UPDATE workspace SET name = 'half'"))
            network.cut()
            await db.run(text("UPDATE workspace SET name = 'whole'"))

    with pytest.raises(Unavailable) as refused:
        await write()

    assert not isinstance(refused.value, InDoubt)
    assert ("half",) not in raw.execute("SELECT name FROM workspace").fetchall()
    await create(clerk, behind)


async def test_a_write_that_no_statement_failed_in_commits_or_says_that_it_did_not(behind, clerk):
    async def write():
        async with behind.write(clerk.workspace_id) as db:
            with pytest.raises(server.asyncpg.PostgresError):
                await db.run(text("SELECT 1 / 0"))

    with pytest.raises(AssertionError, match="failed statement"):
        await write()


async def test_a_server_that_hangs_is_not_waited_for(behind, network, clerk, raw):
    await create(clerk, behind, "Before")
    behind._patience = 1.0
    network.frozen = True

    async def read():
        await behind.run(lambda db: db.fetch(ONE), Pace(), clerk.workspace_id)

    for ask, most in (
        (read, 1.5),
        (lambda: create(clerk, behind, "Frozen"), 1.25),
        (lambda: behind.head(clerk.workspace_id), 1.5),
        (behind.ready, 2.0),
    ):
        with Took() as took, pytest.raises(Unavailable, match=r"answer|reached"):
            await ask()
        assert took.seconds < most + 1.5

    network.frozen = False
    await behind.ready()
    await read()
    await create(clerk, behind, "After")
    assert {"Before", "After"} <= names(raw)


async def test_many_who_ask_whether_it_is_ready_do_not_wait_for_one_another(behind, network):
    await behind.ready()
    network.frozen = True

    with Took() as took:
        asked = [behind.ready() for _ in range(20)]
        answers = await asyncio.gather(*asked, return_exceptions=True)

    assert {type(answer) for answer in answers} == {Unavailable}
    assert took.seconds < 5


async def test_a_read_that_lasts_too_long_is_told_from_a_server_that_hangs(behind, network):
    with Took() as took, pytest.raises(TimedOut):
        await behind.run(lambda db: db.fetch(SLEEP), Pace())
    assert took.seconds < 4

    async def many(db):
        for _ in range(100):
            await db.fetch(Fetch(Prepared(text("SELECT pg_sleep(0.1)")), {}))

    with Took() as took, pytest.raises(TimedOut):
        await behind.run(many, Pace())
    assert took.seconds < 4


async def test_a_gateway_that_dies_in_a_write_does_not_keep_the_turn(behind, database, clerk):
    behind._connector = replace(behind._connector, idle_seconds=0.5)
    held = behind.write(clerk.workspace_id)
    db = await held.__aenter__()

    with Took() as took:
        await create(clerk, database, "Others")

    assert 0.2 < took.seconds < 5
    with pytest.raises(Unavailable) as refused:
        await db.run(text("UPDATE cases SET name = 'late'"))
    assert not isinstance(refused.value, InDoubt)
    await held.__aexit__(type(refused.value), refused.value, None)


async def test_writers_of_one_workspace_do_not_keep_another_one_waiting(
    behind, database, clerk, stranger
):
    async with database.write(clerk.workspace_id):
        waiting = [asyncio.ensure_future(create(clerk, behind, f"{n}")) for n in range(20)]
        await asyncio.sleep(0.2)
        with Took() as took:
            await create(stranger, behind)
        assert took.seconds < 2
    for made in waiting:
        await made


async def test_a_limit_of_connections_is_waited_at(database, clerk, postgresql, given_case):
    await given_case("First")
    postgresql.sql("CREATE ROLE crowded LOGIN CONNECTION LIMIT 3 IN ROLE casegraph")
    url = database.url.set(username="crowded").render_as_string(hide_password=False)
    try:
        async with opened(url, read_seconds=5, migrate=False) as crowded:

            async def read():
                await crowded.run(lambda db: db.fetch(ONE), Pace(), clerk.workspace_id)

            for _ in range(2):  # the readers take all of them first
                works = [read() for _ in range(40)]
                await asyncio.gather(*works[:10])
                works[:10] = [create(clerk, crowded, f"{number}") for number in range(20)]
                found = await asyncio.gather(*works, return_exceptions=True)
                assert [one for one in found if isinstance(one, Exception)] == []
    finally:
        postgresql.sql("DROP ROLE crowded")


async def test_the_waits_of_a_write_do_not_add_up(behind, database, clerk):
    behind._patience = 1.0
    blocker = await connect(database.url)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute("SET LOCAL casegraph.workspace = '*'; LOCK TABLE cases, search_entry")
    try:
        works = [create(clerk, behind, f"{number}") for number in range(9)]
        with Took() as took:
            refused = await asyncio.gather(*works, return_exceptions=True)
    finally:
        await transaction.rollback()
        await blocker.close()

    assert {type(one) for one in refused} == {Unavailable}
    assert took.seconds < 2.5
    await create(clerk, behind)


async def test_a_write_that_the_server_stops_is_not_told_to_ask_for_less(
    database, clerk, postgresql
):
    postgresql.sql("CREATE ROLE hasty LOGIN IN ROLE casegraph")
    postgresql.sql("ALTER ROLE hasty SET statement_timeout = 300")
    url = database.url.set(username="hasty").render_as_string(hide_password=False)
    blocker = await connect(database.url)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute("LOCK TABLE cases")
    try:
        async with opened(url, read_seconds=5, migrate=False) as hasty:
            with pytest.raises(Unavailable, match="took too long"):
                await create(clerk, hasty)
    finally:
        await transaction.rollback()
        await blocker.close()
        postgresql.sql("DROP ROLE hasty")


@pytest.mark.parametrize("error", [TimedOut(), Unavailable(), Damaged()])
def test_what_is_stored_but_cannot_be_shown_is_told_so(error):
    def show():
        with shown():
            raise error

    with pytest.raises(Stored, match="is stored"):
        show()
