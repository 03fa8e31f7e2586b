"""Answers as server-sent events: GraphQL over SSE, distinct connections mode (PROTOCOL.md of
graphql-sse), on the event stream of HTML (HTML Living Standard, 9.2).

Each answer is an event `next`; `complete` ends the stream. The id of a change's event is its
cursor, and a stream begins with the id of where it begins: a client that sends the last id back as
Last-Event-ID goes on from there.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import orjson
from starlette.types import Message, Receive, Send

from domain.errors import DomainError
from gateway.http.feeding import Refused, Subscription
from gateway.http.subscribing import Authenticate, Subscriptions
from gateway.schema.refusals import extensions_of
from gateway.server.caps import LEAVE

MEDIA_TYPE = "text/event-stream"
ALIVE = b":\n\n"
"""A comment: nothing has happened, but the stream is there."""
COMPLETE = b"event: complete\ndata: \n\n"


def next_event(answer: bytes, cursor: str | None = None) -> bytes:
    """An event with an answer, which is JSON in one line."""
    id = b"" if cursor is None else b"id: %b\n" % cursor.encode()
    return b"event: next\n%bdata: %b\n\n" % (id, answer)


async def once(answer: bytes) -> AsyncGenerator[bytes, None]:
    """The events of an operation that has one answer."""
    yield next_event(answer)
    yield COMPLETE


async def stream(
    subscriptions: Subscriptions,
    subscription: Subscription,
    key_id: str,
    authenticate: Authenticate,
    state: dict[str, Any],
) -> AsyncGenerator[bytes, None]:
    """The events of a subscription. Counts them in the request's *state*, for the log."""
    state[LEAVE]()  # nobody else is to wait for this one to end
    # Sent at once, and no event: where to go on from, even if nothing happens until then.
    yield b"id: %b\n\n" % subscription.begins.encode()
    state["events"] = 0
    try:
        with subscriptions.counted(key_id):
            answers = subscriptions.answers(subscription, authenticate)
            async with contextlib.aclosing(answers):
                async for change in answers:
                    if change is None:
                        yield ALIVE
                    else:
                        state["events"] += 1
                        yield next_event(change.answer, change.cursor)
    except Refused as refusal:
        state["codes"] = tuple(error["extensions"]["code"] for error in refusal.errors)
        yield next_event(orjson.dumps({"errors": list(refusal.errors)}))
    except DomainError as refusal:
        state["codes"] = (refusal.code,)
        error = {"message": refusal.message, "extensions": extensions_of(refusal)}
        yield next_event(orjson.dumps({"errors": [error]}))
    yield COMPLETE


async def send_events(
    parts: AsyncGenerator[bytes, None], head: Message, receive: Receive, send: Send
) -> None:
    """Send the events, each at once, until they end or the client is gone."""
    gone = asyncio.ensure_future(_gone(receive))
    sending = asyncio.ensure_future(_send(parts, head, send))
    try:
        await asyncio.wait((gone, sending), return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        for task in (gone, sending):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await parts.aclose()


async def _send(parts: AsyncIterator[bytes], head: Message, send: Send) -> None:
    await send(head)
    async for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
