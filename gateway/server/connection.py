"""One HTTP/1.1 connection: uvicorn's, with a deadline for everything that a client can delay.

uvicorn waits forever for the rest of a head or a body, and for a client to read. Here each has a
deadline. It counts from the beginning, so sending a byte a second does not extend it. A limit
that applies before there is a request is answered here, in REST's envelope, and the connection
then closes.

This is one file because it is one state machine: what may come next depends on everything before.

Timers would cost as much per request as the rest of this file. Instead, a connection notes when
something began, and the server calls check() about twice a second.
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from domain.errors import Invalid, Unavailable
from gateway.logs import access
from gateway.server.caps import BODY_TO_COME
from gateway.server.edge import REFUSED, failure_body, request_id_of, sealed
from gateway.server.exchange import Exchange
from gateway.server.sockets import SocketConnection, handed_on
from gateway.settings import Settings
from gateway.telemetry import metrics

MAX_HEAD_BYTES = 32 << 10
MAX_FRAMING = 16
"""Bytes that each byte of a body may take on the wire: a chunk of one byte takes six.

What chunk extensions (RFC 9112, section 7.1.1) need beyond that counts as a head would.
"""
MAX_HEADERS = 100
MAX_PIPELINED = 16
"""Requests that may wait behind the one being answered; one more closes the connection."""

SMALL_BODY = 64 << 10
"""The longest body that is read and dropped, to keep the connection, after an early answer."""

LINGER_SECONDS = 2.0
"""How long a client that is still sending has to read its answer."""

MAX_DISCARDED = 1 << 20
"""Bytes that are read from such a client meanwhile."""

SOCKETS_AT = b"/graphql"
"""The path of WebSockets."""

MAX_TURNED_AWAY = 100
"""Connections beyond the limit that may linger."""

GRACE_SECONDS = 1.0
"""How long a connection without a request stays open when the server stops.

A client that is sending a request at that moment still gets its answer, with Connection: close.
"""

_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+,;=-]{0,255}|(?:%[0-9A-Fa-f]{2}|[\w.-]){1,255})"
    rb"(?::[0-9]{0,5})?"
)
_NOTHING: Final = 0
_HEAD: Final = 1
_BODY: Final = 2
"""What a connection is reading. Not an enumeration: access to its members is slow."""


class State(ServerState):
    """The state that the connections of one process share."""

    def __init__(self, limits: Settings) -> None:
        super().__init__()
        self.limits = limits
        self.stopping = 0.0
        """The loop's time when the server began to stop; 0 while it runs."""
        self.turned_away = 0
        """Open connections beyond the limit."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer from the server itself, not from the application."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


NOT_HTTP = Refusal(400, Invalid.code, "This is not a valid HTTP request.")
BAD_HOST = Refusal(400, Invalid.code, "The request must have one valid Host header.")
HEAD_LATE = Refusal(408, "REQUEST_TIMEOUT", "The head of the request did not arrive in time.")
BODY_LATE = Refusal(408, "REQUEST_TIMEOUT", "The body of the request did not arrive in time.")
HEAD_LARGE = Refusal(
    431,
    "HEADERS_TOO_LARGE",
    f"A request may have at most {MAX_HEADERS} headers and a head of {MAX_HEAD_BYTES} bytes.",
)
FULL = Refusal(
    503,
    Unavailable.code,
    "The server has too many connections. Try again in a moment.",
    ((b"retry-after", b"1"),),
)


class _Refused(Exception):
    """Carries a refusal out through the parser."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Connection(HttpToolsProtocol):
    """Serves the requests of one connection, one after another."""

    # With more than 30 attributes Python stores an object's attributes, uvicorn's too, in a
    # slower way.
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
        self._since = 0.0  # when that read, or wait, began; all times are the loop's
        self._write_paused = 0.0
        self._ending = 0.0  # when the connection began to close
        self._chunk = 0  # size in bytes of the chunk being parsed
        self._fruitful = False  # whether the chunk began or ended a head, or had some of a body
        self._fruitless = 0  # bytes of one request in chunks that did none of that
        self._framing = 0  # bytes of a body beyond what its content may have around it
        self._deaf = False  # whether incoming bytes are ignored from now on
        self._discarded = 0
        self._turned_away = False
        self._running: RequestResponseCycle | None = None
        self._last: RequestResponseCycle | None = None  # marked as the last while stopping
        self._keep_alive = False  # whether the request whose body is being read allows it

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
        running = self._running  # uvicorn notifies only the newest of several requests
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._discard(data)
            return
        self._chunk = len(data)
        if self._reads is _BODY:
            self._framing += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if not rest and self._becomes_a_socket():
                self._become_a_socket()
            else:
                self._read_without_upgrade(rest)
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.refusal if isinstance(cause, _Refused) else NOT_HTTP)
            return
        if self._reads is not _NOTHING:
            self._wait_for_rest()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _Refused(NOT_HTTP)  # never sent, since other requests are waiting
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
        if not self._has_host():
            raise _Refused(BAD_HOST)
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _Refused(NOT_HTTP)
            return  # it is parsed again without the upgrade
        if in_pieces:
            self._since = self.loop.time()
            self._fruitful = True
        self._fruitless = self._framing = 0
        self._reads = _BODY
        self._begin()
        if not self.pipeline:
            self._running = self.cycle
        self.headers = []  # trailers do not become headers
        if self._state.stopping:
            self._make_last()

    def _begin(self) -> None:
        """Begin to answer the request, or have it wait for its turn.

        As uvicorn does, but without what it does for WebSockets, and with an Exchange.
        """
        version = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        raw_path = url.path
        path = raw_path.decode("ascii")
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode("ascii") + raw_path
        scope["query_string"] = url.query or b""
        before = self.cycle
        self.cycle = Exchange(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self._state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        self._fruitful = True
        self._framing -= MAX_FRAMING * len(body)
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
        # The same as uvicorn's, without its timers.
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
        """Close after the current request, or soon if there is none: the server is stopping."""
        self._keep_alive = False
        cycle = self.cycle
        # An answer that has begun did not say that it is the last. The client may send another
        # request, whose answer will say so.
        if cycle is not None and not cycle.response_started and cycle.keep_alive:
            cycle.keep_alive = False
            self._last = cycle

    def check(self, now: float) -> None:
        """Close, refuse or abort whatever is overdue at *now*, a time of the loop's clock."""
        limits = self._state.limits
        waited = now - self._since
        if self.transport.is_closing():  # but the client has not read what was written
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
            pass  # the client is not the slow one
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
        """Close in a way that lets the client read what was written.

        Closing while the client is sending would reset the connection and lose the answer.
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
        """Cap endless input, and decide whether the body is worth waiting for."""
        if self._fruitful:
            self._fruitful = False
        else:  # inside one header, trailer or chunk extension that has not ended
            self._fruitless += self._chunk
        fruitless = max(self._fruitless, self._framing)
        if fruitless > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
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

    def _becomes_a_socket(self) -> bool:
        """Whether the client asks for a WebSocket where there is one, and for nothing beside it."""
        asked = dict(self.headers)
        return (
            self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and b"transfer-encoding" not in asked
            and asked.get(b"content-length", b"0") == b"0"
            and self.url.partition(b"?")[0] == SOCKETS_AT
            and asked.get(b"upgrade", b"").lower() == b"websocket"
            and (self.cycle is None or self.cycle.response_complete)
            and not self._turned_away
            and not self._state.stopping
        )

    def _become_a_socket(self) -> None:
        """Let another protocol serve the connection from here on."""
        self._reads = _NOTHING
        self._deaf = True
        self.connections.discard(self)
        parts = [b"GET ", self.url, b" HTTP/1.1\r\n"]
        for name, value in handed_on(self.headers):
            parts += [name, b": ", value, b"\r\n"]
        socket = SocketConnection(self.config, self.server_state, self.app_state)
        socket.connection_made(self.transport)
        self.transport.set_protocol(socket)
        socket.begin(b"".join([*parts, b"\r\n"]))

    def _read_without_upgrade(self, rest: bytes) -> None:
        """Parse a request again without its request for another protocol (RFC 9110, 7.8).

        The parser takes the bytes after such a head for the other protocol: a body would be lost,
        or read as the next request.
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
        """Mark the newest request as the last one, and no longer an earlier one."""
        if self._last is not None and not self._last.response_started:
            self._last.keep_alive = True
        if self.cycle.keep_alive:
            self.cycle.keep_alive = False
            self._last = self.cycle

    def _refuse(self, refusal: Refusal) -> None:
        """Stop reading. Answer with *refusal* if it is next; else earlier answers are the last."""
        self._deaf = True
        cycle: RequestResponseCycle | None = self.cycle
        headers: list[tuple[bytes, bytes]] = []
        if self._reads is _BODY and cycle is not None:  # the newest request is incomplete
            headers = list(cycle.scope["headers"])
            if self.pipeline and self.pipeline[0][0] is cycle:
                self.pipeline.popleft()
                cycle = self.pipeline[0][0] if self.pipeline else self._running
            else:
                begun = cycle.response_started
                if not begun:
                    cycle.scope["state"][REFUSED] = True
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
        metrics.refused(refusal.status, refusal.code)
        access(
            "refused",
            status=refusal.status,
            code=refusal.code,
            request_id=request_id.decode(),
        )

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

    def _has_host(self) -> bool:
        """Whether the request says which host it is for (RFC 9112, 3.2); HTTP/1.0 need not."""
        hosts = [value for name, value in self.headers if name == b"host"]
        version = self.parser.get_http_version()
        if len(hosts) != 1:
            return not hosts and version == "1.0"
        return version != "0.9" and _HOST.fullmatch(hosts[0]) is not None

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)


class _Lingering:
    """The transport for a request whose body may never be read whole: close() is end()."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.close = connection.end

    def write(self, data: bytes) -> None:
        self._connection.transport.write(data)

    def writelines(self, parts: Iterable[bytes]) -> None:
        self._connection.transport.writelines(parts)

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()


def _has_small_body(cycle: RequestResponseCycle) -> bool:
    """Whether the rest of the body is sure to come and small enough to read and drop."""
    if cycle.waiting_for_100_continue:
        return False
    for name, value in cycle.scope["headers"]:
        if name == b"content-length":
            return len(value) < 10 and int(value) <= SMALL_BODY
    return False
