"""gzip: who gets it, for which answers, and what becomes of ETags and conditions."""

import gzip
import json

import pytest

from gateway.server.compression import LEAST, Compressed, accepts_gzip
from tests.fixtures import Api

GZIP = {"Accept-Encoding": "gzip, deflate, br"}
REST = "/api/v1/"
PLAIN = {"Accept-Encoding": "identity"}


@pytest.fixture
async def some_case(api: Api) -> str:
    body = {"name": "N", "description": "d " * 700}
    response = await api.rest("POST", "/cases", json=body)
    return response.json()["id"]


async def raw(api: Api, method: str, url: str, headers, **options):
    """The answer as it is sent: httpx2 would decompress it."""
    headers = api.bearer("all") | headers
    async with api.http.stream(method, url, headers=headers, **options) as response:
        body = b"".join([part async for part in response.aiter_raw()])
    return response, body


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, False),
        (b"", False),
        (b"gzip", True),
        (b"br, GZIP ; q=0.5", True),
        (b"x-gzip", True),
        (b"gzip;q=0", False),
        (b"gzip; q=0.000", False),
        (b"gzipped", False),
        (b"identity, *", False),
    ],
)
def test_only_who_names_gzip_gets_it(given, wanted):
    headers = [] if given is None else [(b"accept-encoding", given)]

    assert accepts_gzip(headers) is wanted


@pytest.mark.usefixtures("some_case")
async def test_both_surfaces_the_page_and_its_files_are_compressed(api):
    asked = {"query": "{ cases { nodes { id name description } } }"}
    for method, url, options in [
        ("GET", "/api/v1/cases", {}),
        ("POST", "/graphql", {"json": asked}),
        ("GET", "/graphql", {"params": asked}),
        ("GET", "/graphql/static/graphiql.min.js", {}),
        ("GET", "/graphql/static/page.css", {}),
        ("GET", "/api/v1/docs/static/swagger-ui-bundle.js", {}),
        ("GET", "/api/v1/openapi.json", {}),
        ("GET", "/graphql/schema.graphql", {}),
    ]:
        plain, body = await raw(api, method, url, PLAIN, **options)
        packed, short = await raw(api, method, url, GZIP, **options)

        assert packed.status_code == plain.status_code == 200
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in plain.headers["Vary"]
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert len(short) < len(body) / 2
        assert gzip.decompress(short) == body
        if "Content-Length" in packed.headers:
            assert int(packed.headers["Content-Length"]) == len(short)


async def test_short_answers_and_errors_are_sent_as_they_are(api):
    for url in ("/healthz", "/api/v1/cases/none"):
        response, _ = await raw(api, "GET", url, GZIP)
        assert "Content-Encoding" not in response.headers
        assert response.headers["Content-Length"]


async def test_the_tag_of_a_case_is_its_revision_in_every_answer(api, some_case):
    url = f"/api/v1/cases/{some_case}"

    plain, _ = await raw(api, "GET", url, PLAIN)
    other, _ = await raw(api, "GET", url, GZIP)

    assert other.headers["ETag"] == plain.headers["ETag"]
    assert "Content-Encoding" not in other.headers


@pytest.mark.usefixtures("some_case")
async def test_a_query_by_get_is_not_sent_again_to_who_has_it_compressed(api):
    params = {"query": "{ cases { nodes { id description } } }"}
    plain, _ = await raw(api, "GET", "/graphql", PLAIN, params=params)
    packed, _ = await raw(api, "GET", "/graphql", GZIP, params=params)
    tag = packed.headers["ETag"]
    assert tag != plain.headers["ETag"]

    known = GZIP | {"If-None-Match": f'"x", {tag}'}
    same, body = await raw(api, "GET", "/graphql", known, params=params)

    assert (same.status_code, body, same.headers["ETag"]) == (304, b"", tag)


async def sent(parts, headers):
    """What leaves the middleware for an answer in these parts."""
    messages = []

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for n, part in enumerate(parts):
            more = n + 1 < len(parts)
            await send({"type": "http.response.body", "body": part, "more_body": more})

    async def keep(message):
        messages.append(message)

    scope = {"type": "http", "path": "/", "headers": [(b"accept-encoding", b"gzip")]}
    await Compressed(app, REST)(scope, None, keep)
    head, *bodies = messages
    return dict(head["headers"]), b"".join(one["body"] for one in bodies)


JSON = [(b"content-type", b"application/json")]


@pytest.mark.parametrize("size", [LEAST, 300_000])
@pytest.mark.parametrize("count", [1, 3])
async def test_an_answer_in_parts_is_one_stream(size, count):
    body = (json.dumps(list(range(100_000))).encode())[:size]
    step = -(-size // count)
    parts = [body[n : n + step] for n in range(0, size, step)]

    headers, packed = await sent(parts, [*JSON, (b"content-length", b"%d" % size)])

    assert gzip.decompress(packed) == body
    assert headers.get(b"content-length") in (None, b"%d" % len(packed))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * (LEAST - 1), JSON),
        (b"x" * LEAST, [(b"content-type", b"image/png")]),
        (b"x" * LEAST, [(b"content-type", b"text/event-stream")]),
        (b"x" * LEAST, [*JSON, (b"content-encoding", b"br")]),
        (b"x" * LEAST, []),
    ],
)
async def test_what_gains_nothing_is_left_alone(body, headers):
    assert await sent([body], headers) == (dict(headers), body)
