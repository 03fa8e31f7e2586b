"""PageInfo: whether there is more, whatever became of the row that a cursor came from."""

import pytest

from gateway.execution.operations import Operation

ASKED = "edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage }"
PAGE = f"""query($first: Int, $after: String, $last: Int, $before: String, $f: CaseFilter) {{
  cases(first: $first, after: $after, last: $last, before: $before, filter: $f) {{ {ASKED} }}
}}"""
ROLES = f"""query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {{
  case(id: $id) {{
    parties(first: $first, after: $after, last: $last, before: $before) {{ {ASKED} }}
  }}
}}"""
CREATE = "mutation($i: CreateCaseInput!) { createCase(input: $i) { case { id } } }"
DELETE = "mutation($id: ID!) { deleteCase(input: {id: $id}) { userErrors { code } } }"
REMOVE = """mutation($case: ID!, $role: ID!) {
  removeCaseParties(input: {caseId: $case, partyIds: [$role]}) { userErrors { code } } }"""


@pytest.fixture(params=["a plan", "graphql-core"])
def executed_by(request, monkeypatch):
    if request.param == "graphql-core":

        async def run(self, context, given):
            return None

        monkeypatch.setattr(Operation, "run", run)
    return request.param


async def ends(api, document, listed, **arguments):
    data = await api.data(document, arguments)
    page = data["cases"] if listed == "cases" else data["case"]["parties"]
    info = page["pageInfo"]
    return info["hasPreviousPage"], info["hasNextPage"], len(page["edges"])


@pytest.fixture
async def edges(api):
    """Four cases, newest first."""
    for index in range(4):
        await api.data(CREATE, {"i": {"name": f"Case {index}", "type": "sale" if index else None}})
    return (await api.data(PAGE))["cases"]["edges"]


@pytest.mark.parametrize("gone", [False, True])
async def test_there_is_more_beyond_a_cursor_only_if_there_is(api, edges, executed_by, gone):
    first, second, _third, last = (edge["cursor"] for edge in edges)
    if gone:
        for edge in (edges[0], edges[3]):
            await api.data(DELETE, {"id": edge["node"]["id"]})

    async def cases(**arguments):
        return await ends(api, PAGE, "cases", **arguments)

    assert await cases(last=5, before=last) == (False, not gone, 3 - gone)
    assert await cases(last=1, before=last) == (True, not gone, 1)
    assert await cases(first=5, after=first) == (not gone, False, 3 - gone)
    assert await cases(first=1, after=first) == (not gone, True, 1)
    assert await cases(first=9, after=first, before=last) == (not gone, not gone, 2)
    assert await cases(last=9, after=first, before=last) == (not gone, not gone, 2)
    assert await cases(first=1, after=second) == (True, not gone, 1)


async def test_a_row_that_the_filter_no_longer_finds_is_not_there(api, edges, executed_by):
    only = {"type": ["sale"]}
    found = (await api.data(PAGE, {"f": only}))["cases"]["edges"]
    await api.data(
        "mutation($id: ID!) { updateCase(input: {id: $id, type: null}) { userErrors { code } } }",
        {"id": found[0]["node"]["id"]},
    )

    asked = {"f": only, "after": found[0]["cursor"]}
    assert await ends(api, PAGE, "cases", **asked) == (False, False, 2)


@pytest.mark.parametrize("gone", [False, True])
async def test_the_same_holds_for_the_list_of_one_object(api, executed_by, gone):
    parties = [{"new": {"name": f"P{n}"}, "role": "client"} for n in range(4)]
    made = await api.data(CREATE, {"i": {"name": "Case", "parties": parties}})
    id = made["createCase"]["case"]["id"]
    listed = (await api.data(ROLES, {"id": id}))["case"]["parties"]["edges"]
    first, last = listed[0]["cursor"], listed[3]["cursor"]
    if gone:
        for edge in (listed[0], listed[3]):
            await api.data(REMOVE, {"case": id, "role": edge["node"]["id"]})

    async def of_case(**arguments):
        return await ends(api, ROLES, "parties", id=id, **arguments)

    assert await of_case(last=5, before=last) == (False, not gone, 3 - gone)
    assert await of_case(first=5, after=first) == (not gone, False, 3 - gone)
    assert await of_case(first=9, after=first, before=last) == (not gone, not gone, 2)
