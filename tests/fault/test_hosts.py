"""Every request of HTTP/1.1 says once which host it is for (RFC 9112, section 3.2)."""

import socket
from urllib.parse import urlsplit

import pytest

from tests.fault.servers import gateway


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("hosts")) as server:
        yield server


def answered(server, head):
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as wire:
        wire.sendall(head)
        wire.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: wire.recv(65_536), b""))


def status(answer):
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "hosts",
    [
        b"Host: test\r\n",
        b"Host: test:8000\r\n",
        b"Host: 127.0.0.1:80\r\n",
        b"Host: [::1]:8000\r\n",
        b"Host: xn--mller-kva.example\r\n",
        b"Host:\r\n",
    ],
)
def test_a_request_with_one_valid_host_is_served(server, hosts):
    assert status(answered(server, b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n")) == 200


@pytest.mark.parametrize(
    "hosts",
    [
        b"",
        b"Host: one\r\nHost: one\r\n",
        b"Host: one\r\nhost: two\r\n",
        b"Host: a b\r\n",
        b"Host: test/path\r\n",
        b"Host: user@test\r\n",
        b"Host: test:port\r\n",
        b"Host: [::1\r\n",
        b"Host: " + b"a" * 300 + b"\r\n",
        "Host: müller\r\n".encode(),
    ],
)
def test_a_missing_double_or_invalid_host_is_refused(server, hosts):
    answer = answered(server, b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n")

    assert status(answer) == 400
    assert b"Connection: close" in answer or b"connection: close" in answer
    assert b"VALIDATION_ERROR" in answer


def test_http_1_0_need_not_say_it(server):
    assert status(answered(server, b"GET /healthz HTTP/1.0\r\n\r\n")) == 200
    twice = b"GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"
    assert status(answered(server, twice)) == 400


@pytest.mark.parametrize("head", [b"GET /healthz\r\n\r\n", b"GET /healthz HTTP/0.9\r\n\r\n"])
def test_http_0_9_is_not_served(server, head):
    answer = answered(server, head)

    assert answer == b"" or status(answer) == 400
