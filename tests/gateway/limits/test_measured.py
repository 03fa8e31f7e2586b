"""Documents that are meant to hurt are refused, each with its own code; real ones are not."""

import itertools

import pytest
from graphql import GraphQLError, get_introspection_query, get_operation_ast, parse

from domain.transfer.importing import dumped, import_cases
from domain.upkeep import administration
from gateway.limits.fragments import fragments_of, innermost_first
from gateway.limits.points import REFUSED_POINTS
from gateway.limits.shapes import duplicates_of, shape_of
from gateway.limits.text import check_text
from gateway.settings import Settings
from tests.gateway.limits.abuse import abuses

ABUSES = {abuse.name: abuse for abuse in abuses()}


def shape(query):
    document = parse(query)
    operation = get_operation_ast(document)
    return shape_of(operation, innermost_first(operation, fragments_of(document)))


def duplicates(query, most=10**9):
    document = parse(query)
    return duplicates_of(get_operation_ast(document), fragments_of(document), most)


def codes(answer):
    found = [error["extensions"]["code"] for error in answer.get("errors", [])]
    payload = (answer.get("data") or {}).get("createCase") or {}
    return found + [error["code"] for error in payload.get("userErrors", [])]


@pytest.mark.parametrize("name", ABUSES)
async def test_abuse_is_refused_with_its_own_code(api, name):
    abuse = ABUSES[name]

    response = await api.http.post("/graphql", json=abuse.body, headers=api.bearer("all"))

    assert set(codes(response.json())) == {abuse.code}
    assert response.status_code in (200, 400, 413)
    assert len(response.content) < 20_000


@pytest.mark.parametrize(
    ("query", "depth"),
    [
        ("{ viewer { mode } }", 2),
        ("{ ... on Query { viewer { ... { mode } } } }", 2),
        ("{ ...F } fragment F on Query { cases { nodes { ...G } } } fragment G on Case { id }", 3),
        ("{ viewer { mode } ...F } fragment F on Query { ...F cases { totalCount } }", 2),
        ("{ a ...Missing }", 1),
    ],
)
def test_depth_counts_fields_wherever_they_are_written(query, depth):
    assert shape(query).depth == depth


def test_aliases_and_directives_count_as_often_as_they_are_spread():
    chain = " ".join(
        f"fragment F{index} on Case {{ ...F{index + 1} ...F{index + 1} }}" for index in range(20)
    )
    last = "fragment F20 on Case { a: id @skip(if: false) }"

    found = shape(f"{{ ...F0 }} {chain} {last}")

    assert (found.aliases, found.directives) == (2**20, 2**20)


def test_a_chain_longer_than_pythons_stack_is_measured():
    length = 5_000
    chain = " ".join(
        f"fragment F{index} on Case {{ x {{ ...F{index + 1} }} }}" for index in range(length)
    )

    found = shape(f"{{ ...F0 }} {chain} fragment F{length} on Case {{ id }}")

    assert found.depth == length + 1


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("{ a b c }", 0),
        ("{ a a a }", 3),
        ("{ a: x b: x }", 0),
        ("{ a { x } a { x } }", 2),
        ("{ a { x } b { x } }", 0),
        ("{ a ... on Query { a } }", 1),
        ("{ ...F ...F } fragment F on Query { a }", 0),
        ("{ a ...F } fragment F on Query { a }", 1),
        ("{ ...F ...G } fragment F on Query { a } fragment G on Query { b }", 1),
    ],
)
def test_duplicates_are_pairs_of_fields_at_one_place(query, pairs):
    assert duplicates(query) == pairs


def test_the_search_for_duplicates_ends_when_there_are_too_many():
    assert duplicates("{ " + "a " * 1_000 + "}", most=10) == 499_500
    assert duplicates("{ " + "a " * 30_000 + "b { c } " * 3 + "}", most=10**12) > 10**12


@pytest.mark.parametrize(
    "text",
    [
        "{ a }",
        '{ a(b: "{{{{[[[[") }',
        '{ a(b: """ { \\""" { """) }',
        "{ a # {{{{{{{{\n }",
        "{ a(b: [1, -2.5e3, $c]) @d { ...E } }",
        "{ a(b: 1) { c(d: 2) { e } } }",
    ],
)
def test_a_text_counts_its_tokens_only(text):
    check_text(text, Settings(query_tokens=20, query_objects=0))


@pytest.mark.parametrize(
    "text", ["{ a(b: {c: [{}, {d: {}}]}) { e } }", "query($a: B = {c: [{} {}]}, $d: E = {}) { f }"]
)
def test_query_objects_are_counted_wherever_they_are_written(text):
    check_text(text, Settings(query_objects=4))
    with pytest.raises(GraphQLError, match="4 input objects, and the limit is 3"):
        check_text(text, Settings(query_objects=3))


async def test_what_an_operation_costs_is_told_on_request(api):
    query = (
        "query($n: Int) { cases(first: $n) { nodes { parties(first: 10) { nodes { role } } } } }"
    )
    body = {"query": query, "variables": {"n": 100}, "extensions": {"cost": True}}

    told = [
        (await api.http.post("/graphql", json=body, headers=api.bearer("all"))).json()["extensions"]
        for _ in range(2)
    ]

    [first, again] = [one["cost"] for one in told]
    visited = first.pop("visited")
    assert first == {
        "rows": 1_100,
        "mostRows": 200_000,
        "points": 1,
        "depth": 5,
        "mostDepth": 30,
    }
    assert 0 < visited < 100
    assert again == first | {"visited": visited}


async def many_cases(api, owner, count):
    who = await administration.operator(owner)
    lines = [
        dumped({"name": f"Case {n}", "parties": [{"name": f"P {n % 50}", "role": "client"}]})
        for n in range(count)
    ]
    await import_cases(who, owner, lines, source="test")


async def remaining(api, query):
    response = await api.http.post("/graphql", json={"query": query}, headers=api.bearer("all"))
    assert response.status_code == 200
    return int(response.headers["x-ratelimit-remaining"])


@pytest.mark.usefixtures("steady")
async def test_an_operation_takes_of_the_rate_what_it_has_visited(api, owner):
    await many_cases(api, owner, 2_000)
    nothing = "{ viewer { mode } }"
    cheap = "{ cases(first: 100) { nodes { parties(first: 100) { nodes { role } } } } }"
    dear = '{ cases(filter: {or: [{search: "qx"}, {type: ["none"]}]}) { totalCount } }'

    left = [await remaining(api, query) for query in (nothing, cheap, dear, dear, nothing)]

    taken = [before - after for before, after in itertools.pairwise(left)]
    assert taken[0] == 1  # it may read 10,100 rows, and has read 200
    assert 2 <= taken[1] <= 12
    assert taken[1] == taken[2]
    assert taken[3] == 1


@pytest.mark.sqlite
async def test_a_search_takes_of_the_rate_what_it_has_visited_over_rest_too(api, owner):
    await many_cases(api, owner, 2_000)
    left = []
    for search in ("qx", "qx", "Case 1719"):
        answer = await api.rest("GET", f"/cases?search={search}")
        left.append(int(answer.headers["x-ratelimit-remaining"]))

    assert 2 <= left[0] - left[1] <= 12
    assert left[1] - left[2] == 1


async def test_a_refused_document_takes_ten_points(api):
    left = []

    for query in ("{ viewer { mode } }", "{ wrong }", "{", "{ viewer { mode } }"):
        response = await api.http.post("/graphql", json={"query": query}, headers=api.bearer("all"))
        left.append(int(response.headers["x-ratelimit-remaining"]))

    assert left[0] - left[1] == left[1] - left[2] == REFUSED_POINTS
    assert left[2] - left[3] == 1


async def test_the_introspection_of_every_tool_is_within_the_limits(api):
    assert await api.data(get_introspection_query(input_value_deprecation=True))


class TestAFewPoints:
    @pytest.fixture
    def settings(self, settings):
        return settings.but(rate_limit=10)

    QUERY = "{ cases(first: 100) { nodes { parties(first: 50) { nodes { role } } } } }"

    @pytest.mark.usefixtures("steady")
    async def test_an_operation_that_may_cost_more_than_is_left_is_refused(self, api):
        statuses = []
        for _ in range(6):
            response = await api.http.post(
                "/graphql", json={"query": self.QUERY}, headers=api.bearer("all")
            )
            statuses.append(response.status_code)

        # It may cost six points, and took one each time, as there are no cases.
        assert statuses == [200, 200, 200, 200, 200, 429]
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == "RATE_LIMIT_EXCEEDED"
        assert int(response.headers["retry-after"]) == error["extensions"]["retryAfter"]

    async def test_an_operation_that_visits_more_than_a_minute_has_takes_it_all(self, api, owner):
        await many_cases(api, owner, 3_000)
        first = await api.http.post(
            "/graphql",
            json={
                "query": "{ cases(filter: {or: [" + '{search: "qx"} ' * 9 + "]}) { totalCount } }"
            },
            headers=api.bearer("read"),
        )
        rest = await api.rest("GET", "/cases", key="read")

        assert first.status_code == 200
        assert first.headers["x-ratelimit-remaining"] == "0"
        assert rest.status_code == 429


class TestSwitchedOff:
    @pytest.fixture
    def settings(self, settings):
        return settings.but(introspection=False, suggestions=False)

    async def test_introspection_is_refused_wherever_it_is_written(self, api):
        for query in (
            "{ __schema { queryType { name } } }",
            '{ ...F } fragment F on Query { x: __type(name: "Case") { name } }',
        ):
            assert codes(await api.graphql(query)) == ["INTROSPECTION_DISABLED"]
        assert await api.data("{ __typename }") == {"__typename": "Query"}

    async def test_no_error_suggests_a_name(self, api):
        for query, variables in (
            ("{ case }", None),
            ("{ caes { totalCount } }", None),
            ("{ cases(frist: 1) { totalCount } }", None),
            ("query($f: CaseFilter) { cases(filter: $f) { totalCount } }", {"f": {"serch": "x"}}),
            ("{ cases(filter: {status: [CLOSD]}) { totalCount } }", None),
        ):
            answer = await api.graphql(query, variables)

            assert answer["errors"]
            assert "Did you mean" not in str(answer)


async def test_suggestions_help_where_they_are_wanted(api):
    answer = await api.graphql("{ caes { totalCount } }")

    assert "Did you mean" in answer["errors"][0]["message"]


class TestADemonstration:
    @pytest.fixture
    def settings(self, settings, firms):
        return settings.but(demo_key=firms[1]["read"])

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("{ __schema { queryType { name } } }", 200),
            ("{ __schema { queryType { name } } cases { totalCount } }", 401),
            ("{ ...F } fragment F on Query { __schema { queryType { name } } }", 401),
            ("{ cases { totalCount } }", 401),
            ("{", 401),
        ],
    )
    async def test_the_schema_can_be_asked_for_without_a_key(self, api, query, status):
        response = await api.http.post("/graphql", json={"query": query})

        assert response.status_code == status

    async def test_a_wrong_key_is_refused_all_the_same(self, api):
        query = {"query": "{ __schema { queryType { name } } }"}

        response = await api.http.post("/graphql", json=query, headers=api.bearer("cg_live_no"))

        assert response.status_code == 401


async def test_the_schema_needs_a_key(api):
    response = await api.http.post(
        "/graphql", json={"query": "{ __schema { queryType { name } } }"}
    )

    assert response.status_code == 401


def test_the_defaults_are_far_from_what_applications_ask():
    # The introspection of tools is the largest document that everybody sends.
    query = get_introspection_query(input_value_deprecation=True, directive_is_repeatable=True)
    defaults = Settings()

    check_text(query, defaults.but(query_tokens=defaults.query_tokens // 3, query_objects=0))
    assert shape(query).depth <= defaults.query_depth / 1.8


MANY = "mutation { " + " ".join(
    f'p{n}: createParty(input: {{name: "P"}}) {{ party {{ id }} }}' for n in range(5)
)


@pytest.mark.parametrize(
    ("document", "points"),
    [
        (MANY + " }", 5),
        (
            "mutation { ...F ...F } fragment F on Mutation { __typename ...G ...G } "
            'fragment G on Mutation { a: createParty(input: {name: "P"}) { party { id } } }',
            4,
        ),
        (
            "mutation { ... @skip(if: false) "
            '{ a: createParty(input: {name: "P"}) { party { id } } } }',
            1,
        ),
    ],
)
async def test_each_mutation_of_a_document_takes_a_point(api, document, points):
    for _ in range(2):  # once measured, once remembered
        answer = await api.http.post(
            "/graphql",
            json={"query": document, "extensions": {"cost": True}},
            headers=api.bearer("all"),
        )

        assert answer.json()["extensions"]["cost"]["points"] == points
        limit, left = (
            int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining")
        )
        assert (limit - left) % points == 0
