"""A connection that has become a WebSocket: uvicorn's, which logs no addresses and ends in time."""

import logging
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

LINGER_SECONDS = 5.0
"""How long a client has to read what was sent before the socket was closed."""


class SocketConnection(WebSocketsSansIOProtocol):
    """Takes over from a Connection whose client asked for a WebSocket (RFC 6455, section 4)."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state, app_state)
        # uvicorn's own tells the whole address of each socket, with what is behind "?".
        self.logger = logging.getLogger("casegraph.sockets")

    async def run_asgi(self) -> None:
        await super().run_asgi()
        # Closing waits until everything is sent, and a client may read nothing.
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)
