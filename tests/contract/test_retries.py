"""Every mutation, sent again: with the same key, another input, after a change, side by side."""

import asyncio
import re

import pytest

from gateway.schema.assembled import schema
from tests.contract.test_payloads import MUTATIONS

TYPES = schema._schema.type_map
STATE = """{
  cases(first: 100) { nodes {
    id version name fileNumber updatedAt
    parties { nodes { id role reference party { name } } } staff { nodes { id role note } }
    links { nodes { id type } } timeline { totalCount } } }
  parties(first: 100) { nodes { id name version } } staff(first: 100) { nodes { id name version } }
  webhooks { id url events state reason keyId }
}"""
OTHERWISE = {
    "createCase": '{name: "M"}',
    "updateCase": '{id: "{case}", name: "M"}',
    "deleteCase": '{id: "{other}"}',
    "createParty": '{name: "M"}',
    "updateParty": '{id: "{party}", name: "M"}',
    "createStaff": '{name: "M"}',
    "updateStaff": '{id: "{staff}", name: "M"}',
    "addCaseParties": '{caseId: "{case}", parties: [{new: {name: "T"}, role: "x"}]}',
    "replaceCaseParties": '{caseId: "{case}", parties: []}',
    "updateCaseParty": '{id: "{role}", role: "y"}',
    "removeCaseParties": '{caseId: "{case}", partyIds: ["{party}"], role: "client"}',
    "assignStaff": '{caseId: "{case}", staff: [{staffId: "{staff}", role: "y"}]}',
    "updateCaseStaff": '{id: "{task}", note: null}',
    "unassignStaff": '{caseId: "{case}", staffIds: ["{task}"]}',
    "linkCases": '{caseId: "{case}", linkedCaseId: "{other}", type: RELATED}',
    "unlinkCases": '{linkId: "lnk_other"}',
    "deleteParty": '{id: "{party}"}',
    "deleteStaff": '{id: "{staff}"}',
    "mergeParties": '{keepId: "{idle}", mergeId: "{party}"}',
    "restoreCase": '{id: "{case}"}',
    "createWebhook": '{url: "https://hooks.example.org/b"}',
    "updateWebhook": '{id: "{hook}", state: ACTIVE}',
    "rollWebhookSecret": '{id: "{spare}"}',
    "deleteWebhook": '{id: "{spare}"}',
}
"""Another request of each kind."""
ABOUT = {name: "case" for name in MUTATIONS if not name.startswith("create")} | {
    "updateParty": "party",
    "updateStaff": "staff",
    "deleteParty": "idle",
    "deleteStaff": "idler",
}
for _without in (
    "mergeParties",
    "restoreCase",
    "updateWebhook",
    "rollWebhookSecret",
    "deleteWebhook",
):  # there is none, and it cannot be read
    del ABOUT[_without]
"""What each mutation's expectedVersion is the version of."""
SHOWS = {
    "createParty": "party { id }",
    "updateParty": "party { id version }",
    "createStaff": "staff { id }",
    "updateStaff": "staff { id version }",
    "updateCaseParty": "caseParty { id } case { id version }",
    "updateCaseStaff": "caseStaff { id } case { id version }",
    "deleteCase": "case { id version } deletedCaseId",
    "linkCases": "link { id } case { id version }",
    "unlinkCases": "case { id version } deletedLinkId",
    "deleteParty": "deletedPartyId",
    "deleteStaff": "deletedStaffId",
    "mergeParties": "party { id version } mergedPartyId",
    "createWebhook": "webhook { id } secret",
    "updateWebhook": "webhook { id url state reason }",
    "rollWebhookSecret": "webhook { id } secret",
    "deleteWebhook": "deletedWebhookId",
}


def test_the_tables_name_every_mutation():
    assert MUTATIONS.keys() == OTHERWISE.keys() == TYPES["Mutation"].fields.keys()
    takes_a_key = {
        name
        for name, field in TYPES["Mutation"].fields.items()
        if "idempotencyKey" in field.args["input"].type.of_type.fields
    }
    assert takes_a_key == MUTATIONS.keys()


async def sent(api, linked, name, template, asked=None, **more):
    given = template
    for place, id in linked.items():
        given = given.replace("{" + place + "}", id)
    extra = "".join(
        f", {field}: {value if isinstance(value, int) else chr(34) + value + chr(34)}"
        for field, value in more.items()
    )
    asked = asked or SHOWS.get(name, "case { id version }")
    data = await api.data(
        f"mutation {{ {name}(input: {re.sub('}$', '', given)}{extra}}}) "
        f"{{ {asked} userErrors {{ code field existingId }} }} }}"
    )
    return data[name]


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_retry_changes_nothing_and_answers_the_same(api, linked, name):
    first = await sent(api, linked, name, MUTATIONS[name], idempotencyKey="k")
    before = await api.data(STATE)

    again = await sent(api, linked, name, MUTATIONS[name], idempotencyKey="k")

    assert first["userErrors"] == []
    assert again == first
    assert await api.data(STATE) == before


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_key_belongs_to_one_input(api, linked, name):
    await sent(api, linked, name, MUTATIONS[name], idempotencyKey="k")
    before = await api.data(STATE)

    other = await sent(api, linked, name, OTHERWISE[name], idempotencyKey="k")

    codes = [(error["code"], error["field"]) for error in other["userErrors"]]
    assert codes == [("IDEMPOTENCY_KEY_REUSED", ["idempotencyKey"])]
    assert await api.data(STATE) == before


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_retry_after_the_object_changed_undoes_nothing(api, linked, name):
    version = await version_of(api, linked, name)
    expected = {} if version is None else {"expectedVersion": version}
    first = await sent(api, linked, name, MUTATIONS[name], idempotencyKey="k", **expected)
    assert first["userErrors"] == []
    if name != "deleteCase":
        await sent(api, linked, "updateCase", '{id: "{case}", name: "Later"}')
    await sent(api, linked, "updateParty", '{id: "{party}", name: "Later"}')
    await sent(api, linked, "updateStaff", '{id: "{staff}", name: "Later"}')
    before = await api.data(STATE)

    again = await sent(api, linked, name, MUTATIONS[name], idempotencyKey="k", **expected)

    assert again["userErrors"] == []
    assert await api.data(STATE) == before


@pytest.mark.parametrize("name", MUTATIONS)
async def test_requests_side_by_side_with_one_key_are_one(api, linked, name):
    answers = await asyncio.gather(
        *(sent(api, linked, name, MUTATIONS[name], idempotencyKey="k") for _ in range(5))
    )

    before = await api.data(STATE)
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["userErrors"] == []
    assert await sent(api, linked, name, MUTATIONS[name], idempotencyKey="k") == answers[0]
    assert await api.data(STATE) == before


@pytest.mark.parametrize("name", sorted(ABOUT))
async def test_a_stale_version_is_refused_with_the_object_as_it_is_now(api, linked, name):
    version = await version_of(api, linked, name)
    before = await api.data(STATE)

    kind = ABOUT[name]
    shown = {"idle": "party", "idler": "staff"}.get(kind, kind)
    asked = f"{shown} {{ id version }}"

    refused = await sent(api, linked, name, MUTATIONS[name], asked, expectedVersion=version + 1)

    assert [error["code"] for error in refused["userErrors"]] == ["VERSION_CONFLICT"]
    assert refused[shown] == {"id": linked[kind], "version": version}
    assert await api.data(STATE) == before

    done = await sent(api, linked, name, MUTATIONS[name], expectedVersion=version)
    assert done["userErrors"] == []


async def version_of(api, linked, name):
    kind = ABOUT.get(name)
    if kind is None:
        return None
    data = await api.data(
        "query($id: ID!) { node(id: $id) { ... on Case { version } ... on Party { version }"
        " ... on Staff { version } } }",
        {"id": linked[kind]},
    )
    return data["node"]["version"]


async def test_who_may_not_read_learns_nothing_from_a_conflict(api, linked):
    data = await api.data(
        "mutation($i: UpdateCaseInput!) { updateCase(input: $i) "
        "{ case { name } userErrors { code existingId } } }",
        {"i": {"id": linked["case"], "name": "N", "expectedVersion": 99}},
        key="write",
    )
    taken = await api.data(
        'mutation { createCase(input: {name: "N", fileNumber: "AZ-A"}) '
        "{ case { name } userErrors { code existingId } } }",
        key="write",
    )

    conflict = [{"code": "VERSION_CONFLICT", "existingId": None}]
    assert data["updateCase"] == {"case": None, "userErrors": conflict}
    conflict = [{"code": "FILE_NUMBER_CONFLICT", "existingId": None}]
    assert taken["createCase"] == {"case": None, "userErrors": conflict}


async def test_what_is_in_the_way_is_named(api, linked):
    taken = await sent(api, linked, "createCase", '{name: "N", fileNumber: "AZ-A"}')
    again = await sent(
        api, linked, "linkCases", '{caseId: "{case}", linkedCaseId: "{other}", type: CHILD}'
    )

    assert taken["userErrors"] == [
        {
            "code": "FILE_NUMBER_CONFLICT",
            "field": ["fileNumber"],
            "existingId": linked["case"],
        }
    ]
    assert again["userErrors"] == [
        {"code": "LINK_EXISTS", "field": ["type"], "existingId": linked["link"]}
    ]


@pytest.mark.parametrize(
    ("name", "given", "place"),
    [
        ("addCaseParties", '{caseId: "{case}", parties: [{new: {name: "p"}, role: "client"}]}', 0),
        (
            "addCaseParties",
            '{caseId: "{case}", parties: [{new: {name: "Z"}, role: "x"},'
            ' {new: {name: "Z"}, role: "x"}]}',
            1,
        ),
        ("assignStaff", '{caseId: "{case}", staff: [{new: {name: "S"}, role: "clerk"}]}', 0),
    ],
)
async def test_a_second_person_of_the_same_name_and_role_is_made_with_a_warning(
    api, linked, name, given, place
):
    for place_, id in linked.items():
        given = given.replace("{" + place_ + "}", id)
    people = "parties" if name == "addCaseParties" else "staff"

    data = await api.data(
        f"mutation {{ {name}(input: {given}) {{ userErrors {{ code }} warnings {{ message field }}"
        f" case {{ {people} {{ totalCount }} }} }} }}"
    )

    payload = data[name]
    assert payload["userErrors"] == []
    [warning] = payload["warnings"]
    assert warning["field"] == [people, str(place)]
    assert "with this name and role" in warning["message"]
    assert payload["case"][people]["totalCount"] > (2 if people == "parties" else 1)


async def test_another_role_or_another_name_is_no_reason_to_warn(api, linked):
    data = await api.data(
        "mutation($i: AddCasePartiesInput!) { addCaseParties(input: $i) { warnings { message } } }",
        {
            "i": {
                "caseId": linked["case"],
                "parties": [
                    {"new": {"name": "P"}, "role": "witness"},
                    {"new": {"name": "P2"}, "role": "client"},
                    {"partyId": linked["party"], "role": "guarantor"},
                ],
            }
        },
    )

    assert data["addCaseParties"] == {"warnings": []}


async def test_a_removal_sent_again_says_that_the_role_is_not_there(api, linked):
    await sent(api, linked, "removeCaseParties", MUTATIONS["removeCaseParties"])

    data = await api.data(
        "mutation($i: RemoveCasePartiesInput!) { removeCaseParties(input: $i) "
        "{ userErrors { code message } } }",
        {"i": {"caseId": linked["case"], "partyIds": [linked["party"]], "role": "client"}},
    )

    [error] = data["removeCaseParties"]["userErrors"]
    assert error["code"] == "PARTY_NOT_FOUND"
    assert error["message"].endswith("with this role in this case.")
