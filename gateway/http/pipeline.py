"""From the parameters of a request to its answer: by a plan, or as graphql-core executes it."""

import re
from typing import Any

from graphql import ExecutionResult, GraphQLError, OperationType
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType as Allowed

from gateway.execution.context import Context
from gateway.execution.documents import Documents
from gateway.execution.operations import Operation
from gateway.http.parameters import BadRequest, Parameters
from gateway.limits.measured import REFUSED_POINTS, points
from gateway.limits.text import check_text
from gateway.schema.assembled import schema
from gateway.schema.refusals import formatted

_QUERY_ONLY = {Allowed.QUERY}
_QUERY_OR_MUTATION = {Allowed.QUERY, Allowed.MUTATION}
_SUGGESTION = re.compile(r" Did you mean [^?]*\?")


async def answer(
    documents: Documents, method: str, parameters: Parameters, context: Context
) -> dict[str, Any]:
    """The response to a request, as the GraphQL specification has it (7.1).

    Raises BadRequest, RateLimited, TimedOut, Unavailable.
    """
    try:
        found = await _executed(documents, method, parameters, context)
    except GraphQLError as error:
        found = {"errors": [formatted(error)]}
    if context.refusal is not None:
        raise context.refusal
    if "data" not in found:
        context.spend(REFUSED_POINTS - 1)
    if not context.settings.suggestions:
        for told in found.get("errors", ()):
            told["message"] = _SUGGESTION.sub("", told["message"])
    if parameters.tell_cost and context.measured is not None:
        found["extensions"] = {"cost": _told(context, parameters.variables)}
    return found


def _told(context: Context, variables: dict[str, Any] | None) -> dict[str, Any]:
    assert context.measured is not None
    rows = context.measured.cost.value(variables)
    settings, shape = context.settings, context.measured.shape
    return {
        "rows": rows,
        "mostRows": settings.query_rows,
        "points": points(rows),
        "depth": shape.depth,
        "mostDepth": settings.query_depth,
    }


async def _executed(
    documents: Documents, method: str, parameters: Parameters, context: Context
) -> dict[str, Any]:
    name = parameters.operation_name
    known = documents.find(parameters.query, name)
    if known is None:
        check_text(parameters.query, context.settings)
        result = await _through_pipeline(method, parameters, context)
        operation: Operation | None = context.operation
        if operation is None or context.measured is None:
            return response_of(result)
        documents.remember(parameters.query, name, operation, context.measured)
    else:
        operation = known.operation
        if operation.type is not OperationType.QUERY and method != "POST":
            raise _mutation_by_get("Mutations are not allowed over GET.")
        context.measured = known.measured
        context.admit(parameters.variables)
    data = await operation.run(context, parameters.variables)
    if data is not None:
        return {"data": data}
    context.by_reference = True
    return response_of(await _through_pipeline(method, parameters, context))


async def _through_pipeline(method: str, parameters: Parameters, context: Context) -> Any:
    """What Strawberry makes of a document: guarded, validated and, unless compiled, executed."""
    allowed = _QUERY_OR_MUTATION if method == "POST" else _QUERY_ONLY
    try:
        return await schema.execute(
            parameters.query,
            variable_values=parameters.variables,
            context_value=context,
            operation_name=parameters.operation_name,
            allowed_operation_types=allowed,
        )
    except CannotGetOperationTypeError as error:
        message = "The document has no operation of that name."
        raise BadRequest(400, "GRAPHQL_VALIDATION_FAILED", message) from error
    except InvalidOperationTypeError as error:
        message = error.as_http_error_reason(method)
        if method != "POST":
            raise _mutation_by_get(message) from error
        raise BadRequest(400, "GRAPHQL_VALIDATION_FAILED", message) from error
    finally:
        await context.forget()


def _mutation_by_get(message: str) -> BadRequest:
    return BadRequest(405, "METHOD_NOT_ALLOWED", message, (b"allow", b"POST"))


def response_of(result: Any) -> dict[str, Any]:
    """An execution result as the response shows it."""
    assert isinstance(result, ExecutionResult) or hasattr(result, "errors")
    errors: list[GraphQLError] = result.errors or []
    answer: dict[str, Any] = {}
    if result.data is not None or any(error.path for error in errors) or not errors:
        answer["data"] = result.data
    if errors:
        answer["errors"] = [formatted(error) for error in errors]
    return answer
