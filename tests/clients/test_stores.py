"""A party with three roles in the stores of Relay and Apollo Client, which keep one edge a node."""

import json
import shutil
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.fault.servers import gateway

HERE = Path(__file__).parent / "npm"
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None, reason="Node.js and npm are not installed"
)


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """The clients from npm, and the artifacts that relay-compiler makes with our schema."""
    folder = tmp_path_factory.mktemp("clients") / "npm"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("node_modules", "__generated__"))
    shutil.copy(ROOT / "schema.graphql", folder)
    run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], folder)
    run(["npx", "--no-install", "relay-compiler"], folder)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("stores")) as server:
        yield server


def run(command, folder):
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def data(server, query, variables):
    response = httpx2.post(
        f"{server.url}/graphql",
        json={"query": query, "variables": variables},
        headers={"Authorization": f"Bearer {server.key}"},
    )
    answer = response.json()
    assert "errors" not in answer, answer
    return answer["data"]


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("client", ["relay", "apollo"])
def test_a_store_holds_all_roles_of_a_party(clients, server, client, size):
    created = data(
        server,
        "mutation($i: CreateCaseInput!) { createCase(input: $i) { case { id "
        "parties { nodes { party { id } } } } } }",
        {"i": {"name": "N", "parties": [{"new": {"name": "Müller"}, "role": "client"}]}},
    )["createCase"]["case"]
    party = created["parties"]["nodes"][0]["party"]["id"]
    more = [
        {"partyId": party, "role": "witness", "reference": "W 1"},
        {"partyId": party, "role": "guarantor"},
    ]
    data(
        server,
        "mutation($i: AddCasePartiesInput!) { addCaseParties(input: $i) { userErrors { code } } }",
        {"i": {"caseId": created["id"], "parties": more}},
    )

    printed = run(
        ["node", f"{client}.js", f"{server.url}/graphql", server.key, created["id"], str(size)],
        clients,
    )

    found = json.loads(printed)
    assert found["pages"] == -(-3 // size)
    assert [node["role"] for node in found["before"]] == ["client", "witness", "guarantor"]
    assert {node["party"]["name"] for node in found["before"]} == {"Müller"}
    assert len({node["id"] for node in found["before"]}) == 3
    # A mutation's answer updates the one role, by its id.
    assert [node["role"] for node in found["after"]] == ["plaintiff", "witness", "guarantor"]
