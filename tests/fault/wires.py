"""Bytes on a socket, as no HTTP client would send them, and what comes back."""

import json
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.fault.servers import Gateway


@dataclass(frozen=True)
class Answer:
    """A response, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def last(self) -> bool:
        """Whether it says that the connection is closed after it."""
        return self.headers.get("connection") == "close"

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A connection to the gateway."""

    def __init__(self, server: Gateway, *, timeout: float = 20, buffer: int = 0) -> None:
        host, _, port = server.url.removeprefix("http://").partition(":")
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((host, int(port)))
        self._key = server.key
        self._unread = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_error: object) -> None:
        self.socket.close()

    def send(self, *parts: bytes, pause: float = 0) -> None:
        """Send the parts one by one; what the server no longer takes is dropped."""
        for part in parts:
            try:
                self.socket.sendall(part)
            except ConnectionError:
                return
            if pause:
                time.sleep(pause)

    def request(self, method: str, path: str, body: bytes = b"", *more: str) -> bytes:
        """The bytes of a request with a key; without a body it has no length either."""
        lines = [f"{method} {path} HTTP/1.1", "Host: test", f"Authorization: Bearer {self._key}"]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, *more, "\r\n"]).encode() + body

    def ask(self, method: str, path: str, body: bytes = b"", *more: str) -> Answer:
        """A request, and its answer. Raises EOFError or OSError if there is none."""
        self.socket.sendall(self.request(method, path, body, *more))
        return self.answer()

    def answer(self) -> Answer:
        """The next response, all of it. Raises EOFError or OSError if it does not come."""
        head = self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._unread) < length:
            self._more()
        body, self._unread = self._unread[:length], self._unread[length:]
        return Answer(int(first.split()[1]), headers, body)

    def answers(self) -> Iterable[Answer]:
        """All responses until the server closes."""
        while True:
            try:
                yield self.answer()
            except EOFError:
                return

    def is_closed(self) -> bool:
        """Wait until the server closes; nothing else may come."""
        return self._unread == self.socket.recv(1) == b""

    def _until(self, end: bytes) -> bytes:
        while end not in self._unread:
            self._more()
        found, _, self._unread = self._unread.partition(end)
        return found

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError(f"closed after {self._unread[:100]!r}")
        self._unread += data
