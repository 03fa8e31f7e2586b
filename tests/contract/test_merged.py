"""Over both surfaces, the id of a merged party leads to the one that was kept."""

import pytest

from gateway.execution.operations import Operation


@pytest.fixture(params=["a plan", "graphql-core"], autouse=True)
def executed_by(request, monkeypatch):
    if request.param == "graphql-core":

        async def run(self, context, given):
            return None

        monkeypatch.setattr(Operation, "run", run)


@pytest.fixture
async def merged(api, linked):
    """The global ids of the party that was kept and of the one that went."""
    data = await api.data(
        "mutation($k: ID!, $m: ID!) { mergeParties(input: {keepId: $k, mergeId: $m})"
        " { cases movedRoles joinedRoles mergedPartyId party { id } userErrors { code } } }",
        {"k": linked["idle"], "m": linked["party"]},
    )
    assert data["mergeParties"] == {
        "cases": 1,
        "movedRoles": 1,
        "joinedRoles": 0,
        "mergedPartyId": linked["party"],
        "party": {"id": linked["idle"]},
        "userErrors": [],
    }
    return linked["idle"], linked["party"]


async def test_the_old_id_is_answered_wherever_an_id_is_taken(api, linked, merged):
    kept, gone = merged

    data = await api.data(
        "query($g: ID!, $k: ID!) { node(id: $g) { id ... on Party { name } }"
        " nodes(ids: [$g, $k, $g]) { id } party(id: $g) { id cases { totalCount } }"
        " cases(filter: {party: {id: $g}}) { nodes { id } } }",
        {"g": gone, "k": kept},
    )

    assert data == {
        "node": {"id": kept, "name": "Idle"},
        "nodes": [{"id": kept}] * 3,
        "party": {"id": kept, "cases": {"totalCount": 1}},
        "cases": {"nodes": [{"id": linked["case"]}]},
    }


async def test_the_old_id_can_be_written_with(api, linked, merged):
    kept, gone = merged

    data = await api.data(
        "mutation($g: ID!, $c: ID!) {"
        ' updateParty(input: {id: $g, name: "New"}) { party { id name } userErrors { code } }'
        ' addCaseParties(input: {caseId: $c, parties: [{partyId: $g, role: "witness"}]})'
        " { case { parties { nodes { role party { id name } } } } userErrors { code } } }",
        {"g": gone, "c": linked["other"]},
    )

    assert data["updateParty"] == {"party": {"id": kept, "name": "New"}, "userErrors": []}
    roles = data["addCaseParties"]["case"]["parties"]["nodes"]
    assert roles[-1] == {"role": "witness", "party": {"id": kept, "name": "New"}}


async def test_the_old_id_is_taken_over_rest(api, linked, merged):
    kept, _gone = merged
    ids = await api.data(
        "query($g: ID!, $c: ID!) { party(id: $g) { databaseId } case(id: $c) { uuid } }",
        {"g": kept, "c": linked["other"]},
    )
    plain = await api.data(
        'mutation { createParty(input: {name: "P"}) { party { id databaseId } } }'
    )
    old = plain["createParty"]["party"]
    await api.data(
        "mutation($k: ID!, $m: ID!) { mergeParties(input: {keepId: $k, mergeId: $m})"
        " { userErrors { code } } }",
        {"k": kept, "m": old["id"]},
    )

    added = await api.rest(
        "POST",
        f"/cases/{ids['case']['uuid']}/parties",
        json={"id": old["databaseId"], "role": "guarantor"},
    )

    assert added.status_code == 201, added.text
    read = (await api.rest("GET", f"/cases/{ids['case']['uuid']}")).json()
    assert ids["party"]["databaseId"] in {party["id"] for party in read["parties"]}
