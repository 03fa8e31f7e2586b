"""How a listener stops without resetting anybody."""

import contextlib
import errno
import os
import select
import signal
import socket
import sys

import pytest
from uvicorn.config import Config
from uvicorn.supervisors import multiprocess

from gateway.commands import serve
from gateway.server import process
from gateway.server.process import Configuration, Server, Worker, open_no_more
from gateway.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")


def test_who_waits_is_accepted_and_who_comes_later_is_refused_not_reset():
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        waiting = stack.enter_context(socket.create_connection(listener.getsockname(), 5))
        later = stack.enter_context(socket.socket())
        later.setblocking(False)

        open_no_more(listener)
        with contextlib.suppress(BlockingIOError):
            later.connect(listener.getsockname())
        accepted = stack.enter_context(listener.accept()[0])
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        listener.close()
        waiting.sendall(b"request")

        assert accepted.recv(100) == b"request"
        select.select([], [later], [], 10)
        assert later.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def test_a_worker_has_its_server_before_its_supervisor_may_ask_for_it(monkeypatch):
    """Otherwise two threads could each make one: the one that never starts would be asked."""
    worker = Worker(Configuration("gateway.app:from_environment", factory=True), [])
    made = []

    class Asking:
        def __init__(self, target, daemon):
            pass

        def start(self):
            made.append(worker._server)

    monkeypatch.setattr(multiprocess.threading, "Thread", Asking)
    monkeypatch.setattr(Server, "run", lambda _self, _sockets: None)
    worker.target([])

    assert made == [worker.server]


def test_workers_have_time_to_start(monkeypatch):
    configured = []

    class Supervisor:
        def __init__(self, config, sockets, asked):
            configured.append(config.timeout_worker_healthcheck)

        def run(self):
            pass

    monkeypatch.setattr(process, "Supervisor", Supervisor)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with socket.socket() as listener:
        serve._run(Settings(workers=2), listener, [])

    assert configured == [process.START_SECONDS]
    assert Config("").timeout_worker_healthcheck < process.START_SECONDS


@pytest.fixture(autouse=True)
def ctrl_c():
    """What a worker does about it in its own process is undone: here it would last."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)
