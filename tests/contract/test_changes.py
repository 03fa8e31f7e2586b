"""The feed of changes on both surfaces: all events in order, whatever was asked before."""

import asyncio
import json
import random

import pytest

from domain.access.principal import Scope
from domain.errors import TimedOut
from domain.inputs import ChangeFilter, DateRange
from domain.reading import changes
from domain.upkeep import administration
from gateway.execution.operations import Operation
from gateway.http import subscribing
from gateway.http.parameters import Parameters
from gateway.http.subscribing import Subscriptions
from gateway.limits.points import metered
from tests.gateway.execution.failing_reads import fail_on

FEED = """query Feed($first: Int, $after: String, $last: Int, $before: String, $f: ChangeFilter) {
  changes(first: $first, after: $after, last: $last, before: $before, filter: $f) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage endCursor }
    edges { cursor node {
      seq type actor at source caseUuid subjectId title
      changes { field before after }
      case { uuid name version }
    } }
  }
}"""


async def feed(api, key="all", **variables):
    """The connection."""
    return (await api.data(FEED, variables, key=key))["changes"]


def nodes(found):
    return [edge["node"] for edge in found["edges"]]


@pytest.fixture
async def told(api, linked):
    """A workspace in which a lot has happened; the global ids of its objects."""
    await api.data(
        'mutation($id: ID!) { updateCase(input: {id: $id, name: "Renamed"}) { case { id } } }',
        {"id": linked["other"]},
    )
    return linked


async def everything(api):
    return nodes(await feed(api, first=100))


async def test_everything_is_in_it_in_the_order_in_which_it_was_stored(api, told):
    found = await everything(api)

    seqs = [one["seq"] for one in found]
    assert seqs == sorted(seqs)
    types = {one["type"] for one in found}
    assert types >= {
        "case_created", "case_updated", "case_deleted", "case_linked",
        "party_created", "staff_created",
    }  # fmt: skip
    assert "key_created" not in types
    renamed = found[-1]
    assert (renamed["type"], renamed["case"]["name"]) == ("case_updated", "Renamed")
    assert [one["field"] for one in renamed["changes"]] == ["name"]
    gone = [one for one in found if one["type"] == "case_deleted"]
    assert [(one["case"], bool(one["caseUuid"])) for one in gone] == [(None, True)]
    assert all(one["subjectId"] for one in found if one["type"] == "party_created")


async def test_whoever_goes_on_from_the_last_cursor_misses_nothing(api, given_case):
    seen, cursor = [], None
    for n in range(12):
        for _ in range(n % 3):
            await given_case(name=f"Case {n}")
        while True:
            found = await feed(api, first=2, after=cursor)
            seen += [edge["node"]["seq"] for edge in found["edges"]]
            cursor = found["pageInfo"]["endCursor"] or cursor
            if not found["pageInfo"]["hasNextPage"]:
                break

    assert seen == [one["seq"] for one in await everything(api)]
    assert len(seen) > 12


async def test_over_rest_it_is_the_same_with_the_same_cursors(api, told):
    over_graphql = await feed(api, first=3)
    page = (await api.rest("GET", "/changes", params={"limit": 3})).json()

    assert page["pagination"] == {
        "has_more": True,
        "cursor": over_graphql["pageInfo"]["endCursor"],
    }
    cursor, seen = page["pagination"]["cursor"], [one["seq"] for one in page["data"]]
    while page["pagination"]["has_more"]:
        page = (await api.rest("GET", "/changes", params={"limit": 3, "cursor": cursor})).json()
        cursor = page["pagination"]["cursor"]
        seen += [one["seq"] for one in page["data"]]
    assert seen == [one["seq"] for one in await everything(api)]

    later = (await api.rest("GET", "/changes", params={"cursor": cursor})).json()
    assert later == {"data": [], "pagination": {"has_more": False, "cursor": cursor}}
    await api.rest("POST", "/cases", json={"name": "New"})
    [new] = (await api.rest("GET", "/changes", params={"cursor": cursor})).json()["data"]
    assert new["type"] == "case_created"
    assert new["case_id"]


async def test_details_of_a_deleted_case_are_for_keys_that_may_delete(api, given_case):
    case = await given_case(name="Secret ./. Deleted")
    await api.data(
        "mutation($id: ID!) { deleteCase(input: {id: $id}) { deletedCaseId } }", {"id": case["id"]}
    )

    mine = [one for one in await everything(api) if one["caseUuid"] == case["uuid"]]
    theirs = nodes(await feed(api, "read", first=100))
    theirs = [one for one in theirs if one["caseUuid"] == case["uuid"]]

    assert "Secret" in str(mine)
    assert [one["type"] for one in mine] == [one["type"] for one in theirs]
    assert "case_deleted" in [one["type"] for one in theirs]
    assert [one["changes"] for one in theirs] == [[]] * len(mine)
    read = await api.rest("GET", "/changes", key="read", params={"case_id": case["uuid"]})
    assert len(read.json()["data"]) == len(mine)
    assert "Secret" not in read.text


async def test_another_workspace_has_its_own_and_its_cursors_are_refused(api, told):
    mine = await feed(api, first=1)
    cursor = mine["edges"][0]["cursor"]

    assert nodes(await feed(api, "stranger", first=100)) == []
    answer = await api.graphql(FEED, {"first": 1, "after": cursor}, key="stranger")
    assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"
    refused = await api.rest("GET", "/changes", key="stranger", params={"cursor": cursor})
    assert refused.json()["error"]["details"][0]["field"] == "cursor"
    refused = await api.rest("GET", "/changes", key="write")
    assert refused.json()["error"]["code"] == "AUTH_INSUFFICIENT_SCOPE"


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-13-01T00:00:00Z"}, "until"),
        ({"source": "file"}, "source"),
        ({"type": ",".join(["case_updated"] * 101)}, "type"),
        ({"case_id": "x" * 300}, "case_id"),
        ({"party_id": "x" * 300}, "party_id"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "x"}, "cursor"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_name(api, params, field):
    refused = await api.rest("GET", "/changes", params=params)

    assert refused.status_code == 400
    assert [one["field"] for one in refused.json()["error"]["details"]] == [field]


async def test_it_is_filtered_as_a_loop_in_python_would(api, told):
    """Random filters, pages forwards and backwards, against all events."""
    found = await everything(api)
    register = await api.data(
        "{ parties(first: 100) { nodes { id databaseId"
        " cases(first: 100) { nodes { case { uuid } } } } } }"
    )
    # Not those of the deleted case, which a party's own list leaves out.
    parties = {
        one["databaseId"]: {role["case"]["uuid"] for role in one["cases"]["nodes"]}
        for one in register["parties"]["nodes"]
        if one["cases"]["nodes"] or one["id"] == told["idle"]
    }
    chance = random.Random(20261129)

    def some(name):
        values = sorted({one[name] for one in found if one[name]})
        return chance.sample(values, chance.randint(0, min(3, len(values))))

    for _ in range(120):
        wanted = {}
        if chance.random() < 0.4:
            wanted["type"] = some("type")
        if chance.random() < 0.3:
            wanted["actor"] = [*some("actor"), "nobody"]
        if chance.random() < 0.3:
            wanted["case"] = some("caseUuid")
        if chance.random() < 0.3:
            wanted["party"] = chance.sample(sorted(parties), 2)
        if chance.random() < 0.2:
            wanted["source"] = [chance.choice(["RECORDED", "IMPORTED"])]
        if chance.random() < 0.4:
            sign = chance.choice(["gte", "gt", "lte", "lt"])
            wanted["at"] = {sign: chance.choice(found)["at"]}

        expected = [one for one in found if matches(one, wanted, parties)]
        forwards = await feed(api, first=100, f=wanted)
        assert nodes(forwards) == expected, wanted
        assert forwards["totalCount"] == len(expected)
        backwards = await feed(api, last=2, f=wanted)
        assert nodes(backwards) == expected[-2:], wanted
        if len(expected) > 2:
            after = forwards["edges"][1]["cursor"]
            rest = await feed(api, first=100, after=after, f=wanted)
            assert nodes(rest) == expected[2:], wanted
            assert rest["pageInfo"]["hasPreviousPage"] is True


def matches(one, wanted, parties):
    if any(one[name] not in wanted[name] for name in ("type", "actor", "source") if name in wanted):
        return False
    if "case" in wanted and one["caseUuid"] not in wanted["case"]:
        return False
    if "party" in wanted:
        cases = set().union(*(parties[id] for id in wanted["party"]))
        own = one["caseUuid"] is None and one["subjectId"] in wanted["party"]
        if not own and one["caseUuid"] not in cases:
            return False
    for sign, bound in wanted.get("at", {}).items():
        fits = {
            "gte": one["at"] >= bound,
            "gt": one["at"] > bound,
            "lte": one["at"] <= bound,
            "lt": one["at"] < bound,
        }
        if not fits[sign]:
            return False
    return True


async def test_a_span_of_time_is_found_without_reading_what_is_before_it(owner):
    """The numbers that a span lies between are found by halving."""
    who = await administration.operator(owner)
    clock = iter(f"2027-01-{day:02}T09:00:00Z" for day in range(1, 32))
    owner.clock = lambda: next(clock)
    for n in range(28):
        await administration.create_key(owner, f"key {n}", [Scope.CASES_READ])

    async with owner.read(who.workspace_id) as db:
        for sign in ("gte", "gt", "lte", "lt"):
            span = DateRange(**{sign: "2027-01-11T09:00:00Z"})
            listed = await changes.changes(who, ChangeFilter(at=span)).settled(db)
            [(_seq, its_sign, name)] = listed.bounds
            rows = await db.rows(
                changes._NEXT, {"workspace_id": who.workspace_id, "seq": listed.values[name]}
            )
            later = sign in ("gt", "lte")
            assert rows[0][1] == f"2027-01-{12 if later else 11}T09:00:00Z"
            assert its_sign == ("gte" if sign[0] == "g" else "lt")


async def test_a_cursor_is_a_place_in_the_order_whatever_the_filter(api, told):
    found = await feed(api, first=100)
    middle = found["edges"][len(found["edges"]) // 2]

    rest = nodes(await feed(api, first=100, after=middle["cursor"], f={"type": ["case_created"]}))

    seq = middle["node"]["seq"]
    expected = [one for one in nodes(found) if one["seq"] > seq and one["type"] == "case_created"]
    assert rest == expected
    assert rest


async def test_a_stream_does_not_look_again_through_what_it_does_not_want(
    api, given_case, settings, monkeypatch
):
    subscriptions = Subscriptions(api.services, settings)
    read, cursors = subscribing.read, []

    async def noted(services, subscription, who, cursor):
        cursors.append(cursor)
        return await read(services, subscription, who, cursor)

    monkeypatch.setattr(subscribing, "read", noted)

    async def authenticate():
        return await api.services.keys.authenticate(api.keys["all"])

    query = 'subscription { caseChanges(types: ["case_deleted"]) { node { caseUuid } } }'
    who = await authenticate()
    meter = await metered(api.services.rates, who.key_id)
    asked = Parameters(query, None, None)
    subscription = await subscriptions.admitted(asked, who, meter)
    told = []

    async def listen():
        async for change in subscriptions.answers(subscription, authenticate):
            if change is not None:
                told.append(json.loads(change.answer))

    task = asyncio.create_task(listen())
    try:
        for n in range(4):
            before = len(cursors)
            await given_case(name=f"{n}")
            async with asyncio.timeout(10):
                while len(cursors) == before:  # noqa: ASYNC110 - another task reads
                    await asyncio.sleep(0.02)
        last = await given_case(name="gone")
        await api.rest("DELETE", f"/cases/{last['uuid']}")
        async with asyncio.timeout(10):
            while not told:  # noqa: ASYNC110 - another task reads
                await asyncio.sleep(0.02)
    finally:
        task.cancel()
        await subscriptions.close()

    assert told[0]["data"]["caseChanges"]["node"]["caseUuid"] == last["uuid"]
    assert len(set(cursors)) >= 4


async def test_a_stream_tells_of_what_could_be_read_and_goes_on(api, settings, monkeypatch):
    """As any query that graphql-core executes: what is missing is named, and the rest is told."""

    async def run(self, context, given):
        return None

    monkeypatch.setattr(Operation, "run", run)
    subscriptions = Subscriptions(api.services, settings)

    async def authenticate():
        return await api.services.keys.authenticate(api.keys["all"])

    query = """subscription { caseChanges(types: ["case_created"]) {
      node { case { name parties(first: 1) { nodes { role } } } } } }"""
    who = await authenticate()
    meter = await metered(api.services.rates, who.key_id)
    subscription = await subscriptions.admitted(Parameters(query, None, None), who, meter)
    told = []

    async def listen():
        async for change in subscriptions.answers(subscription, authenticate):
            if change is not None:
                told.append(json.loads(change.answer))

    create = "mutation($n: String!) { createCase(input: {name: $n}) { userErrors { code } } }"
    task = asyncio.create_task(listen())
    try:
        with monkeypatch.context() as failing:
            fail_on(failing, "case_party", TimedOut)
            await api.data(create, {"n": "First"})
            async with asyncio.timeout(10):
                while not told:  # noqa: ASYNC110 - another task reads
                    await asyncio.sleep(0.02)
        await api.data(create, {"n": "Second"})
        async with asyncio.timeout(10):
            while len(told) < 2:  # noqa: ASYNC110 - another task reads
                await asyncio.sleep(0.02)
    finally:
        task.cancel()
        await subscriptions.close()

    first, second = told
    assert {one["extensions"]["code"] for one in first["errors"]} == {"QUERY_TIMEOUT"}
    assert "errors" not in second
    assert second["data"]["caseChanges"]["node"]["case"]["name"] == "Second"
