"""GraphQL over HTTP: methods, media types, statuses."""

import pytest

from gateway.http.accept import RESPONSE_TYPE
from gateway.http.parameters import JSON_TYPE

BAD = "{ viewer { nothing } }"


async def test_a_query_runs_by_get(api):
    response = await api.http.get(
        "/graphql",
        params={
            "query": "query Q($n: Int) { cases(first: $n) { totalCount } }",
            "variables": '{"n": 1}',
            "operationName": "Q",
        },
        headers=api.bearer("all"),
    )

    assert (response.status_code, response.json()) == (200, {"data": {"cases": {"totalCount": 0}}})


async def test_a_browser_is_shown_graphiql_without_a_key(api):
    response = await api.http.get("/graphql", headers={"Accept": "text/html,*/*;q=0.8"})

    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    script = await api.http.get("/graphql/static/start.js")
    assert script.status_code == 200


async def test_the_start_page_leads_to_graphiql(api):
    response = await api.http.get("/")

    assert (response.status_code, response.headers["Location"]) == (307, "/graphql")


@pytest.mark.parametrize(
    ("accept", "media_type", "status"),
    [
        (None, JSON_TYPE, 200),
        ("*/*", JSON_TYPE, 200),
        ("application/*", JSON_TYPE, 200),
        (JSON_TYPE, JSON_TYPE, 200),
        (RESPONSE_TYPE, RESPONSE_TYPE, 400),
        (f"{RESPONSE_TYPE}; charset=utf-8, {JSON_TYPE}; q=0.9", RESPONSE_TYPE, 400),
    ],
)
async def test_the_accepted_media_type_decides_the_status_of_a_bad_document(
    api, accept, media_type, status
):
    headers = api.bearer("all") | ({"Accept": accept} if accept else {})

    response = await api.http.post("/graphql", json={"query": BAD}, headers=headers)

    assert response.status_code == status
    assert response.headers["Content-Type"] == f"{media_type}; charset=utf-8"
    assert "data" not in response.json()


async def test_a_field_error_is_answered_with_success(api):
    response = await api.http.post(
        "/graphql",
        json={"query": "{ cases(first: 0) { totalCount } }"},
        headers=api.bearer("all") | {"Accept": RESPONSE_TYPE},
    )

    assert response.status_code == 200
    assert response.json()["data"] == {"cases": None}


async def test_a_client_that_accepts_none_of_ours_is_told_so(api):
    response = await api.http.post(
        "/graphql", json={"query": BAD}, headers=api.bearer("all") | {"Accept": "text/plain"}
    )

    assert response.status_code == 406


async def test_the_named_one_of_several_operations_runs(api):
    document = "query A { viewer { mode } } query B { viewer { keyName } }"

    response = await api.http.post(
        "/graphql",
        json={"query": document, "operationName": "B"},
        headers=api.bearer("all"),
    )

    assert response.json() == {"data": {"viewer": {"keyName": "all"}}}


async def test_a_payload_is_read_after_its_own_write_and_before_the_next(api):
    made = await api.data('mutation { createCase(input: {name: "First"}) { case { id } } }')
    id = made["createCase"]["case"]["id"]

    data = await api.data(
        """mutation($id: ID!) {
          a: updateCase(input: {id: $id, name: "Second"}) { case { name timeline { totalCount } } }
          b: updateCase(input: {id: $id, name: "Third"}) { case { name timeline { totalCount } } }
        }""",
        {"id": id},
    )

    assert data["a"]["case"] == {"name": "Second", "timeline": {"totalCount": 2}}
    assert data["b"]["case"] == {"name": "Third", "timeline": {"totalCount": 3}}
