"""Requests as the bytes they are, one connection to send them over, and what comes back.

No HTTP client takes part: none would send what is sent here.
"""

import gzip
import json
import select
import socket
import time
from dataclasses import dataclass, field
from typing import Any

ANSWER_SECONDS = 10
"""No answer for so long is a hang."""

_BODYLESS = (204, 304)
_LEAVES_THE_CONNECTION_ODD = frozenset(
    (b"connection", b"content-length", b"expect", b"transfer-encoding", b"upgrade", b"trailer")
)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass
class Request:
    """A request; of its headers, Host, Content-Length and X-Request-Id are added if absent."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes | None = None

    def has(self, name: bytes) -> bool:
        return any(given.lower() == name for given, _value in self.headers)

    def value(self, name: bytes) -> bytes | None:
        """What the first header of this name says."""
        return next((value for given, value in self.headers if given.lower() == name), None)

    def bytes(self) -> bytes:
        lines = [self.method + b" " + self.target + b" HTTP/1.1"]
        if not self.has(b"host"):
            lines.append(b"Host: casegraph.test")
        lines += [name + b": " + value for name, value in self.headers]
        if (
            self.body is not None
            and not self.has(b"content-length")
            and not self.has(b"transfer-encoding")
        ):
            lines.append(b"Content-Length: %d" % len(self.body))
        body = self.body or b""
        if self.has(b"transfer-encoding"):
            body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        return b"\r\n".join([*lines, b"", body])

    def __str__(self) -> str:
        sent = self.bytes()
        more = f" ... and {len(sent) - 2_000} bytes" if len(sent) > 2_000 else ""
        return f"{sent[:2_000]!r}{more}"


@dataclass
class Answer:
    """A response as it came; *seconds* after the request was begun."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given == name]

    def json(self) -> Any:
        """The body, which must be strict JSON in valid UTF-8."""
        return json.loads(self.body.decode(), parse_constant=_refused)

    def __str__(self) -> str:
        return f"{self.status} in {self.seconds:.2f} s {self.headers} {self.body[:1_000]!r}"


class Hang(AssertionError):
    """There was no answer in time."""


class Line:
    """A connection to an address; opened again when the server closed it."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._address = host, int(port)
        self._socket: socket.socket | None = None
        self._unread = b""

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._unread = b""

    def ask(self, request: Request) -> Answer:
        """The answer to a request. Raises Hang; EOFError or OSError if there is none at all."""
        reused = self._socket is not None
        try:
            answer = self._ask(request)
        except (EOFError, ConnectionError):
            self.close()
            if not reused:
                raise
            answer = self._ask(request)  # the server closed it while it was idle
        odd = any(name.lower() in _LEAVES_THE_CONNECTION_ODD for name, _ in request.headers)
        if odd or "close" in answer.all("connection"):
            self.close()
        return answer

    def _ask(self, request: Request) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, ANSWER_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.monotonic()
        until = started + ANSWER_SECONDS
        self._send(request, until)
        while True:
            head = self._until(b"\r\n\r\n", until, request).decode("latin-1")
            first, *lines = head.split("\r\n")
            status = int(first.split()[1])
            if status >= 200:  # before it may come 100 Continue
                break
        headers = [(name.lower(), value) for name, _, value in (x.partition(": ") for x in lines)]
        length = 0
        if request.method != b"HEAD" and status not in _BODYLESS:
            length = int(next((value for name, value in headers if name == "content-length"), "0"))
        if ("transfer-encoding", "chunked") in headers:
            body = self._chunks(until, request)
        else:
            body = self._exactly(length, until, request)
        if ("content-encoding", "gzip") in headers and body:
            body = gzip.decompress(body)
        return Answer(status, headers, body, time.monotonic() - started)

    def _chunks(self, until: float, request: Request) -> bytes:
        """A body in chunks, whole (RFC 9112, 7.1)."""
        body = b""
        while size := int(self._until(b"\r\n", until, request), 16):
            body += self._exactly(size, until, request)
            self._until(b"\r\n", until, request)
        self._until(b"\r\n", until, request)
        return body

    def _exactly(self, length: int, until: float, request: Request) -> bytes:
        while len(self._unread) < length:
            self._more(until, request)
        found, self._unread = self._unread[:length], self._unread[length:]
        return found

    def _send(self, request: Request, until: float) -> None:
        """Send as much as the server wants to have before it answers."""
        assert self._socket is not None
        rest = memoryview(request.bytes())
        while rest:
            left = until - time.monotonic()
            readable, writable, _ = select.select([self._socket], [self._socket], [], max(left, 0))
            if readable:
                self._more(until, request)
                self._unread = self._unread.removeprefix(_CONTINUE)
                if self._unread:
                    return
                continue
            if not writable:
                raise Hang(f"Not read within {ANSWER_SECONDS} s: {request}")
            rest = rest[self._socket.send(rest[: 1 << 16]) :]

    def _until(self, end: bytes, until: float, request: Request) -> bytes:
        while end not in self._unread:
            self._more(until, request)
        found, _, self._unread = self._unread.partition(end)
        return found

    def _more(self, until: float, request: Request) -> None:
        assert self._socket is not None
        self._socket.settimeout(max(until - time.monotonic(), 0.001))
        try:
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            self.close()
            raise Hang(f"No answer within {ANSWER_SECONDS} s: {request}") from None
        if not data:
            raise EOFError(f"Closed without an answer: {request}")
        self._unread += data


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
