"""Pages: forwards through a whole list, whatever happens meanwhile, and only with its cursors."""

import base64

import orjson
import pytest


async def pages(rest, path, meanwhile=None, **parameters):
    """All pages of a list; *meanwhile* is called between two of them."""
    found = []
    while True:
        body = await rest.get(path, params=parameters)
        found.append(body["data"])
        if not body["pagination"]["has_more"]:
            assert body["pagination"] == {"has_more": False}
            return found
        assert body["pagination"].keys() == {"cursor", "has_more"}
        parameters["cursor"] = body["pagination"]["cursor"]
        if meanwhile:
            await meanwhile()


@pytest.fixture
async def many(rest):
    """The ids of 120 cases, newest first."""
    return [(await rest.case(name=f"Case {index}"))["id"] for index in range(120)][::-1]


async def test_a_page_has_fifty_cases_unless_told_otherwise(rest, many):
    found = await pages(rest, "/cases")

    assert [len(page) for page in found] == [50, 50, 20]
    assert [case["id"] for page in found for case in page] == many


@pytest.mark.parametrize(("limit", "sizes"), [(100, [100, 20]), (40, [40, 40, 40])])
async def test_paging_forwards_has_no_gap_and_no_repeat(rest, many, limit, sizes):
    found = await pages(rest, "/cases", limit=limit)

    assert [len(page) for page in found] == sizes
    assert [case["id"] for page in found for case in page] == many


async def test_paging_has_no_gap_and_no_repeat_while_cases_are_added_and_deleted(rest, many):
    gone = many[60]

    async def meanwhile():
        await rest.case(name="Another")
        await rest("DELETE", f"/cases/{gone}")

    found = await pages(rest, "/cases", meanwhile, limit=7)

    ids = [case["id"] for page in found for case in page]
    assert ids == [id for id in many if id != gone]


async def test_a_filter_holds_on_every_page(rest):
    for index in range(12):
        made = await rest.case(name=f"Müller {index}")
        await rest.case(name=f"Schmidt {index}")
        if index % 2:
            await rest("PUT", f"/cases/{made['id']}", json={"status": "closed"})

    found = await pages(rest, "/cases", limit=4, search="muller", status="closed")

    names = [case["name"] for page in found for case in page]
    assert names == [f"Müller {index}" for index in (11, 9, 7, 5, 3, 1)]


async def test_the_lists_below_a_case_are_paged_too(rest):
    case = await rest.case()
    others = [await rest.case() for _ in range(5)]
    for index, other in enumerate(others):
        await rest.party(case, f"P{index}")
        await rest.staff(case, f"S{index}")
        await rest.link(case, other, "related")

    for name, count in (("parties", 5), ("staff", 5), ("links", 5), ("timeline", 16)):
        path = f"/cases/{case['id']}/{name}"
        whole = (await rest.get(path))["data"]
        paged = [item for page in await pages(rest, path, limit=2) for item in page]
        assert len(whole) == count
        assert paged == whole


async def test_a_cursor_of_another_filter_list_or_workspace_is_refused(rest, refused):
    cases = [await rest.case() for _ in range(3)]
    for case in cases:
        await rest.party(case, "One")
        await rest.party(case, "Two")
    await rest.case(key="stranger")
    await rest.case(key="test")
    of_cases = (await rest.get("/cases?limit=1"))["pagination"]["cursor"]
    path = f"/cases/{cases[0]['id']}/parties"
    of_parties = (await rest.get(f"{path}?limit=1"))["pagination"]["cursor"]

    for cursor, asked, key in (
        (of_cases, "/cases?status=active", "all"),
        (of_cases, "/cases?search=m", "all"),
        (of_cases, "/cases", "stranger"),
        (of_cases, "/cases", "test"),
        (of_cases, path, "all"),
        (of_parties, "/cases", "all"),
        (of_parties, f"/cases/{cases[1]['id']}/parties", "all"),
        (of_parties, f"/cases/{cases[0]['id']}/staff", "all"),
    ):
        joint = "&" if "?" in asked else "?"
        error = await refused(
            400,
            "VALIDATION_ERROR",
            "GET",
            f"{asked}{joint}cursor={cursor.replace('+', '%2B')}",
            key=key,
        )
        assert [detail["field"] for detail in error["details"]] == ["cursor"]


async def test_a_cursor_is_padded_base64_of_json_that_starts_with_an_id(rest):
    await rest.case()
    await rest.case()

    cursor = (await rest.get("/cases?limit=1"))["pagination"]["cursor"]

    content = base64.b64decode(cursor, validate=True)
    assert len(cursor) % 4 == 0
    assert content.startswith(b'{"id":')
    assert orjson.dumps(orjson.loads(content)) == content


async def test_a_cursor_outlives_the_case_that_it_names(rest):
    cases = [await rest.case(name=f"Case {index}") for index in range(4)]
    page = await rest.get("/cases?limit=2")
    await rest("DELETE", f"/cases/{cases[2]['id']}")

    rest_of = await rest.get("/cases", params={"cursor": page["pagination"]["cursor"]})

    assert [case["name"] for case in rest_of["data"]] == ["Case 1", "Case 0"]
