"""One HTTP/1.1 connection: uvicorn's, with a limit on everything that a client can draw out.

uvicorn waits for ever for the rest of a head or of a body, and for a client to read. Here each has
a deadline which counts from the beginning, so that sending a byte a second does not extend it.
What is enforced before there is a request is answered here, in the envelope of REST; with what
follows, the connection closes.

One file, because it is one state machine: what may come next depends on all that came before.

Deadlines are not timers, which would cost as much as the rest of this file for every request: a
connection notes when something began, and the server calls check() about twice a second.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final, cast

import httptools
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from domain.errors import Invalid, Unavailable
from gateway.server.edge import BODY_TO_COME, failure_body, request_id_of, sealed
from gateway.settings import Settings

log = structlog.get_logger("casegraph.access")
_access = logging.getLogger("casegraph.access")

MAX_HEAD_BYTES = 32 << 10
MAX_HEADERS = 100
MAX_PIPELINED = 16
"""Requests that may wait for the one being answered; with the last of them it closes."""

SMALL_BODY = 64 << 10
"""Of a request answered before its body came, so much is read and the connection kept."""

LINGER_SECONDS = 2.0
"""How long a client that is still sending has for reading its answer."""

MAX_DISCARDED = 1 << 20
"""Bytes that are read from it meanwhile."""

MAX_TURNED_AWAY = 100
"""Connections beyond the limit that may linger so."""

GRACE_SECONDS = 1.0
"""When the server stops: how long a connection without a request stays open.

A client that was sending one at that very moment gets its answer, and is told to close.
"""

_NOTHING: Final = 0
_HEAD: Final = 1
_BODY: Final = 2
"""What a connection reads. Not an enumeration, whose members are slow to get at."""


class State(ServerState):
    """What the connections of one process share."""

    def __init__(self, limits: Settings) -> None:
        super().__init__()
        self.limits = limits
        self.stopping = 0.0
        """The loop's time when the server began to stop."""
        self.turned_away = 0
        """Open connections that were one too many."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that no application gives."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


NOT_HTTP = Refusal(400, Invalid.code, "This is not a valid HTTP request.")
HEAD_LATE = Refusal(408, "REQUEST_TIMEOUT", "The head of the request did not come in time.")
BODY_LATE = Refusal(408, "REQUEST_TIMEOUT", "The body of the request did not come in time.")
HEAD_LARGE = Refusal(
    431,
    "HEADERS_TOO_LARGE",
    f"A request may have {MAX_HEADERS} headers, and a head of {MAX_HEAD_BYTES} bytes.",
)
FULL = Refusal(
    503,
    Unavailable.code,
    "The server has too many connections. Try again in a moment.",
    ((b"retry-after", b"1"),),
)


class _Refused(Exception):
    """Thrown through the parser."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Connection(HttpToolsProtocol):
    """Serves the requests of one connection, one after the other."""

    # Beyond 30 attributes Python keeps those of an object in a slower way, uvicorn's too.
    __slots__ = (
        "_chunk",
        "_deaf",
        "_discarded",
        "_ending",
        "_fruitful",
        "_fruitless",
        "_keep_alive",
        "_last",
        "_reads",
        "_running",
        "_since",
        "_state",
        "_turned_away",
        "_write_paused",
    )

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._state = cast(State, server_state)
        self._reads = _NOTHING
        self._since = 0.0  # when that began; all times are the loop's
        self._write_paused = 0.0
        self._ending = 0.0  # when it began to close
        self._chunk = 0  # bytes that are being parsed
        self._fruitful = False  # whether they began or ended a head, or had some of a body
        self._fruitless = 0  # bytes that did not, for one request
        self._deaf = False  # nothing that comes is looked at any more
        self._discarded = 0
        self._turned_away = False
        self._running: RequestResponseCycle | None = None
        self._last: RequestResponseCycle | None = None  # said to be the last while stopping
        self._keep_alive = False  # whether the request allows it whose body is being read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        state = self._state
        if len(self.connections) - state.turned_away > state.limits.connections:
            self._turned_away = True
            state.turned_away += 1
            self._refuse(FULL)
            if state.turned_away > MAX_TURNED_AWAY:
                transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._turned_away:
            self._state.turned_away -= 1
        running = self._running  # uvicorn tells only the newest of several requests
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._discard(data)
            return
        self._chunk = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.refusal if isinstance(cause, _Refused) else NOT_HTTP)
            return
        if self._reads is not _NOTHING:
            self._wait_for_rest()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _Refused(NOT_HTTP)  # which is never sent, since others are waiting
        super().on_message_begin()
        self._reads = _HEAD
        self._since = self.loop.time()
        self._fruitful = True
        self._fruitless = 0

    def on_headers_complete(self) -> None:
        in_pieces = not self._fruitful
        if len(self.headers) > MAX_HEADERS or (
            (in_pieces or self._chunk > MAX_HEAD_BYTES) and self._head_bytes() > MAX_HEAD_BYTES
        ):
            raise _Refused(HEAD_LARGE)
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _Refused(NOT_HTTP)
            return  # it comes again without
        if in_pieces:
            self._since = self.loop.time()
            self._fruitful = True
        self._fruitless = 0
        self._reads = _BODY
        super().on_headers_complete()
        if not self.pipeline:
            self._running = self.cycle
        self.headers = []  # trailers do not become headers
        if self._state.stopping:
            self._make_last()

    def on_body(self, body: bytes) -> None:
        self._fruitful = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._reads is _HEAD:
            return  # an upgrade
        self._reads = _NOTHING
        cycle = self.cycle
        if cycle.response_complete:
            self._since = self.loop.time()
            return
        if cycle.transport is not self.transport and not cycle.response_started:
            cycle.keep_alive = self._keep_alive
        cycle.more_body = False
        cycle.message_event.set()

    def on_response_complete(self) -> None:
        # uvicorn's, but for its timers.
        self._state.total_requests += 1
        if self._ending or self.transport.is_closing():
            return
        if self._reads is _NOTHING or self.flow.read_paused:
            self._since = self.loop.time()
        if self.pipeline:
            self._running, app = self.pipeline.pop()
            self._start_asgi_task(self._running, app)
        if not self.pipeline:
            self.flow.resume_reading()

    def pause_writing(self) -> None:
        self._write_paused = self.loop.time()
        super().pause_writing()

    def shutdown(self) -> None:
        """Close after the request in hand, or soon, if none comes. The server stops."""
        self._keep_alive = False
        cycle = self.cycle
        # Where the answer has begun, the client was not told that it is the last: it may send
        # another request, and be told then.
        if cycle is not None and not cycle.response_started and cycle.keep_alive:
            cycle.keep_alive = False
            self._last = cycle

    def check(self, now: float) -> None:
        """Close, refuse or cut off what took too long, at *now* by the loop's clock."""
        limits = self._state.limits
        waited = now - self._since
        if self.transport.is_closing():  # but what was written is not read
            self._ending = self._ending or now
            if now - self._ending >= limits.body_seconds:
                self.transport.abort()
        elif self._ending:
            if now - self._ending >= LINGER_SECONDS:
                self.transport.close()
        elif self.flow.write_paused:
            if now - self._write_paused >= limits.body_seconds:
                self.transport.abort()
        elif self._deaf or self.flow.read_paused:
            pass  # it is not the client that is slow
        elif self._reads is _HEAD:
            if waited >= limits.header_seconds:
                self._refuse(HEAD_LATE)
        elif self._reads is _BODY:
            if waited >= limits.body_seconds:
                self._refuse(BODY_LATE)
        elif self.cycle is None or self.cycle.response_complete:
            if self._state.stopping:
                patience, waited = GRACE_SECONDS, min(waited, now - self._state.stopping)
            else:
                patience = limits.idle_seconds if self.cycle else limits.header_seconds
            if waited >= patience:
                self.transport.close()

    def end(self) -> None:
        """Close, but so that the client can read what was written to it.

        Closing while it is sending would reset the connection and lose the answer on its way.
        """
        if self._reads is _NOTHING and not self._deaf:
            self.transport.close()
        elif not self._ending and not self.transport.is_closing():
            self._deaf = True
            self._ending = self.loop.time()
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self.flow.resume_reading()

    def _wait_for_rest(self) -> None:
        """Bound what can come in without an end, and decide if the body is worth waiting for."""
        if self._fruitful:
            self._fruitful = False
        else:  # one header, trailer or chunk extension that does not end
            self._fruitless += self._chunk
        if self._fruitless > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            self._refuse(HEAD_LARGE)
            return
        cycle = self.cycle
        if self._reads is _BODY and cycle.transport is self.transport:
            cycle.transport = self._lingering()
            cycle.scope["state"][BODY_TO_COME] = True
            self._keep_alive = cycle.keep_alive
            if not cycle.response_started:
                cycle.keep_alive = cycle.keep_alive and _has_small_body(cycle)

    def _lingering(self) -> asyncio.Transport:
        return cast(asyncio.Transport, _Lingering(self))

    def _read_without_upgrade(self, rest: bytes) -> None:
        """Read a request again as if it had asked for no other protocol (RFC 9110, 7.8).

        The parser takes what follows such a head for the other protocol: a body would be lost, or
        be taken for the next request.
        """
        version = self.parser.get_http_version().encode()
        parts = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            if name != b"upgrade":
                parts += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"".join([*parts, b"\r\n", rest]))

    def _make_last(self) -> None:
        """The newest request is the last one; of an earlier one that is not said any more."""
        if self._last is not None and not self._last.response_started:
            self._last.keep_alive = True
        if self.cycle.keep_alive:
            self.cycle.keep_alive = False
            self._last = self.cycle

    def _refuse(self, refusal: Refusal) -> None:
        """Read no more. Answer so if it is this one's turn; else those before are the last."""
        self._deaf = True
        cycle: RequestResponseCycle | None = self.cycle
        headers: list[tuple[bytes, bytes]] = []
        if self._reads is _BODY and cycle is not None:  # this one is broken
            headers = list(cycle.scope["headers"])
            if self.pipeline and self.pipeline[0][0] is cycle:
                self.pipeline.popleft()
                cycle = self.pipeline[0][0] if self.pipeline else self._running
            else:
                begun = cycle.response_started
                cycle.disconnected = True
                cycle.message_event.set()
                if begun:
                    self.end()
                    return
                cycle = None
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
            cycle.transport = self._lingering()
            return
        request_id = request_id_of(headers)
        self._write(refusal, request_id)
        self.end()
        if _access.isEnabledFor(logging.INFO):
            found = {"status": refusal.status, "code": refusal.code}
            log.info("refused", **found, request_id=request_id.decode())

    def _write(self, refusal: Refusal, request_id: bytes) -> None:
        body = failure_body("", refusal.code, refusal.message)
        own = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"connection", b"close"),
            *refusal.headers,
        ]
        parts = [STATUS_LINE[refusal.status]]
        for name, value in (*self._state.default_headers, *sealed(own, request_id)):
            parts += [name, b": ", value, b"\r\n"]
        self.transport.write(b"".join([*parts, b"\r\n", body]))

    def _discard(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > MAX_DISCARDED:
            self.flow.pause_reading()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)


class _Lingering:
    """The transport, to a request whose body may not be read to its end: end() for close()."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.close = connection.end

    def write(self, data: bytes) -> None:
        self._connection.transport.write(data)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()


def _has_small_body(cycle: RequestResponseCycle) -> bool:
    """Whether the rest of the body surely comes, and is so little that it can be thrown away."""
    if cycle.waiting_for_100_continue:
        return False
    for name, value in cycle.scope["headers"]:
        if name == b"content-length":
            return len(value) < 10 and int(value) <= SMALL_BODY
    return False
