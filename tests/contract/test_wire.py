"""What two readers of one request could read differently is refused on both surfaces."""

import gzip
import json

import pytest

BODIES = {
    "/graphql": {"query": 'mutation { createParty(input: {name: "N"}) { party { id } } }'},
    "/api/v1/cases": {"name": "N"},
}


def code_of(response):
    body = response.json()
    return body["error"]["code"] if "error" in body else body["errors"][0]["extensions"]["code"]


@pytest.fixture(params=BODIES)
def path(request):
    return request.param


async def sent(api, path, content=None, headers=()):
    return await api.http.post(
        path,
        content=json.dumps(BODIES[path]).encode() if content is None else content,
        headers=[*api.bearer("all").items(), *headers],
    )


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", '; charset="UTF-8"', ";charset=UTF-8"])
async def test_a_body_in_utf_8_is_read(api, path, charset):
    response = await sent(api, path, headers=[("Content-Type", f"application/json{charset}")])

    assert response.status_code in (200, 201)


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "iso-8859-1", ""])
async def test_a_body_in_another_character_set_is_refused(api, path, charset):
    response = await sent(
        api, path, headers=[("Content-Type", f"application/json; charset={charset}")]
    )

    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity", "x"])
async def test_a_compressed_body_is_refused(api, path, encoding):
    content = gzip.compress(json.dumps(BODIES[path]).encode())

    response = await sent(
        api,
        path,
        content,
        [("Content-Type", "application/json"), ("Content-Encoding", encoding)],
    )

    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Authorization", ["Bearer other"]),
        ("Idempotency-Key", ["a", "b"]),
        ("Idempotency-Key", ["a", "a"]),
        ("Content-Type", ["application/json", "text/plain"]),
    ],
)
async def test_a_header_that_stands_twice_is_refused(api, path, name, values):
    response = await sent(
        api,
        path,
        headers=[
            *((("Content-Type", "application/json"),) if name != "Content-Type" else ()),
            *((name, value) for value in values),
        ],
    )

    assert (response.status_code, code_of(response)) == (400, "VALIDATION_ERROR")
    assert (await api.rest("GET", "/cases")).json()["data"] == []


@pytest.mark.parametrize("query", ["search=%ff", "search=%C3", "search=M%FCller", "%ff=1"])
async def test_a_query_string_that_is_no_utf_8_is_refused(api, query):
    rest = await api.rest("GET", f"/cases?{query}")
    graphql = await api.http.get(
        f"/graphql?query=%7Bviewer%7Bmode%7D%7D&{query}", headers=api.bearer("all")
    )

    for response in (rest, graphql):
        assert (response.status_code, code_of(response)) == (400, "VALIDATION_ERROR")
    assert (await api.rest("GET", "/cases?search=M%C3%BCller")).status_code == 200


async def test_no_cache_keeps_what_says_how_the_server_is(api):
    for path in ("/healthz", "/readyz"):
        assert (await api.http.get(path)).headers["Cache-Control"] == "no-store"
