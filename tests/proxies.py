"""A network between casegraph and its database server that a test makes fail."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator

COMMIT = b"COMMIT\x00"
"""The end of the message that commits (PostgreSQL, 55.7, Query)."""


class Proxy:
    """Hands on what comes to *port* of this machine, and what comes back from there."""

    def __init__(self, target: int) -> None:
        self.frozen = False
        """Whether nothing is handed on, either way, for as long as this is set."""
        self.commits = ""
        """What becomes of a COMMIT: "lost" does not arrive, "cut" loses its answer and the
        connection, "unanswered" its answer alone."""
        self.spoiled = 0
        """How many of them there were."""
        self._target = target
        self._over = False
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url: str) -> str:
        """The database's *url*, through here."""
        return url.replace(f":{self._target}/", f":{self.port}/")

    def cut(self) -> None:
        """Cut all connections that there are."""
        for one in list(self._sockets):
            self._close(one)

    def cut_some(self, chance: random.Random) -> None:
        """Cut a third of them."""
        there = list(self._sockets)
        for one in chance.sample(there, len(there) // 3):
            self._close(one)

    def close(self) -> None:
        self._over = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends accept(), as close() does not
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._over:
            try:
                client, _address = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                continue
            pair = _Pair(client, server)
            self._sockets |= {client, server}
            for way in (pair.up, pair.down):
                threading.Thread(target=self._pump, args=(pair, *way), daemon=True).start()

    def _pump(self, pair: "_Pair", source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while self.frozen and not self._over:
                    time.sleep(0.01)
                if source is pair.client and self.commits and data.endswith(COMMIT):
                    pair.fate = self.commits
                    self.spoiled += 1
                    if pair.fate == "lost":
                        break
                elif source is pair.server and pair.fate == "cut":
                    break
                elif source is pair.server and pair.fate == "unanswered":
                    continue
                sink.sendall(data)
        for one in (source, sink):
            self._close(one)

    def _close(self, one: socket.socket) -> None:
        self._sockets.discard(one)
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


class _Pair:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.up = client, server
        self.down = server, client
        self.fate = ""


@contextlib.contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy for the port *target*, for as long as the block lasts."""
    made = Proxy(target)
    try:
        yield made
    finally:
        made.close()
