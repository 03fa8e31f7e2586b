"""The limits on an operation: its shape, checked before validation, and its cost, every time.

Each refusal has a code of its own, and its extensions hold the figure and the limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode

from gateway.limits.costs import OperationCost, cost_of
from gateway.limits.fragments import fragments_of, innermost_first
from gateway.limits.shapes import Shape, duplicates_of, shape_of
from gateway.limits.text import NESTED, TOO_DEEP, too
from gateway.settings import Settings

TOO_COSTLY = "QUERY_TOO_COSTLY"


@dataclass(frozen=True, slots=True)
class Measured:
    """An operation's shape, which is within the limits, and its cost."""

    shape: Shape
    cost: OperationCost

    def check(self, variables: Mapping[str, Any] | None, most_rows: int, entries: int) -> int:
        """The most rows it may read, in a workspace with so many search *entries*.

        Raises GraphQLError if they are too many.
        """
        rows = self.cost.value(variables, entries)
        if rows > most_rows:
            raise too(TOO_COSTLY, "The operation may read {} rows", rows, most_rows)
        return rows


def measured(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    settings: Settings,
) -> Measured:
    """An operation's shape and cost. Raises GraphQLError for a shape that is not allowed."""
    fragments = fragments_of(document)
    ordered = innermost_first(operation, fragments)
    shape = shape_of(operation, ordered)
    _check_shape(shape, settings)
    most = settings.query_duplicates
    pairs = duplicates_of(operation, fragments, most)
    if pairs > most:
        finding = "The operation has {} or more pairs of fields with the same response name"
        raise too("QUERY_TOO_MANY_DUPLICATES", finding, pairs, most)
    return Measured(shape, cost_of(schema, operation, ordered))


def _check_shape(shape: Shape, settings: Settings) -> None:
    if shape.depth > settings.query_depth:
        raise too(TOO_DEEP, "The operation is {} levels deep", shape.depth, settings.query_depth)
    if shape.nesting > NESTED:
        raise too(TOO_DEEP, "The operation nests selections {} levels deep", shape.nesting, NESTED)
    for code, what, figure, most in (
        ("QUERY_TOO_MANY_ALIASES", "aliases", shape.aliases, settings.query_aliases),
        ("QUERY_TOO_MANY_DIRECTIVES", "directives", shape.directives, settings.query_directives),
    ):
        if figure > most:
            raise too(code, "The operation has {} " + what, figure, most)
    if shape.introspection and not settings.introspection:
        raise GraphQLError(
            "Introspection is switched off.", extensions={"code": "INTROSPECTION_DISABLED"}
        )
