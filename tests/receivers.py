"""Receivers of webhooks: one in a thread that a test tells how to answer, one that can be killed.

    python tests/receivers.py PORT FILE

is the second one: it appends each message that it has answered to the file, a line of JSON each.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple


class Message(NamedTuple):
    """What a receiver got, and the status that it answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def node(self) -> dict[str, Any]:
        return json.loads(self.body)["data"]["caseChanges"]["node"]


class Answer(NamedTuple):
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"ok"
    delay: float = 0.0


class Receiver:
    """Takes messages; *answers* says what to answer to each, by its number."""

    def __init__(self, answers: Callable[[int], Answer] = lambda _number: Answer()) -> None:
        self.answers = answers
        self.messages: list[Message] = []
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hook"

    @property
    def taken(self) -> list[Message]:
        """Those that were answered by 2xx."""
        return [one for one in self.messages if 200 <= one.status <= 299]

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else the second part of an answer waits for the other side's delayed acknowledgement.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = receiver.answers(len(receiver.messages))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.messages.append(Message(self.path, headers, body, answer.status))
                time.sleep(answer.delay)
                with contextlib.suppress(OSError):
                    self.send_response(answer.status)
                    for name, value in answer.headers:
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(answer.body)))
                    self.end_headers()
                    self.wfile.write(answer.body)

            def log_message(self, *_arguments: object) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        ThreadingHTTPServer.daemon_threads = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Take no connections any more; start() takes them at the same port again."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextlib.contextmanager
def receiver(answers: Callable[[int], Answer] = lambda _number: Answer()) -> Iterator[Receiver]:
    made = Receiver(answers)
    try:
        yield made
    finally:
        made.stop()


class Mortal:
    """A receiver in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "received.jsonl"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._address = free.getsockname()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._address[1]}/hook"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        command = [sys.executable, __file__, str(self._address[1]), str(self._file)]
        self._process = subprocess.Popen(command)
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(self._address, 1):
                return
            assert time.monotonic() < until
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def received(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        lines = self._file.read_bytes().split(b"\n")
        return [json.loads(line) for line in lines[:-1]]


def _serve(port: int, file: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            line = {"id": self.headers["webhook-id"], "body": json.loads(body)}
            # What is answered must be kept, as any receiver has to see to.
            with file.open("ab") as kept:
                kept.write(json.dumps(line).encode() + b"\n")
                kept.flush()
                os.fsync(kept.fileno())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ThreadingHTTPServer.allow_reuse_address = True
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]))
