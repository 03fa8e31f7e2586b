"""Search by words over both surfaces: the same cases, in the same order, for the same reasons."""

import pytest

from domain.reading.mixed import SearchType
from domain.reading.search import MatchField

CASES = """
query($search: String!, $in: [MatchField!], $order: CaseOrder, $first: Int, $after: String) {
  cases(filter: {search: $search, in: $in}, orderBy: $order, first: $first, after: $after) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges {
      node { uuid name }
      matches { field rule text ranges { start end } party { databaseId name } staff { name } }
    }
  }
}"""


@pytest.fixture
async def files(given_case):
    """Four cases, by their names."""
    wanted = [
        {
            "name": "Müller ./. Weiß",
            "fileNumber": "AZ-2026-042",
            "parties": [
                {"new": {"name": "Jörg Müller"}, "role": "client", "reference": "907 Js 123456/22"},
                {"new": {"name": "Anna-Lena Weiß"}, "role": "opponent"},
            ],
        },
        {"name": "Mueller Bau", "fileNumber": "AZ-2026-043"},
        {
            "name": "Erbe",
            "parties": [{"new": {"name": "Müllers Erben"}, "role": "client"}],
            "staff": [{"new": {"name": "Dr. Weiß"}, "role": "clerk"}],
        },
        {"name": "Müller"},
    ]
    nobody = {"parties": [], "staff": []}
    return {one["name"]: await given_case(**(nobody | one)) for one in wanted}


async def both(api, search, fields=None, **parameters):
    """The cases by relevance, with their matches, over GraphQL; over REST they are the same."""
    names = None if fields is None else [field.name for field in fields]
    found = (await api.data(CASES, {"search": search, "in": names}))["cases"]
    asked = {"search": search, "sort": "relevance", "matches": "true", "limit": 100, **parameters}
    if fields is not None:
        asked["in"] = ",".join(fields)
    rest = (await api.rest("GET", "/cases", params=asked)).json()["data"]
    assert [one["id"] for one in rest] == [edge["node"]["uuid"] for edge in found["edges"]]
    assert len(rest) == found["totalCount"]
    for one, edge in zip(rest, found["edges"], strict=True):
        assert [
            (match["field"], match["rule"].upper(), match["text"], match["ranges"])
            for match in one["matches"]
        ] == [
            (MatchField[match["field"]], match["rule"], match["text"], match["ranges"])
            for match in edge["matches"]
        ]
        assert [match["party_id"] for match in one["matches"]] == [
            match["party"] and match["party"]["databaseId"] for match in edge["matches"]
        ]
    return found["edges"]


def names(edges):
    return [edge["node"]["name"] for edge in edges]


async def test_what_fits_best_comes_first_with_the_reasons(api, files):
    edges = await both(api, "müller")

    assert names(edges) == ["Müller", "Müller ./. Weiß", "Mueller Bau", "Erbe"]
    rules = [
        [(one["field"], one["rule"], one["text"]) for one in edge["matches"]] for edge in edges
    ]
    assert rules == [
        [("NAME", "EXACT", "Müller")],
        [("NAME", "WORD", "Müller ./. Weiß"), ("PARTY", "WORD", "Jörg Müller")],
        [("NAME", "FOLDED", "Mueller Bau")],
        [("PARTY", "PREFIX", "Müllers Erben")],
    ]
    assert edges[1]["matches"][1]["ranges"] == [{"start": 5, "end": 11}]
    assert edges[1]["matches"][1]["party"]["name"] == "Jörg Müller"


@pytest.mark.parametrize(
    ("search", "fields", "found"),
    [
        ("weiss annalena jörg", None, ["Müller ./. Weiß"]),
        ("annalena", [MatchField.NAME], []),
        ("907 js 123456/22", None, ["Müller ./. Weiß"]),
        ("907js", [MatchField.REFERENCE], ["Müller ./. Weiß"]),
        ("907js", [MatchField.PARTY, MatchField.FILE_NUMBER], []),
        ("az 2026/43", None, ["Mueller Bau"]),
        ("dr weiß", None, []),
        ("dr weiß", list(MatchField), ["Erbe"]),
        ("erben dr", [MatchField.STAFF, MatchField.PARTY], ["Erbe"]),
        ("müller", [], []),
    ],
)
async def test_words_are_found_in_any_of_the_fields(api, files, search, fields, found):
    if fields == []:
        data = await api.data(CASES, {"search": search, "in": []})
        assert data["cases"]["edges"] == []
        return
    assert names(await both(api, search, fields)) == found


async def test_both_surfaces_page_by_relevance_with_the_same_cursors(api, files):
    seen, cursor = [], None
    while True:
        page = (await api.data(CASES, {"search": "müller", "first": 1, "after": cursor}))["cases"]
        query = {"search": "müller", "sort": "relevance", "limit": 1, "cursor": cursor or ""}
        rest = (await api.rest("GET", "/cases", params=query)).json()
        assert [one["id"] for one in rest["data"]] == [
            edge["node"]["uuid"] for edge in page["edges"]
        ]
        seen += names(page["edges"])
        if not page["pageInfo"]["hasNextPage"]:
            break
        cursor = page["pageInfo"]["endCursor"]
        assert rest["pagination"]["cursor"] == cursor

    assert seen == ["Müller", "Müller ./. Weiß", "Mueller Bau", "Erbe"]
    worst = {"field": "RELEVANCE", "direction": "DESC"}
    page = (await api.data(CASES, {"search": "müller", "order": worst}))["cases"]
    assert names(page["edges"]) == seen[::-1]


async def test_rest_keeps_its_order_and_tells_no_matches_unless_asked(api, files):
    body = (await api.rest("GET", "/cases?search=müller")).json()

    assert [one["name"] for one in body["data"]] == [
        "Müller",
        "Erbe",
        "Mueller Bau",
        "Müller ./. Weiß",
    ]
    assert not any("matches" in one for one in body["data"])
    for query in ("matches=false", "matches="):
        body = (await api.rest("GET", f"/cases?{query}")).json()
        assert not any("matches" in one for one in body["data"]), query
    told = (await api.rest("GET", "/cases?matches=true")).json()["data"]
    assert [one["matches"] for one in told] == [[]] * 4


@pytest.mark.parametrize(
    ("query", "field", "known"),
    [
        ("in=names", "in", "name, file_number, parties, references, staff"),
        ("in=name,", "in", "name, file_number, parties, references, staff"),
        ("sort=newest", "sort", "created_at, relevance"),
        ("facets=states", "facets", "status, type, dezernat, staff, party_role, year"),
        ("matches=yes", "matches", "true or false"),
        ("search=" + "+".join("abcdefghijklmnopq"), "search", "16 words"),
        ("search=" + "x" * 201, "search", "200 characters"),
        ("reference=" + "x" * 201, "reference", "200 characters"),
        ("sort=relevance&sort=relevance", "sort", "at most once"),
    ],
)
async def test_what_there_is_not_is_refused_with_what_there_is(api, query, field, known):
    response = await api.rest("GET", f"/cases?{query}")

    [detail] = response.json()["error"]["details"]
    assert (response.status_code, detail["field"]) == (400, field)
    assert known in detail["message"]


async def test_too_many_words_are_refused_in_graphql(api):
    answer = await api.graphql(CASES, {"search": " ".join("abcdefghijklmnopq")})

    [error] = answer["errors"]
    assert error["extensions"]["code"] == "VALIDATION_ERROR"
    assert "16 words" in error["message"]


@pytest.mark.parametrize(
    "reference", ["907 Js 123456/22", "907js123456/22", "0907-JS 123456 22", "907 JS 0123456/022"]
)
async def test_the_case_of_a_reference_is_found(api, files, reference):
    query = "query($p: PartyFilter!) { cases(filter: {party: $p}) { nodes { name } } }"
    rest = (await api.rest("GET", "/cases", params={"reference": reference})).json()["data"]

    assert [one["name"] for one in rest] == ["Müller ./. Weiß"]
    for party, found in (
        ({"reference": reference}, ["Müller ./. Weiß"]),
        ({"reference": reference, "role": ["client"]}, ["Müller ./. Weiß"]),
        ({"reference": reference, "role": ["opponent"]}, []),
        ({"reference": reference[:-1]}, []),
        ({"reference": "–"}, []),
    ):
        nodes = (await api.data(query, {"p": party}))["cases"]["nodes"]
        assert [one["name"] for one in nodes] == found, party


SEARCH = """
query($query: String!, $types: [SearchType!], $first: Int, $after: String) {
  search(query: $query, types: $types, first: $first, after: $after) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage endCursor }
    edges {
      cursor
      node {
        __typename
        ... on Case { name }
        ... on Party { label: name cases { totalCount } }
        ... on Staff { staffName: name }
      }
      matches { field rule text }
    }
  }
}"""


def shown(edges):
    return [
        (edge["node"]["__typename"], edge["node"].get("name") or edge["matches"][0]["text"])
        for edge in edges
    ]


async def test_one_search_finds_cases_parties_and_staff(api, files):
    page = (await api.data(SEARCH, {"query": "weiß"}))["search"]

    assert set(shown(page["edges"])) == {
        ("Staff", "Dr. Weiß"),
        ("Case", "Müller ./. Weiß"),
        ("Party", "Anna-Lena Weiß"),
    }
    assert page["totalCount"] == 3
    for types in ([], ["PARTY"], ["STAFF", "CASE"]):
        page = (await api.data(SEARCH, {"query": "weiß", "types": types}))["search"]
        assert {edge["node"]["__typename"].upper() for edge in page["edges"]} == set(types)


async def test_a_mixed_search_pages_without_gap_or_repeat(api, files):
    whole = (await api.data(SEARCH, {"query": "e"}))["search"]
    assert len(whole["edges"]) == whole["totalCount"] > 5
    for size in (1, 2, 3):
        seen, cursor = [], None
        while True:
            asked = {"query": "e", "first": size, "after": cursor}
            page = (await api.data(SEARCH, asked))["search"]
            assert page["pageInfo"]["hasPreviousPage"] == (cursor is not None)
            seen += page["edges"]
            if not page["pageInfo"]["hasNextPage"]:
                break
            cursor = page["pageInfo"]["endCursor"]
        assert seen == whole["edges"]


async def test_a_mixed_search_for_nothing_finds_nothing(api, files):
    for query in ("", "./. –", "…"):
        page = (await api.data(SEARCH, {"query": query}))["search"]
        assert (page["edges"], page["totalCount"]) == ([], 0)


async def test_a_mixed_search_refuses_what_a_list_refuses(api, files):
    for variables in (
        {"query": "x" * 201},
        {"query": "x", "first": 0},
        {"query": "x", "after": "e30="},
        {"query": " ".join("abcdefghijklmnopq"), "types": []},
    ):
        answer = await api.graphql(SEARCH, variables)
        assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR", variables
    answer = await api.graphql(SEARCH, {"query": "x", "types": []}, key="write")
    assert answer["errors"][0]["extensions"]["code"] == "AUTH_INSUFFICIENT_SCOPE"
    assert {one.name for one in SearchType} == {"CASE", "PARTY", "STAFF"}


async def test_a_page_without_its_end_has_no_more_than_was_asked_for(api, files):
    query = '{ cases(first: 1, filter: {search: "müller"}) { nodes { name } totalCount } }'
    found = (await api.data(query))["cases"]

    assert len(found["nodes"]) == 1
    assert found["totalCount"] > 1
