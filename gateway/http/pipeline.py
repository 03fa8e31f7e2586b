"""The path of a GraphQL request from its parameters to its answer, one function per stage:

    text -> document -> operation -> measured -> validated -> compiled -> executed -> answered

A remembered document goes straight to execution. Only its cost is computed again, since it
depends on the variables.
"""

import re
from collections.abc import Mapping
from inspect import isawaitable
from typing import Any, NamedTuple

import structlog
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute,
    parse,
)

from domain.access.positions import read_latest
from domain.storage.turns import READING
from gateway.execution.context import Context
from gateway.execution.documents import Documents, Remembered
from gateway.execution.operations import Operation, name_of
from gateway.execution.selections import NotCovered
from gateway.http.parameters import BadRequest, Parameters
from gateway.http.validating import NotValid, check_valid
from gateway.limits.measured import Measured, measured
from gateway.limits.points import Meter, points
from gateway.limits.text import check_text
from gateway.schema.assembled import schema
from gateway.schema.refusals import formatted
from gateway.settings import Settings
from gateway.telemetry import metrics

log = structlog.get_logger("casegraph.graphql")

SCHEMA = schema._schema
"""graphql-core's schema, behind Strawberry's."""

_SUGGESTION = re.compile(r" Did you mean [^?]*\?")


class Answer(NamedTuple):
    """A response (GraphQL specification, 7.1).

    *lasting*: it is the same until something is written. *rows* are the most it may have read.
    """

    response: dict[str, Any]
    lasting: bool
    rows: int


async def answer(
    documents: Documents,
    method: str,
    asked: Parameters,
    context: Context,
    meter: Meter,
    settings: Settings,
) -> Answer:
    """The response to a request. Raises BadRequest, RateLimited, TimedOut, Unavailable."""
    measure: Measured | None = None
    kind: OperationType | None = None
    rows = 0
    try:
        cached = documents.find(asked.query, asked.operation_name)
        if cached is None:
            check_text(asked.query, settings)
            document = parsed(asked.query)
            node = operation_of(document, asked.operation_name, method)
            kind = node.operation
            context.operation, context.type = name_of(node), kind.value
            measure = measured(SCHEMA, document, node, settings)
            rows = await admit(measure, asked, context, meter, settings)
            check_valid(SCHEMA, document, settings)
            operation = compiled(document, asked.operation_name)
            if operation is None:
                metrics.PLAN_NOT_COVERED.inc()
            else:
                metrics.PLAN_COMPILED.inc()
                remembered = Remembered(operation, measure)
                documents.remember(asked.query, asked.operation_name, remembered)
        else:
            operation, measure = cached
            document = None
            kind = operation.type
            context.operation, context.type = operation.name, kind.value
            check_method(kind, method)
            rows = await admit(measure, asked, context, meter, settings)
        if kind is OperationType.MUTATION:
            read_latest()
        response = await executed(kind, operation, document, asked, context)
    except GraphQLError as error:
        response = {"errors": [formatted(error)]}
    except NotValid as refusal:
        response = {"errors": [formatted(error) for error in refusal.errors]}
    if context.refusal is not None:
        raise context.refusal
    if "data" not in response:
        meter.refuse()
    if not settings.suggestions:
        for problem in response.get("errors", ()):
            problem["message"] = _SUGGESTION.sub("", problem["message"])
    if asked.tell_cost and measure is not None:
        response["extensions"] = {"cost": cost_of(measure, asked.variables, context, settings)}
    if (reading := READING.get()) is not None and reading.written is not None:
        response.setdefault("extensions", {})["position"] = reading.written
    lasting = kind is OperationType.QUERY and response.keys() == {"data"} and context.lasting
    return Answer(response, lasting, rows)


def parsed(text: str) -> DocumentNode:
    """The document. Raises GraphQLError.

    The tokens of the text refer to one another, in both directions; nobody needs that. With these
    cycles, thousands of objects for each document would wait for the garbage collector.
    """
    document = parse(text)
    token = document.loc.start_token if document.loc else None
    while token is not None:
        following = token.next
        token.prev = token.next = None
        token = following
    return document


async def admit(
    measure: Measured, asked: Parameters, context: Context, meter: Meter, settings: Settings
) -> int:
    """Charge the rows that the operation may read, at most.

    Raises GraphQLError if they are too many, RateLimited.
    """
    slow = measure.cost.is_slow(asked.variables)
    context.entries = await context.services.sizes.entries(context.who) if slow else 0
    rows = measure.check(asked.variables, settings.query_rows, context.entries)
    await meter.admit(rows, measure.cost.writes)
    if slow and (reading := READING.get()) is not None:
        # Sure to be visited; PostgreSQL does not tell.
        reading.least = measure.cost.slow_visits(asked.variables, context.entries)
    return rows


def operation_of(document: DocumentNode, name: str | None, method: str) -> OperationDefinitionNode:
    """The operation to execute (GraphQL specification, 6.1, GetOperation).

    Raises BadRequest if no operation has that *name* or the *method* does not allow it, and
    GraphQLError if there are several and no *name*.
    """
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    named = [one for one in operations if name is None or (one.name and one.name.value == name)]
    if not named:
        message = "The document has no operation with that name."
        raise BadRequest(400, "GRAPHQL_VALIDATION_FAILED", message)
    check_method(named[0].operation, method)
    if name is None and len(named) > 1:
        raise GraphQLError("The document has several operations: send operationName.")
    return named[0]


def subscription_of(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The subscription to begin; see operation_of()."""
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    named = [one for one in operations if name is None or (one.name and one.name.value == name)]
    if not named:
        raise GraphQLError("The document has no operation with that name.")
    if name is None and len(named) > 1:
        raise GraphQLError("The document has several operations: send operationName.")
    if named[0].operation is not OperationType.SUBSCRIPTION:
        raise GraphQLError("This operation is not a subscription.")
    return named[0]


def check_method(kind: OperationType, method: str) -> None:
    """Raise BadRequest for an operation that this method, or HTTP altogether, does not serve."""
    if kind is OperationType.SUBSCRIPTION:
        message = "Subscriptions are answered as events: send Accept: text/event-stream."
        raise BadRequest(400, "GRAPHQL_VALIDATION_FAILED", message)
    if kind is OperationType.MUTATION and method != "POST":
        message = "Mutations are not allowed over GET."
        raise BadRequest(405, "METHOD_NOT_ALLOWED", message, (b"allow", b"POST"))


def compiled(document: DocumentNode, name: str | None) -> Operation | None:
    """The operation, compiled; None if graphql-core must execute it."""
    try:
        return Operation(SCHEMA, document, name)
    except NotCovered:
        return None
    except Exception as error:
        # A defect of the planner costs speed, not the answer.
        log.warning("plan_not_made", error=type(error).__name__)
        return None


async def executed(
    kind: OperationType,
    operation: Operation | None,
    document: DocumentNode | None,
    asked: Parameters,
    context: Context,
) -> dict[str, Any]:
    """The response: from the plan, or from graphql-core if the plan is missing or gives up.

    A query that loses its connection to the database is executed once more, on another one.
    """
    if operation is not None:
        data = await operation.run(context, asked.variables)
        if data is not None:
            metrics.PLAN_RUN.inc()
            return {"data": data}
        metrics.PLAN_GIVEN_UP.inc()
        document = operation.document
    assert document is not None
    result = await _by_graphql_core(document, asked, context)
    if kind is OperationType.QUERY and any(
        context.services.database.lost(error.original_error) for error in result.errors or ()
    ):
        context = context.anew()
        result = await _by_graphql_core(document, asked, context)
    return response_of(result, context)


async def _by_graphql_core(
    document: DocumentNode, asked: Parameters, context: Context
) -> ExecutionResult:
    try:
        result = execute(
            SCHEMA,
            document,
            context_value=context,
            variable_values=asked.variables,
            operation_name=asked.operation_name,
        )
        return await result if isawaitable(result) else result
    finally:
        await context.end()


def response_of(result: ExecutionResult, context: Context) -> dict[str, Any]:
    """The response for an execution result."""
    errors: list[GraphQLError] = result.errors or []
    response: dict[str, Any] = {}
    if result.data is not None or any(error.path for error in errors) or not errors:
        response["data"] = result.data
    if errors:
        response["errors"] = [
            formatted(error, stored=_is_stored(error, context)) for error in errors
        ]
    return response


def _is_stored(error: GraphQLError, context: Context) -> bool:
    """Whether the error is about showing a change that is stored."""
    done = context.done.get(str(error.path[0])) if error.path else None
    return done is not None and not isinstance(done, Exception) and not done.user_errors


def cost_of(
    measure: Measured, variables: Mapping[str, Any] | None, context: Context, settings: Settings
) -> dict[str, int]:
    """The cost as a client sees it, if it asks for it."""
    reading = READING.get()
    visited = reading.total if reading is not None else 0
    return {
        "rows": measure.cost.value(variables, context.entries),
        "mostRows": settings.query_rows,
        "visited": visited,
        "points": points(visited, measure.cost.writes),
        "depth": measure.shape.depth,
        "mostDepth": settings.query_depth,
    }
