"""A gateway for the clients to talk to, and what the tools of npm make of its schema."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests import npm
from tests.fault.servers import ROOT, gateway


@dataclass
class Server:
    """A running gateway over an empty database, with a key for all scopes."""

    url: str
    key: str

    @property
    def graphql(self) -> str:
        return f"{self.url}/graphql"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def data(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data of an answer without errors."""
        body = {"query": query, "variables": variables}
        answer = httpx2.post(self.graphql, json=body, headers=self.headers).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def create(self, *names: str, **fields: Any) -> list[str]:
        """Make a case of each name, and give their ids."""
        create = "mutation($i: CreateCaseInput!) { createCase(input: $i) { case { id } } }"
        made = [self.data(create, {"i": {"name": name, **fields}}) for name in names]
        return [one["createCase"]["case"]["id"] for one in made]

    def node(self, folder: Path, script: str, *arguments: object) -> str:
        """What a script printed that is given the endpoint, the key and the arguments."""
        command = ["node", script, self.graphql, self.key, *map(str, arguments)]
        return npm.run(command, folder)


@contextlib.contextmanager
def _serving(folder: Path, **settings: object):
    with gateway(folder, **settings) as made:
        yield Server(made.url, made.key)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with _serving(tmp_path_factory.mktemp("clients")) as server:
        yield server


@pytest.fixture
def own_server(tmp_path):
    """One that no other test writes to."""
    with _serving(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def relay(tmp_path_factory):
    """A project with the artifacts of relay-compiler."""
    names = ("relay.config.json", "src", "relay-roles.js", "relay-cases.js", "apollo-roles.js")
    folder = npm.project(tmp_path_factory.mktemp("relay") / "project", *names)
    (folder / "schema.graphql").write_bytes((ROOT / "schema.graphql").read_bytes())
    npm.run(["npx", "--no-install", "relay-compiler"], folder)
    return folder
