"""GraphQL over HTTP: one endpoint for GET and POST (GraphQL-over-HTTP specification, draft).

Well-formed requests are answered with 200, or, where the client accepts
application/graphql-response+json, with 400 if nothing was executed. What is refused before
there is an operation (key, rate, media type, body) has its own status for both media types.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from graphql import ExecutionResult, GraphQLError, OperationType
from starlette.requests import Request
from starlette.responses import Response
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType as Allowed

from domain.auth import Principal
from domain.errors import DomainError, InvalidKey, RateLimited, TimedOut, Unavailable
from domain.rates import Allowance
from domain.services import Services
from gateway import graphiql
from gateway.context import Context
from gateway.execution.documents import Documents
from gateway.refusals import extensions_of, formatted
from gateway.schema import schema

log = structlog.get_logger("casegraph.graphql")

MAX_BODY = 1 << 20
"""Bytes of a request's body."""

RESPONSE_TYPE = "application/graphql-response+json"
JSON_TYPE = "application/json"
_QUERY_ONLY = {Allowed.QUERY}
_QUERY_OR_MUTATION = {Allowed.QUERY, Allowed.MUTATION}


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a GraphQL request."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


class BadRequest(Exception):
    """A request that is refused before there is an operation."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


async def graphql(request: Request) -> Response:
    """Answer a GraphQL request, or show GraphiQL to a browser."""
    if request.method in ("GET", "HEAD") and _wants_page(request):
        return graphiql.page(demo_key=request.app.state.settings.demo_key or None)
    response = await _answered(request)
    services: Services = request.app.state.services
    allowance = getattr(request.state, "allowance", None) or services.rates.untouched()
    response.headers["X-RateLimit-Limit"] = str(allowance.limit)
    response.headers["X-RateLimit-Remaining"] = str(allowance.remaining)
    response.headers["X-RateLimit-Reset"] = str(allowance.reset)
    return response


async def _answered(request: Request) -> Response:
    media_type = JSON_TYPE
    try:
        media_type = _media_type(request.headers.get("accept"))
        services: Services = request.app.state.services
        who = await services.keys.authenticate(_bearer(request))
        request.state.key_id = who.key_id
        request.state.allowance = _taken(services, who, request)
        parameters = await _parameters(request)
        answer = await _execute(request, parameters, Context(who, services))
    except BadRequest as refused:
        errors = [{"message": str(refused), "extensions": {"code": refused.code}}]
        return _response({"errors": errors}, refused.status, media_type, refused.headers)
    except DomainError as refusal:
        return _refused(refusal, media_type)
    executed = "data" in answer
    status = 200 if executed or media_type == JSON_TYPE else 400
    return _response(answer, status, media_type)


def _taken(services: Services, who: Principal, request: Request) -> Allowance:
    try:
        return services.rates.take(who)
    except RateLimited as error:
        request.state.allowance = Allowance(services.rates.limit, 0, error.retry_after)
        raise


async def _execute(request: Request, parameters: Parameters, context: Context) -> dict[str, Any]:
    """The answer: by a plan if there is one, else as graphql-core executes it."""
    documents: Documents = request.app.state.documents
    name = parameters.operation_name
    operation = documents.find(parameters.query, name)
    if operation is None:
        result = await _through_pipeline(request, parameters, context)
        operation = context.operation
        if operation is None:
            return _answer(result)
        documents.remember(parameters.query, name, operation)
    elif operation.type is not OperationType.QUERY and request.method != "POST":
        raise _mutation_by_get("Mutations are not allowed over GET.")
    data = await operation.run(context, parameters.variables)
    if data is not None:
        return {"data": data}
    context.by_reference = True
    return _answer(await _through_pipeline(request, parameters, context))


async def _through_pipeline(request: Request, parameters: Parameters, context: Context) -> Any:
    """What Strawberry makes of a document: guarded, validated and, unless compiled, executed."""
    allowed = _QUERY_OR_MUTATION if request.method == "POST" else _QUERY_ONLY
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
        message = error.as_http_error_reason(request.method)
        if request.method != "POST":
            raise _mutation_by_get(message) from error
        raise BadRequest(400, "GRAPHQL_VALIDATION_FAILED", message) from error
    finally:
        await context.forget()


def _mutation_by_get(message: str) -> BadRequest:
    return BadRequest(405, "METHOD_NOT_ALLOWED", message, Allow="POST")


def _answer(result: Any) -> dict[str, Any]:
    assert isinstance(result, ExecutionResult) or hasattr(result, "errors")
    errors: list[GraphQLError] = result.errors or []
    answer: dict[str, Any] = {}
    if result.data is not None or any(error.path for error in errors) or not errors:
        answer["data"] = result.data
    if errors:
        answer["errors"] = [formatted(error) for error in errors]
    return answer


def _refused(refusal: DomainError, media_type: str) -> Response:
    status, headers = 400, {}
    if isinstance(refusal, InvalidKey):
        status, headers = 401, {"WWW-Authenticate": "Bearer"}
    elif isinstance(refusal, RateLimited):
        status, headers = 429, {"Retry-After": str(refusal.retry_after)}
    elif isinstance(refusal, TimedOut):
        status = 503
    elif isinstance(refusal, Unavailable):
        status, headers = 503, {"Retry-After": "1"}
    error = {"message": refusal.message, "extensions": extensions_of(refusal)}
    return _response({"errors": [error]}, status, media_type, headers)


def _response(
    answer: dict[str, Any],
    status: int,
    media_type: str,
    headers: Mapping[str, str] = {},
) -> Response:
    body = orjson.dumps(answer)
    return Response(
        body,
        status,
        {**headers, "Content-Type": f"{media_type}; charset=utf-8", "Cache-Control": "no-store"},
    )


def _wants_page(request: Request) -> bool:
    return "query" not in request.query_params and "text/html" in request.headers.get("accept", "")


def _media_type(accept: str | None) -> str:
    """The media type to answer with. Raises BadRequest if the client takes none of ours."""
    if not accept:
        return JSON_TYPE
    ranges = [part.partition(";") for part in accept.lower().split(",")]
    taken = {
        name.strip()
        for name, _, options in ranges
        if options.replace(" ", "") not in ("q=0", "q=0.0")
    }
    if RESPONSE_TYPE in taken:
        return RESPONSE_TYPE
    if taken & {JSON_TYPE, "application/*", "*/*"}:
        return JSON_TYPE
    raise BadRequest(
        406, "NOT_ACCEPTABLE", f"Answers are {RESPONSE_TYPE} or {JSON_TYPE}; accept one of them."
    )


def _bearer(request: Request) -> str | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


async def _parameters(request: Request) -> Parameters:
    if request.method in ("GET", "HEAD"):
        found: Any = dict(request.query_params)
        for name in ("variables", "extensions"):
            if found.get(name):
                found[name] = _json(found[name].encode(), name)
            else:
                found.pop(name, None)
        return _checked(found)
    content_type = request.headers.get("content-type", "").partition(";")
    if content_type[0].strip().lower() != JSON_TYPE:
        raise BadRequest(
            415, "UNSUPPORTED_MEDIA_TYPE", f"The body must be {JSON_TYPE}.", Accept=JSON_TYPE
        )
    return _checked(_json(await _body(request), "The body"))


async def _body(request: Request) -> bytes:
    too_large = BadRequest(
        413,
        "PAYLOAD_TOO_LARGE",
        f"The body must have at most {MAX_BODY} bytes.",
        Connection="close",
    )
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_BODY:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _json(text: bytes, name: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadRequest(400, "VALIDATION_ERROR", f"{name} must be valid JSON.") from None


def _checked(found: Any) -> Parameters:
    def must(condition: bool, message: str) -> None:
        if not condition:
            raise BadRequest(400, "VALIDATION_ERROR", message)

    must(isinstance(found, dict), "The request must be a JSON object with a query.")
    query = found.get("query")
    must(isinstance(query, str) and bool(query.strip()), "query must be a GraphQL document.")
    variables = found.get("variables")
    must(variables is None or isinstance(variables, dict), "variables must be a JSON object.")
    name = found.get("operationName")
    must(name is None or isinstance(name, str), "operationName must be a text.")
    extensions = found.get("extensions")
    must(extensions is None or isinstance(extensions, dict), "extensions must be a JSON object.")
    return Parameters(query, variables, name or None)
