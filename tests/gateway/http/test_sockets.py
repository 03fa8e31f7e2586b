"""Subscriptions over WebSocket and server-sent events, against a real server."""

import asyncio
import contextlib
import hashlib
import json
import socket
import struct

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.http import subscribing
from tests.fault.servers import Gateway

PROTOCOL = "graphql-transport-ws"
LIVE = (
    "subscription Live($after: String, $case: ID, $types: [String!]) {"
    " caseChanges(after: $after, caseId: $case, types: $types) {"
    " cursor node { seq type caseUuid case { name version } changes { field after } } } }"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Gateway(tmp_path_factory.mktemp("sockets"), subscriptions=20)
    made.start()
    yield made
    made.kill()


@pytest.fixture
async def http(server):
    headers = {"Authorization": f"Bearer {server.key}"}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=20) as client:
        yield client


async def create(http, name="A ./. B"):
    answer = await http.post("/api/v1/cases", json={"name": name})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def opened(server, **options):
    url = server.url.replace("http", "ws") + "/graphql"
    return connect(url, subprotocols=[PROTOCOL], **options)


@contextlib.asynccontextmanager
async def ready(server, key=None):
    """A socket that has been acknowledged."""
    async with opened(server) as ws:
        payload = {"Authorization": f"Bearer {key or server.key}"}
        await say(ws, type="connection_init", payload=payload)
        assert await heard(ws) == {"type": "connection_ack"}
        yield ws


async def say(ws, **message):
    await ws.send(json.dumps(message))


async def heard(ws, seconds=10):
    async with asyncio.timeout(seconds):
        return json.loads(await ws.recv())


async def subscribe(ws, id="1", query=LIVE, **variables):
    await say(ws, id=id, type="subscribe", payload={"query": query, "variables": variables})


def change_in(message):
    assert message["type"] == "next", message
    return message["payload"]["data"]["caseChanges"]


async def settled(http):
    """Wait until what was subscribed to before is under way."""
    for _ in range(3):
        await http.get("/api/v1/cases", params={"limit": 1})
        await asyncio.sleep(0.05)


async def test_a_change_is_told_when_it_happens_and_resumed_from_its_cursor(server, http):
    async with ready(server) as ws:
        await subscribe(ws)
        await settled(http)
        first = await create(http, "First")
        told = change_in(await heard(ws))
        assert told["node"]["case"] == {"name": "First", "version": 1}
        assert told["node"]["caseUuid"] == first

    second = await create(http, "Second")
    await http.delete(f"/api/v1/cases/{second}")
    async with ready(server) as ws:
        await subscribe(ws, after=told["cursor"])
        created, deleted = [change_in(await heard(ws))["node"] for _ in range(2)]
        assert (created["type"], created["case"]) == ("case_created", None)
        assert (deleted["type"], deleted["caseUuid"]) == ("case_deleted", second)
        third = await create(http, "Third")
        assert change_in(await heard(ws))["node"]["caseUuid"] == third


async def test_changes_of_one_case_and_of_some_types_only(server, http):
    mine, other = await create(http), await create(http)
    async with ready(server) as ws:
        await subscribe(ws, "case", case=mine)
        await subscribe(ws, "type", types=["case_deleted"])
        await settled(http)
        await http.put(f"/api/v1/cases/{other}", json={"name": "Other"})
        await http.put(f"/api/v1/cases/{mine}", json={"name": "Mine"})
        await http.delete(f"/api/v1/cases/{other}")

        found = [await heard(ws) for _ in range(2)]
        by_id = {one["id"]: change_in(one)["node"] for one in found}
        assert by_id["case"]["case"]["name"] == "Mine"
        assert by_id["type"]["caseUuid"] == other
        with pytest.raises(TimeoutError):
            await heard(ws, 0.3)


async def test_queries_and_mutations_are_answered_too(server):
    async with ready(server) as ws:
        await subscribe(ws, "q", "{ cases { totalCount } }")
        assert "totalCount" in (await heard(ws))["payload"]["data"]["cases"]
        assert await heard(ws) == {"id": "q", "type": "complete"}
        await subscribe(ws, "m", 'mutation { createCase(input: {name: "W"}) { case { name } } }')
        assert (await heard(ws))["payload"]["data"]["createCase"]["case"] == {"name": "W"}
        assert await heard(ws) == {"id": "m", "type": "complete"}


BAD = {
    "GRAPHQL_VALIDATION_FAILED": "subscription { caseChanges { nothing } }",
    "QUERY_TOO_COSTLY": "subscription { caseChanges { node { case { parties(first: 100) { nodes {"
    " party { cases(first: 100) { nodes { case { parties(first: 100) { nodes { party {"
    " cases(first: 100) { totalCount } } } } } } } } } } } } } }",
    "VALIDATION_ERROR": 'subscription { caseChanges(after: "junk") { cursor } }',
    "QUERY_TOO_DEEP": "subscription { caseChanges { node " + "{ case " * 40 + "{ id }" + "}" * 42,
}


@pytest.mark.parametrize("code", BAD)
async def test_what_cannot_be_is_an_error_and_the_socket_goes_on(server, http, code):
    async with ready(server) as ws:
        await subscribe(ws, "good")
        await settled(http)
        await subscribe(ws, "bad", BAD[code])
        refused = await heard(ws)
        assert (refused["id"], refused["type"]) == ("bad", "error")
        assert refused["payload"][0]["extensions"]["code"] == code
        await create(http)
        assert change_in(await heard(ws))

    headers = {"Accept": "text/event-stream"}
    answer = await http.post("/graphql", json={"query": BAD[code]}, headers=headers)
    event = answer.text.split("\n\n")[0]
    assert event.startswith("event: next\n")
    assert f'"{code}"' in event
    assert answer.text.endswith("event: complete\ndata: \n\n")


async def test_a_cursor_of_another_workspace_is_refused(server, http):
    server.command("init", "--workspace", "theirs")
    stranger = server.make_key("--workspace", "theirs", "--scope", "cases:read")
    page = (await http.get("/api/v1/changes", params={"limit": 1})).json()
    if not page["data"]:
        await create(http)
        page = (await http.get("/api/v1/changes", params={"limit": 1})).json()
    async with ready(server, stranger) as ws:
        await subscribe(ws, after=page["pagination"]["cursor"])
        assert (await heard(ws))["payload"][0]["extensions"]["code"] == "VALIDATION_ERROR"
        await subscribe(ws, "2")
        await create(http)
        with pytest.raises(TimeoutError):
            await heard(ws, 0.5)


async def test_a_key_without_the_scope_is_refused(server):
    writer = server.make_key("--scope", "cases:write")
    async with ready(server, writer) as ws:
        await subscribe(ws)
        assert (await heard(ws))["payload"][0]["extensions"]["code"] == "AUTH_INSUFFICIENT_SCOPE"


async def test_the_streams_of_a_revoked_key_end(server, http):
    key = server.make_key("--scope", "cases:read")
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {key}"}
    async with ready(server, key) as ws:
        await subscribe(ws)
        async with http.stream("POST", "/graphql", json={"query": LIVE}, headers=headers) as events:
            await settled(http)
            server.command("keys", "revoke", key.split("_")[2][:12])
            async with asyncio.timeout(subscribing.RECHECK_SECONDS + 2):
                refused = json.loads(await ws.recv())
                text = "".join([part async for part in events.aiter_text()])
        assert refused["payload"][0]["extensions"]["code"] == "AUTH_INVALID_KEY"
        assert "AUTH_INVALID_KEY" in text
        assert text.endswith("event: complete\ndata: \n\n")


async def test_the_key_may_be_in_the_header(server):
    headers = {"Authorization": f"Bearer {server.key}"}
    async with opened(server, additional_headers=headers) as ws:
        await say(ws, type="connection_init")
        assert await heard(ws) == {"type": "connection_ack"}


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["[]"], 4400),
        (["null"], 4400),
        (["{}"], 4400),
        (["1"], 4400),
        (['"text"'], 4400),
        (["{"], 4400),
        ([""], 4400),
        ([b"binary"], 4400),
        (["[" * 100_000], 4400),
        (['{"a":' * 50_000], 4400),
        (['{"type": 1}'], 4400),
        (['{"type": null}'], 4400),
        (['{"type": "' + "x" * 1_000 + '"}', "x"], 4401),
        (['{"type": "subscribe"}'], 4401),
        (['{"type": "connection_init", "payload": []}'], 4400),
        (['{"type": "connection_init", "payload": "x"}'], 4400),
        (['{"type": "connection_init", "payload": {"Authorization": 1}}'], 4403),
        (['{"type": "connection_init", "payload": {"Authorization": "Bearer x"}}'], 4403),
        (['{"type": "connection_init"}'], 4403),
        (['{"type": "ping"}'], 4400),
        (["INIT", "INIT"], 4429),
        (["INIT", '{"type": "start"}'], 4400),
        (["INIT", '{"type": "' + "ü" * 500 + '"}'], 4400),
        (["INIT", '{"type": "subscribe"}'], 4400),
        (["INIT", '{"type": "subscribe", "id": ""}'], 4400),
        (["INIT", '{"type": "subscribe", "id": 1, "payload": {"query": "{a}"}}'], 4400),
        (["INIT", '{"type": "subscribe", "id": "1"}'], 4400),
        (["INIT", '{"type": "subscribe", "id": "1", "payload": []}'], 4400),
        (["INIT", '{"type": "subscribe", "id": "1", "payload": {"query": 1}}'], 4400),
        (["INIT", '{"type": "complete"}'], 4400),
        (["INIT", "SUB", "SUB"], 4409),
        (["x" * (2 << 20)], 1009),
    ],
)
async def test_junk_closes_its_own_socket_with_the_code_of_the_protocol(
    server, http, messages, code
):
    known = {
        "INIT": json.dumps({"type": "connection_init", "payload": {"key": server.key}}),
        "SUB": json.dumps({"id": "x" * 90, "type": "subscribe", "payload": {"query": LIVE}}),
    }
    async with ready(server) as other:
        await subscribe(other)
        await settled(http)
        async with opened(server) as ws:
            with contextlib.suppress(ConnectionClosed):
                for message in messages:
                    await ws.send(known.get(message, message) if message else message)
                while True:
                    await asyncio.wait_for(ws.recv(), 10)
            assert ws.close_code == code
            assert len((ws.close_reason or "").encode()) <= 123
        await create(http)
        assert change_in(await heard(other))
    assert "Traceback" not in server.logged()
    assert not [one for one in server.events() if one["level"] == "error"]


@pytest.mark.parametrize("protocols", [["graphql-ws"], ["nothing"], None])
async def test_other_protocols_are_not_spoken(server, protocols):
    url = server.url.replace("http", "ws") + "/graphql"
    async with connect(url, subprotocols=protocols) as ws:
        with contextlib.suppress(ConnectionClosed):
            await asyncio.wait_for(ws.recv(), 10)
        assert ws.close_code == 4406


async def test_there_is_a_socket_nowhere_else(server):
    url = server.url.replace("http", "ws")
    for path in ("/api/v1/cases", "/graphql/static/workspace.js", "/nothing"):
        with pytest.raises(InvalidStatus):
            async with connect(url + path, subprotocols=[PROTOCOL]):
                pass


async def test_a_ping_is_answered_with_its_payload(server):
    async with ready(server) as ws:
        await say(ws, type="ping", payload={"n": 1})
        assert await heard(ws) == {"type": "pong", "payload": {"n": 1}}
        await say(ws, type="pong")
        await say(ws, type="ping")
        assert await heard(ws) == {"type": "pong"}


async def test_complete_ends_a_subscription_and_its_id_is_free(server, http):
    async with ready(server) as ws:
        await subscribe(ws)
        await settled(http)
        await say(ws, id="1", type="complete")
        await settled(http)
        await create(http)
        with pytest.raises(TimeoutError):
            await heard(ws, 0.3)
        await subscribe(ws)
        await settled(http)
        await create(http)
        assert change_in(await heard(ws))


async def test_a_key_may_have_so_many_subscriptions_and_no_more(server):
    key = server.make_key("--scope", "cases:read")
    async with ready(server, key) as ws:
        for n in range(21):
            await subscribe(ws, str(n))
        refused = await heard(ws)
        assert (refused["type"], refused["id"]) == ("error", "20")
        assert refused["payload"][0]["extensions"]["code"] == "RATE_LIMIT_EXCEEDED"
        await say(ws, id="3", type="complete")
        await subscribe(ws, "again")  # at once: nobody tells when the other one has ended
        with pytest.raises(TimeoutError):
            await heard(ws, 0.3)


async def test_events_have_ids_to_go_on_from(server, http):
    headers = {"Accept": "text/event-stream"}
    page = (await http.get("/api/v1/changes", params={"limit": 100})).json()
    while page["pagination"]["has_more"]:
        cursor = page["pagination"]["cursor"]
        page = (await http.get("/api/v1/changes", params={"cursor": cursor})).json()
    last = page["pagination"].get("cursor", "")
    made = [await create(http) for _ in range(45)]
    seen, ids = [], [last]
    while len(seen) < len(made):
        again = headers | {"Last-Event-ID": ids[-1]}
        async with http.stream("POST", "/graphql", json={"query": LIVE}, headers=again) as events:
            async for line in events.aiter_lines():
                if line.startswith("id: "):
                    ids.append(line[4:])
                elif line.startswith("data: {"):
                    seen.append(json.loads(line[6:])["data"]["caseChanges"]["node"]["caseUuid"])
                    if len(seen) % 10 == 0 or len(seen) == len(made):
                        break
    assert seen == made


async def test_a_stop_ends_all_streams(tmp_path):
    server = Gateway(tmp_path)
    server.start()
    headers = {"Authorization": f"Bearer {server.key}", "Accept": "text/event-stream"}
    async with (
        ready(server) as ws,
        httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=20) as http,
        http.stream("POST", "/graphql", json={"query": LIVE}) as events,
    ):
        await subscribe(ws)
        await asyncio.sleep(0.3)
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        text = "".join([part async for part in events.aiter_text()])
        with contextlib.suppress(ConnectionClosed):
            while True:
                await heard(ws)
        assert text.endswith("event: complete\ndata: \n\n")
        assert ws.close_code in (1000, 1001, 1012)
        async with asyncio.timeout(10):
            await stopping
    assert "Traceback" not in server.logged()


async def test_a_client_that_reads_nothing_holds_nobody_up(server, http):
    """Its stream waits; others get their changes, and memory does not grow."""
    key = server.make_key("--scope", "cases:read")
    host, port = server.url.removeprefix("http://").split(":")
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        stuck.connect((host, int(port)))
        body = json.dumps({"query": LIVE}).encode()
        stuck.sendall(
            f"POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
            f"Accept: text/event-stream\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        async with ready(server) as ws:
            await subscribe(ws)
            await settled(http)
            for n in range(30):
                await create(http, f"{n} " + "x" * 400)
                assert change_in(await heard(ws))
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n"
)


def answered(server, sent):
    """What comes back for bytes, until the server closes or is silent for a while."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as raw:
        raw.sendall(sent.encode("latin-1"))
        raw.settimeout(1)
        found = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while more := raw.recv(65536):
                found += more
        return found


@pytest.mark.parametrize(
    ("sent", "begins"),
    [
        (HANDSHAKE + "\r\n", b"HTTP/1.1 101"),
        (HANDSHAKE + f"Cookie: {'x' * 9_000}\r\n\r\n", b"HTTP/1.1 101"),
        (HANDSHAKE + "Content-Length: 5\r\n\r\nhello", b"HTTP/1.1 4"),
        (HANDSHAKE + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"HTTP/1.1 4"),
        (HANDSHAKE.replace("1.1", "1.0", 1) + "\r\n", b"HTTP/1.1 4"),
        (HANDSHAKE.replace("version: 13", "version: 12") + "\r\n", b"HTTP/1.1 "),
        (HANDSHAKE.replace("Sec-WebSocket-Key", "X-Key") + "\r\n", b"HTTP/1.1 4"),
        (HANDSHAKE.replace("dGhl", "@@@@") + "\r\n", b"HTTP/1.1 4"),
        (HANDSHAKE + f"Authorization: Bearer {'x' * 9_000}\r\n\r\n", b""),
        (HANDSHAKE + "\r\nGET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 4"),
        (HANDSHAKE.replace("/graphql", "/healthz") + "\r\n", b"HTTP/1.1 200"),
    ],
)
async def test_a_handshake_that_cannot_be_is_answered_or_closed(server, sent, begins):
    found = await asyncio.to_thread(answered, server, sent)

    assert found.startswith(begins)
    if not begins:
        assert found == b""
    assert not [one for one in server.events() if one["level"] == "error"]
    assert "Traceback" not in server.logged()


async def test_the_id_of_a_completed_operation_is_free_at_once(server, http):
    async with ready(server) as ws:
        await subscribe(ws)
        await settled(http)
        for _ in range(5):
            await say(ws, id="1", type="complete")
            await subscribe(ws)
        await settled(http)
        await create(http)
        assert change_in(await heard(ws))
        with pytest.raises(TimeoutError):
            await heard(ws, 0.2)


async def test_a_socket_has_so_many_operations_under_way_and_no_more(server):
    """However many are sent at once, and however long their answers are."""
    async with ready(server) as ws:
        for n in range(60):
            await subscribe(ws, str(n), "{ __schema { types { name fields { name } } } }")
        outcomes = []
        while len(outcomes) < 60:
            message = await heard(ws)
            if message["type"] in ("complete", "error"):
                outcomes.append(message)
        refused = [one for one in outcomes if one["type"] == "error"]
        assert {one["payload"][0]["extensions"]["code"] for one in refused} <= {
            "RATE_LIMIT_EXCEEDED"
        }
        assert len(outcomes) - len(refused) >= 20


async def test_head_begins_no_stream(server, http):
    headers = {"Accept": "text/event-stream"}
    query = "subscription { caseChanges { cursor } }"
    answer = await http.request("HEAD", "/graphql", params={"query": query}, headers=headers)
    again = await http.get("/api/v1/cases", params={"limit": 1})

    assert (answer.status_code, answer.content, again.status_code) == (200, b"", 200)
    await asyncio.sleep(0.2)
    page = (await http.get("/metrics", headers={"Host": "localhost"})).text
    assert "casegraph_subscriptions 0.0" in page


async def test_a_client_that_would_rather_have_json_gets_events_for_a_subscription(server, http):
    headers = {"Accept": "application/graphql-response+json, application/json, text/event-stream"}
    answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert answer.headers["Content-Type"].startswith("application/graphql-response+json")
    async with http.stream("POST", "/graphql", json={"query": LIVE}, headers=headers) as events:
        assert events.headers["Content-Type"] == "text/event-stream"


async def test_a_subscription_may_be_named_by_its_hash(server, http):
    digest = hashlib.sha256(LIVE.encode()).hexdigest()
    hashed = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}
    headers = {"Accept": "text/event-stream"}
    for body in ({"query": LIVE, **hashed}, hashed):
        async with http.stream("POST", "/graphql", json=body, headers=headers) as events:
            first = await anext(events.aiter_lines())
            assert first.startswith("id: ")


async def test_the_log_has_no_address_and_nothing_behind_the_question_mark(server, http):
    async with opened(server) as ws:
        await say(ws, type="connection_init", payload={"key": server.key})
        await heard(ws)
    url = server.url.replace("http", "ws") + "/graphql?secret=abc123"
    async with connect(url, subprotocols=[PROTOCOL]) as ws:
        await say(ws, type="connection_init", payload={"key": server.key})
        await heard(ws)
        await subscribe(ws, "q", "query Named { __typename }")
        await heard(ws)
    await settled(http)

    assert "abc123" not in server.logged()
    assert "127.0.0.1:" not in server.logged().partition("Application startup")[2]
    told = {one["event"] for one in server.events()}
    assert {"socket", "operation"} <= told
    assert "Named" in {one.get("operation") for one in server.events()}
    assert server.key not in server.logged()


async def test_a_revoked_key_is_told_even_while_it_is_out_of_points(tmp_path):
    made = Gateway(tmp_path, rate_limit=30)
    made.start()
    try:
        key = made.make_key("--scope", "cases:read", "--scope", "cases:write")
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            ready(made, key) as ws,
            httpx2.AsyncClient(base_url=made.url, headers=headers) as client,
        ):
            await subscribe(ws)
            await settled(client)
            while (await client.get("/api/v1/cases")).status_code == 200:
                pass
            owner = {"Authorization": f"Bearer {made.key}"}
            answer = await client.post("/api/v1/cases", json={"name": "Later"}, headers=owner)
            assert answer.status_code == 201
            made.command("keys", "revoke", key.split("_")[2][:12])
            refused = await heard(ws, subscribing.RECHECK_SECONDS + 3)
            assert refused["payload"][0]["extensions"]["code"] == "AUTH_INVALID_KEY"
    finally:
        made.kill()
