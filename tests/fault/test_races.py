"""Requests that contradict each other, at the same moment, over both surfaces: one of them wins.

Each race is run many times: in one process, where requests take turns at every await, and over
two server processes, where nothing but the database stands between them.
"""

import asyncio
import itertools
import os
from collections import Counter
from contextlib import AsyncExitStack

import httpx2
import pytest

from domain.upkeep import verifying
from tests.fault.pairs import two_gateways
from tests.fixtures import Api

ROUNDS = int(os.environ.get("CASEGRAPH_RACES", "10"))
CONTENDERS = 6

CREATE = (
    "mutation($input: CreateCaseInput!) { createCase(input: $input) {"
    " case { uuid } userErrors { code } } }"
)
UPDATE = (
    "mutation($input: UpdateCaseInput!) { updateCase(input: $input) {"
    " case { uuid } userErrors { code } } }"
)
DELETE = "mutation($id: ID!) { deleteCase(input: {id: $id}) { case { uuid } userErrors { code } } }"
ADD = (
    "mutation($id: ID!, $name: String!) { addCaseParties(input: {caseId: $id, parties: "
    '[{new: {name: $name}, role: "client"}]}) { case { uuid } userErrors { code } } }'
)
LINK = (
    "mutation($a: ID!, $b: ID!) { linkCases(input: {caseId: $a, linkedCaseId: $b, type: PARENT}) {"
    " link { databaseId } userErrors { code } } }"
)
UNLINK = (
    "mutation($id: ID!) { unlinkCases(input: {linkId: $id}) {"
    " link { databaseId } userErrors { code } } }"
)
STATUS = {
    "FILE_NUMBER_CONFLICT": 409,
    "IDEMPOTENCY_KEY_REUSED": 409,
    "LINK_EXISTS": 409,
    "VERSION_CONFLICT": 412,
    "CASE_NOT_FOUND": 404,
    "LINK_NOT_FOUND": 404,
}


class Doors:
    """Both surfaces, as one: an outcome is the id of what was made or changed, or a code."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def rest(self, method, path, **options):
        response = await self.api.rest(method, path, **options)
        if response.status_code < 400:
            return response.json()["id"] if response.content else "done"
        code = response.json()["error"]["code"]
        assert response.status_code == STATUS[code]
        return code

    async def graphql(self, mutation, **variables):
        data = await self.api.data(mutation, variables)
        [payload] = data.values()
        if payload["userErrors"]:
            [error] = payload["userErrors"]
            return error["code"]
        return next(iter(payload.get("case", payload.get("link")).values()))

    async def case(self, **values):
        made = await self.rest("POST", "/cases", json={"name": "Race"} | values)
        assert "-" in made, made
        return made

    async def shown(self, case_id):
        response = await self.api.rest("GET", f"/cases/{case_id}")
        assert response.status_code == 200
        return response

    async def count(self, **wanted):
        data = await self.api.data(
            "query($f: CaseFilter) { cases(filter: $f) { totalCount } }", {"f": wanted}
        )
        return data["cases"]["totalCount"]

    async def links(self, case_id):
        return (await self.api.rest("GET", f"/cases/{case_id}/links")).json()["data"]

    async def events(self, case_id):
        found = await self.api.rest("GET", f"/cases/{case_id}/timeline?limit=100")
        return Counter(event["type"] for event in found.json()["data"])


class Alternating:
    """A client of several servers, which sends each request to the next of them."""

    def __init__(self, clients):
        self._next = itertools.cycle(clients)

    def request(self, *arguments, **options):
        return next(self._next).request(*arguments, **options)

    def post(self, *arguments, **options):
        return next(self._next).post(*arguments, **options)


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    with two_gateways(tmp_path_factory.mktemp("races")) as both:
        yield both


@pytest.fixture
async def two_processes(processes):
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx2.AsyncClient(base_url=one.url, timeout=30))
            for one in processes
        ]
        yield Doors(Api(Alternating(clients), None, {"all": processes[0].key}))


@pytest.fixture
async def one_process(api):
    yield Doors(api)
    assert (await verifying.verify(api.services.database)).findings == []


@pytest.fixture(params=["one_process", "two_processes"])
def doors(request):
    return request.getfixturevalue(request.param)


def contenders(by_rest, by_graphql):
    """As many calls as there are contenders, two over each surface in turn.

    So that both surfaces come to both servers.
    """
    ways = itertools.cycle((by_rest, by_rest, by_graphql, by_graphql))
    return [next(ways)(number) for number in range(CONTENDERS)]


def winner_of(outcomes, refusal):
    """What the one winner got; everybody else got the refusal."""
    [won] = [one for one in outcomes if one != refusal]
    assert won not in STATUS
    return won


async def test_of_creations_with_one_file_number_one_is_made(doors):
    for n in range(ROUNDS):
        number = f"AZ-{n}"

        outcomes = await asyncio.gather(
            *contenders(
                lambda _, number=number: doors.rest(
                    "POST", "/cases", json={"name": "N", "file_number": number}
                ),
                lambda _, number=number: doors.graphql(
                    CREATE, input={"name": "N", "fileNumber": number}
                ),
            )
        )

        made = winner_of(outcomes, "FILE_NUMBER_CONFLICT")
        assert (await doors.shown(made)).json()["file_number"] == number
        assert await doors.count(fileNumber=number) == 1


async def test_of_cases_that_want_one_file_number_one_gets_it(doors):
    for n in range(ROUNDS):
        number = f"TAKEN-{n}"
        ids = [await doors.case() for _ in range(CONTENDERS)]

        outcomes = await asyncio.gather(
            *contenders(
                lambda i, ids=ids, number=number: doors.rest(
                    "PUT", f"/cases/{ids[i]}", json={"file_number": number}
                ),
                lambda i, ids=ids, number=number: doors.graphql(
                    UPDATE, input={"id": ids[i], "fileNumber": number}
                ),
            )
        )

        assert (await doors.shown(winner_of(outcomes, "FILE_NUMBER_CONFLICT"))).json()[
            "file_number"
        ] == number
        assert await doors.count(fileNumber=number) == 1


async def test_of_updates_of_one_version_one_is_written(doors):
    for _ in range(ROUNDS):
        case = await doors.case()

        outcomes = await asyncio.gather(
            *contenders(
                lambda i, case=case: doors.rest(
                    "PUT", f"/cases/{case}", json={"name": f"N {i}"}, headers={"If-Match": '"1"'}
                ),
                lambda i, case=case: doors.graphql(
                    UPDATE, input={"id": case, "name": f"N {i}", "expectedVersion": 1}
                ),
            )
        )

        assert winner_of(outcomes, "VERSION_CONFLICT") == case
        after = await doors.shown(case)
        assert after.json()["name"] == f"N {outcomes.index(case)}"
        assert after.headers["ETag"] == '"2"'
        assert await doors.events(case) == {"case_created": 1, "case_updated": 1}


async def test_updates_without_a_version_are_all_written_one_after_the_other(doors):
    for _ in range(ROUNDS):
        case = await doors.case()

        outcomes = await asyncio.gather(
            *contenders(
                lambda i, case=case: doors.rest("PUT", f"/cases/{case}", json={"name": f"N {i}"}),
                lambda i, case=case: doors.graphql(UPDATE, input={"id": case, "name": f"N {i}"}),
            )
        )

        assert outcomes == [case] * CONTENDERS
        assert (await doors.shown(case)).headers["ETag"] == f'"{1 + CONTENDERS}"'
        assert (await doors.events(case))["case_updated"] == CONTENDERS


async def test_of_deletions_of_one_case_one_is_carried_out(doors):
    for _ in range(ROUNDS):
        case = await doors.case()

        outcomes = await asyncio.gather(
            *contenders(
                lambda _, case=case: doors.rest("DELETE", f"/cases/{case}"),
                lambda _, case=case: doors.graphql(DELETE, id=case),
            )
        )

        assert winner_of(outcomes, "CASE_NOT_FOUND") in ("done", case)


async def test_a_case_that_is_deleted_while_it_is_updated_stays_deleted(doors):
    for _ in range(ROUNDS):
        case = await doors.case()

        deleted, *updated = await asyncio.gather(
            doors.rest("DELETE", f"/cases/{case}"),
            *contenders(
                lambda i, case=case: doors.rest("PUT", f"/cases/{case}", json={"name": f"N {i}"}),
                lambda i, case=case: doors.graphql(UPDATE, input={"id": case, "name": f"N {i}"}),
            ),
        )

        assert deleted == "done"
        assert set(updated) <= {case, "CASE_NOT_FOUND"}
        assert (await doors.api.rest("GET", f"/cases/{case}")).status_code == 404


async def test_one_idempotency_key_makes_one_case(doors):
    for n in range(ROUNDS):
        key = f"one key {n}"
        name = f"Once {n}"

        outcomes = await asyncio.gather(
            *contenders(
                lambda _, key=key, name=name: doors.rest(
                    "POST", "/cases", json={"name": name}, headers={"Idempotency-Key": key}
                ),
                lambda _, key=key, name=name: doors.graphql(
                    CREATE, input={"name": name, "idempotencyKey": key}
                ),
            )
        )

        assert len(set(outcomes)) == 1
        assert await doors.events(outcomes[0]) == {"case_created": 1}
        assert await doors.count(search=name) == 1


async def test_one_idempotency_key_for_different_requests_makes_one_of_them(doors):
    for n in range(ROUNDS):
        key = f"reused {n}"

        outcomes = await asyncio.gather(
            *contenders(
                lambda i, key=key: doors.rest(
                    "POST", "/cases", json={"name": f"N {i}"}, headers={"Idempotency-Key": key}
                ),
                lambda i, key=key: doors.graphql(
                    CREATE, input={"name": f"N {i}", "idempotencyKey": key}
                ),
            )
        )

        made = winner_of(outcomes, "IDEMPOTENCY_KEY_REUSED")
        assert (await doors.shown(made)).json()["name"] == f"N {outcomes.index(made)}"


async def test_two_cases_are_linked_once_from_whichever_end(doors):
    for _ in range(ROUNDS):
        one, two = await doors.case(), await doors.case()

        outcomes = await asyncio.gather(
            *contenders(
                lambda i, ends=(one, two): doors.rest(
                    "POST",
                    f"/cases/{ends[i % 4 // 2]}/links",
                    json={"case_id": ends[1 - i % 4 // 2], "type": "parent"},
                ),
                lambda i, ends=(one, two): doors.graphql(
                    LINK, a=ends[i % 4 // 2], b=ends[1 - i % 4 // 2]
                ),
            )
        )

        made = winner_of(outcomes, "LINK_EXISTS")
        for case in (one, two):
            assert [link["id"] for link in await doors.links(case)] == [made]
            assert (await doors.shown(case)).headers["ETag"] == '"2"'


async def test_a_link_is_removed_once(doors):
    for _ in range(ROUNDS):
        one, two = await doors.case(), await doors.case()
        link = await doors.graphql(LINK, a=one, b=two)

        outcomes = await asyncio.gather(
            *contenders(
                lambda i, ends=(one, two), link=link: doors.rest(
                    "DELETE", f"/cases/{ends[i % 4 // 2]}/links/{link}"
                ),
                lambda _, link=link: doors.graphql(UNLINK, id=link),
            )
        )

        assert winner_of(outcomes, "LINK_NOT_FOUND") in ("done", link)
        assert await doors.links(one) == await doors.links(two) == []


@pytest.mark.parametrize("deleted_over", ["rest", "graphql"])
async def test_a_case_that_is_deleted_while_it_is_linked_shows_no_link(doors, deleted_over):
    seen = Counter()
    for n in range(ROUNDS):
        one, two = await doors.case(), await doors.case()
        delete = (
            doors.rest("DELETE", f"/cases/{two}")
            if deleted_over == "rest"
            else doors.graphql(DELETE, id=two)
        )
        link = (
            doors.rest("POST", f"/cases/{one}/links", json={"case_id": two, "type": "parent"})
            if n % 2
            else doors.graphql(LINK, a=one, b=two)
        )

        if n % 4 < 2:
            linked, deleted = await asyncio.gather(link, delete)
        else:
            deleted, linked = await asyncio.gather(delete, link)

        assert deleted in ("done", two)
        assert linked == "CASE_NOT_FOUND" or linked.startswith("lnk_")
        seen["refused" if linked == "CASE_NOT_FOUND" else "linked"] += 1
        assert await doors.links(one) == []
        assert (await doors.shown(one)).json()["name"] == "Race"
        # The case that stays was changed by the link alone, and its timeline tells of it.
        assert (await doors.events(one))["case_linked"] == (linked != "CASE_NOT_FOUND")
    assert seen.total() == ROUNDS


async def test_parties_that_are_added_at_once_are_all_there(doors):
    for _ in range(ROUNDS // 3):
        case = await doors.case()

        await asyncio.gather(
            *contenders(
                lambda i, case=case: doors.api.rest(
                    "POST", f"/cases/{case}/parties", json={"name": f"P {i}", "role": "client"}
                ),
                lambda i, case=case: doors.graphql(ADD, id=case, name=f"P {i}"),
            )
        )

        parties = (await doors.shown(case)).json()["parties"]
        assert sorted(party["name"] for party in parties) == [f"P {i}" for i in range(CONTENDERS)]
        assert (await doors.shown(case)).headers["ETag"] == f'"{1 + CONTENDERS}"'


PAGE = (
    "query($after: String, $f: CaseFilter) { cases(first: 3, after: $after, filter: $f) {"
    " nodes { uuid } pageInfo { hasNextPage endCursor } } }"
)


async def pages_of_rest(doors, term):
    found, parameters = [], {"limit": 3, "search": term}
    while True:
        body = (await doors.api.rest("GET", "/cases", params=parameters)).json()
        found += [case["id"] for case in body["data"]]
        if not body["pagination"]["has_more"]:
            return found
        parameters["cursor"] = body["pagination"]["cursor"]


async def pages_of_graphql(doors, term):
    found, cursor = [], None
    while True:
        page = (await doors.api.data(PAGE, {"after": cursor, "f": {"search": term}}))["cases"]
        found += [node["uuid"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        cursor = page["pageInfo"]["endCursor"]


async def test_deleting_while_paging_neither_skips_nor_repeats_the_others(doors):
    for n in range(ROUNDS // 3):
        term = f"paged{n}x"
        ids = [await doors.case(name=f"{term} {i}") for i in range(30)]
        kept = [id for i, id in enumerate(ids) if i % 3]

        by_rest, by_graphql, again, *_ = await asyncio.gather(
            pages_of_rest(doors, term),
            pages_of_graphql(doors, term),
            pages_of_rest(doors, term),
            *(
                doors.rest("DELETE", f"/cases/{id}") if i % 2 else doors.graphql(DELETE, id=id)
                for i, id in enumerate(ids)
                if id not in kept
            ),
        )

        for found in (by_rest, by_graphql, again):
            assert len(found) == len(set(found))
            assert [id for id in found if id in kept] == kept[::-1]
            assert set(found) <= set(ids)
        assert await pages_of_rest(doors, term) == kept[::-1]
