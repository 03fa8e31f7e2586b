"""An answer is the same, byte for byte, as uvicorn's own; a short one is written at once."""

import asyncio
import logging

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.server.exchange import Exchange


class Transport:
    def __init__(self):
        self.written = []
        self.closed = False

    def write(self, data):
        self.written.append(bytes(data))

    def writelines(self, parts):
        self.written.append(b"".join(parts))

    def close(self):
        self.closed = True


def start(*headers, status=200):
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content, more=False):
    return {"type": "http.response.body", "body": content, "more_body": more}


def length(count):
    return b"content-length", b"%d" % count


ANSWERS = {
    "short": [start((b"x", b"1"), length(3)), body(b"abc")],
    "empty": [start(length(0)), body(b"")],
    "in pieces": [start(length(6)), body(b"abc", more=True), body(b"def")],
    "of unknown length": [start((b"x", b"1")), body(b"abc", more=True), body(b"")],
    "chunked": [start((b"transfer-encoding", b"chunked")), body(b"abc")],
    "without content": [start(status=204), body(b"")],
    "not modified": [start((b"etag", b'"3"'), status=304), body(b"")],
    "the last": [start((b"connection", b"close"), length(2)), body(b"ok")],
    "longer than said": [start(length(2)), body(b"abc")],
    "shorter than said": [start(length(4)), body(b"abc")],
    "with a second head": [start((b"location", b"/a\r\nset-cookie: b"), length(0)), body(b"")],
    "with a null": [start((b"x", b"a\0b"), length(0)), body(b"")],
    "begun twice": [start(length(0)), start(length(0))],
    "without a head": [body(b"abc")],
    "after the end": [start(length(0)), body(b""), body(b"")],
}


async def sent(kind, messages, method, keep_alive):
    """What a client gets, and what becomes of the connection."""
    transport = Transport()
    completed = []
    exchange = kind(
        scope={"type": "http", "method": method},
        transport=transport,
        flow=FlowControl(transport),
        logger=logging.getLogger("test"),
        access_logger=logging.getLogger("test"),
        access_log=False,
        default_headers=[(b"date", b"now")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: completed.append(True),
    )
    failure = None
    try:
        for message in messages:
            await exchange.send(message)
    except RuntimeError as error:
        failure = type(error)
    facts = (
        failure,
        transport.closed,
        exchange.keep_alive,
        exchange.response_started if failure is None else None,
        exchange.response_complete,
        len(completed),
    )
    return b"".join(transport.written), facts, len(transport.written)


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_is_what_uvicorn_would_have_sent(answer, method, keep_alive):
    mine, facts, _ = await sent(Exchange, ANSWERS[answer], method, keep_alive)
    theirs, their_facts, _ = await sent(RequestResponseCycle, ANSWERS[answer], method, keep_alive)

    assert facts == their_facts
    # What follows an answer that failed is nothing that a client can rely on.
    assert mine == theirs or facts[0] is not None


async def test_a_short_answer_is_written_at_once():
    _, _, writes = await sent(Exchange, ANSWERS["short"], "GET", True)

    assert writes == 1


@pytest.mark.parametrize("answer", ["with a second head", "with a null"])
async def test_nothing_of_a_forbidden_head_is_written(answer):
    written, facts, _ = await sent(Exchange, ANSWERS[answer], "GET", True)

    assert written == b""
    assert facts[0] is RuntimeError
