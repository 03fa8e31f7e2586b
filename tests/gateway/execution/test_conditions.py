"""@skip and @include: null is no condition (GraphQL specification, sections 5.8.5 and 6.4.1)."""

import pytest

from gateway.execution import operations

PLACES = {
    "field": "{ cases(first: 1) { nodes { id name @IF } } }",
    "spread": "{ cases(first: 1) { nodes { id ...F @IF } } } fragment F on Case { name }",
    "inline fragment": "{ cases(first: 1) { nodes { id ... @IF { name } } } }",
    "within a fragment": "{ cases { nodes { ...F } } } fragment F on Case { id name @IF }",
    "list": "{ cases(first: 1) @IF { nodes { id } } viewer { mode } }",
    "page info": "{ cases(first: 1) { nodes { id } pageInfo @IF { hasNextPage } } }",
    "node": '{ node(id: "x") { id ... on Case @IF { name } } cases(first: 1) @IF { totalCount } }',
}
CONDITIONS = {
    "@include(if: $with)": "query($with: Boolean = true)",
    "@skip(if: $with)": "query($with: Boolean = false)",
}


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("place", PLACES)
async def test_null_for_a_condition_is_an_error(api, place, condition):
    await api.data('mutation { createCase(input: {name: "A"}) { case { id } } }')
    query = CONDITIONS[condition] + PLACES[place].replace("@IF", condition)

    answer = await api.graphql(query, {"with": None})

    [error] = {one["message"]: one for one in answer["errors"]}.values()
    assert "must not be null" in error["message"] or "not to be None" in error["message"]
    assert "errors" not in await api.graphql(query)


@pytest.mark.parametrize("condition", ["@include(if: $save)", "@skip(if: $save)"])
async def test_null_for_the_condition_of_a_mutation_is_an_error_and_nothing_is_written(
    api, condition
):
    mutation = (
        "mutation($save: Boolean = true) "
        f'{{ createParty(input: {{name: "A"}}) {condition} {{ party {{ id }} }} }}'
    )

    answer = await api.graphql(mutation, {"save": None})

    assert answer["errors"]
    assert "data" not in answer or answer["data"] is None
    assert (await api.data("{ parties { totalCount } }"))["parties"]["totalCount"] == 0


async def test_null_for_a_condition_in_a_payload_is_an_error_beside_what_was_written(api):
    mutation = """mutation($with: Boolean = true) {
      createParty(input: {name: "A"}) { party { id name @include(if: $with) } } }"""

    answer = await api.graphql(mutation, {"with": None})

    assert answer["errors"]
    assert (await api.data("{ parties { totalCount } }"))["parties"]["totalCount"] == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('query($i: ID = "x") { party(id: $i) { id } }', "VALIDATION_ERROR"),
        ('query($i: ID = "x") { staffMember(id: $i) { id } }', "VALIDATION_ERROR"),
        ('query($i: ID = "x") { node(id: $i) { id } }', "VALIDATION_ERROR"),
        ('query($i: [ID!] = ["x"]) { nodes(ids: $i) { id } }', "VALIDATION_ERROR"),
    ],
)
async def test_null_for_a_required_argument_is_an_error_and_no_defect(
    api, monkeypatch, query, code
):
    defects = []
    monkeypatch.setattr(operations.log, "warning", lambda event, **more: defects.append(event))

    answer = await api.graphql(query, {"i": None})

    assert [one["extensions"]["code"] for one in answer["errors"]] == [code]
    assert defects == []
