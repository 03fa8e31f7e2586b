"""Facets over both surfaces: the same counts, each in the surface's words."""

import pytest

from domain.reading.facets import FacetField

FACETS = """query($by: [FacetField!]!, $first: Int, $filter: CaseFilter) {
  cases(first: 1, filter: $filter) {
    totalCount
    facets(by: $by, first: $first) { field hasMore values { value label count } }
    nodes { name }
  }
}"""


@pytest.fixture
async def firm(given_case):
    await given_case(name="A v. B", type="litigation", dezernat="Z1")
    await given_case(name="C v. D", type="litigation", status="CLOSED", staff=[], parties=[])
    await given_case(name="E v. F", status="CLOSED")


def plain(facets):
    return {
        one["field"]: ([(v["label"], v["count"]) for v in one["values"]], one["hasMore"])
        for one in facets
    }


async def test_both_surfaces_count_alike(api, firm):
    by = [field.name for field in FacetField]
    found = (await api.data(FACETS, {"by": by, "first": 20}))["cases"]
    rest = await api.rest("GET", "/cases", params={"facets": ",".join(FacetField), "limit": 1})

    listed = {
        name.upper(): ([(v["label"], v["count"]) for v in one["values"]], one["has_more"])
        for name, one in rest.json()["facets"].items()
    }
    over_graphql = plain(found["facets"])
    statuses = over_graphql["STATUS"][0]
    assert statuses == [("closed", 2), ("active", 1)]
    assert over_graphql == listed
    assert list(listed) == by
    assert len(rest.json()["data"]) == 1


async def test_a_facet_s_value_is_what_its_filter_takes(api, firm):
    for field, name in (("STATUS", "status"), ("TYPE", "type"), ("DEZERNAT", "dezernat")):
        [facet] = (await api.data(FACETS, {"by": [field]}))["cases"]["facets"]
        for one in facet["values"]:
            if one["value"] is not None:
                wanted = {name: [one["value"]]}
                found = await api.data(FACETS, {"by": [], "filter": wanted})
                assert found["cases"]["totalCount"] == one["count"], (field, one)
    [facet] = (await api.data(FACETS, {"by": ["STAFF"]}))["cases"]["facets"]
    for one in facet["values"]:
        wanted = {"staff": {"id": one["value"]}}
        assert (await api.data(FACETS, {"by": [], "filter": wanted}))["cases"]["totalCount"] == one[
            "count"
        ]


async def test_who_has_chosen_a_value_still_sees_the_others(api, firm):
    wanted = {"status": ["ACTIVE"]}
    found = (await api.data(FACETS, {"by": ["STATUS", "TYPE"], "filter": wanted}))["cases"]
    rest = await api.rest("GET", "/cases?status=active&facets=status,type")

    assert found["totalCount"] == 1
    facets = plain(found["facets"])
    assert facets["STATUS"][0] == [("closed", 2), ("active", 1)]
    assert facets["TYPE"][0] == [("litigation", 1)]
    assert [one["count"] for one in rest.json()["facets"]["status"]["values"]] == [2, 1]


async def test_a_search_narrows_what_is_counted(api, firm):
    found = (await api.data(FACETS, {"by": ["STATUS"], "filter": {"search": "a v."}}))["cases"]
    rest = await api.rest("GET", "/cases", params={"search": "a v.", "facets": "status"})

    assert plain(found["facets"])["STATUS"][0] == [("active", 1)]
    assert rest.json()["facets"]["status"]["values"] == [
        {"value": "active", "label": "active", "count": 1}
    ]


async def test_without_facets_there_is_no_member(api, firm):
    assert "facets" not in (await api.rest("GET", "/cases")).json()
    assert "facets" not in (await api.rest("GET", "/cases?facets=")).json()


@pytest.mark.parametrize(
    "query", ["nothing", "status,", ",", "status,,type", "STATUS", "status, type", "status;type"]
)
async def test_an_unknown_facet_is_refused_with_what_there_is(api, query):
    answer = await api.rest("GET", "/cases", params={"facets": query})

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["details"][0]["field"]) == ("VALIDATION_ERROR", "facets")
    assert "status, type, dezernat, staff, party_role, year" in error["details"][0]["message"]


async def test_a_field_that_is_given_again_is_counted_once(api, firm):
    by = ["YEAR", "STATUS", "YEAR"]
    facets = (await api.data(FACETS, {"by": by}))["cases"]["facets"]
    rest = await api.rest("GET", "/cases?facets=year,status,year")

    assert [one["field"] for one in facets] == ["YEAR", "STATUS"]
    assert list(rest.json()["facets"]) == ["year", "status"]


async def test_a_number_of_values_out_of_range_is_refused(api):
    for first in (0, 101, -1):
        answer = await api.graphql(FACETS, {"by": ["STATUS"], "first": first})
        assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"
    unknown = await api.graphql(FACETS.replace("$by)", "[NOTHING])").replace("by: $by", "by: [X]"))
    assert unknown["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
