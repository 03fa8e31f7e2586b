"""The snapshot of an operation is closed when it is answered, whatever is still running."""

import asyncio
import contextlib

import pytest

from domain.errors import Unavailable
from domain.storage.database import Pooling
from domain.storage.postgresql.snapshots import ServerSnapshot
from domain.storage.sqlite.readers import READERS
from gateway.execution.context import Context
from gateway.http import pipeline

# Two SQLite readers or four connections of a server are what one key may hold at most.
MANY = 2 * max(READERS, Pooling().readers)


async def context_of(api):
    return Context(await api.services.keys.authenticate(api.keys["all"]), api.services)


async def every_reader_is_free(api):
    """Raise TimeoutError if snapshots are held that nobody will close."""
    async with asyncio.timeout(5), contextlib.AsyncExitStack() as stack:
        for _ in range(READERS):
            await stack.enter_async_context(api.services.database.read(1))


async def test_what_loads_after_the_answer_gets_no_snapshot(api):
    for _ in range(MANY):
        context = await context_of(api)
        await context.snapshot()
        await context.end()

        with pytest.raises(Unavailable):
            await context.snapshot()

    await every_reader_is_free(api)


async def test_a_snapshot_that_opens_while_the_operation_ends_is_closed(api):
    for _ in range(MANY):
        context = await context_of(api)
        opening = asyncio.ensure_future(context.snapshot())
        await asyncio.sleep(0)
        await context.end()

        with pytest.raises(Unavailable):
            await opening

    await every_reader_is_free(api)


async def test_what_is_forgotten_is_not_read_again(api):
    context = await context_of(api)
    opening = asyncio.ensure_future(context.snapshot())
    await asyncio.sleep(0)
    await context.forget()

    assert await context.snapshot() is not await opening
    await context.end()


class Losing:
    """Cuts the connection of a snapshot before one of its statements: once, or every time."""

    def __init__(self, monkeypatch, at, *, always=False):
        self.at, self.always, self.fetched, self.lost = at, always, 0, 0
        real = ServerSnapshot.fetch

        async def fetch(snapshot, wanted):
            self.fetched += 1
            if self.fetched >= self.at and (self.always or not self.lost):
                self.lost += 1
                snapshot.session._connection.terminate()
            return await real(snapshot, wanted)

        monkeypatch.setattr(ServerSnapshot, "fetch", fetch)
        monkeypatch.setattr(pipeline, "compiled", lambda *_: None)


LISTED = "{ cases(first: 5) { nodes { name parties { nodes { party { name } } } } } }"


@pytest.mark.postgresql
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.usefixtures("steady")
async def test_a_query_that_loses_its_connection_is_executed_again(api, monkeypatch, at):
    new = {"name": "One", "parties": [{"name": "P", "role": "client"}]}
    await api.rest("POST", "/cases", json=new)
    losing = Losing(monkeypatch, at)

    [case] = (await api.data(LISTED))["cases"]["nodes"]

    assert (case["name"], case["parties"]["nodes"][0]["party"]["name"]) == ("One", "P")
    assert (losing.lost, losing.fetched) == (1, at + 2)


@pytest.mark.postgresql
async def test_a_query_is_not_executed_for_ever(api, monkeypatch):
    losing = Losing(monkeypatch, 1, always=True)

    answer = await api.graphql(LISTED)

    assert answer["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"
    assert losing.fetched == 2


@pytest.mark.postgresql
async def test_a_mutation_is_executed_once_whatever_is_lost(api, monkeypatch):
    losing = Losing(monkeypatch, 1)
    create = 'mutation { createCase(input: {name: "One"}) { case { name } } }'

    answer = await api.graphql(create)

    assert answer["data"]["createCase"]["case"] == {"name": "One"}
    assert losing.lost == 1
    assert (await api.data("{ cases { totalCount } }"))["cases"]["totalCount"] == 1
