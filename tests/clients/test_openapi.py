"""Clients that are generated from the OpenAPI document, in Python and in TypeScript."""

import importlib
import json
import subprocess
import sys

import httpx2
import pytest

from tests import npm


@pytest.fixture
def document(server, tmp_path):
    path = tmp_path / "openapi.json"
    path.write_text(httpx2.get(f"{server.url}/api/v1/openapi.json").text)
    return path


@pytest.fixture
def generated(document, tmp_path, monkeypatch):
    """The package that openapi-python-client makes."""
    options = ["--path", document, "--meta", "none", "--output-path", tmp_path / "cases_client"]
    subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", *options],
        check=True,
        capture_output=True,
        timeout=120,
    )
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("cases_client")


def test_a_python_client_does_a_round_trip(server, generated):
    from cases_client.api.cases import create_case, delete_case, get_case, list_cases, update_case
    from cases_client.api.parties import add_case_parties, list_case_parties
    from cases_client.models import CaseCreate, CaseUpdate, PartiesToAdd

    root = f"{server.url}/api/v1"
    with generated.AuthenticatedClient(base_url=root, token=server.key) as client:
        body = CaseCreate(name="Generated", file_number="PY 1")
        case = create_case.sync(client=client, body=body, idempotency_key="py-1")
        again = create_case.sync(client=client, body=body, idempotency_key="py-1")
        assert again.id == case.id
        body = PartiesToAdd(parties=[{"name": "Erika", "role": "client"}])
        add_case_parties.sync(case.id, client=client, body=body)
        parties = list_case_parties.sync(case.id, client=client)
        assert [(one.role, one.name) for one in parties.data] == [("client", "Erika")]
        read = get_case.sync_detailed(case.id, client=client)
        changed = update_case.sync_detailed(
            case.id,
            client=client,
            body=CaseUpdate.from_dict({"status": "closed"}),
            if_match=read.headers["ETag"],
        )
        assert changed.status_code == 200
        late = update_case.sync_detailed(
            case.id,
            client=client,
            body=CaseUpdate.from_dict({"name": "late"}),
            if_match=read.headers["ETag"],
        )
        assert (late.status_code, late.parsed.error.code) == (412, "VERSION_CONFLICT")
        found = list_cases.sync(client=client, search="PY 1", facets="status")
        assert [one.name for one in found.data] == ["Generated"]
        assert delete_case.sync_detailed(case.id, client=client).status_code == 204
        assert get_case.sync(case.id, client=client).error.code == "CASE_NOT_FOUND"


@npm.needed
def test_a_typescript_client_does_a_round_trip(server, document, tmp_path):
    folder = npm.project(tmp_path / "project", "rest") / "rest"
    npm.run(["npx", "--no-install", "openapi-typescript", str(document), "-o", "api.ts"], folder)
    npm.run(["npx", "--no-install", "tsc", "--project", "tsconfig.json"], folder)

    told = json.loads(npm.run(["node", "built/app.js", f"{server.url}/api/v1", server.key], folder))

    assert told == {
        "created": 201,
        "parties": ["client: Erika"],
        "updated": "closed",
        "conflict": "VERSION_CONFLICT",
        "found": ["Generated"],
        "deleted": 204,
        "gone": "CASE_NOT_FOUND",
    }
