"""What the OpenAPI document allows is accepted, and answered with a status that it names."""

import os
import random
import re

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode

from domain.webhooks import registering
from rest_compat.application import Application

EACH = int(os.environ.get("CASEGRAPH_PROMISED", "10"))
SEED = int(os.environ.get("CASEGRAPH_SEED", "1"))
DOCUMENT = Application().openapi() | {"servers": [{"url": "/api/v1"}]}
OPERATIONS = {
    found.ok().definition.raw["operationId"]: found.ok()
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
}


def drawn(operation):
    """Requests that schemathesis makes of an operation, each allowed by its schema."""
    cases = []

    def take(case):
        cases.append(case)

    taking = hypothesis.given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))(take)
    settings = hypothesis.settings(
        max_examples=EACH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    hypothesis.seed(SEED)(settings(taking))()
    return cases


def with_known_ids(body, ids):
    """The body with ids of something in place of its own, and no role twice, which is a rule that
    no schema can tell."""
    if isinstance(body, list):
        kept = {}
        for one in body:
            one = with_known_ids(one, ids)
            key = (one.get("id", one.get("party_id", one.get("staff_id"))), one.get("role"))
            kept.setdefault(key if key[0] else len(kept), one)
        return list(kept.values())
    if not isinstance(body, dict):
        return body
    known = {name: ids[name] for name in body if name in ids and isinstance(body[name], str)}
    inner = {
        name: with_known_ids(value, ids)
        for name, value in body.items()
        if name in ("parties", "staff") and isinstance(value, list)
    }
    return body | known | inner


async def sent(rest, case, ids, known, chance):
    if case.path_parameters:
        case.path_parameters = {name: ids[name] for name in case.path_parameters}
    if case.query:
        # No schema can tell a list's own cursor from another text.
        case.query = {name: value for name, value in case.query.items() if name != "cursor"}
        if "search" in case.query:
            case.query["search"] = case.query["search"][:31]  # nor how many words it has
    if isinstance(case.body, dict) and "webhooks" in case.path:
        case.body.pop("after", None)
    if isinstance(case.body, dict) and "role" in case.body:
        (case.query or {}).pop("role", None)  # the two must be the same
    if chance.random() < 0.5:
        case.headers = {
            name: value for name, value in case.headers.items() if not name.startswith("If-")
        }
    if isinstance(case.body, list | dict):
        case.body = with_known_ids(case.body, known if chance.random() < 0.7 else {})
    made = requests.Request(**case.as_transport_kwargs(base_url="http://x/api/v1")).prepare()
    headers = {
        name: value
        for name, value in made.headers.items()
        if name.lower() not in ("authorization", "content-length")
    }
    path = made.path_url.removeprefix("/api/v1")
    return await rest(made.method, path, headers=headers, content=made.body)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_what_the_document_allows_is_not_refused(rest, name, monkeypatch):
    monkeypatch.setattr(registering, "MOST", 1_000)
    operation = OPERATIONS[name]
    documented = DOCUMENT["paths"][operation.path][operation.method]["responses"].keys()
    chance = random.Random(SEED)
    asked = drawn(operation)
    assert len(asked) > EACH / 3
    statuses = set()
    fresh = True
    for case in asked:
        if fresh:
            mine, other = await rest.case(), await rest.case()
            staff = await rest.staff(mine, "S", "clerk")
            party = await rest.party(other, "P", "client")
            link = await rest.link(mine, other, "related")
            webhook = await rest.webhook()
        there = mine if chance.random() < 0.8 else other
        ids = {
            "case_id": there["id"],
            "link_id": link["id"],
            "party_id": party["id"],
            "staff_id": staff["id"],
            "webhook_id": webhook["id"],
        }
        if operation.path.endswith(("parties", "staff")):
            known = party["id"] if "parties" in operation.path else staff["id"]
            ids |= dict.fromkeys(("id", "party_id", "staff_id"), known)
        far = other if there is mine else mine
        known_ids = ids | dict.fromkeys(("target_case_id", "linked_case_id", "case_id"), far["id"])

        response = await sent(rest, case, ids, known_ids, chance)

        told = f"{response.request.method} {response.request.url} {response.request.content!r}"
        assert response.status_code != 400, (told, response.text)
        assert str(response.status_code) in documented, (told, response.text)
        statuses.add(response.status_code)
        # What nothing was done to is good for another request.
        fresh = response.request.method != "GET" and response.status_code < 300
    assert min(statuses) < 300, statuses


def test_the_document_is_as_clients_generate_code_from_it():
    schemas = DOCUMENT["components"]["schemas"]

    assert OPERATIONS.keys() >= {"listCases", "createCase", "getCase", "listCaseTimeline"}
    assert schemas["Case"]["properties"]["status"]["enum"] == ["active", "closed", "archived"]
    assert "CASE_NOT_FOUND" in schemas["ErrorDetail"]["properties"]["code"]["enum"]
    assert schemas["Case"]["properties"]["created_at"]["format"] == "date-time"
    query = schemas["WebhookCreate"]["properties"]["query"]["anyOf"][0]["pattern"]
    assert [text for text in ("", " ", "\n", "\u2003", "{}") if re.search(query, text)] == ["{}"]
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert operation["tags"], (method, path)
            assert all(one["description"] for one in operation["parameters"]), (method, path)
            success = next(
                answer for code, answer in operation["responses"].items() if code.startswith("2")
            )
            assert "X-RateLimit-Remaining" in success["headers"], (method, path)
            assert ("Location" in success["headers"]) == ("201" in operation["responses"])
