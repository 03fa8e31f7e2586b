"""How a listener stops without resetting anybody."""

import contextlib
import errno
import select
import socket
import sys

import pytest

from gateway.server.process import open_no_more

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
