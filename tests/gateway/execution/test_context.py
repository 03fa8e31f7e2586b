"""The snapshot of an operation is closed when it is answered, whatever is still running."""

import asyncio
import contextlib

import pytest

from domain.errors import Unavailable
from domain.storage.database import Pooling
from domain.storage.sqlite.readers import READERS
from gateway.execution.context import Context

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
