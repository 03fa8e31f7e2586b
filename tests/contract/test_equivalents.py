"""Each route and the GraphQL operation that its documentation shows: they do the same."""

import asyncio
import json

import pytest
from graphql import parse, validate

from domain.demo.firm import demo_cases
from domain.webhooks.addresses import NOT_ALLOWED
from gateway.schema.assembled import schema
from rest_compat.application import Application
from rest_compat.equivalents import EQUIVALENTS

OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in Application().openapi()["paths"].items()
    for method, operation in methods.items()
}


def test_every_route_shows_an_operation_that_is_valid_with_its_variables():
    assert EQUIVALENTS.keys() == OPERATIONS.keys()
    for name, (_method, _path, operation) in OPERATIONS.items():
        document, variables = EQUIVALENTS[name]
        assert validate(schema._schema, parse(document)) == [], name
        assert isinstance(json.loads(variables), dict)
        assert document in operation["description"]
        assert variables in operation["description"]


def other(case):
    return {
        "id": case["uuid"],
        "name": case["name"],
        "file_number": case["fileNumber"],
        "status": case["status"].lower(),
    }


def case_of(found):
    shown = {
        "type": found["type"],
        "description": found["description"],
        "dezernat": found["dezernat"],
        "created_at": found["createdAt"],
        "updated_at": found["updatedAt"],
    }
    people = {
        kind: [
            {"id": one[part]["databaseId"], "role": one["role"], "name": one[part]["name"]}
            for one in found[kind]["nodes"]
        ]
        for kind, part in (("parties", "party"), ("staff", "staff"))
    }
    return other(found) | shown | people


def party_of(one):
    person = {"id": one["party"]["databaseId"], "name": one["party"]["name"]}
    kind = {"type": one["party"]["kind"].lower()}
    return (
        person
        | kind
        | {
            "role": one["role"],
            "reference": one["reference"],
            "added_at": one["addedAt"],
        }
    )


def staff_of(one):
    return {
        "id": one["staff"]["databaseId"],
        "name": one["staff"]["name"],
        "email": one["staff"]["email"],
        "role": one["role"],
        "note": one["note"],
        "assigned_at": one["assignedAt"],
    }


def event_of(one):
    same = {name: one[name] for name in ("seq", "type", "actor", "at", "title", "changes")}
    return same | {
        "id": one["databaseId"],
        "source": one["source"].lower(),
        "claimed_actor": one["claimedActor"],
        "occurred_at": one["occurredAt"],
    }


def change_of(one):
    return event_of(one) | {"case_id": one["caseUuid"], "subject_id": one["subjectId"]}


def link_of(one):
    return {
        "id": one["databaseId"],
        "type": one["type"].lower(),
        "case_id": one["case"]["uuid"],
        "linked_case_id": one["linkedCase"]["uuid"],
        "linked_case": other(one["linkedCase"]),
        "created_at": one["createdAt"],
    }


def person_of(one):
    own = {"type": one["kind"].lower()} if "kind" in one else {"email": one["email"]}
    return own | {
        "id": one["databaseId"],
        "name": one["name"],
        "created_at": one["createdAt"],
        "updated_at": one["updatedAt"],
    }


def role_of(one):
    since = {"added_at": "addedAt", "assigned_at": "assignedAt"}
    own = {ours: one[theirs] for ours, theirs in since.items() if theirs in one}
    own |= {name: one[name] for name in ("role", "reference", "note") if name in one}
    return own | {"case": other(one["case"])}


LISTS = {
    "listCases": (("cases",), case_of),
    "listCaseParties": (("case", "parties"), party_of),
    "listCaseStaff": (("case", "staff"), staff_of),
    "listCaseTimeline": (("case", "timeline"), event_of),
    "listCaseLinks": (("case", "links"), link_of),
    "listChanges": (("changes",), change_of),
    "listParties": (("parties",), person_of),
    "listPartyCases": (("party", "cases"), role_of),
    "listStaff": (("staff",), person_of),
    "listStaffCases": (("staffMember", "cases"), role_of),
}
OBJECTS = {
    "getCase": ("case", case_of),
    "getParty": ("party", person_of),
    "getStaff": ("staffMember", person_of),
}
QUERIES = {
    "listCases": (
        {"status": "active", "search": "gmbh"},
        {"filter": {"status": ["ACTIVE"], "search": "gmbh"}},
    ),
    "listChanges": (
        {"type": "case_created,case_linked", "since": "2026-01-01T00:00:00Z"},
        {
            "filter": {
                "type": ["case_created", "case_linked"],
                "at": {"gte": "2026-01-01T00:00:00Z"},
            }
        },
    ),
    "listParties": ({"search": "gmbh"}, {"search": "gmbh"}),
    "listStaff": ({"search": "an"}, {"search": "an"}),
    "listPartyCases": ({"role": "client"}, {"role": "client"}),
    "listStaffCases": ({"role": "lead_attorney"}, {"role": "lead_attorney"}),
}


@pytest.fixture
async def known(api):
    """The ids of a case with everything, of a party and of a staff member in it."""
    made = []
    for case in list(demo_cases(12)):
        body = {name: case[name] for name in ("name", "parties", "staff")}
        body["parties"] = [
            {name: one[name] for name in ("name", "role", "reference") if one.get(name)}
            for one in body["parties"]
        ]
        body["staff"] = [{name: one[name] for name in ("name", "role")} for one in body["staff"]]
        response = await api.rest("POST", "/cases", json=body)
        assert response.status_code == 201, response.text
        made.append(response.json())
    whole = next(one for one in made if one["staff"] and one["parties"])
    for one in made:
        if one is not whole:
            link = {"linked_case_id": one["id"], "type": "related"}
            await api.rest("POST", f"/cases/{whole['id']}/links", json=link)
    ids = {"case_id": whole["id"], "party_id": whole["parties"][0]["id"]}
    return ids | {"staff_id": whole["staff"][0]["id"]}


def ids_in(path, known):
    """The path with its ids, and the variable of the operation that has the object's id."""
    kind = next((kind for kind in known if f"{{{kind}}}" in path), None)
    return path.format(**known), {"id": known[kind]} if kind else {}


async def test_every_list_is_the_same_page_by_page(api, known):
    for name, (places, shape) in LISTS.items():
        _method, path, _ = OPERATIONS[name]
        path, variables = ids_in(path, known)
        for given, asked in [({}, {}), *([QUERIES[name]] if name in QUERIES else [])]:
            cursor, pages = None, 0
            while pages < 4:
                params = given | {"limit": 3} | ({"cursor": cursor} if cursor else {})
                rest = (await api.rest("GET", path, params=params)).json()
                found = await api.data(
                    EQUIVALENTS[name].document,
                    variables | asked | {"first": 3, "after": cursor},
                )
                for place in places:
                    found = found[place]
                assert [shape(one) for one in found["nodes"]] == rest["data"], name
                assert rest["data"], name
                assert found["pageInfo"]["hasNextPage"] == rest["pagination"]["has_more"]
                cursor, pages = rest["pagination"].get("cursor"), pages + 1
                if not rest["pagination"]["has_more"]:
                    break


async def test_every_object_is_the_same(api, known):
    for name, (place, shape) in OBJECTS.items():
        path, variables = ids_in(OPERATIONS[name][1], known)
        rest = (await api.rest("GET", path)).json()
        found = await api.data(EQUIVALENTS[name].document, variables)
        assert shape(found[place]) == rest, name


PARTY = {"name": "Erika", "role": "client", "reference": "E 1"}
NEW_PARTY = {"new": {"name": "Erika"}, "role": "client", "reference": "E 1"}
STAFF = {"name": "Groß", "role": "clerk"}
NEW_STAFF = {"new": {"name": "Groß"}, "role": "clerk"}


def stripped(value):
    """Without what is another's in each case: ids and instants."""
    if isinstance(value, list):
        return [stripped(one) for one in value]
    if not isinstance(value, dict):
        return value
    dropped = {"id", "case_id", "linked_case_id", "before", "after"}
    return {
        name: stripped(one)
        for name, one in value.items()
        if name not in dropped and not name.endswith("at") and name != "seq"
    }


async def everything(api, case_id):
    """All that REST tells of a case."""
    told = {}
    for below in ("", "/parties", "/staff", "/links", "/timeline"):
        response = await api.rest("GET", f"/cases/{case_id}{below}")
        told[below] = stripped(response.json()) if response.status_code == 200 else None
    return told


WRITES = {
    "updateCase": (
        lambda case, other: {"status": "closed", "dezernat": "Mietrecht"},
        lambda case, other: {"id": case["id"], "status": "CLOSED", "dezernat": "Mietrecht"},
    ),
    "deleteCase": (None, lambda case, other: {"id": case["id"]}),
    "addCaseParties": (
        lambda case, other: {"parties": [PARTY]},
        lambda case, other: {"caseId": case["id"], "parties": [NEW_PARTY]},
    ),
    "replaceCaseParties": (
        lambda case, other: {"parties": [PARTY]},
        lambda case, other: {"caseId": case["id"], "parties": [NEW_PARTY]},
    ),
    "assignCaseStaff": (
        lambda case, other: {"staff": [STAFF]},
        lambda case, other: {"caseId": case["id"], "staff": [NEW_STAFF]},
    ),
    "unassignCaseStaff": (
        lambda case, other: {"staff_ids": [case["staff"][0]["id"]]},
        lambda case, other: {"caseId": case["id"], "staffIds": [case["staff"][0]["id"]]},
    ),
    "linkCases": (
        lambda case, other: {"linked_case_id": other["id"], "type": "parent"},
        lambda case, other: {
            "caseId": case["id"],
            "linkedCaseId": other["id"],
            "type": "PARENT",
        },
    ),
    "unlinkCases": (None, lambda case, other: {"linkId": case["link"]}),
}


async def furnished(api):
    """A case with a party, a staff member and a link, and another one."""
    body = {"name": "Case", "parties": [{"name": "P", "role": "client"}]}
    body["staff"] = [{"name": "S", "role": "clerk"}]
    case = (await api.rest("POST", "/cases", json=body)).json()
    linked, other = [
        (await api.rest("POST", "/cases", json={"name": name})).json() for name in ("L", "O")
    ]
    link = {"linked_case_id": linked["id"], "type": "related"}
    made = await api.rest("POST", f"/cases/{case['id']}/links", json=link)
    return case | {"link": made.json()["id"]}, other


async def test_every_write_leaves_the_same_behind(api):
    for name, (body, variables) in WRITES.items():
        method, path, _ = OPERATIONS[name]
        case, other = await furnished(api)
        options = {"json": body(case, other)} if body else {}
        target = path.format(case_id=case["id"], link_id=case["link"])
        response = await api.rest(method, target, **options)
        assert response.status_code < 300, (name, response.text)
        by_rest = await everything(api, case["id"])

        case, other = await furnished(api)
        given = {"input": variables(case, other)}
        [payload] = (await api.data(EQUIVALENTS[name].document, given)).values()
        assert payload["userErrors"] == [], name
        by_graphql = await everything(api, case["id"])

        assert by_graphql == by_rest, name
        assert by_rest != await everything(api, (await furnished(api))[0]["id"]), name


async def test_a_case_is_created_alike(api):
    body = {"name": "New", "file_number": "N 1", "parties": [PARTY], "staff": [STAFF]}
    rest = (await api.rest("POST", "/cases", json=body)).json()
    asked = {"name": "New", "parties": [NEW_PARTY], "staff": [NEW_STAFF], "fileNumber": "N 2"}
    made = await api.data(EQUIVALENTS["createCase"].document, {"input": asked})

    found = case_of(made["createCase"]["case"])

    assert stripped(found) | {"file_number": "N 1"} == stripped(rest)
    assert EQUIVALENTS.keys() == {*LISTS, *OBJECTS, *WRITES, *WEBHOOKS, "createCase"}


@pytest.fixture
def settings(settings):
    return settings.but(webhooks=True)


WEBHOOKS = {
    "listWebhooks",
    "createWebhook",
    "getWebhook",
    "updateWebhook",
    "deleteWebhook",
    "rollWebhookSecret",
    "listWebhookDeliveries",
}


def webhook_of(one):
    return {
        "id": one["id"],
        "url": one["url"],
        "events": one["events"],
        "query": one["query"],
        "key_id": one["keyId"],
        "state": one["state"].lower(),
        "reason": one["reason"],
        "created_at": one["createdAt"],
        "cursor": one["cursor"],
        "failures": one["failures"],
        "failing_since": one["failingSince"],
        "due_at": one["dueAt"],
    }


def delivery_of(one):
    same = ("type", "attempt", "at", "status", "error")
    ids = {"event_id": one["eventId"], "duration_ms": one["durationMs"]}
    return {name: one[name] for name in same} | ids


async def over_graphql(api, name, variables):
    [found] = (await api.data(EQUIVALENTS[name].document, variables)).values()
    return found


async def test_webhooks_are_alike(api):
    """Each is made, changed and deleted by one surface, and read by both."""
    body = {"url": "https://localhost/a", "events": ["case_created"]}
    response = await api.rest("POST", "/webhooks", json=body)
    assert response.status_code == 201, response.text
    by_rest = response.json()
    asked = {"url": body["url"], "events": body["events"]}
    by_graphql = await over_graphql(api, "createWebhook", {"input": asked})
    assert by_graphql["userErrors"] == []
    assert by_rest.pop("secret").startswith("whsec_")
    assert by_graphql["secret"].startswith("whsec_")
    places = [by_rest["id"], by_graphql["webhook"]["id"]]
    assert response.headers["location"] == f"/api/v1/webhooks/{places[0]}"
    apart = {"id", "created_at", "due_at", "cursor"}
    assert {n: v for n, v in webhook_of(by_graphql["webhook"]).items() if n not in apart} == {
        n: v for n, v in by_rest.items() if n not in apart
    }

    async def listed():
        rest = (await api.rest("GET", "/webhooks")).json()
        graphql = await over_graphql(api, "listWebhooks", {})
        assert [webhook_of(one) for one in graphql] == rest["data"]
        for id in places:
            found = await api.rest("GET", f"/webhooks/{id}")
            shown = await over_graphql(api, "getWebhook", {"id": id})
            assert found.status_code == (404 if shown is None else 200)
            assert shown is None or webhook_of(shown) == found.json()
        return rest["data"]

    assert [one["id"] for one in await listed()] == places
    changed = await api.rest("PUT", f"/webhooks/{places[0]}", json={"state": "paused"})
    assert changed.status_code == 200, changed.text
    given = {"id": places[1], "state": "PAUSED"}
    payload = await over_graphql(api, "updateWebhook", {"input": given})
    assert payload["userErrors"] == []
    assert {one["state"] for one in await listed()} == {"paused"}
    assert len({one["reason"] for one in await listed()}) == 1

    rolled = await api.rest("POST", f"/webhooks/{places[0]}/secret")
    assert rolled.json()["secret"].startswith("whsec_")
    payload = await over_graphql(api, "rollWebhookSecret", {"input": {"id": places[1]}})
    assert payload["secret"].startswith("whsec_")

    gone = await api.rest("DELETE", f"/webhooks/{places[0]}")
    assert gone.status_code == 204
    payload = await over_graphql(api, "deleteWebhook", {"input": {"id": places[1]}})
    assert payload["deletedWebhookId"] == places[1]
    assert await listed() == []


async def test_the_logs_of_webhooks_are_alike(api, given_case):
    """Nobody may deliver to this one's address, which is an attempt all the same."""
    body = {"url": "https://localhost/", "events": ["case_created"]}
    hook = (await api.rest("POST", "/webhooks", json=body)).json()
    for _ in range(2):
        await given_case()
    path, log = f"/webhooks/{hook['id']}/deliveries", []
    async with asyncio.timeout(20):
        while len(log) < 2:
            log = (await api.rest("GET", path)).json()["data"]
            await asyncio.sleep(0.05)
    await api.rest("PUT", f"/webhooks/{hook['id']}", json={"state": "paused"})
    await asyncio.sleep(0.3)
    cursor, found, shown = None, [], []
    while True:
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await api.rest("GET", path, params=params)).json()
        found += page["data"]
        variables = {"id": hook["id"], "first": 1, "after": cursor}
        listed = (await over_graphql(api, "listWebhookDeliveries", variables))["deliveries"]
        shown += [delivery_of(one) for one in listed["nodes"]]
        assert listed["pageInfo"]["hasNextPage"] == page["pagination"]["has_more"]
        if not page["pagination"]["has_more"]:
            break
        cursor = page["pagination"]["cursor"]
    assert found == shown
    assert [one["attempt"] for one in found] == list(range(len(found), 0, -1))
    assert {one["status"] for one in found} == {None}
    assert {one["error"] for one in found} == {NOT_ALLOWED}
