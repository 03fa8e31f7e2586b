"""What a mutation answers is what the next request reads: every field of every payload."""

import pytest
from graphql import get_named_type, is_leaf_type

from gateway.execution.operations import Operation
from gateway.schema.assembled import schema

TYPES = schema._schema.type_map
MUTATIONS = {
    "createCase": '{name: "N", parties: [{partyId: "{party}", role: "x"}]}',
    "updateCase": '{id: "{case}", name: "N", fileNumber: null}',
    "deleteCase": '{id: "{case}"}',
    "createParty": '{name: "N"}',
    "updateParty": '{id: "{party}", name: "N"}',
    "createStaff": '{name: "N"}',
    "updateStaff": '{id: "{staff}", email: "n@example.org"}',
    "addCaseParties": '{caseId: "{case}", parties: [{new: {name: "R"}, role: "x"}]}',
    "replaceCaseParties": '{caseId: "{case}", parties: [{partyId: "{party}", role: "x"}]}',
    "updateCaseParty": '{id: "{role}", role: "x", reference: "R 1"}',
    "removeCaseParties": '{caseId: "{case}", partyIds: ["{role}"]}',
    "assignStaff": '{caseId: "{case}", staff: [{staffId: "{staff}", role: "x"}]}',
    "updateCaseStaff": '{id: "{task}", note: "N"}',
    "unassignStaff": '{caseId: "{case}", staffIds: ["{staff}"]}',
    "linkCases": '{caseId: "{case}", linkedCaseId: "{other}", type: SUCCESSOR}',
    "unlinkCases": '{linkId: "{link}"}',
    "deleteParty": '{id: "{idle}"}',
    "deleteStaff": '{id: "{idler}"}',
    "mergeParties": '{keepId: "{party}", mergeId: "{idle}"}',
    "restoreCase": '{id: "{gone}"}',
    "createWebhook": '{url: "https://hooks.example.org/a", events: ["case_created"]}',
    "updateWebhook": '{id: "{hook}", state: PAUSED}',
    "rollWebhookSecret": '{id: "{hook}"}',
    "deleteWebhook": '{id: "{hook}"}',
}
GONE = {
    "deleteCase": {"case"},
    "unlinkCases": {"link"},
    "deleteParty": {"party"},
    "deleteStaff": {"staff"},
}
"""What a mutation shows that nobody can read any more."""


def test_the_table_names_every_mutation():
    assert MUTATIONS.keys() == TYPES["Mutation"].fields.keys()


def selection(type, depth):
    """All fields of a type, and of what hangs on it."""
    parts = []
    for name, field in type.fields.items():
        named = get_named_type(field.type)
        if is_leaf_type(named):
            parts.append(name)
        elif depth and name != "edges":
            arguments = "(first: 100)" if "first" in field.args else ""
            inner = depth - (not type.name.endswith("Connection"))
            parts.append(f"{name}{arguments} {{ {selection(named, inner)} }}")
    return " ".join(parts)


def objects_of(payload):
    """The fields of a payload that show an object, with their types."""
    fields = {name: get_named_type(field.type) for name, field in payload.fields.items()}
    return {name: type for name, type in fields.items() if "id" in getattr(type, "fields", {})}


@pytest.fixture(params=["a plan", "graphql-core"], autouse=True)
def executed_by(request, monkeypatch):
    if request.param == "graphql-core":

        async def run(self, context, given):
            return None

        monkeypatch.setattr(Operation, "run", run)


async def read(api, type, id):
    if type.name == "Webhook":
        asked = f"query($id: ID!) {{ webhook(id: $id) {{ {selection(type, 2)} }} }}"
        return (await api.data(asked, {"id": id}))["webhook"]
    data = await api.data(
        f"query($id: ID!) {{ node(id: $id) {{ ... on {type.name} {{ {selection(type, 2)} }} }} }}",
        {"id": id},
    )
    return data["node"]


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_payload_is_what_the_next_request_reads(api, linked, name):
    given = MUTATIONS[name]
    for place, id in linked.items():
        given = given.replace("{" + place + "}", id)
    shown = objects_of(get_named_type(TYPES["Mutation"].fields[name].type))
    asked = " ".join(f"{field} {{ {selection(type, 2)} }}" for field, type in shown.items())

    data = await api.data(
        f"mutation {{ {name}(input: {given}) {{ {asked} userErrors {{ code message }} }} }}"
    )

    payload = data[name]
    assert payload["userErrors"] == []
    assert shown or name == "deleteWebhook"
    for field, type in shown.items():
        assert payload[field] is not None, field
        fresh = await read(api, type, payload[field]["id"])
        if field in GONE.get(name, ()):
            assert fresh is None
            for end in ("case", "linkedCase"):
                if end in payload[field]:
                    await same_case(api, payload[field][end])
        else:
            assert payload[field] == fresh, field


async def same_case(api, case):
    """Its fields and the sizes of its lists are those that are read now."""

    def brief(of):
        return {
            name: of[name]["totalCount"] if isinstance(value, dict) else of[name]
            for name, value in case.items()
        }

    assert brief(case) == brief(await read(api, TYPES["Case"], case["id"]))
