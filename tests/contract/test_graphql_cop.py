"""The thirteen requests of graphql-cop, a scanner, against the production profile: no finding.

A query by GET is the one request that is answered as the scanner would rather not see it answered:
it is wanted (persisted queries, caches), changes nothing, and needs a key in a header that no
foreign page can send.
"""

import pytest

TYPENAME = "query cop { __typename }"


@pytest.fixture
def settings(settings):
    """As README's checklist has it."""
    return settings.but(introspection=False, suggestions=False, graphiql=False)


def data(answer):
    return answer.get("data") or {} if isinstance(answer, dict) else {}


def errors(answer):
    return answer.get("errors") or [] if isinstance(answer, dict) else []


ALIASES = "query cop { " + " ".join(f"alias{n}:__typename" for n in range(101)) + " }"
DUPLICATES = "query cop { " + "__typename " * 500 + "}"
DIRECTIVES = "query cop { __typename " + "@aa" * 10 + " }"
CIRCULAR = (
    "query cop { __schema { types { fields { type { fields { type { fields { type { fields {"
    " type { name } } } } } } } } } } }"
)
SCHEMA = "query cop { __schema { types { name fields { name } } } }"

BY_POST = {
    "alias overloading": (ALIASES, lambda got: data(got).get("alias100")),
    "batched queries": ([{"query": TYPENAME}] * 10, lambda got: isinstance(got, list)),
    "directive overloading": (DIRECTIVES, lambda got: len(errors(got)) >= 10),
    "circular introspection": (CIRCULAR, lambda got: data(got).get("__schema")),
    "field duplication": (DUPLICATES, lambda got: data(got).get("__typename")),
    "introspection": (SCHEMA, lambda got: data(got).get("__schema")),
    "field suggestions": (
        "query cop { viewr { mod } case(idd: 1) { nam } }",
        lambda got: "Did you mean" in str(got),
    ),
    "trace mode": (
        TYPENAME,
        lambda got: "tracing" in str(got) or "trace" in str(got.get("extensions", "")),
    ),
    "unhandled errors": (
        "qwerty cop { abc }",
        lambda got: any(
            {"exception", "stacktrace", "debug"} & set(error.get("extensions", {}))
            for error in errors(got)
        ),
    ),
}


@pytest.mark.parametrize("name", BY_POST)
async def test_a_request_by_post_finds_nothing(api, name):
    query, found = BY_POST[name]
    body = query if isinstance(query, list) else {"query": query}

    answer = await api.http.post("/graphql", json=body, headers=api.bearer("all"))

    got = answer.json()
    assert not found(got), got
    assert len(errors(got)) <= 8


async def test_a_mutation_by_get_is_refused(api):
    answer = await api.http.get(
        "/graphql", params={"query": "mutation cop { __typename }"}, headers=api.bearer("all")
    )

    assert answer.status_code == 405
    assert not data(answer.json()).get("__typename")


async def test_a_form_is_refused(api):
    answer = await api.http.post("/graphql", data={"query": TYPENAME}, headers=api.bearer("all"))

    assert answer.status_code == 415
    assert not data(answer.json()).get("__typename")


@pytest.mark.parametrize("path", ["/graphql", "/", "/graphiql", "/playground", "/console"])
async def test_there_is_no_page_to_explore_the_schema(api, path):
    answer = await api.http.get(path, headers={"Accept": "text/html"}, follow_redirects=True)

    for words in ("graphiql", "GraphiQL", "GraphQL Playground", "graphql-playground"):
        assert words not in answer.text


async def test_a_query_by_get_needs_a_key_that_no_foreign_page_can_send(api):
    parameters = {"query": TYPENAME}

    without = await api.http.get("/graphql", params=parameters, headers={"Cookie": "key=x"})
    wanted = await api.http.get("/graphql", params=parameters, headers=api.bearer("all"))

    assert without.status_code == 401
    assert data(wanted.json()) == {"__typename": "Query"}
