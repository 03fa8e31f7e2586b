"""Recognizes an operation that asks only for the schema."""

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, get_operation_ast, parse

from gateway.http.parameters import Parameters
from gateway.limits.shapes import INTROSPECTION
from gateway.limits.text import check_text
from gateway.settings import Settings


def only_introspects(parameters: Parameters, settings: Settings) -> bool:
    """Whether a request asks only for the schema, and for no data."""
    try:
        check_text(parameters.query, settings)
        document = parse(parameters.query, no_location=True)
    except (GraphQLError, RecursionError):
        return False
    operation = get_operation_ast(document, parameters.operation_name)
    return isinstance(operation, OperationDefinitionNode) and all(
        isinstance(node, FieldNode) and node.name.value in INTROSPECTION
        for node in operation.selection_set.selections
    )
