"""Shows a Plan to people: what an operation loads, by which SQL, and how much it may read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError, get_operation_ast, parse, validate
from graphql.execution.values import VariableValues
from strawberry import Schema

from domain.errors import invalid
from domain.reading import lookups
from domain.reading.facets import counts
from domain.reading.lists import RootList
from domain.storage.statements import Fetch, Fetchable
from domain.upkeep import administration
from gateway import globalids
from gateway.execution.loads import (
    CaseByFileNumber,
    Facets,
    Nodes,
    OneById,
    RelatedPage,
    RootPage,
)
from gateway.execution.operations import Operation, plans_of
from gateway.execution.plans import Layer, Plan
from gateway.execution.selections import NotCovered
from gateway.execution.source import source_of
from gateway.limits.measured import measured
from gateway.settings import Settings

NOBODY = administration.nobody()


@dataclass(frozen=True, slots=True)
class Step:
    """A layer: the response path of its field, what it loads, the most rows, and the SQL.

    *when* holds the conditions of @skip and @include, one of which must be true; "" for always.
    """

    number: int
    path: str
    loads: str
    above: int | None
    when: str
    columns: tuple[str, ...]
    rows: int
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an operation is executed. *not_covered* says why graphql-core executes it, if it does."""

    cost: int = 0
    steps: tuple[Step, ...] = ()
    sources: tuple[str, ...] = ()
    not_covered: str = ""


def explain(
    schema: Schema,
    query: str,
    variables: Mapping[str, Any] | None = None,
    operation_name: str | None = None,
) -> Explanation:
    """Explain an operation. Raises Invalid for an invalid document or invalid variables."""
    try:
        document = parse(query)
    except GraphQLError as error:
        raise invalid(f"The document does not parse: {error.message}", "query") from None
    if problems := validate(schema._schema, document):
        raise invalid(f"The document is not valid: {problems[0].message}", "query")
    node = get_operation_ast(document, operation_name)
    if node is None:
        raise invalid("The document has several operations: name one of them.", "operation")
    try:
        cost = measured(schema._schema, document, node, Settings()).cost
    except GraphQLError as error:
        raise invalid(error.message, "query") from None
    try:
        operation = Operation(schema._schema, document, operation_name)
    except NotCovered as reason:
        sentence = f"graphql-core executes this, since {reason}."
        return Explanation(cost.value(variables), not_covered=sentence)
    coerced = operation.variables(variables)
    if coerced is None:
        raise invalid("The variables do not match the operation's definitions.", "variables")
    plans = plans_of(schema._schema, document, operation_name)
    return Explanation(
        cost.value(variables),
        steps=tuple(step for plan in plans for step in _steps(plan, coerced)),
        sources=tuple(map(source_of, plans)),
    )


def _steps(plan: Plan, variables: VariableValues) -> list[Step]:
    rows: dict[int, int] = {}
    steps = []
    for layer in plan.layers:
        above = layer.parent.layer if layer.parent else None
        parents = 1 if above is None else rows[above.number]
        each, fetches = _fetches(layer, variables)
        rows[layer.number] = parents * each
        steps.append(
            Step(
                layer.number,
                ".".join(layer.path),
                str(layer.kind),
                above.number if above else None,
                _conditions(layer),
                tuple(layer.columns),
                parents * each,
                tuple(one.statement.sql() for one in fetches if isinstance(one, Fetch)),
            )
        )
    return steps


def _fetches(layer: Layer, variables: VariableValues) -> tuple[int, list[Fetchable]]:
    """The most rows for each parent, and the fetches."""
    columns = tuple(layer.columns) or ("id",)
    load = layer.request.load(variables)
    match load:
        case RootPage():
            listing = load.ask(NOBODY)
            paging = load.paging if layer.listed else None
            hits = page = count = None
            if isinstance(listing, RootList) and listing.seeking:
                hits = listing.first_hits(paging, columns)
            else:
                page = listing.page(paging, columns, keyed=layer.keyed) if paging else None
                count = listing.count() if layer.counted else None
            facets = [
                fetch
                for request, _when in layer.facets
                for asked in [request.load(variables)]
                if isinstance(asked, Facets) and isinstance(listing, RootList)
                for _fields, fetch in counts(listing, asked.by, asked.first)
            ]
            return load.paging.limit, [hits, page, count, *facets]
        case RelatedPage():
            related = load.ask(NOBODY)
            if not layer.columns:
                columns = load.relation.key[:1]
            page = related.page(["?"], load.paging, columns, keyed=layer.keyed)
            count = related.count(["?"]) if layer.counted else None
            return load.paging.limit, [page if layer.listed else None, count]
        case OneById() | CaseByFileNumber():
            return 1, [load.fetch(NOBODY, columns)]
        case Nodes():
            kind = globalids.KINDS[layer.type_name]
            return len(load.ids), [lookups.by_id(NOBODY, kind, ["?"], columns)]
    return 1, [lookups.by_id(NOBODY, lookups.CASE, [_SOME_CASE], columns)]


_SOME_CASE = "00000000-0000-7000-8000-000000000000"


def _conditions(layer: Layer) -> str:
    if any(not when for when in layer.when):
        return ""
    return " or ".join(
        " and ".join(f"${name}" if wanted else f"not ${name}" for name, wanted in sorted(when))
        for when in layer.when
    )
