"""What the contract tests start from: a case with everything, made over GraphQL."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.contract.worlds import world
from tests.fixtures import Api

CREATE = """
mutation Create($input: CreateCaseInput!) {
  createCase(input: $input) {
    case {
      id uuid name version
      parties { nodes { id party { id databaseId } } }
      staff { nodes { id staff { id databaseId } } }
    }
    userErrors { code message field }
  }
}
"""


@pytest.fixture
def given_case(api) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Creates a case; unless told otherwise it has one party and one staff member."""

    async def create(*, key: str = "all", **values: Any) -> dict[str, Any]:
        return await opened_case(api, key, **values)

    return create


async def opened_case(api: Api, key: str = "all", **values: Any) -> dict[str, Any]:
    """A new case, which has one party and one staff member unless *values* say otherwise."""
    new = {
        "name": "Müller ./. Weiß",
        "parties": [{"new": {"name": "Jörg Müller"}, "role": "client"}],
        "staff": [{"new": {"name": "Dr. Anna Groß"}, "role": "lead_attorney"}],
    } | values
    payload = (await api.data(CREATE, {"input": new}, key=key))["createCase"]
    assert payload["userErrors"] == []
    return payload["case"]


@pytest.fixture
def given_link(api) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def link(case: dict[str, Any], linked: dict[str, Any], kind: str = "RELATED") -> Any:
        data = await api.data(
            "mutation($a: ID!, $b: ID!, $type: CaseLinkType!) {"
            " linkCases(input: {caseId: $a, linkedCaseId: $b, type: $type}) {"
            " link { id databaseId } userErrors { code } } }",
            {"a": case["id"], "b": linked["id"], "type": kind},
        )
        assert data["linkCases"]["userErrors"] == []
        return data["linkCases"]["link"]

    return link


SETUP = """mutation($n: String!, $f: String) {
  createCase(input: {name: $n, fileNumber: $f,
    parties: [{new: {name: "P"}, role: "client"}, {new: {name: "Q"}, role: "opponent"}],
    staff: [{new: {name: "S"}, role: "clerk"}]}) {
    case { id parties { nodes { id party { id } } } staff { nodes { id staff { id } } } } } }"""
LINK = """mutation($a: ID!, $b: ID!) {
  linkCases(input: {caseId: $a, linkedCaseId: $b, type: PARENT}) { link { id } } }"""


ALONE = """mutation($gone: ID!) {
  createParty(input: {name: "Idle"}) { party { id } }
  createStaff(input: {name: "Idler"}) { staff { id } }
  deleteCase(input: {id: $gone}) { deletedCaseId } }"""


async def hook(api) -> str:
    """The id of a new webhook."""
    data = await api.data(
        'mutation { createWebhook(input: {url: "https://hooks.example.org/a"}) { webhook { id } } }'
    )
    return data["createWebhook"]["webhook"]["id"]


@pytest.fixture
def firms(
    database_kind: str, request: pytest.FixtureRequest
) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of a new database with two firms, and their keys."""
    if "linked" not in request.fixturenames:
        yield request.getfixturevalue("firms")
        return
    with world(database_kind, request, _linked) as (url, keys, ids):
        request.node.stash[LINKED] = ids
        yield url, keys


LINKED = pytest.StashKey[dict[str, str]]()


@pytest.fixture
def linked(firms: tuple[str, dict[str, str]], request: pytest.FixtureRequest) -> dict[str, str]:
    """Global ids: two linked cases, the people and roles of the first, and who is in none."""
    return dict(request.node.stash[LINKED])


async def _linked(api: Api) -> dict[str, str]:
    made = [(await api.data(SETUP, {"n": n, "f": f"AZ-{n}"}))["createCase"]["case"] for n in "AB"]
    link = await api.data(LINK, {"a": made[0]["id"], "b": made[1]["id"]})
    case, other = made
    alone = await api.data(
        ALONE, {"gone": (await api.data(SETUP, {"n": "G"}))["createCase"]["case"]["id"]}
    )
    return {
        "hook": await hook(api),
        "spare": await hook(api),
        "idle": alone["createParty"]["party"]["id"],
        "idler": alone["createStaff"]["staff"]["id"],
        "gone": alone["deleteCase"]["deletedCaseId"],
        "case": case["id"],
        "other": other["id"],
        "party": case["parties"]["nodes"][0]["party"]["id"],
        "role": case["parties"]["nodes"][0]["id"],
        "staff": case["staff"]["nodes"][0]["staff"]["id"],
        "task": case["staff"]["nodes"][0]["id"],
        "link": link["linkCases"]["link"]["id"],
    }
