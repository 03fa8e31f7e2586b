"""The proxies of deploy/, each before a real gateway: what passes, and what does not."""

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import httpx2
import pytest
from websockets.sync.client import connect

from domain.access.keys import new_key
from domain.models import Mode
from tests.fault.servers import ROOT, gateway

LIMIT = 3
NAME = "cases.example.org"
PROGRAMS = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"needs {name}"))
    for name in ("nginx", "caddy")
]
QUERY = "{ cases { totalCount nodes { name } } }"
CREATE = 'mutation { createCase(input: {name: "%s"}) { case { id name } userErrors { message } } }'


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def certificate(folder):
    """The files of a certificate that signs itself, and of its key."""
    made = folder / "fullchain.pem", folder / "privkey.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *(
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={NAME}",
                "-addext",
                f"subjectAltName=DNS:{NAME}",
            ),
            *("-out", made[0], "-keyout", made[1]),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return made


def replaced(text, changes):
    """A text with *changes*, each of which must apply."""
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


def nginx(folder, gateway_port, port):
    """The example in a configuration that needs no rights; the command that runs it."""
    chain, key = certificate(folder)
    site = replaced(
        (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8"),
        {
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{gateway_port};",
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
            "    listen [::]:80;\n": "",
            "    listen [::]:443 ssl http2;\n": "",
            "/etc/ssl/casegraph/fullchain.pem": str(chain),
            "/etc/ssl/casegraph/privkey.pem": str(key),
            "/var/log/nginx/casegraph.log": str(folder / "access.log"),
        },
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    # Else its workers would be somebody to whom this folder is closed.
    user = "user root; " if os.geteuid() == 0 else ""
    whole = folder / "nginx.conf"
    whole.write_text(
        f"{user}daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n{paths}{site}}}\n",
        encoding="utf-8",
    )
    return ["nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(whole)]


def caddy(folder, gateway_port, port):
    """The example with a certificate of its own authority; the command that runs it."""
    chain, key = certificate(folder)
    text = replaced(
        (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8"),
        {
            "{\n\tservers {": "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {",
            f"{NAME} {{\n": f"{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {chain} {key}\n",
            "reverse_proxy 127.0.0.1:8000": f"reverse_proxy 127.0.0.1:{gateway_port}",
        },
    )
    path = folder / "Caddyfile"
    path.write_text(text, encoding="utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(path)]


MADE = {"nginx": nginx, "caddy": caddy}


@contextlib.contextmanager
def running(program, folder, gateway_port):
    """The port of a proxy that accepts connections, ended at the end whatever happened."""
    folder.mkdir()
    port = free_port()
    command = MADE[program](folder, gateway_port, port)
    log = folder / "log"
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with log.open("wb") as told:
        process = subprocess.Popen(
            command, cwd=folder, stdout=told, stderr=told, env=os.environ | home
        )
    try:
        until = time.monotonic() + 20
        while True:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait(10)


class Browser:
    """A client of the proxy, from the address *source* of this machine.

    It names the site in TLS, as browsers do, and believes any certificate.
    """

    def __init__(self, port, *, key=None, source="127.0.0.1"):
        unchecked = ssl.create_default_context()
        unchecked.check_hostname = False
        unchecked.verify_mode = ssl.CERT_NONE
        self.http = httpx2.Client(
            base_url=f"https://127.0.0.1:{port}",
            headers={"Host": NAME} | ({"Authorization": f"Bearer {key}"} if key else {}),
            transport=httpx2.HTTPTransport(verify=unchecked, local_address=source),
            timeout=20,
        )

    def request(self, method, path, **options):
        return self.http.request(method, path, extensions={"sni_hostname": NAME}, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def graphql(self, query, **options):
        return self.request("POST", "/graphql", json={"query": query}, **options)

    def lines(self, path, **options):
        """The lines of an answer, each as soon as it is there."""
        with self.http.stream("GET", path, extensions={"sni_hostname": NAME}, **options) as answer:
            yield from answer.iter_lines()


class Echo(BaseHTTPRequestHandler):
    """Stands for the gateway where it tells too little: answers with what it was sent."""

    protocol_version = "HTTP/1.1"
    go_on: threading.Event

    def do_GET(self):
        if self.headers["Upgrade"] == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "upgrade")
            self.end_headers()
            self.wfile.write(self.rfile.read(4)[::-1])
            self.close_connection = True
        elif self.headers["Accept"] == "text/event-stream":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            time.sleep(0.05)  # what comes with the head is passed on with the head
            self.wfile.write(b"data: first\n\n")
            asked = self.go_on.wait(3)
            self.wfile.write(b"data: second\n\n" if asked else b"data: late\n\n")
        else:
            told = {"port": self.client_address[1], "headers": dict(self.headers)}
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_args):
        pass


@pytest.fixture(scope="module", params=PROGRAMS)
def program(request):
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    return request.param


@pytest.fixture(scope="module")
def served(program, tmp_path_factory):
    """The proxy's port, and the gateway behind it."""
    folder = tmp_path_factory.mktemp(program)
    with gateway(folder, failed_auth_limit=LIMIT, trusted_proxies="127.0.0.1") as server:
        inner = int(server.url.rsplit(":", 1)[1])
        with running(program, folder / "proxy", inner) as port:
            yield port, server, folder / "proxy"


@pytest.fixture
def http(served):
    """A browser with a good key."""
    port, server, _folder = served
    browser = Browser(port, key=server.key)
    with browser.http:
        yield browser


@pytest.fixture(scope="module")
def echoed(program, tmp_path_factory):
    """The port of a proxy before an Echo."""
    Echo.go_on = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        folder = tmp_path_factory.mktemp(program) / "proxy"
        with running(program, folder, server.server_address[1]) as port:
            yield port
    finally:
        Echo.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def echo(echoed):
    browser = Browser(echoed)
    with browser.http:
        yield browser


def test_both_surfaces_answer_and_write(http):
    created = http.graphql(CREATE % "Through the proxy").json()

    assert created["data"]["createCase"]["case"]["name"] == "Through the proxy"
    [found] = http.get("/api/v1/cases", params={"search": "through"}).json()["data"]
    renamed = http.request("PUT", f"/api/v1/cases/{found['id']}", json={"name": "Renamed"})
    assert renamed.status_code == 200
    assert http.graphql(QUERY).json()["data"]["cases"]["nodes"] == [{"name": "Renamed"}]


def test_what_is_known_is_not_sent_again(http):
    created = http.request("POST", "/api/v1/cases", json={"name": "Read twice"}).json()
    path = f"/api/v1/cases/{created['id']}"
    first = http.get(path, headers={"Accept-Encoding": "gzip"})
    again = http.get(path, headers={"If-None-Match": first.headers["ETag"]})
    stale = http.request("PUT", path, headers={"If-Match": '"9"'}, json={"name": "Nothing"})

    assert first.status_code == 200
    assert (again.status_code, again.content) == (304, b"")
    assert stale.status_code == 412


def test_answers_are_as_small_as_the_gateway_makes_them(http):
    answers = {
        coding: http.get("/graphql/schema.graphql", headers={"Accept-Encoding": coding})
        for coding in ("gzip", "identity")
    }

    assert answers["gzip"].headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in answers["identity"].headers
    assert answers["gzip"].text == answers["identity"].text
    sizes = [int(one.headers["Content-Length"]) for one in answers.values()]
    assert sizes[0] * 2 < sizes[1]


def test_wrong_keys_count_for_the_address_that_sent_them_whatever_it_says(served):
    port, _server, _folder = served

    def statuses(source, count):
        browser = Browser(port, source=source)
        with browser.http:
            return [
                browser.get(
                    "/api/v1/cases",
                    headers={
                        "Authorization": f"Bearer {new_key(Mode.LIVE)[0]}",
                        "X-Forwarded-For": f"203.0.113.{n}",
                        "Forwarded": f"for=203.0.113.{n}",
                    },
                ).status_code
                for n in range(count)
            ]

    assert statuses("127.0.0.2", LIMIT + 2) == [401] * LIMIT + [429] * 2
    # If the gateway did not believe the proxy, this would be the same address.
    assert statuses("127.0.0.3", 1) == [401]


def test_only_the_proxy_tells_where_a_request_is_from(echo):
    sent = {
        "X-Forwarded-For": "203.0.113.1",
        "X-Forwarded-Proto": "ftp",
        "Forwarded": "for=203.0.113.1",
    }
    headers = httpx2.Headers(echo.get("/api/v1/cases", headers=sent).json()["headers"])

    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "https"
    assert "Forwarded" not in headers
    assert headers["Host"] == NAME


def test_a_client_that_takes_no_gzip_costs_the_gateway_none(echo):
    del echo.http.headers["Accept-Encoding"]

    assert "Accept-Encoding" not in httpx2.Headers(echo.get("/api/v1/cases").json()["headers"])


@pytest.mark.parametrize("path", ["/graphql", "/api/v1/cases"])
def test_the_gateway_itself_refuses_a_body_that_is_too_large(http, path):
    name = "x" * (2 << 20)

    for _ in range(5):  # it must not depend on who is faster
        answer = http.request("POST", path, json={"query": name, "name": name})
        assert answer.status_code == 413
        error = answer.json()["errors" if path == "/graphql" else "error"]
        code = error[0]["extensions"]["code"] if path == "/graphql" else error["code"]
        assert code == "PAYLOAD_TOO_LARGE"
    assert http.graphql(QUERY).status_code == 200


def test_connections_stay_open_on_both_sides(http, echo):
    assert {http.graphql(QUERY).status_code for _ in range(100)} == {200}

    assert len({echo.get("/graphql").json()["port"] for _ in range(20)}) == 1


def test_events_arrive_when_they_are_sent(echo):
    lines = echo.lines("/graphql", headers={"Accept": "text/event-stream"})

    assert next(lines) == "data: first"
    assert not Echo.go_on.is_set()
    Echo.go_on.set()  # what follows is sent only now
    assert [line for line in lines if line] == ["data: second"]


def upgraded(port, protocol):
    """What comes back when a client asks for another *protocol*, and says "ping"."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname=NAME) as tls,
    ):
        tls.sendall(
            f"GET /graphql HTTP/1.1\r\nHost: {NAME}\r\nConnection: Upgrade\r\n"
            f"Upgrade: {protocol}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        answer = tls.recv(65536)
        if answer.startswith(b"HTTP/1.1 101"):
            tls.sendall(b"ping")
            while not answer.endswith(b"gnip") and (more := tls.recv(65536)):
                answer += more
        return answer


def test_a_web_socket_is_let_through(echoed):
    answer = upgraded(echoed, "websocket")

    assert answer.startswith(b"HTTP/1.1 101")
    assert answer.endswith(b"gnip")


SUBSCRIPTION = "subscription { caseChanges { node { case { name } } } }"


def test_changes_are_told_over_a_web_socket(http, served):
    port, server, _folder = served
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    with connect(
        f"wss://{NAME}/graphql",
        sock=socket.create_connection(("127.0.0.1", port), 10),
        ssl=unchecked,
        subprotocols=["graphql-transport-ws"],
    ) as ws:
        ws.send(json.dumps({"type": "connection_init", "payload": {"key": server.key}}))
        assert json.loads(ws.recv(10))["type"] == "connection_ack"
        ws.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": SUBSCRIPTION}}))
        time.sleep(0.3)
        http.request("POST", "/api/v1/cases", json={"name": "Over a socket"})
        told = json.loads(ws.recv(10))
    assert told["payload"]["data"]["caseChanges"]["node"]["case"] == {"name": "Over a socket"}


def test_changes_are_told_as_events(http, served):
    events = Browser(served[0], key=served[1].key)
    query = urlencode({"query": SUBSCRIPTION})
    with events.http:
        lines = events.lines(f"/graphql?{query}", headers={"Accept": "text/event-stream"})
        assert next(lines).startswith("id: ")  # it is there before anything has happened
        http.request("POST", "/api/v1/cases", json={"name": "As an event"})
        told = next(line for line in lines if line.startswith("data: "))
        lines.close()
    assert "As an event" in told


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics/x", "/%6detrics"])
def test_metrics_are_not_for_others(echo, path):
    # The echo behind the proxy would answer.
    assert echo.get("/healthz").status_code == 200

    assert echo.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/metrics"])
def test_browsers_are_told_to_stay_with_https(http, path):
    assert http.get(path).headers["Strict-Transport-Security"] == "max-age=31536000"


def test_no_log_has_what_somebody_searched_for(http, served):
    http.get("/api/v1/cases", params={"search": "Rumpelstilzchen"})
    http.get("/healthz")  # what came before is in the log by now

    logs = [path for path in served[2].glob("*log") if path.is_file()]
    assert logs
    assert [path.name for path in logs if "Rumpelstilzchen" in path.read_text()] == []
