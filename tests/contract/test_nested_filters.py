"""Filters of the lists below an object, over GraphQL: by a plan, and where there is none."""

import pytest

CREATE = "mutation($i: CreateCaseInput!) { createCase(input: $i) { case { id } } }"
PERSON = """{
  parties {
    nodes {
      active: cases(filter: {status: [ACTIVE]}) { totalCount nodes { case { name } } }
      closed: cases(filter: {status: [CLOSED]}) { totalCount nodes { case { name } } }
      clients: cases(role: "client") { totalCount nodes { case { name } } }
      all: cases { totalCount nodes { case { name } } }
      found: cases(filter: {search: "zwei"}, role: "witness") { nodes { case { name } } }
    }
  }
  cases(filter: {search: "eins"}) {
    nodes {
      clients: parties(role: "client") { totalCount nodes { role } }
      created: timeline(filter: {type: ["case_created"]}) { totalCount nodes { type } }
      others: timeline(filter: {type: ["x"]}) { totalCount nodes { type } }
      mine: timeline(filter: {actor: ["all"]}) { totalCount }
    }
  }
  %s
}"""
UNCOVERED = 'search(query: "nothing") { totalCount }'
"""No plan covers it: graphql-core executes the whole operation."""


@pytest.fixture
async def firm(api):
    """A party with three roles in two cases."""
    one = {"name": "Eins", "parties": [{"new": {"name": "Erika"}, "role": "client"}]}
    one["parties"].append({"new": {"name": "Court", "kind": "COURT"}, "role": "court"})
    await api.data(CREATE, {"i": one})
    parties = (await api.data("{ parties { nodes { id name } } }"))["parties"]["nodes"]
    erika = next(party["id"] for party in parties if party["name"] == "Erika")
    roles = [{"partyId": erika, "role": role} for role in ("client", "witness")]
    await api.data(CREATE, {"i": {"name": "Zwei", "status": "CLOSED", "parties": roles}})


@pytest.mark.parametrize("beside", ["", UNCOVERED], ids=["plan", "graphql-core"])
@pytest.mark.usefixtures("firm")
async def test_each_alias_has_what_its_own_filter_finds(api, beside):
    answer = await api.data(PERSON % beside)

    court, erika = answer["parties"]["nodes"]
    names = {
        alias: [one["case"]["name"] for one in listed["nodes"]] for alias, listed in erika.items()
    }
    assert names == {
        "active": ["Eins"],
        "closed": ["Zwei", "Zwei"],
        "clients": ["Zwei", "Eins"],
        "all": ["Zwei", "Zwei", "Eins"],
        "found": ["Zwei"],
    }
    counts = {alias: one["totalCount"] for alias, one in erika.items() if "totalCount" in one}
    assert counts == {alias: len(names[alias]) for alias in counts}
    assert [court[alias]["totalCount"] for alias in ("active", "closed", "all")] == [1, 0, 1]
    [case] = answer["cases"]["nodes"]
    assert case == {
        "clients": {"totalCount": 1, "nodes": [{"role": "client"}]},
        "created": {"totalCount": 1, "nodes": [{"type": "case_created"}]},
        "others": {"totalCount": 0, "nodes": []},
        "mine": {"totalCount": 1},
    }


@pytest.mark.parametrize("beside", ["", UNCOVERED], ids=["plan", "graphql-core"])
@pytest.mark.usefixtures("firm")
async def test_a_filter_that_breaks_a_rule_is_told_at_its_field(api, beside):
    query = '{ parties { nodes { cases(filter: {search: "%s"}) { totalCount } } } %s }'

    answer = await api.graphql(query % ("x" * 201, beside))

    assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"
    assert answer["errors"][0]["path"][:4] == ["parties", "nodes", 0, "cases"]
