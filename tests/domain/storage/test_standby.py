"""Reading from a real streaming standby that lags, is paused, frozen, stopped and comes back."""

import asyncio
import math
import os
import random
import signal
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from domain.access.positions import HEADER
from domain.access.principal import Scope
from domain.errors import Unavailable
from domain.storage.database import Pace
from domain.storage.opening import opened
from domain.storage.postgresql.standby import WATCH_SECONDS, Elsewhere
from domain.storage.statements import Fetch, Prepared
from domain.storage.turns import READING, Reading
from domain.upkeep import administration
from gateway.app import create_app
from gateway.settings import Settings
from tests.fixtures import furnish
from tests.postgresql import APP_ROLE, OWNER, Server, server

pytestmark = pytest.mark.postgresql

NAMES = "{ cases(first: 100) { nodes { name } } }"


class Pair:
    """A primary and its standby."""

    def __init__(self, primary, standby, keys):
        self.primary, self.standby, self.keys = primary, standby, keys

    def url(self, which, role=APP_ROLE):
        return which.url("cases", role)

    def pause(self):
        self.standby.sql("SELECT pg_wal_replay_pause()")

    def resume(self):
        self.standby.sql("SELECT pg_wal_replay_resume()")

    async def caught_up(self):
        end = self.primary.sql("SELECT pg_current_wal_flush_lsn()")
        behind = f"SELECT pg_last_wal_replay_lsn() < '{end}'"
        for _ in range(200):
            if self.standby.sql(behind) == "f":
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it does not catch up")


@pytest.fixture(scope="module")
def pair():
    with server(wal_level="replica", wal_keep_size="64MB") as primary:
        primary.sql("CREATE ROLE casegraph LOGIN CREATEDB")
        primary.sql(f"CREATE ROLE {APP_ROLE} LOGIN")
        primary.sql("CREATE DATABASE cases OWNER casegraph")
        keys = asyncio.run(furnish(primary.url("cases", "casegraph")))
        folder = Path(tempfile.mkdtemp(prefix="casegraph-standby-"))
        if os.geteuid() == 0:
            os.chown(folder, OWNER, OWNER)
        standby = Server(folder, max_standby_streaming_delay="0")
        standby.program(
            "pg_basebackup", "-D", standby.data, "-R", "-X", "stream", "-c", "fast",
            "-h", "127.0.0.1", "-p", primary.port, "-U", "casegraph_admin", "--no-sync",
        )  # fmt: skip
        standby.start()
        try:
            yield Pair(primary, standby, keys)
        finally:
            standby.stop(signal.SIGQUIT)


@pytest.fixture
async def there(pair):
    """Both servers as they should be."""
    pair.resume()
    await pair.caught_up()
    yield pair
    if pair.standby._process is None:
        pair.standby.start()
    pair.standby.thaw()


@pytest.fixture
async def clients(there):
    """Two gateways that read from the standby."""
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(2):
            settings = Settings(
                database_url=there.url(there.primary),
                read_url=there.url(there.standby),
                rate_limit=1_000_000,
                query_seconds=10,
            )
            app = create_app(settings)
            await stack.enter_async_context(app.router.lifespan_context(app))
            assert app.state.services.database._standby.answers
            transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
            client = httpx2.AsyncClient(transport=transport, base_url="http://testserver")
            found.append(await stack.enter_async_context(client))
            found[-1].app = app
        yield found


async def test_it_is_told_how_far_the_standby_is_behind(clients, there):
    client = clients[0]

    def lag():
        return client.app.state.services.database.load().lag

    async def until(condition):
        for _ in range(200):
            if condition(lag()):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(lag())

    await until(lambda seconds: seconds == 0)
    there.pause()
    await created(client, there, "not there yet")
    await until(lambda seconds: 2 < seconds < 20)
    there.resume()
    await until(lambda seconds: seconds == 0)
    there.standby.freeze()
    await until(math.isinf)
    page = await client.get("/metrics", headers={"Host": "localhost"})
    assert 'casegraph_database_lag_seconds{server="standby"} +Inf' in page.text
    there.standby.thaw()
    await until(lambda seconds: seconds == 0)


def bearer(pair, key="all", position=None):
    header = {"Authorization": f"Bearer {pair.keys[key]}"}
    return header if position is None else header | {HEADER: str(position)}


async def created(client, pair, name, key="all"):
    """Create a case; its position."""
    answer = await client.post("/api/v1/cases", json={"name": name}, headers=bearer(pair, key))
    assert answer.status_code == 201, answer.text
    return int(answer.headers[HEADER])


async def names(client, pair, *, rest=False, **options):
    headers = bearer(pair, **options)
    if rest:
        answer = await client.get("/api/v1/cases?limit=100", headers=headers)
        found = answer.json()["data"]
    else:
        answer = await client.post("/graphql", json={"query": NAMES}, headers=headers)
        found = answer.json()["data"]["cases"]["nodes"]
    assert answer.status_code == 200, answer.text
    return {case["name"] for case in found}


@pytest.mark.parametrize("rest", [False, True], ids=["graphql", "rest"])
async def test_who_brings_a_position_sees_it_and_who_brings_none_may_not(clients, there, rest):
    one, two = clients
    name = f"Paused {rest}"
    there.pause()
    position = await created(one, there, name)

    for _again in range(3):
        # On the other gateway, which knows nothing of the write.
        assert name not in await names(two, there, key="read", rest=rest)
        assert name in await names(two, there, key="read", rest=rest, position=position)
    there.resume()
    await there.caught_up()
    assert name in await names(two, there, key="read", rest=rest)


async def test_a_key_that_has_written_sees_its_own(clients, there):
    there.pause()
    await created(clients[0], there, "Its own")

    for rest in (False, True) * 2:
        assert "Its own" in await names(clients[0], there, rest=rest)
        assert "Its own" not in await names(clients[0], there, key="read", rest=rest)


async def test_whoever_writes_finds_what_was_just_written(clients, there):
    one, two = clients
    there.pause()
    made = await one.post("/api/v1/cases", json={"name": "Young"}, headers=bearer(there))
    id = made.json()["id"]

    path = f"/api/v1/cases/{id}"
    write = bearer(there, "write")
    party = {"parties": [{"name": "Jörg Müller", "role": "client"}]}
    answers = [
        await two.post(f"{path}/parties", json=party, headers=write),
        await two.put(path, json={"status": "closed"}, headers=write),
        await two.delete(path, headers=bearer(there, "delete")),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 204]


async def test_what_a_refused_write_shows_is_the_latest_state(clients, there):
    one, two = clients
    there.pause()
    party = {"name": "Jörg Müller", "role": "client"}
    new = {"name": "Younger", "parties": [party]}
    made = (await one.post("/api/v1/cases", json=new, headers=bearer(there))).json()

    wrong = await two.put(
        f"/api/v1/cases/{made['id']}", json={"status": "nothing"}, headers=bearer(there)
    )
    document = (
        'mutation($id: ID!) { updateCase(input: {id: $id, name: "N", expectedVersion: 7}) {'
        " userErrors { code } case { name parties { nodes { party { name } } } } } }"
    )
    body = {"query": document, "variables": {"id": made["id"]}}
    stale = (await two.post("/graphql", json=body, headers=bearer(there))).json()

    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    payload = stale["data"]["updateCase"]
    assert payload["userErrors"] == [{"code": "VERSION_CONFLICT"}]
    assert payload["case"]["name"] == "Younger"
    assert payload["case"]["parties"]["nodes"] == [{"party": {"name": "Jörg Müller"}}]


async def test_an_answer_is_kept_for_no_later_state_than_it_is_of(clients, there, monkeypatch):
    """The end of the timeline is the primary's, and the standby is behind it."""

    async def elsewhere(*_arguments):
        raise Elsewhere

    there.pause()
    await created(clients[0], there, "Ahead")
    for client in clients:
        monkeypatch.setattr(client.app.state.services.database._standby, "head", elsewhere)
    for rest in (False, True) * 3:
        # The first question of its kind asks for no end, and may be answered by the standby.
        found = await names(clients[1], there, key="read", rest=rest)
    assert "Ahead" in found
    assert "Ahead" in await names(clients[1], there, key="read", rest=False)


async def test_keys_are_looked_up_at_the_primary(clients, there):
    async with opened(there.url(there.primary, "casegraph")) as owner:
        raw, entry = await administration.create_key(owner, f"young {time.time()}", list(Scope))
        there.pause()
        late, late_entry = await administration.create_key(owner, f"l {time.time()}", list(Scope))
        header = {"Authorization": f"Bearer {late}"}
        assert (await clients[0].get("/api/v1/cases", headers=header)).status_code == 200
        await administration.revoke_key(owner, late_entry.id)
        await administration.revoke_key(owner, entry.id)
        await asyncio.sleep(1.1)
        for key in (late, raw):
            header = {"Authorization": f"Bearer {key}"}
            assert (await clients[0].get("/api/v1/cases", headers=header)).status_code == 401


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
async def test_a_standby_that_is_gone_is_missed_by_nobody(clients, there, how):
    position = await created(clients[0], there, f"Gone {how}")
    there.standby.stop(how)

    for rest in (False, True) * 5:
        assert f"Gone {how}" in await names(clients[1], there, rest=rest, position=position)
        assert await names(clients[1], there, key="read", rest=rest)
    there.standby.start()
    await answers(clients[1], True)
    assert await names(clients[1], there, key="read")


async def test_a_standby_that_hangs_is_left_at_once(clients, there):
    await created(clients[0], there, "Frozen")
    await there.caught_up()
    there.standby.freeze()
    begun = time.monotonic()
    asked = [names(clients[1], there, key="read", rest=n % 2 == 0) for n in range(6)]
    found = await asyncio.gather(*asked)
    assert time.monotonic() - begun < 3 * WATCH_SECONDS + 1
    assert all("Frozen" in one for one in found)

    await answers(clients[1], False)
    begun = time.monotonic()
    assert "Frozen" in await names(clients[1], there, key="read")
    assert time.monotonic() - begun < WATCH_SECONDS
    there.standby.thaw()
    await answers(clients[1], True)


async def test_a_read_in_progress_is_not_left_to_a_standby_that_hangs(there):
    slow = Fetch(Prepared(text("SELECT pg_is_in_recovery(), pg_sleep(1)")), {})
    with_standby = opened(
        there.url(there.primary, "casegraph"), read_url=there.url(there.standby), read_seconds=30
    )
    async with with_standby as database:
        who = await administration.operator(database)
        begun = time.monotonic()
        reading = asyncio.create_task(
            database.run(lambda db: db.fetch(slow), Pace(), who.workspace_id)
        )
        await asyncio.sleep(0.3)
        there.standby.freeze()
        [(in_recovery, _slept)] = await reading
        there.standby.thaw()

    assert in_recovery is False
    assert time.monotonic() - begun < 10


async def answers(client, wanted):
    standby = client.app.state.services.database._standby
    for _ in range(300):
        if standby.answers is wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it is not noticed")


async def test_a_read_that_replay_cancels_is_read_at_the_primary(there):
    """PostgreSQL, 27.4.2, Handling Query Conflicts."""
    slow = Fetch(Prepared(text("SELECT count(*), pg_sleep(2) FROM cases")), {})
    with_standby = opened(
        there.url(there.primary, "casegraph"), read_url=there.url(there.standby), read_seconds=8
    )
    async with with_standby as database:
        who = await administration.operator(database)
        reading = asyncio.create_task(
            database.run(lambda db: db.fetch(slow), Pace(), who.workspace_id)
        )
        await asyncio.sleep(0.5)
        there.primary.sql("CREATE TABLE IF NOT EXISTS dropped (id int)", "cases")
        there.primary.sql(
            "BEGIN; LOCK TABLE cases IN ACCESS EXCLUSIVE MODE; DROP TABLE dropped; COMMIT", "cases"
        )
        [(count, _slept)] = await reading
        assert count > 0


async def test_no_read_with_a_position_is_from_before_it(clients, there):
    """Kept answers, lag and two gateways together."""
    rng = random.Random(20261128)
    latest = {}
    for number in range(120):
        if number % 15 == 5:
            there.pause()
        if number % 15 == 10:
            there.resume()
        writer, reader = rng.sample(clients, 2)
        name = f"R{number}"
        position = await created(writer, there, name, key=rng.choice(("all", "write")))
        latest[name] = position
        for _again in range(rng.randint(1, 3)):
            some, wanted = rng.choice(list(latest.items()))
            found = await names(reader, there, key="read", rest=rng.random() < 0.5, position=wanted)
            expected = {one for one, at in latest.items() if at <= wanted}
            assert expected <= found | set(list(latest)[:-100]), some


async def test_a_standby_that_is_not_there_at_the_start_is_told_of_and_missed_by_nobody(
    there, caplog
):
    elsewhere = "postgresql://casegraph_app@127.0.0.1:1/cases"
    async with opened(there.url(there.primary, "casegraph"), read_url=elsewhere) as database:
        who = await administration.operator(database)
        async with database.read(who.workspace_id):
            pass
        one = Fetch(Prepared(text("SELECT pg_is_in_recovery()")), {})
        assert await database.run(lambda db: db.fetch(one), Pace(), who.workspace_id) == [(False,)]

    assert "the standby is not read: it does not answer" in caplog.text


async def test_a_role_that_the_policies_do_not_bind_does_not_read(there):
    settings = Settings(database_url=there.url(there.primary), read_url=there.standby.url("cases"))
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        assert not app.state.services.database._standby.answers


async def test_a_position_that_it_has_not_is_asked_of_the_primary(there):
    with_standby = opened(there.url(there.primary, "casegraph"), read_url=there.url(there.standby))
    async with with_standby as database:
        who = await administration.operator(database)
        one = Fetch(Prepared(text("SELECT pg_is_in_recovery()")), {})
        READING.set(Reading("key"))
        assert await database.run(lambda db: db.fetch(one), Pace(), who.workspace_id) == [(True,)]
        READING.set(Reading("key", position=10**9))
        assert await database.run(lambda db: db.fetch(one), Pace(), who.workspace_id) == [(False,)]
        READING.set(None)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:///cases.db", "CASEGRAPH_READ_URL must be like postgresql://"),
        ("nonsense://", "The database URL must be like"),
    ],
)
async def test_a_wrong_url_of_a_standby_is_told(there, url, told):
    with pytest.raises(Unavailable, match=told):
        async with opened(there.url(there.primary), read_url=url):
            pass
