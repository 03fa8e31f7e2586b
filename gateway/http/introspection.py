"""What shows the schema: operations that ask for nothing else, and the schema as a file."""

from functools import cache

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, get_operation_ast, parse
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.parameters import Parameters
from gateway.limits.shapes import INTROSPECTION
from gateway.limits.text import check_text
from gateway.schema.assembled import sdl
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


_sdl = cache(sdl)
"""Printed once: it takes as long as hundreds of requests, and anybody may ask for it."""


async def schema_file(_request: Request) -> Response:
    """The whole schema in the schema definition language (GraphQL specification, 3.3)."""
    headers = {"Content-Disposition": 'inline; filename="schema.graphql"'}
    return Response(_sdl(), media_type="text/plain; charset=utf-8", headers=headers)
