"""The real cases, imported, then read through both doors."""

import pytest

from domain.transfer.importing import OnConflict, import_cases
from domain.upkeep import administration
from tests import real

pytestmark = real.needed
PAGE = """
query Page($first: Int, $after: String, $last: Int, $before: String, $search: String) {
  cases(first: $first, after: $after, last: $last, before: $before, filter: {search: $search}) {
    totalCount
    nodes { uuid name }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


KNOWN = {
    "plessy v.": "1850/210",
    "1940/51": "1940/51",
    "1940 51": "1940/51",
    "SOCIETE nationale": "1986/85-1695",
}


@pytest.fixture
async def imported(api, owner):
    who = await administration.operator(owner)
    lines = real.some(*KNOWN.values())
    return await import_cases(who, owner, lines, source="real", on_conflict=OnConflict.SKIP)


async def pages(api, *, backwards, meanwhile):
    found, cursor = [], None
    count, bound = ("last", "before") if backwards else ("first", "after")
    more, edge = ("hasPreviousPage", "startCursor") if backwards else ("hasNextPage", "endCursor")
    while True:
        page = (await api.data(PAGE, {count: 100, bound: cursor}))["cases"]
        ids = [node["uuid"] for node in page["nodes"]]
        found = ids + found if backwards else found + ids
        if not page["pageInfo"][more]:
            return found
        cursor = page["pageInfo"][edge]
        await meanwhile()


async def rest_pages(api, meanwhile):
    found, parameters = [], {"limit": 100}
    while True:
        body = (await api.rest("GET", "/cases", params=parameters)).json()
        found += [case["id"] for case in body["data"]]
        if not body["pagination"]["has_more"]:
            return found
        parameters["cursor"] = body["pagination"]["cursor"]
        await meanwhile()


async def test_real_cases_are_paged_alike_while_cases_are_added(api, imported):
    added = []

    async def nothing():
        pass

    async def add():
        made = await api.rest("POST", "/cases", json={"name": f"Added {len(added)}"})
        added.append(made.json()["id"])

    still = await rest_pages(api, nothing)
    assert len(still) == len(set(still)) == imported.imported > 5_000 / real.EVERY
    assert imported.imported == 5480 or real.EVERY > 1
    assert await pages(api, backwards=False, meanwhile=nothing) == still
    assert await pages(api, backwards=True, meanwhile=nothing) == still

    for ids in (
        await rest_pages(api, add),
        await pages(api, backwards=False, meanwhile=add),
        await pages(api, backwards=True, meanwhile=add),
    ):
        assert len(set(ids)) == len(ids)
        assert [id for id in ids if id not in added] == still


async def test_known_cases_are_found_through_both_doors(api, imported):
    for term, number in KNOWN.items():
        graphql = (await api.data(PAGE, {"search": term}))["cases"]
        asked = {"search": term, "sort": "relevance"}
        rest = (await api.rest("GET", "/cases", params=asked)).json()["data"]

        names = [case["name"] for case in rest]
        assert names, term
        assert [node["name"] for node in graphql["nodes"]] == names, term
        assert number in [case["file_number"] for case in rest], term
