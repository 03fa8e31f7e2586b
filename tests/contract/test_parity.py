"""The same case through both doors: field by field, refusal by refusal, cursor by cursor."""

import pytest

PAGE = """
query Page(
  $first: Int, $after: String, $last: Int, $before: String, $filter: CaseFilter, $order: CaseOrder
) {
  cases(
    first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $order
  ) {
    nodes { uuid }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


async def rest_ids(api, meanwhile=None, **parameters):
    """All ids, page after page; *meanwhile* is called between two pages."""
    found = []
    while True:
        response = await api.rest("GET", "/cases", params=parameters)
        assert response.status_code == 200, response.text
        body = response.json()
        found += [case["id"] for case in body["data"]]
        if not body["pagination"]["has_more"]:
            assert "cursor" not in body["pagination"]
            return found
        parameters["cursor"] = body["pagination"]["cursor"]
        if meanwhile:
            await meanwhile()


async def graphql_ids(api, size, *, backwards=False, meanwhile=None, filter=None):
    found, cursor = [], None
    count, bound = ("last", "before") if backwards else ("first", "after")
    more, edge = ("hasPreviousPage", "startCursor") if backwards else ("hasNextPage", "endCursor")
    while True:
        data = await api.data(PAGE, {count: size, bound: cursor, "filter": filter})
        page = data["cases"]
        ids = [node["uuid"] for node in page["nodes"]]
        found = ids + found if backwards else found + ids
        if not page["pageInfo"][more]:
            return found
        cursor = page["pageInfo"][edge]
        if meanwhile:
            await meanwhile()


async def test_a_case_is_the_same_through_both_doors(api, given_case):
    made = await given_case(
        fileNumber="AZ-2026-042", type="litigation", description="Why", dezernat="Mietrecht"
    )

    rest = (await api.rest("GET", f"/cases/{made['uuid']}")).json()
    data = await api.data(
        "query($id: ID!) { case(id: $id) { uuid name fileNumber status type description dezernat"
        " createdAt updatedAt parties { nodes { role party { databaseId name } } }"
        " staff { nodes { role staff { databaseId name } } } } }",
        {"id": made["uuid"]},
    )

    case = data["case"]
    assert rest == {
        "id": case["uuid"],
        "name": "Müller ./. Weiß",
        "file_number": "AZ-2026-042",
        "status": case["status"].lower(),
        "type": "litigation",
        "description": "Why",
        "dezernat": "Mietrecht",
        "created_at": case["createdAt"],
        "updated_at": case["updatedAt"],
        "parties": [
            {"id": one["party"]["databaseId"], "role": one["role"], "name": one["party"]["name"]}
            for one in case["parties"]["nodes"]
        ],
        "staff": [
            {"id": one["staff"]["databaseId"], "name": one["staff"]["name"], "role": one["role"]}
            for one in case["staff"]["nodes"]
        ],
    }


async def test_the_version_is_the_etag(api, given_case):
    made = await given_case()

    response = await api.rest("GET", f"/cases/{made['uuid']}")

    assert response.headers["ETag"] == f'"{made["version"]}"'


async def test_both_doors_show_the_same_timeline(api, given_case):
    made = await given_case()
    await api.rest("PUT", f"/cases/{made['uuid']}", json={"status": "closed"})

    rest = (await api.rest("GET", f"/cases/{made['uuid']}/timeline")).json()["data"]
    data = await api.data(
        "query($id: ID!) { case(id: $id) { timeline { nodes {"
        " databaseId seq type source actor claimedActor at occurredAt title"
        " changes { field before after } } } } }",
        {"id": made["id"]},
    )

    assert rest == [
        {
            "id": event["databaseId"],
            "seq": event["seq"],
            "type": event["type"],
            "source": event["source"].lower(),
            "actor": event["actor"],
            "claimed_actor": event["claimedActor"],
            "at": event["at"],
            "occurred_at": event["occurredAt"],
            "title": event["title"],
            "changes": event["changes"],
        }
        for event in data["case"]["timeline"]["nodes"]
    ]
    assert [event["type"] for event in rest] == ["case_updated", "case_created"]


async def test_paging_gives_the_same_list_through_both_doors_and_both_ways(api, given_case):
    made = [(await given_case(name=f"Case {index}"))["uuid"] for index in range(23)]
    newest_first = made[::-1]

    assert await rest_ids(api, limit=5) == newest_first
    assert await graphql_ids(api, 5) == newest_first
    assert await graphql_ids(api, 5, backwards=True) == newest_first


async def test_paging_has_no_gap_and_no_repeat_while_cases_are_added(api, given_case):
    made = [(await given_case(name=f"Case {index}"))["uuid"] for index in range(17)]

    async def add():
        await given_case(name="Another")

    for ids in (
        await rest_ids(api, add, limit=4),
        await graphql_ids(api, 4, meanwhile=add),
        await graphql_ids(api, 4, backwards=True, meanwhile=add),
    ):
        assert len(set(ids)) == len(ids)
        assert [id for id in ids if id in made] == made[::-1]


async def test_a_cursor_of_one_door_opens_the_other(api, given_case):
    made = [(await given_case(name=f"Müller {index}"))["uuid"] for index in range(4)]
    first = (await api.rest("GET", "/cases?limit=2&search=muller&status=active")).json()
    newest = {
        "filter": {"search": "muller", "status": ["ACTIVE"]},
        "order": {"field": "CREATED_AT", "direction": "DESC"},
    }

    data = await api.data(PAGE, {"after": first["pagination"]["cursor"], **newest})
    back = await api.data(PAGE, {"first": 1, **newest})
    rest = await api.rest(
        "GET",
        "/cases",
        params={
            "cursor": back["cases"]["pageInfo"]["endCursor"],
            "search": "muller",
            "status": "active",
        },
    )

    assert [node["uuid"] for node in data["cases"]["nodes"]] == made[1::-1]
    assert [case["id"] for case in rest.json()["data"]] == made[2::-1]


async def test_a_cursor_of_another_filter_is_refused_by_both_doors(api, given_case):
    for _ in range(3):
        await given_case()
    cursor = (await api.rest("GET", "/cases?limit=1")).json()["pagination"]["cursor"]

    rest = await api.rest("GET", "/cases", params={"cursor": cursor, "status": "active"})
    graphql = await api.graphql(PAGE, {"after": cursor, "filter": {"status": ["ACTIVE"]}})
    foreign = await api.graphql(PAGE, {"after": cursor}, key="stranger")

    assert rest.status_code == 400
    assert rest.json()["error"]["code"] == "VALIDATION_ERROR"
    for answer in (graphql, foreign):
        assert answer["data"] == {"cases": None}
        assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("term", ["muller", "Mueller", "MÜLLER", "az 2026/042", "2026-042"])
async def test_search_finds_the_same_through_both_doors(api, given_case, term):
    made = await given_case(name="Müller ./. Weiß", fileNumber="AZ-2026-042")
    others = [{"new": {"name": "Stadt Köln"}, "role": "client"}]
    await given_case(name="Schmidt ./. Stadt Köln", fileNumber="AZ-2025-007", parties=others)

    assert await rest_ids(api, search=term) == [made["uuid"]]
    assert await graphql_ids(api, 10, filter={"search": term}) == [made["uuid"]]


async def test_a_foreign_case_looks_like_a_missing_one_through_both_doors(api, given_case):
    theirs = await given_case(key="stranger")

    rest = await api.rest("GET", f"/cases/{theirs['uuid']}")
    query = "query($id: ID!) { case(id: $id) { id } node(id: $id) { id } }"
    data = await api.data(query, {"id": theirs["id"]})
    change = await api.data(
        'mutation($id: ID!) { updateCase(input: {id: $id, name: "Mine"}) {'
        " case { id } userErrors { code field } } }",
        {"id": theirs["id"]},
    )

    assert (rest.status_code, rest.json()["error"]["code"]) == (404, "CASE_NOT_FOUND")
    assert data == {"case": None, "node": None}
    assert change["updateCase"] == {
        "case": None,
        "userErrors": [{"code": "CASE_NOT_FOUND", "field": ["id"]}],
    }


async def test_a_test_key_sees_the_sandbox_only(api, given_case):
    live = await given_case()
    sandbox = await given_case(key="test")

    assert await rest_ids(api) == [live["uuid"]]
    data = await api.data(PAGE, {}, key="test")
    assert [node["uuid"] for node in data["cases"]["nodes"]] == [sandbox["uuid"]]


async def test_an_idempotency_key_holds_across_retries(api, given_case):
    first = await given_case(idempotencyKey="once", parties=[], staff=[])
    again = await given_case(idempotencyKey="once", parties=[], staff=[])
    headers = {"Idempotency-Key": "twice"}
    rest = [
        (await api.rest("POST", "/cases", json={"name": "R"}, headers=headers)).json()["id"]
        for _ in range(2)
    ]

    assert first["id"] == again["id"]
    assert rest[0] == rest[1]
    assert len(await rest_ids(api)) == 2
