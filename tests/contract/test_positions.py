"""Every write tells its position in the timeline, on both surfaces; a request may bring one."""

import httpx2
import pytest

from domain.access.positions import HEADER
from gateway.app import create_app

CREATE = (
    "mutation($n: String!) { createCase(input: {name: $n}) { case { id } userErrors { code } } }"
)


async def last_event(api, key="all"):
    cases = "{ cases(first: 1) { nodes { timeline(first: 1) { nodes { seq } } } } }"
    [case] = (await api.data(cases, key=key))["cases"]["nodes"]
    return case["timeline"]["nodes"][0]["seq"]


async def posted(api, query, variables=None, headers=None):
    return await api.http.post(
        "/graphql",
        json={"query": query, "variables": variables},
        headers=api.bearer("all") | (headers or {}),
    )


async def test_a_write_tells_its_position(api):
    over_graphql = await posted(api, CREATE, {"n": "One"})
    first = over_graphql.json()["extensions"]["position"]
    assert over_graphql.headers[HEADER] == str(first)
    assert first == await last_event(api)

    over_rest = await api.rest("POST", "/cases", json={"name": "Two"})
    assert over_rest.status_code == 201
    assert int(over_rest.headers[HEADER]) == await last_event(api) == first + 1

    deleted = await api.rest("DELETE", f"/cases/{over_rest.json()['id']}")
    assert (deleted.status_code, int(deleted.headers[HEADER])) == (204, first + 2)


async def test_a_write_that_changes_nothing_or_repeats_one_tells_the_end(api):
    made = await api.rest(
        "POST", "/cases", json={"name": "One"}, headers={"Idempotency-Key": "once"}
    )
    later = await api.rest("POST", "/cases", json={"name": "Two"})
    again = await api.rest(
        "POST", "/cases", json={"name": "One"}, headers={"Idempotency-Key": "once"}
    )
    same = await api.rest("PUT", f"/cases/{made.json()['id']}", json={"name": "One"})

    assert again.json()["id"] == made.json()["id"]
    assert again.headers[HEADER] == same.headers[HEADER] == later.headers[HEADER]


async def test_what_writes_nothing_tells_no_position(api):
    await api.rest("POST", "/cases", json={"name": "One"})
    answers = [
        await api.rest("GET", "/cases"),
        await api.rest("POST", "/cases", json={"name": ""}),
        await api.rest("PUT", "/cases/019bc8f0-4c00-7000-8000-0123456789ab", json={"name": "N"}),
        await posted(api, "{ cases(first: 1) { nodes { name } } }"),
    ]
    for answer in answers:
        assert HEADER not in answer.headers
        assert "position" not in answer.json().get("extensions", {})


@pytest.mark.parametrize("given", ["0", "1", "4711", "999999999999999999"])
async def test_a_request_may_bring_any_position(api, given):
    await api.rest("POST", "/cases", json={"name": "One"})

    for _again in range(3):
        rest = await api.rest("GET", "/cases", headers={HEADER: given})
        query = "{ cases(first: 1) { nodes { name } } }"
        graphql = await posted(api, query, headers={HEADER: given})
        assert [case["name"] for case in rest.json()["data"]] == ["One"]
        assert graphql.json() == {"data": {"cases": {"nodes": [{"name": "One"}]}}}


@pytest.mark.parametrize("given", ["", "-1", "1.0", "one", "1" * 19, "\u0661", "1 2"])
async def test_what_is_no_position_is_refused(api, given):
    header = {HEADER: given.encode()}
    rest = await api.rest("GET", "/cases", headers=header)
    graphql = await posted(api, "{ viewer { mode } }", headers=header)

    assert rest.status_code == graphql.status_code == 400
    told = f"{HEADER} must be a whole number."
    error = rest.json()["error"]
    assert (error["code"], error["details"][0]["message"]) == ("VALIDATION_ERROR", told)
    assert graphql.json()["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"
    assert told in graphql.text


async def test_pages_of_other_origins_may_bring_and_read_it(settings):
    app = create_app(settings.but(cors_origins=("https://app.example",)))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
            asked = {
                "Origin": "https://app.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": HEADER,
            }
            allowed = await http.options("/graphql", headers=asked)
            answer = await http.get("/healthz", headers={"Origin": "https://app.example"})
    assert allowed.status_code == 200
    assert HEADER in answer.headers["Access-Control-Expose-Headers"]
