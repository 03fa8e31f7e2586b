"""GraphQL over HTTP: one endpoint for GET and POST (GraphQL-over-HTTP specification, draft).

Well-formed requests get 200. A client that accepts application/graphql-response+json gets 400 if
nothing was executed. A refusal before there is an operation (key, rate, media type, body) has its
own status for both media types.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from domain.access import keys
from domain.access.positions import HEADER
from domain.access.principal import Principal
from domain.errors import (
    Damaged,
    DomainError,
    InDoubt,
    InvalidKey,
    RateLimited,
    TimedOut,
    Unavailable,
)
from domain.reading.kept import Kept
from domain.services import Services
from domain.storage.turns import READING
from gateway.execution.context import Context
from gateway.execution.documents import Documents
from gateway.http import accept, graphiql
from gateway.http.events import MEDIA_TYPE, once, send_events, stream
from gateway.http.feeding import Refused
from gateway.http.introspection import only_introspects
from gateway.http.parameters import (
    JSON_TYPE,
    BadRequest,
    Parameters,
    parameters_of,
    read_content,
)
from gateway.http.persisted import Persisted
from gateway.http.pipeline import answer
from gateway.http.subscribing import Authenticate, Subscriptions, is_subscription
from gateway.http.telling import answer_of, operation_of
from gateway.limits.points import Meter, metered
from gateway.schema.refusals import extensions_of
from gateway.settings import Settings

log = structlog.get_logger("casegraph.graphql")


_POSITION = HEADER.lower().encode()
_OF_EVENTS = (
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # for proxies that would keep events back
)


_MUTATION = b'"mutation'
"""What a body has that holds a mutation, nearly always: no answer to it will be kept."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response without the headers that every response has."""

    status: int
    media_type: str
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()
    lasting: bool = False
    """Whether it is the same until something is written."""
    events: AsyncGenerator[bytes, None] | None = None
    """What is sent in place of the body, one after another."""


class Endpoint:
    """Answers GraphQL requests, and shows GraphiQL to a browser: an ASGI application."""

    def __init__(self, documents: Documents, persisted: Persisted, settings: Settings) -> None:
        self._documents = documents
        self._persisted = persisted
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(reversed(scope["headers"]))  # if one is repeated, the first counts
        accepted = accept.accepted(scope["headers"])
        if self._settings.graphiql and scope["method"] != "POST" and _wants_page(headers, accepted):
            page = graphiql.page(
                demo_key=self._settings.demo_key or None, links=self._settings.introspection
            )
            await page(scope, receive, send)
            return
        services: Services = scope["app"].state.services
        response = await self._response(scope, receive, headers, accepted, services)
        if response.events is not None and scope["method"] == "HEAD":
            await response.events.aclose()  # nothing would be seen of them
            response = replace(response, events=None, body=b"", media_type=MEDIA_TYPE)
        if response.events is not None:
            head = {"type": "http.response.start", "status": 200, "headers": _OF_EVENTS}
            await send_events(response.events, head, receive, send)
            return
        fields = [*response.headers, (b"cache-control", b"no-store")]
        if response.status != 304:
            media_type = response.media_type.encode() + b"; charset=utf-8"
            fields.append((b"content-type", media_type))
            fields.append((b"content-length", b"%d" % len(response.body)))
        await send({"type": "http.response.start", "status": response.status, "headers": fields})
        await send({"type": "http.response.body", "body": response.body})

    async def _response(
        self,
        scope: Scope,
        receive: Receive,
        headers: dict[bytes, bytes],
        accepted: bytes | None,
        services: Services,
    ) -> Response:
        media_type = JSON_TYPE
        takes_events = accept.weight_of_events(accepted) > 0
        as_events = accept.wants_events(accepted)
        state = scope.setdefault("state", {})
        method = "POST" if scope["method"] == "POST" else "GET"
        try:
            if not as_events:
                media_type = accept.media_type(accepted)
            key = bearer(headers)
            content = None
            if self._settings.demo_key and b"authorization" not in headers:
                content = await read_content(scope, receive, headers)
                key = self._demo_key(parameters_of(content, method, self._settings))
            who = await services.keys.authenticate(key, _address(scope))
            state["key_id"] = who.key_id
            position = headers[_POSITION].decode("latin-1") if _POSITION in headers else None
            services.positions.begin(who.key_id, position)
            meter = await metered(services.rates, who.key_id)
            try:
                if content is None:
                    content = await read_content(scope, receive, headers)
                if takes_events:
                    asked = parameters_of(content, method, self._settings)
                    asked = self._persisted.resolved(asked, who.workspace_id)
                    if is_subscription(asked, self._settings):
                        return await self._subscribed(asked, who, key, scope, meter)
                answered = self._answered(method, content, who, services, meter, media_type, state)
                response = await answered
                if as_events:
                    return replace(response, events=once(response.body))
                return conditional(response, scope["headers"]) if method == "GET" else response
            finally:
                state["allowance"] = meter.allowance
                state["points"] = meter.charged
                state["position"] = services.positions.written(who.key_id)
        except BadRequest as refusal:
            state["codes"] = (refusal.code,)
            errors = [{"message": str(refusal), "extensions": {"code": refusal.code}}]
            status = refusal.status or _without_data(media_type)
            return Response(status, media_type, orjson.dumps({"errors": errors}), refusal.headers)
        except HTTPException as refusal:
            state["codes"] = ("PAYLOAD_TOO_LARGE",)
            return _too_large(refusal, media_type)
        except DomainError as refusal:
            state["codes"] = (refusal.code,)
            if isinstance(refusal, RateLimited):
                state["allowance"] = services.rates.used_up(refusal)
            return _refused(refusal, media_type)

    async def _answered(
        self,
        method: str,
        content: bytes,
        who: Principal,
        services: Services,
        meter: Meter,
        media_type: str,
        state: dict[str, Any],
    ) -> Response:
        """The kept answer, or a new one, charged alike. *state* is told of the operation."""
        question = None
        if _MUTATION not in content:
            question = await services.kept.ask(who, "graphql", method, content)
            state["kept"] = question.kept is not None
        if question is not None and question.kept is not None:
            (body, facts), rows, visited = question.kept
            state["question"] = question  # for Repeated
            state.update(facts)
            state["rows"] = visited
            await meter.admit(rows, 0)
            meter.settle(visited)
            return Response(200, media_type, body, lasting=True)
        visited = 0
        context = Context(who, services)
        try:
            asked = parameters_of(content, method, self._settings)
            asked = self._persisted.resolved(asked, who.workspace_id)
            made = await answer(self._documents, method, asked, context, meter, self._settings)
        finally:
            reading = READING.get()
            visited = reading.total if reading is not None else 0
            meter.settle(visited)
            state["rows"] = visited
            state.update(operation_of(context))
        facts = {"trusted": asked.trusted, **answer_of(made.response, context)}
        state.update(facts)
        body = orjson.dumps(made.response)
        if question is not None and made.lasting:
            # Only viewer depends on the key. In a document no field is written in another way.
            mine = who.key_id if "viewer" in asked.query else None
            kept = Kept((body, facts | operation_of(context)), made.rows, visited)
            services.kept.keep(question, kept, len(content) + len(body), mine)
        if "data" not in made.response:
            return Response(_without_data(media_type), media_type, body)
        self._persisted.register(asked, who.workspace_id)
        return Response(200, media_type, body, lasting=made.lasting)

    async def _subscribed(
        self, asked: Parameters, who: Principal, key: str | None, scope: Scope, meter: Meter
    ) -> Response:
        """The events of a subscription, charged for its first read."""
        state = scope["state"]
        subscriptions: Subscriptions = scope["app"].state.subscriptions
        keys = scope["app"].state.services.keys
        last = next((value for name, value in scope["headers"] if name == b"last-event-id"), b"")
        try:
            subscription = await subscriptions.admitted(
                asked, who, meter, last.decode("latin-1") or None
            )
        except Refused as refusal:
            meter.refuse()
            state["codes"] = tuple(error["extensions"]["code"] for error in refusal.errors)
            body = orjson.dumps({"errors": list(refusal.errors)})
            return Response(200, JSON_TYPE, body, events=once(body))
        finally:
            meter.settle(0)
        state |= {"operation": subscription.name, "type": "subscription", "rows": 0}
        state |= {"trusted": asked.trusted, "executed": True}

        def authenticate() -> Awaitable[Principal]:
            return keys.authenticate(key, _address(scope))  # type: ignore[no-any-return]

        self._persisted.register(asked, who.workspace_id)
        events = stream(subscriptions, subscription, who.key_id, authenticate, state)
        return Response(200, JSON_TYPE, b"", events=events)

    async def over_socket(
        self,
        content: bytes,
        services: Services,
        authenticate: Authenticate,
        subscriptions: Subscriptions,
        queries: asyncio.Semaphore,
        state: dict[str, Any],
    ) -> AsyncGenerator[bytes, None]:
        """The answers to an operation that came over a WebSocket, each as JSON.

        A query or mutation has one of the *queries* of its socket until its answer is sent.

        *state* is told of it, as a request's. Raises Refused, BadRequest, HTTPException, and any
        DomainError.
        """
        who = await authenticate()
        state["key_id"] = who.key_id
        meter = await metered(services.rates, who.key_id)
        services.positions.begin(who.key_id, None)
        asked = parameters_of(content, "POST", self._settings)
        asked = self._persisted.resolved(asked, who.workspace_id)
        if not is_subscription(asked, self._settings):
            async with queries:
                try:
                    response = await self._answered(
                        "POST", content, who, services, meter, accept.RESPONSE_TYPE, state
                    )
                finally:
                    state["points"] = meter.charged
                services.positions.written(who.key_id)
                if response.status != 200:
                    raise Refused(orjson.loads(response.body)["errors"])
                yield response.body
            return
        try:
            subscription = await subscriptions.admitted(asked, who, meter)
        except Refused:
            meter.refuse()
            raise
        finally:
            meter.settle(0)
            state |= {"rows": 0, "points": meter.charged}
        state |= {"operation": subscription.name, "type": "subscription", "events": 0}
        state |= {"trusted": asked.trusted, "executed": True}
        self._persisted.register(asked, who.workspace_id)
        with subscriptions.counted(who.key_id):
            answers = subscriptions.answers(subscription, authenticate)
            async with aclosing(answers):
                async for change in answers:
                    if change is not None:
                        state["events"] += 1
                        yield change.answer

    def _demo_key(self, asked: Parameters) -> str | None:
        """The demo key, for a client without a key that asks only for the schema."""
        introspects = only_introspects(asked, self._settings)
        return self._settings.demo_key if introspects else None


def _wants_page(headers: dict[bytes, bytes], accepted: bytes | None) -> bool:
    """Whether a browser opens the page, perhaps with a query: then it is a link to the page.

    A browser that opens a page sends no key.
    """
    return accept.wants_page(accepted) and b"authorization" not in headers


def _without_data(media_type: str) -> int:
    """The status of an answer to a request of which nothing was executed (6.4.1, 6.4.2)."""
    return 200 if media_type == JSON_TYPE else 400


def conditional(response: Response, headers: Iterable[tuple[bytes, bytes]]) -> Response:
    """The response to a GET with its ETag; 304 for who has it already (RFC 9110, 13.1.2)."""
    if not response.lasting:
        return response
    digest = blake2b(response.body, digest_size=16, person=_PERSON[response.media_type])
    tag = b'"%b"' % digest.hexdigest().encode()
    known = b",".join(value for name, value in headers if name == b"if-none-match")
    same = {one.strip().removeprefix(b"W/") for one in known.split(b",")}
    tagged = [(b"etag", tag)]
    if tag in same or b"*" in same:
        return Response(304, response.media_type, b"", tagged)
    return replace(response, headers=tagged)


_PERSON = {JSON_TYPE: b"json", accept.RESPONSE_TYPE: b"response"}
"""Two media types are two representations, each with a tag of its own."""


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
        status = 503
        if not isinstance(refusal, InDoubt):
            headers = [(b"retry-after", b"1")]
    error = {"message": refusal.message, "extensions": extensions_of(refusal)}
    return Response(status, media_type, orjson.dumps({"errors": [error]}), headers)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def bearer(headers: Mapping[bytes, bytes]) -> str | None:
    """The key in the header Authorization."""
    return keys.bearer(headers.get(b"authorization", b"").decode("latin-1"))
