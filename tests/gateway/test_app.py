"""The application as a whole: health, headers, logs, and what happens when something breaks."""

import asyncio
import json
import logging

import httpx2
import pytest

from domain.reading import lists
from domain.writing import cases
from gateway import logs
from gateway.app import create_app
from gateway.server.caps import BODY_TO_COME


async def test_the_process_is_healthy_and_ready(api):
    healthy = await api.http.get("/healthz")
    ready = await api.http.get("/readyz")

    assert (healthy.status_code, healthy.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})


async def test_a_lost_database_is_not_ready(api, settings):
    await api.services.database.close()

    ready = await api.http.get("/readyz")
    rest = await api.rest("GET", "/cases")
    graphql = await api.http.post(
        "/graphql", json={"query": "{ viewer { mode } }"}, headers=api.bearer("all")
    )

    assert ready.status_code == rest.status_code == graphql.status_code == 503
    assert rest.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert graphql.json()["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/api/v2/cases", "/api/v1/cases/"])
async def test_an_unknown_path_has_the_envelope(api, path):
    response = await api.http.get(path, headers=api.bearer("all"))

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "NOT_FOUND"
    assert response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/api/v1/cases"), ("POST", "/healthz"), ("DELETE", "/graphql")]
)
async def test_an_unknown_method_has_the_envelope(api, method, path):
    response = await api.http.request(method, path, headers=api.bearer("all"))

    assert response.status_code == 405
    assert response.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


async def test_a_sane_request_id_comes_back(api):
    given = await api.http.get("/healthz", headers={"X-Request-Id": "abc-123"})
    strange = await api.http.get("/healthz", headers={"X-Request-Id": "a b\tc"})

    assert given.headers["X-Request-Id"] == "abc-123"
    assert len(strange.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize("path", ["/healthz", "/graphql", "/api/v1/cases", "/nowhere"])
async def test_every_answer_has_the_security_headers(api, path):
    response = await api.http.get(path)

    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_a_defect_is_masked_on_both_surfaces(api, monkeypatch):
    def broken(*_arguments, **_options):
        raise RuntimeError("SELECT secret FROM clients")

    monkeypatch.setattr(lists, "cases", broken)
    monkeypatch.setattr(cases, "create_case", broken)

    rest = await api.rest("GET", "/cases")
    query = await api.graphql("{ cases { totalCount } viewer { mode } }")
    mutation = await api.graphql('mutation { createCase(input: {name: "N"}) { case { id } } }')

    assert rest.status_code == 500
    assert rest.json() == {
        "error": {
            "code": "INTERNAL_ERROR",
            "message": "An internal error occurred.",
            "details": [],
        }
    }
    assert rest.headers["X-Request-Id"]
    for answer, name in ((query, "cases"), (mutation, "createCase")):
        [error] = answer["errors"]
        assert error["message"] == "An internal error occurred."
        assert error["extensions"] == {"code": "INTERNAL_ERROR"}
        assert answer["data"][name] is None
    assert query["data"]["viewer"] == {"mode": "LIVE"}


async def test_logs_carry_the_request_id_and_no_key_or_name(api, capsys):
    logs.configure("debug", "json")
    try:
        await api.http.post(
            "/graphql",
            json={
                "query": "mutation($n: String!) { createCase(input: {name: $n}) { case { id } } }",
                "variables": {"n": "Müller ./. Weiß"},
            },
            headers={**api.bearer("all"), "X-Request-Id": "find-me"},
        )
        await api.rest("GET", "/cases?search=Müller")
        await api.graphql('{ cases(after: "secret cursor") { totalCount } }')
    finally:
        logging.getLogger("casegraph").setLevel(logging.NOTSET)
        logging.getLogger().handlers.clear()

    written = capsys.readouterr().err
    lines = [json.loads(line) for line in written.splitlines()]
    [access] = [line for line in lines if line.get("request_id") == "find-me" and "status" in line]
    assert (access["method"], access["path"], access["status"]) == ("POST", "/graphql", 200)
    assert access["key"] in api.keys["all"]
    assert api.keys["all"] not in written
    for secret in ("Müller", "M\\u00fcller", "muller", "secret cursor"):
        assert secret not in written


async def test_pages_of_a_named_origin_may_call_and_others_not(settings):
    app = create_app(settings.but(cors_origins=("https://app.example.org",)))
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="http://testserver"
        ) as http,
    ):
        wanted = (
            "authorization,content-type,x-request-id,traceparent,tracestate,baggage,"
            "apollographql-client-name,apollographql-client-version,graphql-client-name"
        )
        ask = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": wanted,
        }
        known = await http.options("/graphql", headers={"Origin": "https://app.example.org", **ask})
        unknown = await http.options("/graphql", headers={"Origin": "https://evil.example", **ask})
        answer = await http.get("/api/v1/cases", headers={"Origin": "https://app.example.org"})

    assert known.status_code == 200
    assert known.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert "Access-Control-Allow-Origin" not in unknown.headers
    assert {"ETag", "Location", "X-Warning"} <= set(
        answer.headers["Access-Control-Expose-Headers"].split(", ")
    )


async def test_without_the_setting_no_other_origin_may_call(api):
    response = await api.http.get("/healthz", headers={"Origin": "https://app.example.org"})

    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.usefixtures("steady")
async def test_a_key_is_limited_over_both_surfaces_together(settings, firms):
    app = create_app(settings.but(rate_limit=3))
    async with app.router.lifespan_context(app):
        headers = {"Authorization": f"Bearer {firms[1]['all']}"}
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
            first = await http.get("/api/v1/cases", headers=headers)
            body = {"query": "{ viewer { mode } }"}
            second = await http.post("/graphql", json=body, headers=headers)
            await http.get("/api/v1/cases", headers=headers)
            rest = await http.get("/api/v1/cases", headers=headers)
            graphql = await http.post("/graphql", json=body, headers=headers)

    assert first.headers["X-RateLimit-Limit"] == "3"
    assert first.headers["X-RateLimit-Remaining"] == "2"
    assert second.headers["X-RateLimit-Remaining"] == "1"
    assert rest.status_code == graphql.status_code == 429
    error = rest.json()["error"]
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert 1 <= error["retry_after"] <= 60
    assert rest.headers["Retry-After"] == str(error["retry_after"])
    assert rest.headers["X-RateLimit-Remaining"] == "0"
    assert graphql.json()["errors"][0]["extensions"]["code"] == "RATE_LIMIT_EXCEEDED"


async def test_a_client_that_goes_away_is_no_defect(api, caplog):
    async def gone():
        return {"type": "http.disconnect"}

    async def nobody(_message):
        raise AssertionError("there is nobody to answer")

    for path in ("/graphql", "/api/v1/cases"):
        app = api.http._transport.app
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"authorization", f"Bearer {api.keys['all']}".encode()),
                (b"content-type", b"application/json"),
            ],
        }
        await app(scope, gone, nobody)

    assert "request_failed" not in caplog.text


async def test_too_much_at_once_is_turned_away_in_the_shape_of_its_surface(settings):
    app = create_app(settings.but(in_flight=0))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        rest = await http.get("/api/v1/cases")
        graphql = await http.post("/graphql", json={"query": "{ viewer { mode } }"})
        healthy = await http.get("/healthz")

    message = "The server is busy. Try again in a moment."
    code = "SERVICE_UNAVAILABLE"
    assert rest.json() == {"error": {"code": code, "message": message, "details": []}}
    assert graphql.json() == {"errors": [{"message": message, "extensions": {"code": code}}]}
    for response in (rest, graphql):
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert response.headers["X-Request-Id"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert healthy.status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/cases", "/graphql"])
async def test_who_waits_for_a_body_holds_no_place_but_needs_one_then(settings, firms, path):
    app = create_app(settings.but(in_flight=1))
    blocked = asyncio.Event()

    async def ask(receive, path=path, **state):
        answer = []

        async def send(message):
            answer.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "root_path": "",
            "state": state,
            "headers": [
                (b"authorization", f"Bearer {firms[1]['all']}".encode()),
                (b"content-type", b"application/json"),
            ],
        }
        await app(scope, receive, send)
        return answer[0]["status"], json.loads(answer[1]["body"])

    async def body():
        return {"type": "http.request", "body": b"[]"}

    async def body_after_another_request():
        assert (await ask(body))[0] == 400
        return await body()

    async def body_while_another_has_the_place():
        async def body_at_the_end():
            await blocked.wait()
            return await body()

        # Its body is there, as far as the server has told: it takes a place.
        other.append(asyncio.create_task(ask(body_at_the_end, "/api/v1/cases")))
        await asyncio.sleep(0.05)
        return await body()

    other: list[asyncio.Task] = []
    async with app.router.lifespan_context(app):
        served, _ = await ask(body_after_another_request, **{BODY_TO_COME: True})
        refused, answer = await ask(body_while_another_has_the_place, **{BODY_TO_COME: True})
        blocked.set()

        assert (served, refused) == (400, 503)
        assert "The server is busy. Try again in a moment." in str(answer)
        assert (await other[0])[0] == 400
        assert (await ask(body))[0] == 400


async def test_only_the_surfaces_say_what_a_key_may_still_do(api):
    counted = [await api.http.get(path) for path in ("/graphql", "/api/v1/cases", "/api/v1/x")]
    others = [await api.http.get(path) for path in ("/healthz", "/graphql/static/start.js")]

    assert ["X-RateLimit-Limit" in response.headers for response in counted] == [True] * 3
    assert ["X-RateLimit-Limit" in response.headers for response in others] == [False] * 2
    assert [response.status_code for response in others] == [200, 200]


async def test_what_an_operator_hides_is_not_served(settings):
    app = create_app(settings.but(introspection=False, graphiql=False))
    page = {"Accept": "text/html"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="http://testserver"
        ) as http,
    ):
        hidden = [
            (await http.get(path, headers=page)).status_code
            for path in (
                "/graphql",
                "/graphql/static/graphiql.min.js",
                "/api/v1/openapi.json",
                "/api/v1/docs",
            )
        ]

    assert hidden == [406, 404, 404, 404]


@pytest.mark.parametrize("path", ["/graphql/static%2Fexamples.js", "/graphql%2fstatic/examples.js"])
async def test_an_encoded_slash_divides_no_path(api, path):
    plain = await api.http.get("/graphql/static/examples.js")
    encoded = await api.http.get(path)

    assert (plain.status_code, encoded.status_code) == (200, 404)
    assert encoded.json()["error"]["code"] == "NOT_FOUND"
