"""What no page of another origin can have a browser do, and what no GET changes."""

import pytest

from tests.contract.test_scopes import FIELDS, ROUTES, filled, firms, globally, office

__all__ = ["firms", "office"]

MUTATIONS = [asked for asked in FIELDS if asked.kind == "mutation"]
WRITING = [route for route in ROUTES if route.method != "GET"]
SIMPLE = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
"""What a form, or fetch() without asking first, can send (Fetch standard, 2.2.2)."""

COUNTS = "{ cases { totalCount nodes { version } } parties { totalCount } staff { totalCount } }"


@pytest.mark.parametrize("asked", MUTATIONS, ids=str)
async def test_no_mutation_runs_by_get(office, asked):
    ids = globally(await office.ids("live"))
    document = f"mutation {{ {filled(asked.asked, ids)} }}"
    before = await office.api.data(COUNTS)

    for method in ("GET", "HEAD"):
        response = await office.api.http.request(
            method, "/graphql", params={"query": document}, headers=office.headers("all")
        )

        assert (response.status_code, response.headers["Allow"]) == (405, "POST"), method
        assert await office.api.data(COUNTS) == before, method


async def test_a_mutation_that_ran_by_post_still_does_not_run_by_get(office):
    document = 'mutation { createCase(input: {name: "N"}) { case { name } } }'
    for _ in range(2):
        assert "errors" not in await office.api.graphql(document)
    before = await office.api.data(COUNTS)

    response = await office.api.http.get(
        "/graphql", params={"query": document}, headers=office.headers("all")
    )

    assert response.status_code == 405
    assert await office.api.data(COUNTS) == before


async def test_the_mutation_of_a_document_does_not_run_by_get(office):
    writing = 'mutation B { createCase(input: {name: "N"}) { case { id } } }'
    document = f"query A {{ viewer {{ mode }} }} {writing}"
    before = await office.api.data(COUNTS)

    for name, status in (("A", 200), ("B", 405)):
        response = await office.api.http.get(
            "/graphql",
            params={"query": document, "operationName": name},
            headers=office.headers("all"),
        )
        assert response.status_code == status

    assert await office.api.data(COUNTS) == before


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
async def test_a_header_does_not_make_a_get_a_deletion(office, header):
    case = (await office.ids("live"))["case"]

    for method in ("GET", "POST"):
        await office.api.rest(method, f"/cases/{case}?_method=DELETE", headers={header: "DELETE"})

    assert (await office.api.rest("GET", f"/cases/{case}")).status_code == 200


@pytest.mark.parametrize("asked", MUTATIONS, ids=str)
async def test_no_mutation_is_taken_from_a_form(office, asked):
    ids = globally(await office.ids("live"))
    before = await office.api.data(COUNTS)

    for media_type in SIMPLE:
        response = await office.api.http.post(
            "/graphql",
            json={"query": f"mutation {{ {filled(asked.asked, ids)} }}"},
            headers=office.headers("all") | {"Content-Type": media_type},
        )

        assert response.status_code == 415, media_type
        assert await office.api.data(COUNTS) == before, media_type


@pytest.mark.parametrize("route", [route for route in WRITING if route.body], ids=str)
async def test_no_body_is_taken_from_a_form(office, route):
    ids = await office.ids("live")
    before = await office.api.data(COUNTS)

    for media_type in SIMPLE:
        response = await office.api.http.request(
            route.method,
            "/api/v1" + filled(route.path, ids),
            json=filled(route.body, ids),
            headers=office.headers("all") | {"Content-Type": media_type},
        )

        assert response.status_code == 415, media_type
        assert await office.api.data(COUNTS) == before, media_type


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"headers": {"Cookie": "Authorization=Bearer {key}; authorization={key}; key={key}"}},
        {"params": {"access_token": "{key}", "key": "{key}", "authorization": "Bearer {key}"}},
        {"headers": {"X-API-Key": "{key}"}},
        {"headers": {"Proxy-Authorization": "Bearer {key}"}},
        {"headers": {"Authorization": "Basic {key}"}},
    ],
    ids=["cookie", "query", "X-API-Key", "proxy", "basic"],
)
async def test_a_key_is_taken_from_its_header_only(office, elsewhere):
    key = office.keys["all"]
    options = {
        kind: {name: value.replace("{key}", key) for name, value in values.items()}
        for kind, values in elsewhere.items()
    }

    rest = await office.api.http.get("/api/v1/cases", **options)
    graphql = await office.api.http.post(
        "/graphql", json={"query": "{ viewer { mode } }"}, **options
    )

    assert rest.status_code == graphql.status_code == 401


async def test_no_answer_sets_a_cookie_or_lets_another_origin_read(office):
    ids = await office.ids("live")
    origin = {"Origin": "https://elsewhere.example"}
    asked = [("GET", "/graphql"), ("GET", "/healthz"), ("GET", "/nowhere"), ("OPTIONS", "/graphql")]
    asked += [(route.method, "/api/v1" + filled(route.path, ids)) for route in ROUTES]

    for key in ("all", "nobody"):
        for method, path in asked:
            headers = office.headers(key) | origin
            response = await office.api.http.request(method, path, headers=headers)
            named = {name.lower() for name in response.headers}
            assert "set-cookie" not in named
            assert not {name for name in named if name.startswith("access-control-")}
