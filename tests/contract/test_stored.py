"""A write that is stored but cannot be shown is told as that, on both surfaces."""

import contextlib

import pytest

from domain.errors import Damaged, TimedOut, Unavailable

TOLD = "The change is stored, but it cannot be shown right now."
CREATE = (
    "mutation($n: String!) { createCase(input: {name: $n}) {"
    " case { name parties { nodes { role } } } userErrors { code } } }"
)
UPDATE = (
    'mutation($id: ID!) { updateCase(input: {id: $id, name: "Late", expectedVersion: 9}) {'
    " case { name parties { nodes { role } } } userErrors { code } } }"
)


@pytest.fixture(params=[TimedOut, Unavailable, Damaged])
def unreadable(api, monkeypatch, request):
    """A function after which nothing can be read, but written."""

    async def run(*_arguments):
        raise request.param

    @contextlib.asynccontextmanager
    async def read(*_arguments):
        raise request.param
        yield

    def begin():
        monkeypatch.setattr(api.services.database, "run", run)
        monkeypatch.setattr(api.services.database, "read", read)

    yield begin
    monkeypatch.undo()


async def names(api, monkeypatch):
    monkeypatch.undo()
    data = await api.data("{ cases { nodes { name description parties { totalCount } } } }")
    return {node["name"]: node for node in data["cases"]["nodes"]}


@pytest.mark.usefixtures("steady")
async def test_rest_says_that_it_is_stored(api, unreadable, monkeypatch):
    made = [await api.rest("POST", "/cases", json={"name": name}) for name in ("One", "Other")]
    one, other = (answer.json()["id"] for answer in made)
    unreadable()
    role = {"name": "Jörg", "role": "client"}

    for method, path, body in (
        ("POST", "/cases", {"name": "New"}),
        ("PUT", f"/cases/{one}", {"description": "D"}),
        ("POST", f"/cases/{one}/parties", {"parties": [role]}),
        ("POST", f"/cases/{one}/links", {"linked_case_id": other, "type": "related"}),
    ):
        answer = await api.rest(method, path, json=body)
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["message"] == TOLD
        assert "retry-after" not in answer.headers

    stored = await names(api, monkeypatch)
    assert stored.keys() == {"One", "Other", "New"}
    assert stored["One"] == {"name": "One", "description": "D", "parties": {"totalCount": 1}}


@pytest.mark.usefixtures("steady")
async def test_graphql_says_that_it_is_stored(api, unreadable, monkeypatch):
    await api.data("{ viewer { mode } }")
    unreadable()

    answer = await api.graphql(CREATE, {"n": "New"})

    assert [error["message"] for error in answer["errors"]] == [TOLD]
    assert answer["errors"][0]["path"][0] == "createCase"
    assert (await names(api, monkeypatch)).keys() == {"New"}


@pytest.mark.usefixtures("steady")
async def test_what_was_refused_is_not_told_as_stored(api, unreadable, monkeypatch):
    made = await api.data(CREATE.replace("name parties", "id parties"), {"n": "One"})
    unreadable()

    late = await api.graphql(UPDATE, {"id": made["createCase"]["case"]["id"]})
    assert late["errors"]  # the case as it is now cannot be shown
    assert TOLD not in str(late)
    refused = await api.rest("POST", "/cases", json={"name": ""})
    assert (refused.status_code, TOLD in refused.text) == (400, False)

    assert (await names(api, monkeypatch)).keys() == {"One"}
