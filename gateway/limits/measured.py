"""What a document may be: checked before it is validated, and its cost on every repeat.

Each refusal has a code of its own, and tells the figure and the limit in its extensions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldsOnCorrectTypeRule,
    GraphQLError,
    GraphQLSchema,
    get_operation_ast,
    validate,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from domain.errors import RateLimited
from gateway.limits.costs import OperationCost, cost_of
from gateway.limits.fragments import fragments_of, innermost_first
from gateway.limits.shapes import Shape, duplicates_of, shape_of
from gateway.limits.text import NESTED, TOO_DEEP, too
from gateway.settings import Settings

TOO_COSTLY = "QUERY_TOO_COSTLY"
POINT_ROWS = 1_000
"""How many rows an operation may read for one point of its key's rate limit."""

REFUSED_POINTS = 10
"""What a document costs that is refused: to look at it takes longer than to answer a small one."""

_MOST_ERRORS = 20
"""After so many errors nobody goes on reading, and no validation goes on looking."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An operation that has an allowed shape, and what it costs."""

    shape: Shape
    cost: OperationCost

    def check(self, variables: Mapping[str, Any] | None, most_rows: int) -> int:
        """The rows it may read. Raises GraphQLError if they are too many."""
        rows = self.cost.value(variables)
        if rows > most_rows:
            raise too(TOO_COSTLY, "The operation may read {} rows", rows, most_rows)
        return rows


def points(rows: int) -> int:
    """What an operation that may read so many rows costs of its key's rate limit."""
    return max(1, -(-rows // POINT_ROWS))


def measured(
    schema: GraphQLSchema, document: DocumentNode, name: str | None, settings: Settings
) -> Measured:
    """An operation's shape and cost. Raises GraphQLError for a shape that is not allowed."""
    operation = get_operation_ast(document, name)
    if operation is None:
        raise GraphQLError("The document has several operations: send operationName.")
    fragments = fragments_of(document)
    ordered = innermost_first(operation, fragments)
    shape = shape_of(operation, ordered)
    _check_shape(shape, settings)
    most = settings.query_duplicates
    pairs = duplicates_of(operation, fragments, most)
    if pairs > most:
        told = "The operation selects the same fields again in {} pairs or more"
        raise too("QUERY_TOO_MANY_DUPLICATES", told, pairs, most)
    return Measured(shape, cost_of(schema, operation, ordered))


def _check_shape(shape: Shape, settings: Settings) -> None:
    if shape.depth > settings.query_depth:
        raise too(TOO_DEEP, "The operation is {} levels deep", shape.depth, settings.query_depth)
    if shape.nesting > NESTED:
        raise too(TOO_DEEP, "The operation nests selections {} deep", shape.nesting, NESTED)
    for code, what, figure, most in (
        ("QUERY_TOO_MANY_ALIASES", "aliases", shape.aliases, settings.query_aliases),
        ("QUERY_TOO_MANY_DIRECTIVES", "directives", shape.directives, settings.query_directives),
    ):
        if figure > most:
            raise too(code, "The operation has {} " + what, figure, most)
    if shape.introspection and not settings.introspection:
        raise GraphQLError(
            "Introspection is switched off here.", extensions={"code": "INTROSPECTION_DISABLED"}
        )


class Guard(SchemaExtension):
    """Measures a document, counts its cost against the key's rate, and validates it.

    A document with several operations needs operationName, where Strawberry would run the first
    (GraphQL specification, 6.1, GetOperation, forbids it).
    """

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        document, context = execution.graphql_document, execution.context
        if document is not None and execution.pre_execution_errors is None:
            try:
                context.measured = measured(
                    execution.schema._schema,
                    document,
                    execution._provided_operation_name,
                    context.settings,
                )
                context.admit(execution.variables)
                rules = (*execution.validation_rules, *_STRAWBERRY_S)
                execution.pre_execution_errors = _errors(
                    execution.schema._schema, document, rules, context.settings.suggestions
                )
            except GraphQLError as error:
                execution.pre_execution_errors = [error]
            except RateLimited as refusal:
                context.refusal = refusal
                execution.pre_execution_errors = [GraphQLError(refusal.message)]
        yield


def _errors(
    schema: GraphQLSchema,
    document: DocumentNode,
    rules: Sequence[type[ASTValidationRule]],
    suggestions: bool,
) -> list[GraphQLError]:
    """What is wrong with a document: the first errors of those that have very many.

    Only names that the schema does not know make a document wide that passed the limits. To see
    some of them is enough; the other rules would look at all of it first.
    """
    for some in ((FieldsOnCorrectTypeRule,), rules):
        errors = validate(
            schema, document, some, max_errors=_MOST_ERRORS, hide_suggestions=not suggestions
        )
        if len(errors) > _MOST_ERRORS:
            break
    return errors


_STRAWBERRY_S = (MaybeNullValidationRule, OneOfInputValidationRule)
