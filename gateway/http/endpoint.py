"""GraphQL over HTTP: one endpoint for GET and POST (GraphQL-over-HTTP specification, draft).

Well-formed requests get 200. A client that accepts application/graphql-response+json gets 400 if
nothing was executed. A refusal before there is an operation (key, rate, media type, body) has its
own status for both media types.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from domain.errors import Damaged, DomainError, InvalidKey, RateLimited, TimedOut, Unavailable
from domain.services import Services
from domain.storage.turns import READING
from gateway.execution.context import Context
from gateway.execution.documents import Documents
from gateway.http import accept, graphiql
from gateway.http.introspection import only_introspects
from gateway.http.parameters import JSON_TYPE, BadRequest, Parameters, read_parameters
from gateway.http.pipeline import answer
from gateway.limits.points import Meter
from gateway.schema.refusals import extensions_of
from gateway.settings import Settings

log = structlog.get_logger("casegraph.graphql")


@dataclass(frozen=True, slots=True)
class Response:
    """A response without the headers that every response has."""

    status: int
    media_type: str
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()


class Endpoint:
    """Answers GraphQL requests, and shows GraphiQL to a browser: an ASGI application."""

    def __init__(self, documents: Documents, settings: Settings) -> None:
        self._documents = documents
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers = dict(reversed(scope["headers"]))  # if one is repeated, the first counts
        accepted = accept.accepted(scope["headers"])
        if (
            self._settings.graphiql
            and request.method in ("GET", "HEAD")
            and ("query" not in request.query_params and accept.wants_page(accepted))
        ):
            page = graphiql.page(demo_key=self._settings.demo_key or None)
            await page(scope, receive, send)
            return
        services: Services = scope["app"].state.services
        response = await self._response(request, headers, accepted, services)
        start = {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                *response.headers,
                (b"content-type", response.media_type.encode() + b"; charset=utf-8"),
                (b"content-length", b"%d" % len(response.body)),
                (b"cache-control", b"no-store"),
            ],
        }
        await send(start)
        await send({"type": "http.response.body", "body": response.body})

    async def _response(
        self,
        request: Request,
        headers: dict[bytes, bytes],
        accepted: bytes | None,
        services: Services,
    ) -> Response:
        media_type = JSON_TYPE
        state = request.scope.setdefault("state", {})
        try:
            media_type = accept.media_type(accepted)
            key = _bearer(headers)
            asked = None
            if self._settings.demo_key and b"authorization" not in headers:
                asked = await read_parameters(request, headers, self._settings)
                key = self._demo_key(asked)
            who = await services.keys.authenticate(key, _address(request))
            state["key_id"] = who.key_id
            meter = Meter(services.rates, who.key_id)
            try:
                asked = asked or await read_parameters(request, headers, self._settings)
                context = Context(who, services)
                result = await answer(
                    self._documents, request.method, asked, context, meter, self._settings
                )
            finally:
                reading = READING.get()
                meter.settle(reading.total if reading is not None else 0)
                state["allowance"] = meter.allowance
        except BadRequest as refusal:
            errors = [{"message": str(refusal), "extensions": {"code": refusal.code}}]
            return Response(
                refusal.status, media_type, orjson.dumps({"errors": errors}), refusal.headers
            )
        except HTTPException as refusal:
            return _too_large(refusal, media_type)
        except DomainError as refusal:
            if isinstance(refusal, RateLimited):
                state["allowance"] = services.rates.used_up(refusal)
            return _refused(refusal, media_type)
        executed = "data" in result
        status = 200 if executed or media_type == JSON_TYPE else 400
        return Response(status, media_type, orjson.dumps(result))

    def _demo_key(self, asked: Parameters) -> str | None:
        """The demo key, for a client without a key that asks only for the schema."""
        introspects = only_introspects(asked, self._settings)
        return self._settings.demo_key if introspects else None


def _too_large(refusal: HTTPException, media_type: str) -> Response:
    """The answer to a body that is too long to read whole, so the connection closes."""
    error = {"message": refusal.detail, "extensions": {"code": "PAYLOAD_TOO_LARGE"}}
    body = orjson.dumps({"errors": [error]})
    return Response(refusal.status_code, media_type, body, [(b"connection", b"close")])


def _refused(refusal: DomainError, media_type: str) -> Response:
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
    return Response(status, media_type, orjson.dumps({"errors": [error]}), headers)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _bearer(headers: dict[bytes, bytes]) -> str | None:
    scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None
