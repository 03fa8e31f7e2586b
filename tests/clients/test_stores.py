"""A party with three roles in the stores of Relay and Apollo Client, which keep one edge a node."""

import json

import pytest

from tests import npm

pytestmark = npm.needed


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("client", ["relay", "apollo"])
def test_a_store_holds_all_roles_of_a_party(relay, server, client, size):
    created = server.data(
        "mutation($i: CreateCaseInput!) { createCase(input: $i) { case { id "
        "parties { nodes { party { id } } } } } }",
        {"i": {"name": "N", "parties": [{"new": {"name": "Müller"}, "role": "client"}]}},
    )["createCase"]["case"]
    party = created["parties"]["nodes"][0]["party"]["id"]
    more = [
        {"partyId": party, "role": "witness", "reference": "W 1"},
        {"partyId": party, "role": "guarantor"},
    ]
    server.data(
        "mutation($i: AddCasePartiesInput!) { addCaseParties(input: $i) { userErrors { code } } }",
        {"i": {"caseId": created["id"], "parties": more}},
    )

    found = json.loads(server.node(relay, f"{client}-roles.js", created["id"], size))
    assert found["pages"] == -(-3 // size)
    assert [node["role"] for node in found["before"]] == ["client", "witness", "guarantor"]
    assert {node["party"]["name"] for node in found["before"]} == {"Müller"}
    assert len({node["id"] for node in found["before"]}) == 3
    # A mutation's answer updates the one role, by its id.
    assert [node["role"] for node in found["after"]] == ["plaintiff", "witness", "guarantor"]
