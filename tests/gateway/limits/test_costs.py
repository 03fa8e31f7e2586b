"""What an operation may cost, and that a costly one is refused before anything is read."""

import pytest
import strawberry
from graphql import GraphQLObjectType, get_operation_ast, parse

from domain.reading import lists, lookups, search
from domain.reading.matches import MOST
from domain.reading.paging import Paging
from gateway.execution.declarations import DEFINITION, shown_as
from gateway.execution.loads import Nodes, OneById, RootPage, _Loads, loading
from gateway.limits.costs import COUNT, FILTER, Price, cost_of, price_of
from gateway.limits.fragments import fragments_of, innermost_first
from gateway.schema.assembled import schema
from gateway.schema.connections import First
from gateway.schema.scalars import CONFIG
from gateway.schema.types import Case, PartyConnection

SEARCHED = FILTER + search.INDEXED_VISITS
NESTED = "{ cases(first: %s) { nodes { parties(first: %s) { nodes { party { cases(first: %s) "
NESTED += "{ nodes { role } } } } } } } }"


def cost(query, variables=None, name=None, schema=schema):
    document = parse(query)
    operation = get_operation_ast(document, name)
    ordered = innermost_first(operation, fragments_of(document))
    return cost_of(schema._schema, operation, ordered).value(variables)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("{ viewer { mode } }", 0),
        ("{ cases { nodes { name } } }", 50),
        ("{ cases(first: 7) { edges { node { name } } } }", 7),
        ("{ cases(last: 7) { edges { node { name } } } }", 7),
        ("query($n: Int) { cases(first: $n, last: 100) { nodes { name } } }", 100),
        ("{ cases(first: null, last: 7) { nodes { name } } }", 7),
        ("{ cases(first: 0) { nodes { name } } }", 0),
        ("{ cases(first: 101) { nodes { name } } }", 0),
        ("{ cases(first: 99999999999) { nodes { name } } }", 0),
        (NESTED % (2, 3, 4), 2 * (1 + 3 * (1 + 4))),
        ("{ cases(first: 2) { totalCount nodes { name } } }", COUNT + 2),
        (
            "{ cases(first: 2) { nodes { parties(first: 3) { totalCount } } } }",
            2 * (1 + COUNT + 3),
        ),
        ('{ parties(first: 2, search: "x") { nodes { name } } }', SEARCHED + 2),
        (
            '{ cases(first: 2, filter: {search: "abc x def"}) { edges { matches { text } } } }',
            SEARCHED + search.INDEXED_VISITS + 2 * (1 + MOST),
        ),
        (
            '{ search(query: "abc", first: 3) { edges { matches { party { name } } } } }',
            SEARCHED + 3 * (1 + MOST),
        ),
        ('{ case(id: "x") { links(first: 5) { nodes { case { name } } } } }', 1 + 5 * 2),
        ('{ nodes(ids: ["a", "b"]) { id ... on Case { staff(first: 3) { nodes { id } } } } }', 8),
        ("{ a: cases(first: 1) { nodes { id } } b: cases(first: 2) { nodes { id } } }", 3),
        ("{ cases(first: 3) @skip(if: true) { nodes { name } } }", 0),
        ("{ nothing(first: 3) { nodes { name } } }", 0),
        ("{ ...F } fragment F on Query { cases(first: 3) { nodes { ...F } } }", 3),
        ("{ ...Missing cases(first: 3) { nodes { name } } }", 3),
        (
            "{ ...F ... on Query { ...F } } "
            "fragment F on Query { cases(first: 3) { nodes { id } } }",
            6,
        ),
    ],
)
def test_a_document_costs_the_rows_it_may_read(query, rows):
    assert cost(query) == rows


@pytest.mark.parametrize(
    ("variables", "rows"),
    [
        ({}, 4 * (1 + 50)),
        ({"first": 2}, 2 * (1 + 50)),
        ({"first": None}, 50 * (1 + 50)),
        ({"first": 2.0}, 2 * (1 + 50)),
        ({"first": "2"}, 0),
        ({"first": 101}, 0),
        ({"with": False}, 4),
        ({"first": 2, "inner": 3}, 2 * (1 + 3)),
    ],
)
def test_variables_count_as_they_were_sent(variables, rows):
    query = """query($first: Int = 4, $inner: Int, $with: Boolean! = true) {
      cases(first: $first) { nodes { staff(first: $inner) @include(if: $with) { nodes { id } } } }
    }"""

    assert cost(query, variables) == rows


def test_a_chain_of_fragments_is_looked_at_once():
    chain = " ".join(
        f"fragment F{index} on Query {{ ...F{index + 1} ... on Query {{ ...F{index + 1} }} }}"
        for index in range(300)
    )
    last = "fragment F300 on Query { cases(first: $n) { nodes { name } } }"

    assert cost("query($n: Int) { ...F0 } " + chain + last, {"n": 1}) == 10**15  # where costs end


@pytest.mark.parametrize("cached", [False, True])
async def test_a_costly_operation_is_refused_with_the_figure_and_the_limit(api, cached):
    query = (
        "query($n: Int!) { cases(first: $n) { nodes { parties(first: $n) { nodes { "
        "party { cases(first: $n) { nodes { role } } } } } } } }"
    )
    if cached:
        await api.data(query, {"n": 1})

    answer = await api.graphql(query, {"n": 100})

    [error] = answer["errors"]
    assert "data" not in answer
    assert error["extensions"] == {
        "code": "QUERY_TOO_COSTLY",
        "figure": 100 * (1 + 100 * (1 + 100)),
        "limit": 200_000,
    }


@strawberry.type
class NewQuery:
    """Loading fields that the schema does not have."""

    @loading("One case.")
    def latest() -> Case | None:
        return shown_as(Case, OneById(lookups.CASE, "x"))

    @loading("A page of parties.")
    def witnesses(first: First = None, search: str | None = None) -> PartyConnection | None:
        return shown_as(PartyConnection, RootPage(lists.parties, Paging()))

    @loading("Several cases.")
    def picked(names: list[str]) -> list[Case | None]:
        return shown_as(list[Case | None], Nodes(names))

    @loading("A figure that takes a row to know.")
    def figure() -> int:
        return shown_as(int, OneById(lookups.CASE, "x"))

    @strawberry.field(description="Known already.")
    def free() -> int:
        return 1


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("{ latest { name } }", 1),
        ("{ latest { parties(first: 3) { nodes { name } } } }", 1 + 3),
        ("{ witnesses(first: 7) { nodes { name } } }", 7),
        (
            '{ witnesses(first: 7, search: "x") { totalCount nodes { name } } }',
            SEARCHED + COUNT + 7,
        ),
        ('{ picked(names: ["a", "b"]) { name } }', 2),
        ("{ figure }", 1),
        ("{ free }", 0),
    ],
)
def test_a_new_field_that_loads_is_counted(query, rows):
    made = strawberry.Schema(NewQuery, config=CONFIG)

    assert cost(query, schema=made) == rows


def test_every_field_that_loads_declares_a_price():
    fields = [
        field
        for kind in schema._schema.type_map.values()
        if isinstance(kind, GraphQLObjectType)
        for field in kind.fields.values()
        if DEFINITION in field.extensions
    ]
    loads = [
        field
        for field in fields
        if any(isinstance(one, _Loads) for one in field.extensions[DEFINITION].extensions)
    ]

    assert len(loads) > 10
    assert {price_of(field) for field in loads} == {Price.LOADS, Price.FACETS}
