"""A connection that has become a WebSocket: uvicorn's, with an end to whatever a client can delay.

uvicorn's own waits for ever for a client that reads nothing, answers each ping of such a one, and
logs the whole address of each socket.
"""

import asyncio
import contextlib
import logging
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame

LINGER_SECONDS = 5.0
"""How long a client has to read what was sent before the socket was closed."""
SLOW_SECONDS = 30.0
"""How long a client may read nothing while there is something to read."""
TOO_SLOW = 1013
"""The code in the log for a client that was cut off for that: it cannot be told."""
_MOST_FRAMES = 4_096
"""Frames of one message; empty ones are of no length."""
_HANDED_ON = frozenset(
    (
        b"authorization",
        b"connection",
        b"forwarded",
        b"host",
        b"origin",
        b"traceparent",
        b"upgrade",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-request-id",
    )
)

log = logging.getLogger("casegraph.sockets")
log.setLevel(logging.WARNING)


def handed_on(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of a handshake that matter to a WebSocket; others could only be refused."""
    return [
        (name, value)
        for name, value in headers
        if name in _HANDED_ON or name.startswith(b"sec-websocket-")
    ]


class SocketConnection(WebSocketsSansIOProtocol):
    """Takes over from a Connection whose client asked for a WebSocket (RFC 6455, section 4)."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.logger = log
        self._slow: asyncio.TimerHandle | None = None

    def begin(self, head: bytes) -> None:
        """Take the head of the request, which is there as a whole."""
        self.data_received(head)
        if not self.handshake_initiated:  # it could not be read, and nothing else will come
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        # Whoever does not read is not read from either: each of its pings would be answered.
        self.transport.pause_reading()
        self._slow = self.loop.call_later(SLOW_SECONDS, self._cut_off)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._slow is not None:
            self._slow.cancel()
        super().connection_lost(exc)

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= _MOST_FRAMES:
            self.transport.abort()
            return
        super().handle_cont(event)

    def handle_parser_exception(self) -> None:
        if self.conn.close_sent is None:  # it came before the answer to the handshake
            self.transport.abort()
            return
        super().handle_parser_exception()
        self._abort_later()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._abort_later()

    def shutdown(self) -> None:
        with contextlib.suppress(Exception):  # whatever state it is in, the server stops
            super().shutdown()
        self._abort_later()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._abort_later()

    def _cut_off(self) -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": TOO_SLOW, "reason": ""})
        self.transport.abort()

    def _abort_later(self) -> None:
        # Closing waits until everything is sent, and a client may read nothing.
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)
