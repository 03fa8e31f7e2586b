"""What single connections can do to the server, which is: nothing that others notice."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fault.servers import Gateway, gateway
from tests.fault.wires import Wire

HEAD_SECONDS = 1
BODY_SECONDS = 1
IDLE_SECONDS = 1
PROMPT = 1.0
LATE = 1.5
"""Seconds that a deadline may be missed by: it is looked at twice a second, on a busy machine."""

POST = b"POST /graphql HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with gateway(
        tmp_path_factory.mktemp("connections"),
        header_seconds=HEAD_SECONDS,
        body_seconds=BODY_SECONDS,
        idle_seconds=IDLE_SECONDS,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("small"), connections=20, in_flight=1) as running:
        yield running


def with_key(server, head):
    return head.replace(
        b"Host: test", b"Host: test\r\nAuthorization: Bearer " + server.key.encode()
    )


def assert_own_answer(answer, status, code):
    """The envelope, and all that every response has."""
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["details"] == []
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.last


def assert_prompt(server):
    started = time.monotonic()
    with Wire(server) as other:
        assert other.ask("GET", "/api/v1/cases").status == 200
    assert time.monotonic() - started < PROMPT


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], 400, "VALIDATION_ERROR"),
        ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], 400, "VALIDATION_ERROR"),
        ([b"CONNECT host:80 HTTP/1.1\r\n\r\n"], 400, "VALIDATION_ERROR"),
        ([b"GET /\xff HTTP/1.1\r\n\r\n"], 400, "VALIDATION_ERROR"),
        ([b"GET / HTTP/1.1\r\nno colon\r\n\r\n"], 400, "VALIDATION_ERROR"),
        ([CHUNKED, b"zz\r\n"], 400, "VALIDATION_ERROR"),
        ([b"GET / HTTP/1.1\r\nx: " + b"y" * 33_000 + b"\r\n\r\n"], 431, "HEADERS_TOO_LARGE"),
        ([b"GET /?" + b"y" * 33_000 + b" HTTP/1.1\r\n\r\n"], 431, "HEADERS_TOO_LARGE"),
        ([b"GET / HTTP/1.1\r\n", b"x: y\r\n" * 101, b"\r\n"], 431, "HEADERS_TOO_LARGE"),
        ([b"GET / HTTP/1.1\r\nx: ", *[b"y" * 4_000] * 20], 431, "HEADERS_TOO_LARGE"),
        ([CHUNKED, b"0\r\n", *[b"trailer: x\r\n" * 10] * 30], 431, "HEADERS_TOO_LARGE"),
        ([CHUNKED, b"0\r\ntrailer: ", *[b"y" * 4_000] * 20], 431, "HEADERS_TOO_LARGE"),
        ([CHUNKED, b"4;extension=", *[b"y" * 4_000] * 20], 431, "HEADERS_TOO_LARGE"),
        ([CHUNKED, *[b"1;x=" + b"y" * 4_000 + b"\r\nz\r\n"] * 20], 431, "HEADERS_TOO_LARGE"),
        ([b"GET / HT"], 408, "REQUEST_TIMEOUT"),
        ([POST + b"Content-Length: 20\r\n\r\n{"], 408, "REQUEST_TIMEOUT"),
        ([CHUNKED, b"5\r\n{"], 408, "REQUEST_TIMEOUT"),
    ],
    ids=lambda value: repr(value[-1][:20]) if isinstance(value, list) else None,
)
def test_what_is_no_request_is_refused(server, parts, status, code):
    with Wire(server) as wire:
        wire.send(*(with_key(server, part) for part in parts), pause=0.01)
        assert_prompt(server)
        answer = wire.answer()

        assert_own_answer(answer, status, code)
        assert wire.is_closed()


@pytest.mark.parametrize(
    ("head", "seconds"),
    [
        (b"GET / HTTP/1.1\r\nx: ", HEAD_SECONDS),
        (POST + b"Content-Length: 90\r\n\r\n", BODY_SECONDS),
        (CHUNKED, BODY_SECONDS),
    ],
    ids=["head", "body", "chunks"],
)
def test_sending_slowly_does_not_extend_a_deadline(server, head, seconds):
    drop = b"1\r\nx\r\n" if head == CHUNKED else b"G"
    with Wire(server, timeout=0.2) as wire:
        started = time.monotonic()
        wire.send(with_key(server, head))
        answer = None
        while answer is None and time.monotonic() - started < 10:
            wire.send(drop)
            with contextlib.suppress(TimeoutError):
                answer = wire.answer()

        assert_own_answer(answer, 408, "REQUEST_TIMEOUT")
        assert seconds - 0.1 <= time.monotonic() - started < seconds + LATE


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n"])
def test_a_connection_without_a_request_is_closed(server, sent):
    with Wire(server) as wire:
        started = time.monotonic()
        wire.send(sent)

        assert wire.is_closed()
        assert HEAD_SECONDS - 0.1 <= time.monotonic() - started < HEAD_SECONDS + LATE


def test_an_idle_connection_is_closed(server):
    with Wire(server) as wire:
        assert wire.ask("GET", "/healthz").status == 200
        time.sleep(IDLE_SECONDS / 2)
        assert not wire.ask("GET", "/healthz").last
        started = time.monotonic()

        assert wire.is_closed()
        assert IDLE_SECONDS - 0.1 <= time.monotonic() - started < IDLE_SECONDS + LATE


def test_a_client_that_does_not_read_is_cut_off(server):
    path = "/graphql/static/graphiql.min.js"
    with Wire(server) as wire:
        size = len(wire.ask("GET", path).body)
    with Wire(server, buffer=4_096) as wire:
        wire.send(wire.request("GET", path) * 16)
        assert_prompt(server)
        time.sleep(BODY_SECONDS + LATE)
        received = 0
        with contextlib.suppress(ConnectionError):
            while data := wire.socket.recv(1 << 20):
                received += len(data)

        assert received < 16 * size


def test_an_upload_is_not_read_on_after_its_answer(server):
    with Wire(server) as wire:
        wire.send(CHUNKED)
        answer = wire.answer()
        started = time.monotonic()
        part = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - started < 10:
                wire.socket.sendall(part)

        assert (answer.status, answer.last) == (401, True)
        assert time.monotonic() - started < 5


def test_a_connection_survives_a_small_body_that_nobody_wanted(server):
    body = b'{"query": "{ viewer { mode } }"}'
    with Wire(server) as wire:
        wire.send(POST + b"Content-Length: %d\r\n\r\n" % len(body))
        refused = wire.answer()
        wire.send(body)
        next_one = wire.ask("POST", "/graphql", body)

    assert (refused.status, refused.last) == (401, False)
    assert next_one.json() == {"data": {"viewer": {"mode": "LIVE"}}}


def test_a_connection_survives_a_large_body(server):
    body = b'{"query": "{ viewer { mode } }", "extensions": {"x": "%s"}}' % (b"x" * 200_000)
    with Wire(server) as wire:
        head, _, _ = wire.request("POST", "/graphql", body).partition(b"{")
        wire.send(head, body, pause=0.1)
        answer = wire.answer()
        next_one = wire.ask("GET", "/healthz")

    assert (answer.status, answer.last, next_one.status) == (200, False, 200)


def test_who_expects_to_be_refused_need_not_send_the_body(server):
    with Wire(server) as wire:
        wire.send(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        answer = wire.answer()

        assert (answer.status, answer.last) == (401, True)
        assert wire.is_closed()


def test_pipelined_requests_are_answered_in_order_and_bounded(server):
    with Wire(server) as wire:
        wire.send(
            b"".join(
                wire.request("GET", f"/nowhere/{n}", b"", f"X-Request-Id: {n}") for n in range(40)
            )
        )
        answers = list(wire.answers())

    assert [int(answer.headers["x-request-id"]) for answer in answers] == list(range(17))
    assert [answer.last for answer in answers] == [False] * 16 + [True]


def test_what_is_no_request_does_not_disturb_those_before_it(server):
    with Wire(server) as wire:
        wire.send(wire.request("GET", "/api/v1/cases") * 3 + b"no request\r\n\r\n")

        assert [(answer.status, answer.last) for answer in wire.answers()] == [
            (200, False),
            (200, False),
            (200, True),
        ]


def test_a_request_that_offers_an_upgrade_keeps_its_body(server):
    body = b'{"query": "{ viewer { mode } }"}'
    offer = "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"
    with Wire(server) as wire:
        head, _, _ = wire.request("POST", "/graphql", body, *offer).partition(b"{")
        wire.send(head, body[:9], body[9:] + wire.request("GET", "/healthz"), pause=0.05)

        assert wire.answer().json() == {"data": {"viewer": {"mode": "LIVE"}}}
        assert wire.answer().json() == {"status": "ok"}


def test_two_hundred_idle_and_slow_connections_stop_nobody(server):
    with contextlib.ExitStack() as open_:
        wires = [open_.enter_context(Wire(server)) for _ in range(200)]
        for wire in wires[::2]:
            wire.send(b"GET / HTTP/1.1\r\nHost: te")
        for _ in range(5):
            assert_prompt(server)


def test_one_connection_too_many_is_told_to_come_back(small):
    with contextlib.ExitStack() as open_:
        wires = [open_.enter_context(Wire(small)) for _ in range(20)]
        assert wires[-1].ask("GET", "/healthz").status == 200
        with Wire(small) as wire:
            started = time.monotonic()
            answer = wire.ask("GET", "/healthz")
            seconds = time.monotonic() - started

            assert_own_answer(answer, 503, "SERVICE_UNAVAILABLE")
            assert answer.headers["retry-after"] == "1"
            assert seconds < PROMPT
            assert wire.is_closed()
        wires[0].socket.close()
        time.sleep(0.1)

        assert_prompt(small)


def test_slow_uploads_take_no_place_from_others(small):
    body = b'{"name": "Late"}'
    with contextlib.ExitStack() as open_:
        wires = [open_.enter_context(Wire(small)) for _ in range(10)]
        for wire in wires:
            wire.send(wire.request("POST", "/api/v1/cases", body)[:-1])
        time.sleep(0.2)
        assert_prompt(small)
        wires[0].send(body[-1:])

        assert wires[0].answer().status == 201


def test_what_is_too_much_at_once_is_told_to_come_back(small):
    def ask(_):
        with Wire(small) as wire:
            return wire.ask("GET", "/api/v1/cases?limit=100")

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(200)))

    assert {answer.status for answer in answers} <= {200, 503}
    assert any(answer.status == 200 for answer in answers)
    for answer in answers:
        if answer.status == 503:
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"


def test_deadlines_hold_with_several_workers(tmp_path):
    server = Gateway(tmp_path, header_seconds=1, workers=2)
    server.key = "none is needed"
    try:
        server.start()
        with Wire(server) as wire:
            wire.send(b"GET / HT")

            assert_own_answer(wire.answer(), 408, "REQUEST_TIMEOUT")
    finally:
        server.stop()
