"""graphql-codegen's client preset under strict TypeScript, with its manifest of documents."""

import json
import shutil

import pytest

from tests import npm
from tests.fault.servers import ROOT, gateway

pytestmark = npm.needed


@pytest.fixture
def typed(tmp_path):
    folder = npm.project(tmp_path / "project", "typed") / "typed"
    shutil.copy(ROOT / "schema.graphql", folder)
    npm.run(["npx", "--no-install", "graphql-codegen", "--config", "codegen.json"], folder)
    npm.run(["npx", "--no-install", "tsc", "--project", "tsconfig.json"], folder)
    return folder


def test_a_typed_program_runs_with_the_documents_of_its_manifest_and_no_others(typed, tmp_path):
    documents = typed / "generated" / "persisted-documents.json"

    with gateway(tmp_path, documents=documents, documents_only=True) as server:
        endpoint = f"{server.url}/graphql"
        told = npm.run(["node", "built/app.js", endpoint, server.key], typed)

    assert json.loads(told) == {"created": True, "total": 1, "roles": ["client"]}
