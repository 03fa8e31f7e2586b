"""GraphQL over HTTP: one endpoint for GET and POST (GraphQL-over-HTTP specification, draft).

Well-formed requests are answered with 200, or, where the client accepts
application/graphql-response+json, with 400 if nothing was executed. What is refused before
there is an operation (key, rate, media type, body) has its own status for both media types.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from graphql import ExecutionResult, GraphQLError, OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType as Allowed

from domain.auth import Principal
from domain.errors import Damaged, DomainError, InvalidKey, RateLimited, TimedOut, Unavailable
from domain.rates import Allowance
from domain.services import Services
from gateway import graphiql
from gateway.context import Context
from gateway.execution.documents import Documents
from gateway.execution.operations import Operation
from gateway.refusals import extensions_of, formatted
from gateway.schema import schema

log = structlog.get_logger("casegraph.graphql")

MAX_BODY = 1 << 20
"""Bytes of a request's body."""

MAX_VALUES = 10_000
"""Values in a request's variables, lists and objects included."""

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


@dataclass(frozen=True, slots=True)
class Answer:
    """A response but for the headers that all have."""

    status: int
    media_type: str
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()


class BadRequest(Exception):
    """A request that is refused before there is an operation."""

    def __init__(self, status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


class Endpoint:
    """Answers GraphQL requests, and shows GraphiQL to a browser: an ASGI application."""

    def __init__(self, documents: Documents, *, most_rows: int, demo_key: str) -> None:
        self._documents = documents
        self._most_rows = most_rows
        self._demo_key = demo_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers = dict(reversed(scope["headers"]))  # of several, the first counts
        if request.method in ("GET", "HEAD") and _wants_page(request):
            page = graphiql.page(demo_key=self._demo_key or None)
            await page(scope, receive, send)
            return
        services: Services = scope["app"].state.services
        answer = await self._answer(request, headers, services)
        allowance = request.scope["state"].get("allowance") or services.rates.untouched()
        start = {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [
                *answer.headers,
                (b"content-type", answer.media_type.encode() + b"; charset=utf-8"),
                (b"content-length", b"%d" % len(answer.body)),
                (b"cache-control", b"no-store"),
                (b"x-ratelimit-limit", b"%d" % allowance.limit),
                (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
                (b"x-ratelimit-reset", b"%d" % allowance.reset),
            ],
        }
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(
        self, request: Request, headers: dict[bytes, bytes], services: Services
    ) -> Answer:
        media_type = JSON_TYPE
        try:
            media_type = _media_type(headers.get(b"accept"))
            who = await services.keys.authenticate(_bearer(headers))
            state = request.scope.setdefault("state", {})
            state["key_id"] = who.key_id
            state["allowance"] = _taken(services, who, state)
            parameters = await _parameters(request, headers)
            context = Context(who, services, self._most_rows)
            answer = await _execute(self._documents, request.method, parameters, context)
        except BadRequest as refused:
            errors = [{"message": str(refused), "extensions": {"code": refused.code}}]
            return Answer(
                refused.status, media_type, orjson.dumps({"errors": errors}), refused.headers
            )
        except DomainError as refusal:
            return _refused(refusal, media_type)
        executed = "data" in answer
        status = 200 if executed or media_type == JSON_TYPE else 400
        return Answer(status, media_type, orjson.dumps(answer))


def _taken(services: Services, who: Principal, state: dict[str, Any]) -> Allowance:
    try:
        return services.rates.take(who)
    except RateLimited as error:
        state["allowance"] = Allowance(services.rates.limit, 0, error.retry_after)
        raise


async def _execute(
    documents: Documents, method: str, parameters: Parameters, context: Context
) -> dict[str, Any]:
    """The answer: by a plan if there is one, else as graphql-core executes it."""
    name = parameters.operation_name
    known = documents.find(parameters.query, name)
    if known is None:
        result = await _through_pipeline(method, parameters, context)
        operation: Operation | None = context.operation
        if operation is None or context.cost is None:
            return _answer(result)
        documents.remember(parameters.query, name, operation, context.cost)
    else:
        operation = known.operation
        if operation.type is not OperationType.QUERY and method != "POST":
            raise _mutation_by_get("Mutations are not allowed over GET.")
        try:
            known.cost.check(parameters.variables, context.most_rows)
        except GraphQLError as error:
            return {"errors": [formatted(error)]}
    data = await operation.run(context, parameters.variables)
    if data is not None:
        return {"data": data}
    context.by_reference = True
    return _answer(await _through_pipeline(method, parameters, context))


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


def _answer(result: Any) -> dict[str, Any]:
    assert isinstance(result, ExecutionResult) or hasattr(result, "errors")
    errors: list[GraphQLError] = result.errors or []
    answer: dict[str, Any] = {}
    if result.data is not None or any(error.path for error in errors) or not errors:
        answer["data"] = result.data
    if errors:
        answer["errors"] = [formatted(error) for error in errors]
    return answer


def _refused(refusal: DomainError, media_type: str) -> Answer:
    status = 400
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(refusal, InvalidKey):
        status, headers = 401, [(b"www-authenticate", b"Bearer")]
    elif isinstance(refusal, RateLimited):
        status, headers = 429, [(b"retry-after", b"%d" % refusal.retry_after)]
    elif isinstance(refusal, TimedOut):
        status = 503
    elif isinstance(refusal, Damaged):
        status = 500
    elif isinstance(refusal, Unavailable):
        status, headers = 503, [(b"retry-after", b"1")]
    error = {"message": refusal.message, "extensions": extensions_of(refusal)}
    return Answer(status, media_type, orjson.dumps({"errors": [error]}), headers)


def _wants_page(request: Request) -> bool:
    return "query" not in request.query_params and "text/html" in request.headers.get("accept", "")


def _media_type(accept: bytes | None) -> str:
    """The media type to answer with. Raises BadRequest if the client takes none of ours."""
    if not accept or accept == b"*/*":
        return JSON_TYPE
    ranges = [part.partition(";") for part in accept.decode("latin-1").lower().split(",")]
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


def _bearer(headers: dict[bytes, bytes]) -> str | None:
    scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


async def _parameters(request: Request, headers: dict[bytes, bytes]) -> Parameters:
    if request.method in ("GET", "HEAD"):
        found: Any = dict(request.query_params)
        for name in ("variables", "extensions"):
            if found.get(name):
                found[name] = _parsed(found[name].encode(), name)
            else:
                found.pop(name, None)
        return _checked(found)
    content_type = headers.get(b"content-type", b"").partition(b";")[0]
    if content_type.strip().lower() != b"application/json":
        raise BadRequest(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            f"The body must be {JSON_TYPE}.",
            (b"accept", JSON_TYPE.encode()),
        )
    return _checked(_parsed(await _body(request.receive, headers), "The body"))


async def _body(receive: Receive, headers: dict[bytes, bytes]) -> bytes:
    too_large = BadRequest(
        413,
        "PAYLOAD_TOO_LARGE",
        f"The body must have at most {MAX_BODY} bytes.",
        (b"connection", b"close"),
    )
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > MAX_BODY:
        raise too_large
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise too_large
        if not message.get("more_body"):
            return body


def _small(variables: dict[str, Any]) -> bool:
    left = MAX_VALUES
    open_: list[Any] = [variables]
    while open_:
        value = open_.pop()
        inner = value.values() if isinstance(value, dict) else value
        left -= len(inner)
        if left < 0:
            return False
        open_ += [one for one in inner if isinstance(one, dict | list)]
    return True


def _parsed(text: bytes, name: str) -> Any:
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
    must(
        variables is None or _small(variables),
        f"variables must hold at most {MAX_VALUES} values.",
    )
    name = found.get("operationName")
    must(name is None or isinstance(name, str), "operationName must be a text.")
    extensions = found.get("extensions")
    must(extensions is None or isinstance(extensions, dict), "extensions must be a JSON object.")
    return Parameters(query, variables, name or None)
