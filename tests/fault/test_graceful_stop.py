"""A stop finishes what the server accepted. CASEGRAPH_STOPS says how often that is tried."""

import contextlib
import os
import signal
import sqlite3
import threading
import time
from collections import Counter

import pytest

from tests.fault.servers import Gateway
from tests.fault.wires import Wire

STOPS = int(os.environ.get("CASEGRAPH_STOPS", "1"))
CLIENTS = 8


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    return Gateway(tmp_path_factory.mktemp("stops"))


@pytest.fixture
def server(stopped):
    """Not started yet. One database for all: making a key takes as long as a stop."""
    yield stopped
    if stopped.process is not None:
        stopped.kill()


class Load:
    """Clients that read and write without a pause, half of them each time on a new connection."""

    def __init__(self, server: Gateway, name: str) -> None:
        self.answered: Counter[int] = Counter()
        self.lost: list[str] = []
        self.written: list[str] = []
        self._server = server
        self._name = name
        self._ended = threading.Event()
        self._clients = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(CLIENTS)
        ]

    def start(self) -> None:
        for client in self._clients:
            client.start()

    def end(self) -> None:
        self._ended.set()
        for client in self._clients:
            client.join(30)
            assert not client.is_alive()

    def _run(self, number: int) -> None:
        asked = 0
        while not self._ended.is_set():
            try:
                wire = Wire(self._server)
            except ConnectionRefusedError:  # it was not accepted, and the client knows
                time.sleep(0.01)
                continue
            opened = time.monotonic()
            with wire:
                last = False
                while not last:
                    asked += 1
                    try:
                        name = f"{self._name}.{number}.{asked}"
                        last = self._ask(wire, name, writes=(asked + number) % 3 == 0)
                    except (OSError, EOFError) as error:
                        self.lost.append(
                            f"{name} after {time.monotonic() - opened:.3f} s: {error!r}"
                        )
                        break
                    last = last or number % 2 == 0 or self._ended.is_set()

    def _ask(self, wire: Wire, name: str, *, writes: bool) -> bool:
        if writes:
            answer = wire.ask("POST", "/api/v1/cases", b'{"name": "%s"}' % name.encode())
            if answer.status == 201:
                self.written.append(name)
        else:
            answer = wire.ask("GET", "/api/v1/cases?limit=5")
        self.answered[answer.status] += 1
        return answer.last


@pytest.mark.parametrize("number", range(STOPS))
def test_a_stop_under_load_loses_nothing(server, number):
    workers = 1 + number % 2
    server.start("--workers", workers)
    load = Load(server, f"stop {number}")

    load.start()
    time.sleep(0.5 + number * 0.013)  # not always at the same point
    started = time.monotonic()
    status = server.stop()
    seconds = time.monotonic() - started
    load.end()

    assert load.lost == []
    assert set(load.answered) == {200, 201}
    assert status in (0, -signal.SIGTERM)
    assert seconds < 10
    with contextlib.closing(sqlite3.connect(server.database)) as database:
        kept = {name for (name,) in database.execute("SELECT name FROM cases")}
    assert set(load.written) <= kept
    assert len(load.written) == load.answered[201] > 0


def test_a_stop_answers_for_a_moment_on_what_is_open(server):
    server.start()
    with Wire(server) as first, Wire(server) as second, Wire(server) as idle:
        for wire in (first, second, idle):
            assert not wire.ask("GET", "/readyz").last
        pipelined = second.request("GET", "/api/v1/cases") * 4
        second.send(pipelined[:100])
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        ready = first.ask("GET", "/readyz")
        second.send(pipelined[100:])
        cases = list(second.answers())
        with pytest.raises(ConnectionRefusedError):
            Wire(server)

        assert (ready.status, ready.last) == (503, True)
        assert ready.json() == {"status": "unavailable", "reason": "The server is stopping."}
        assert {answer.status for answer in cases} == {200}
        assert [answer.last for answer in cases] == [False] * 3 + [True]
        assert first.is_closed()
        assert idle.is_closed()
        assert server.process.wait(5) in (0, -signal.SIGTERM)


def test_a_stop_answers_what_was_not_accepted_yet(server):
    server.start()
    server.process.send_signal(signal.SIGSTOP)
    with contextlib.ExitStack() as open_:
        wires = [open_.enter_context(Wire(server)) for _ in range(50)]
        for wire in wires:
            wire.send(wire.request("GET", "/api/v1/cases"))
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)

        assert {wire.answer().status for wire in wires} == {200}


def test_a_stop_waits_for_the_rest_of_a_request(server):
    server.start()
    with Wire(server) as first, Wire(server) as second:
        request = first.request("POST", "/api/v1/cases", b'{"name": "Late"}')
        first.send(request[:30])
        second.send(request[:-1])
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1.3)  # longer than idle connections are kept
        first.send(request[30:])
        second.send(request[-1:])

        for answer in (first.answer(), second.answer()):
            assert (answer.status, answer.last) == (201, True)
        assert server.process.wait(5) in (0, -signal.SIGTERM)


def test_a_second_interrupt_stops_at_once(server):
    server.start()
    with Wire(server) as wire:
        wire.send(wire.request("POST", "/api/v1/cases", b'{"name": "Never"}')[:-1])
        time.sleep(0.1)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGINT)

        server.process.wait(2)
