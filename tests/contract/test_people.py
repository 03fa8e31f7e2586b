"""The firm's parties and staff: both surfaces list, page and merge them alike."""

import pytest


async def create(api, kind, name):
    field = {"parties": "createParty", "staff": "createStaff"}[kind]
    node = {"parties": "party", "staff": "staff"}[kind]
    data = await api.data(
        f"mutation($n: String!) {{ {field}(input: {{name: $n}}) {{ {node} {{ databaseId }} }} }}",
        {"n": name},
    )
    return data[field][node]["databaseId"]


@pytest.mark.parametrize("kind", ["parties", "staff"])
async def test_lists_are_paged_with_cursors_that_graphql_takes(api, kind):
    for number in range(5):
        await create(api, kind, f"N {number}")
    first = (await api.rest("GET", f"/{kind}", params={"limit": 2})).json()
    cursor = first["pagination"]["cursor"]

    rest = (await api.rest("GET", f"/{kind}", params={"limit": 2, "cursor": cursor})).json()
    graphql = await api.data(
        f"query($c: String) {{ {kind}(first: 2, after: $c) {{ nodes {{ databaseId }} }} }}",
        {"c": cursor},
    )

    assert [one["name"] for one in rest["data"]] == ["N 2", "N 3"]
    assert [one["id"] for one in rest["data"]] == [
        one["databaseId"] for one in graphql[kind]["nodes"]
    ]


async def test_a_merged_party_leads_to_the_one_that_was_kept(api):
    kept, merged = [await create(api, "parties", name) for name in ("Weiß", "Weiss")]
    body = {"name": "N", "parties": [{"id": merged, "role": "client"}]}
    assert (await api.rest("POST", "/cases", json=body)).status_code == 201
    answer = await api.data(
        "mutation($i: MergePartiesInput!) { mergeParties(input: $i) { userErrors { code } } }",
        {"i": {"keepId": kept, "mergeId": merged}},
    )
    assert answer["mergeParties"]["userErrors"] == []

    found = (await api.rest("GET", f"/parties/{merged}")).json()
    cases = (await api.rest("GET", f"/parties/{merged}/cases")).json()
    listed = (await api.rest("GET", "/parties")).json()

    assert (found["id"], found["name"]) == (kept, "Weiß")
    assert [(one["role"], one["case"]["name"]) for one in cases["data"]] == [("client", "N")]
    assert listed["data"] == [found]
