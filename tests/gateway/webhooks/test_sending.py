"""Deliveries over real sockets: where they go, and what is said of those that fail."""

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
import time
from email.utils import format_datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from domain.webhooks.addresses import NOT_ALLOWED
from gateway.webhooks import sending
from gateway.webhooks.sending import Sender
from tests.receivers import Answer, receiver

OWN = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]


@pytest.fixture
async def sender():
    made = Sender(OWN)
    yield made
    await made.close()


@pytest.fixture
async def outsider():
    """A sender that may go to public addresses only."""
    made = Sender([])
    yield made
    await made.close()


@contextlib.asynccontextmanager
async def listening(answer, tls=None, host="127.0.0.1"):
    """A server of TCP that calls *answer* with each connection; its port, and the connections."""
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], connections


async def request_of(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head, await reader.readexactly(length)


async def ok(reader, writer):
    while True:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()


async def test_what_arrives(sender):
    with receiver() as hooked:
        outcome = await sender.send(hooked.url + "?a=b", b'{"x": 1}', {"webhook-id": "m"})
    assert (outcome.status, outcome.error) == (200, None)
    assert outcome.duration_ms >= 0
    [message] = hooked.messages
    assert (message.path, message.body) == ("/hook?a=b", b'{"x": 1}')
    assert message.headers["content-type"] == "application/json"
    assert message.headers["webhook-id"] == "m"
    assert message.headers["user-agent"].startswith("casegraph/")
    assert message.headers["host"] == hooked.url.split("/")[2]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_all_of_2xx_is_delivered(sender, status):
    with receiver(lambda _n: Answer(status, body=b"")) as hooked:
        assert (await sender.send(hooked.url, b"{}", {})).error is None


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
async def test_other_statuses_are_failures(sender, status):
    with receiver(lambda _n: Answer(status)) as hooked:
        outcome = await sender.send(hooked.url, b"{}", {})
    assert (outcome.status, outcome.error) == (status, f"The receiver answered {status}.")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_failures_and_not_followed(sender, status):
    with receiver() as inner:
        away = Answer(status, (("location", inner.url),))
        with receiver(lambda _n: away) as hooked:
            outcome = await sender.send(hooked.url, b"{}", {})
        assert outcome.error == f"The receiver answered {status}; redirects are not followed."
        assert inner.messages == []


async def test_who_does_not_answer_in_time(sender, monkeypatch):
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.3)
    with receiver(lambda _n: Answer(delay=3)) as hooked:
        began = time.monotonic()
        outcome = await sender.send(hooked.url, b"{}", {})
    assert time.monotonic() - began < 2
    assert outcome.status is None
    assert "no answer within" in outcome.error


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", 200),
        (b"HTTP/1.1 200 OK\r\nx: ", None),
        (b"HTTP/1.1 ", None),
    ],
)
async def test_an_answer_that_drips_does_not_last_for_ever(sender, monkeypatch, begun, status):
    """Its status counts, once that is there; before, nothing does."""
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(sending, "REST_SECONDS", 0.5)

    async def drip(reader, writer):
        await request_of(reader)
        writer.write(begun)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with listening(drip) as (port, _connections):
        began = time.monotonic()
        outcome = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
    assert time.monotonic() - began < 2
    assert outcome.status == status
    assert (outcome.error is None) == (status == 200)


async def test_a_long_answer_is_not_read_to_its_end(sender):
    sent = 0

    async def flood(reader, writer):
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while sent < 1_000_000_000:
            writer.write(b"x" * 10_000)
            await writer.drain()
            sent += 10_000

    async with listening(flood) as (port, _connections):
        outcome = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
    assert outcome.error is None
    assert sent < 50_000_000


BROKEN = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half a head": b"HTTP/1.1 200 O",
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000,
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_connection_that_breaks_is_told_in_words(sender, name):
    async def answer(reader, writer):
        await request_of(reader)
        writer.write(BROKEN[name])
        await writer.drain()

    async with listening(answer) as (port, _connections):
        outcome = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
    assert outcome.error == "The connection broke before there was an answer."
    assert outcome.status is None


@pytest.mark.parametrize("cut", [True, False])
async def test_a_status_stands_however_the_rest_of_the_answer_goes(sender, cut, monkeypatch):
    monkeypatch.setattr(sending, "REST_SECONDS", 0.2)

    async def answer(reader, writer):
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx")
        await writer.drain()
        if not cut:
            await asyncio.sleep(5)

    async with listening(answer) as (port, _connections):
        outcome = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
    assert (outcome.status, outcome.error) == (200, None)
    assert outcome.duration_ms < 3_000


async def test_a_status_at_the_last_moment_is_in_time(sender, monkeypatch):
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(sending, "REST_SECONDS", 0.6)

    async def answer(reader, writer):
        await request_of(reader)
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx")
        await writer.drain()
        await asyncio.sleep(5)

    async with listening(answer) as (port, _connections):
        outcome = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
    assert (outcome.status, outcome.error) == (200, None)


@pytest.mark.parametrize("pause", [0, 0.003, 0.02])
async def test_a_kept_connection_that_is_closed_is_no_failure(sender, pause):
    """A receiver may close whenever it has answered (RFC 9112, 9.5)."""

    async def answer_and_close(reader, writer):
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        await asyncio.sleep(pause)

    async with listening(answer_and_close) as (port, _connections):
        for _ in range(20):
            outcome = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
            assert outcome.error is None
            await asyncio.sleep(0.002)


async def test_endless_announcements_are_no_answer(sender):
    sent = 0

    async def announce(reader, writer):
        nonlocal sent
        await request_of(reader)
        while sent < 100_000_000:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1_000)
            await writer.drain()
            sent += 28_000

    async with listening(announce) as (port, _connections):
        began = time.monotonic()
        outcome = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
    assert outcome.error == "The connection broke before there was an answer."
    assert sent < 20_000_000
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "path", ["/a;tok=1?x=1", "/a;b;c", "/?;x", "/a%3Bb", "//a//b", "/a?b?c", "?x=1", "", "/%C3%A4"]
)
async def test_what_is_asked_for_is_the_whole_url(sender, path):
    heads = []

    async def noted(reader, writer):
        head, _body = await request_of(reader)
        heads.append(head)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    async with listening(noted) as (port, _connections):
        assert (await sender.send(f"http://127.0.0.1:{port}{path}", b"{}", {})).error is None
    target = path if path.startswith("/") else f"/{path}"
    assert heads[0].split(b" ")[1].decode() == target


async def test_an_address_of_ipv6(sender):
    async with listening(ok, host="::1") as (port, connections):
        outcome = await sender.send(f"http://[::1]:{port}/", b"{}", {})
    assert outcome.error is None
    assert len(connections) == 1


async def test_slow_names_hold_up_nobody_else(sender, monkeypatch):
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 1.0)
    real, over = socket.getaddrinfo, threading.Event()

    def slow(host, port, **options):
        if host.endswith(".slow.example"):
            over.wait(20)
        return real(host, port, **options)

    monkeypatch.setattr(sending.socket, "getaddrinfo", slow)
    waiting = [
        asyncio.create_task(sender.send(f"https://{n}.slow.example/", b"{}", {}))
        for n in range(sending.AT_ONCE)
    ]
    await asyncio.sleep(0.1)
    async with listening(ok) as (port, _connections):
        for host in ("localhost", "127.0.0.1"):
            assert (await sender.send(f"http://{host}:{port}/", b"{}", {})).error is None
    for one in waiting:
        assert "no answer within" in (await one).error
    over.set()


async def test_nobody_listens(sender):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outcome = await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})
    assert outcome.error == "No connection to the receiver could be made."


async def test_one_connection_serves_several_deliveries(sender):
    async with listening(ok) as (port, connections):
        for _ in range(5):
            assert (await sender.send(f"http://127.0.0.1:{port}/", b"{}", {})).error is None
        assert len(connections) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("-5", 0),
        ("soon", 0),
        ("9" * 50, 999_999_999),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("١٢", 0),
    ],
)
async def test_retry_after(sender, value, seconds):
    headers = (("Retry-After", value.encode().decode("latin-1")),)
    with receiver(lambda _n: Answer(503, headers)) as hooked:
        outcome = await sender.send(hooked.url, b"{}", {})
    assert outcome.retry_after == seconds


async def test_retry_after_a_date(sender):
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100)
    headers = (("Retry-After", format_datetime(then, usegmt=True)),)
    with receiver(lambda _n: Answer(503, headers)) as hooked:
        outcome = await sender.send(hooked.url, b"{}", {})
    assert 95 <= outcome.retry_after <= 101


INNER_HOSTS = [
    "127.0.0.1",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "hooks.localhost",
    "Hooks.Localhost.",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "0",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:0:0:1]",
]


@pytest.mark.parametrize("host", INNER_HOSTS)
async def test_no_form_of_an_inner_address_is_reached(outsider, host):
    reached = []

    async def note(_reader, _writer):
        reached.append(host)

    async with listening(note) as (port, _one), listening(note, host="::1") as (six, _two):
        for one in (port, six):
            outcome = await outsider.send(f"https://{host}:{one}/", b"{}", {})
            assert outcome.error in (NOT_ALLOWED, "The name of the receiver cannot be resolved.")
            assert outcome.status is None
    assert reached == []


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def resolving(monkeypatch, *addresses):
    """Have every name resolve to the addresses."""
    asked = []

    def found(host, port, **_options):
        asked.append(host)
        return [
            (
                socket.AF_INET6 if ":" in one else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (one, port),
            )
            for one in addresses
        ]

    monkeypatch.setattr(sending.socket, "getaddrinfo", found)
    return asked


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "fe80::1%lo", "::ffff:10.0.0.1"]
)
async def test_a_public_name_that_leads_inside_is_not_reached(outsider, monkeypatch, address):
    asked = resolving(monkeypatch, address)
    outcome = await outsider.send("https://hooks.example.org/", b"{}", {})
    assert asked == ["hooks.example.org"]
    assert outcome.error == NOT_ALLOWED


async def test_only_the_addresses_that_are_allowed_are_tried(monkeypatch):
    async with listening(ok) as (port, connections):
        only = Sender([ipaddress.ip_network("127.0.0.1/32")])
        resolving(monkeypatch, "10.0.0.5", "127.0.0.2", "127.0.0.1")
        outcome = await only.send(f"http://hooks.example.org:{port}/", b"{}", {})
        await only.close()
        assert outcome.error is None
        assert len(connections) == 1


async def test_what_was_looked_at_is_what_is_connected_to(sender, monkeypatch):
    """A name that leads elsewhere by then (DNS rebinding) is not asked again."""
    async with listening(ok) as (port, _connections):
        asked = resolving(monkeypatch, "127.0.0.1")
        connect = sending.httpcore.AnyIOBackend.connect_tcp
        hosts = []

        async def noted(self, host, *arguments, **options):
            hosts.append(host)
            return await connect(self, host, *arguments, **options)

        monkeypatch.setattr(sending.httpcore.AnyIOBackend, "connect_tcp", noted)
        outcome = await sender.send(f"http://hooks.example.org:{port}/", b"{}", {})
    assert outcome.error is None
    assert asked == ["hooks.example.org"]
    assert hosts == ["127.0.0.1"]


async def test_a_name_that_does_not_exist(sender):
    outcome = await sender.send("https://no-such-host.invalid/", b"{}", {})
    assert outcome.error == "The name of the receiver cannot be resolved."


async def test_a_public_address_is_not_reached_without_tls(sender, monkeypatch):
    resolving(monkeypatch, "8.8.8.8")
    outcome = await sender.send("http://hooks.example.org/", b"{}", {})
    assert outcome.error == NOT_ALLOWED


def certified(folder, name, *, days=30, signs_itself=False):
    """A context for a server with a certificate for *name*, and the file of its authority."""
    now = datetime.datetime.now(datetime.UTC)

    def built(subject, issuer, public, signer, extensions, until):
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(until)
        )
        for extension in extensions:
            made = made.add_extension(extension, critical=True)
        return made.sign(signer, hashes.SHA256())

    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    authority = built(
        "Test CA",
        "Test CA",
        keys[0].public_key(),
        keys[0],
        [x509.BasicConstraints(ca=True, path_length=None)],
        now + datetime.timedelta(days=30),
    )
    signer, issuer = (keys[1], name) if signs_itself else (keys[0], "Test CA")
    one = built(
        name,
        issuer,
        keys[1].public_key(),
        signer,
        [x509.SubjectAlternativeName([x509.DNSName(name)])],
        now + datetime.timedelta(days=days),
    )
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "cert.pem").write_bytes(one.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "ca.pem"


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("hooks.example.org", {}, None),
        ("elsewhere.example.org", {}, "Hostname mismatch"),
        ("hooks.example.org", {"days": -1}, "expired"),
        ("hooks.example.org", {"signs_itself": True}, "self-signed"),
    ],
)
async def test_certificates_are_checked(tmp_path, monkeypatch, name, options, says):
    context, authority = certified(tmp_path, name, **options)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    resolving(monkeypatch, "127.0.0.1")
    sender = Sender(OWN)
    async with listening(ok, context) as (port, _connections):
        outcome = await sender.send(f"https://hooks.example.org:{port}/", b"{}", {})
    await sender.close()
    if says is None:
        assert (outcome.status, outcome.error) == (200, None)
    else:
        assert outcome.error.startswith("The receiver's certificate is not good: ")
        assert says in outcome.error


async def test_who_does_not_speak_tls(sender):
    async def greet(_reader, writer):
        writer.write(b"220 mail.example.org ESMTP\r\n")
        await writer.drain()

    async with listening(greet) as (port, _connections):
        outcome = await sender.send(f"https://127.0.0.1:{port}/", b"{}", {})
    assert outcome.error == "No TLS connection to the receiver could be made."
