"""uvicorn's server and its supervisor of workers, which stop without losing a request.

When told to stop, uvicorn at once closes connections that seem idle and resets those that are
established but not yet accepted. A request sent at that moment would be lost.
"""

import asyncio
import contextlib
import ctypes
import multiprocessing
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import Config
from uvicorn.supervisors import multiprocess

from gateway import settings
from gateway.loading import uncollected
from gateway.server.connection import Connection, State
from gateway.telemetry import metrics

GRACEFUL_SECONDS = 30
"""After this long the server stops, whatever it is doing."""
START_SECONDS = 20
"""How long a worker may take to answer its supervisor, for instance while it starts on a busy
machine. One that takes longer is replaced."""

CHECK_TICKS = 5
"""Tenths of a second between two checks of all connections' deadlines."""


_MASKS = hasattr(signal, "pthread_sigmask")
"""Whether the system can hold signals back; Windows cannot."""
_SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>; Python has no name for it
# Classic BPF (Linux, Documentation/networking/filter.rst): nothing of a segment that has SYN and
# not ACK, which opens a connection, and the whole of any other.
_NO_OPENING = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte of the flags
        (0x54, 0, 0, 0x12),  # keep SYN and ACK
        (0x15, 0, 1, 0x02),  # SYN alone?
        (0x06, 0, 0, 0),  # return nothing
        (0x06, 0, 0, 0xFFFFFFFF),  # return all
    )
)


def open_no_more(listener: socket.socket) -> None:
    """Let no client open another connection; those that wait to be accepted stay.

    Without it, who connects between the last accept() and close() is reset. A client that comes
    now is refused when it tries again a second later. Does nothing on other systems than Linux.
    """
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(_NO_OPENING)
    wanted = struct.pack("HP", len(_NO_OPENING) // 8, ctypes.addressof(program))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, wanted)


class Configuration(Config):
    """Loads the application, in each worker, as quickly as it can."""

    def load(self) -> None:
        with uncollected():
            super().load()


class Server(uvicorn.Server):
    """Enforces the deadlines of connections, and answers every request before it stops."""

    def __init__(self, config: Config, asked: Sequence[int] = ()) -> None:
        """*asked* are signals that came before the server looks at them itself."""
        super().__init__(config)
        self._state = State(settings.from_environment())
        self.server_state = self._state
        self._asked = asked

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            if self._asked:
                self.should_exit = True
            yield

    async def on_tick(self, counter: int) -> bool:
        if counter % CHECK_TICKS == 0:
            self._check()
            supervisor = multiprocessing.parent_process()
            if supervisor is not None and not supervisor.is_alive():
                # Killed. Nobody would stop this worker, and it would keep the port.
                self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, and answer every request that was already sent.

        These are the requests in progress, those on connections waiting to be accepted, and those
        that arrive on open connections within one last second. Each answer says that it is the
        last.
        """
        self._state.stopping = asyncio.get_running_loop().time()
        self.lifespan.state["stopping"] = True
        if (subscriptions := self.lifespan.state.get("subscriptions")) is not None:
            subscriptions.stop()
        checking = asyncio.create_task(self._keep_checking())
        try:
            for waiting in self._stop_listening(sockets or ()):
                await self._accept(waiting)
            await super().shutdown(sockets)
        finally:
            checking.cancel()

    def _stop_listening(self, listeners: Sequence[socket.socket]) -> list[socket.socket]:
        """The connections that were waiting; all in one go, or one in between would be reset."""
        waiting: list[socket.socket] = []
        for listener in listeners:
            if self.config.workers == 1:  # other workers may go on listening; see Supervisor
                open_no_more(listener)
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
        metrics.CONNECTIONS.set(len(self._state.connections))
        metrics.IN_PROGRESS.set(len(self._state.tasks))
        now = asyncio.get_running_loop().time()
        for connection in list(self._state.connections):
            if isinstance(connection, Connection):
                connection.check(now)


class Worker(multiprocess.Process):
    """One of several server processes."""

    def start(self) -> None:
        """Start it with Ctrl-C held back, which would end it with a traceback while it loads.

        A terminal sends it to all processes; the supervisor stops its workers by SIGTERM.
        """
        if not _MASKS:
            super().start()
            return
        # By itself it would begin now, and let signals through again.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        if _MASKS:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        # uvicorn makes one when it is first asked for: of two threads, each could make one, and the
        # one that never starts would be asked if it is ready.
        self._server = Server(self.config)
        super().target(sockets)

    def join(self) -> None:
        super().join()
        # However it ended: its gauges are dropped, but what it has counted stays.
        mark_process_dead(self.pid)  # type: ignore[no-untyped-call]


class Supervisor(multiprocess.Multiprocess):
    """Several server processes on one socket."""

    def __init__(self, config: Config, sockets: list[socket.socket], asked: list[int]) -> None:
        """*asked* are signals that came before the supervisor looks at them itself; SIGTERM is
        added if it comes later."""
        super().__init__(config, sockets)
        self.signal_queue.extend(asked)
        self._asked = asked

    def init_processes(self) -> None:
        # uvicorn creates processes in four places and takes no other class for them.
        multiprocess.Process = Worker  # type: ignore[misc]
        super().init_processes()

    def handle_term(self) -> None:
        super().handle_term()
        self._asked.append(signal.SIGTERM)

    def terminate_all(self) -> None:
        # Otherwise connections would wait here for a worker and be reset when this process ends.
        for listener in self.sockets:
            open_no_more(listener)
            listener.close()
        super().terminate_all()

    def join_all(self) -> None:
        deadline = time.monotonic() + GRACEFUL_SECONDS + 5
        for worker in self.processes:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.exitcode is None:
                worker.kill()
        super().join_all()
