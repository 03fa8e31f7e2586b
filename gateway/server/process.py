"""uvicorn's server and its supervisor of workers, which stop without losing what they accepted.

uvicorn closes connections that seem to be idle as soon as it is told to stop, and resets those
that were established but not accepted yet: a request that was sent at that very moment is lost.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Sequence

import uvicorn
from uvicorn.config import Config
from uvicorn.supervisors import multiprocess

from gateway import settings
from gateway.server.connection import Connection, State

GRACEFUL_SECONDS = 30
"""After so long the server stops, whatever it is doing."""

CHECK_TICKS = 5
"""Tenths of a second from one look at the deadlines of all connections to the next."""


class Server(uvicorn.Server):
    """Keeps the deadlines of connections. Answers, when it stops, all that reaches it."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._state = State(settings.from_environment())
        self.server_state = self._state

    async def on_tick(self, counter: int) -> bool:
        if counter % CHECK_TICKS == 0:
            self._check()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, and answer what is there.

        That is what is worked on, what waits to be accepted, and what comes in a last second over
        the connections that are open. Each is told with its answer that it is the last.
        """
        self._state.stopping = asyncio.get_running_loop().time()
        self.lifespan.state["stopping"] = True
        checking = asyncio.create_task(self._keep_checking())
        try:
            for waiting in self._stop_listening(sockets or ()):
                await self._accept(waiting)
            await super().shutdown(sockets)
        finally:
            checking.cancel()

    def _stop_listening(self, listeners: Sequence[socket.socket]) -> list[socket.socket]:
        """What was waiting to be accepted. In one go: what came in between would be reset."""
        waiting: list[socket.socket] = []
        for listener in listeners:
            with contextlib.suppress(OSError):
                while len(waiting) < self.config.backlog:
                    waiting.append(listener.accept()[0])
        for server in self.servers:
            server.close()
        for listener in listeners:
            listener.close()
        return waiting

    async def _accept(self, waiting: socket.socket) -> None:
        waiting.setblocking(False)
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(self.config, self._state, self.lifespan.state), waiting
            )

    async def _keep_checking(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            self._check()

    def _check(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self._state.connections):
            if isinstance(connection, Connection):
                connection.check(now)


class Worker(multiprocess.Process):
    """A server process of several."""

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = Server(self.config)
        return self._server


class Supervisor(multiprocess.Multiprocess):
    """Several server processes on one socket."""

    def init_processes(self) -> None:
        # uvicorn makes processes in four places, and lets no other class be named.
        multiprocess.Process = Worker  # type: ignore[misc]
        super().init_processes()

    def terminate_all(self) -> None:
        # Else connections would wait here for a worker, and be reset when this process ends.
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def join_all(self) -> None:
        deadline = time.monotonic() + GRACEFUL_SECONDS + 5
        for worker in self.processes:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.exitcode is None:
                worker.kill()
        super().join_all()
