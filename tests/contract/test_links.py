"""Links over both surfaces: no circles, and none to a case that is gone."""

import itertools
import json

import pytest

from domain.transfer.importing import import_cases
from domain.upkeep import administration

LINK = """mutation($a: ID!, $b: ID!, $t: CaseLinkType!) {
  linkCases(input: {caseId: $a, linkedCaseId: $b, type: $t}) {
    link { id } userErrors { code message } } }"""


@pytest.fixture
async def cases(api):
    made = [await api.rest("POST", "/cases", json={"name": name}) for name in "ABCD"]
    return [response.json()["id"] for response in made]


async def link(api, a, b, kind):
    payload = (await api.data(LINK, {"a": a, "b": b, "t": kind.upper()}))["linkCases"]
    return [error["code"] for error in payload["userErrors"]]


@pytest.mark.parametrize(
    ("kind", "inverse"),
    [("parent", "child"), ("predecessor", "successor"), ("appeal", "lower_instance")],
)
@pytest.mark.parametrize("length", [2, 3, 4])
async def test_a_circle_is_refused_however_long_it_is(api, cases, kind, inverse, length):
    chain = cases[:length]
    for a, b in itertools.pairwise(chain):
        assert await link(api, a, b, kind) == []
    before = (await api.rest("GET", f"/cases/{chain[0]}")).headers["ETag"]

    assert await link(api, chain[-1], chain[0], kind) == ["LINK_EXISTS"]
    assert await link(api, chain[0], chain[-1], inverse) == ["LINK_EXISTS"]
    refused = await api.rest(
        "POST", f"/cases/{chain[-1]}/links", json={"case_id": chain[0], "type": kind}
    )

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "LINK_EXISTS")
    assert (await api.rest("GET", f"/cases/{chain[0]}")).headers["ETag"] == before
    if length > 2:
        assert await link(api, chain[0], chain[-1], kind) == []  # a short cut is no circle


async def test_related_cases_and_different_orders_may_close(api, cases):
    a, b, c, _ = cases
    for one, other in ((a, b), (b, c), (c, a)):
        assert await link(api, one, other, "related") == []
    assert await link(api, a, b, "parent") == []
    assert await link(api, b, c, "parent") == []
    assert await link(api, c, a, "successor") == []


async def test_a_deleted_case_takes_its_links_along(api, cases):
    a, b, c, _ = cases
    await link(api, a, b, "parent")
    await link(api, a, b, "related")
    await link(api, a, c, "related")
    before = (await api.rest("GET", f"/cases/{b}")).headers["ETag"]

    assert (await api.rest("DELETE", f"/cases/{a}")).status_code == 204

    after = (await api.rest("GET", f"/cases/{b}")).headers["ETag"]
    timeline = (await api.rest("GET", f"/cases/{b}/timeline")).json()["data"]
    assert (before, after) == ('"3"', '"5"')
    assert [event["type"] for event in timeline[:2]] == ["case_unlinked", "case_unlinked"]
    assert (await api.rest("GET", f"/cases/{b}/links")).json()["data"] == []
    assert (await api.rest("GET", f"/cases/{c}")).headers["ETag"] == '"3"'


async def test_an_import_makes_no_circle(api, owner, cases):
    a, b, c, _ = cases
    await link(api, a, b, "parent")
    await link(api, b, c, "parent")
    line = {"name": "N", "links": [{"type": "parent", "linked_case_id": a}]}
    rejects = []
    who = await administration.operator(owner)

    report = await import_cases(
        who,
        owner,
        [json.dumps(line | {"id": "019bc8f0-4c00-7000-8000-0123456789ab"}).encode()],
        source="s",
        on_reject=rejects.append,
    )
    assert (report.links, rejects) == (1, [])
    report = await import_cases(
        who,
        owner,
        [
            json.dumps(
                {
                    "name": "M",
                    "id": "019bc8f0-4c00-7000-8000-0123456789ac",
                    "links": [
                        {"type": "child", "linked_case_id": c},
                        {
                            "type": "parent",
                            "linked_case_id": "019bc8f0-4c00-7000-8000-0123456789ab",
                        },
                    ],
                }
            ).encode()
        ],
        source="s",
        on_reject=rejects.append,
    )

    assert report.links == 1
    assert "by way of others" in rejects[0].reason


async def test_all_problems_of_an_input_are_told_with_their_places(api, cases):
    taken = {"name": "T", "fileNumber": "AZ-1"}
    create = """mutation($i: CreateCaseInput!) { createCase(input: $i) {
      case { id } userErrors { code field } } }"""
    await api.data(create, {"i": taken})

    payload = await api.data(
        create,
        {
            "i": {
                "name": " ",
                "fileNumber": "az‑1",
                "type": "Two Words",
                "parties": [
                    {"role": "client"},
                    {"partyId": "pty_1", "role": "client"},
                    {"partyId": "pty_2", "new": {"name": "P"}, "role": "Bad Role"},
                    {"new": {"name": ""}, "role": "client"},
                ],
                "staff": [{"staffId": "usr_1", "role": "clerk"}, {"role": "clerk"}],
            }
        },
    )

    found = {
        (error["code"], ".".join(error["field"])) for error in payload["createCase"]["userErrors"]
    }
    assert found == {
        ("VALIDATION_ERROR", "name"),
        ("VALIDATION_ERROR", "type"),
        ("VALIDATION_ERROR", "parties.0"),
        ("VALIDATION_ERROR", "parties.2"),
        ("VALIDATION_ERROR", "parties.2.role"),
        ("VALIDATION_ERROR", "parties.3.new.name"),
        ("VALIDATION_ERROR", "staff.1"),
        ("PARTY_NOT_FOUND", "parties.1.partyId"),
        ("STAFF_NOT_FOUND", "staff.0.staffId"),
        ("FILE_NUMBER_CONFLICT", "fileNumber"),
    }
