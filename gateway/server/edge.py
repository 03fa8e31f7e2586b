"""The middleware that wraps every request, for both surfaces: plain ASGI."""

import asyncio
import json
import random
import re
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.access.positions import HEADER
from domain.access.rates import WINDOW_SECONDS, Allowance
from domain.errors import Invalid, Unavailable
from gateway.logs import ACCESS, REQUEST_ID, access
from gateway.telemetry import metrics

log = structlog.get_logger(ACCESS)

_REQUEST_ID = re.compile(rb"(?!.*cg_(?:live|test)_)[A-Za-z0-9._-]{1,64}")
"""An id is logged and shown, so it must not contain one of our keys."""

SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
"""On every response, even those that the server gives before there is a request."""

_POSITION = HEADER.lower().encode()
_OWN_POLICY = b"content-security-policy"
"""A page that sets its own policy sets its own other security headers, too."""

CLIENT_CLOSED_REQUEST = 499
"""In the access log only, as in nginx: the client is gone and gets no answer."""

ALWAYS_ANSWERED = frozenset(("/healthz", "/readyz", "/metrics"))
"""Answered under any load: a monitor must be able to tell a busy process from a dead one."""

COUNTED = "/api/v1/"
"""Paths below this, and /graphql itself, carry the rate-limit headers."""

NO_ROUTE = "(no route)"
_STATIC = ("/graphql/static/", "/api/v1/docs/static/", "/app/")
_ROUTES = frozenset(
    (
        "/",
        "/graphql",
        "/graphql/schema.graphql",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/docs",
        "/api/v1/openapi.json",
    )
)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

BODY_TO_COME = "body_to_come"
"""The server sets this in a request's state if the body has not arrived when it starts."""

REFUSED = "refused"
"""In the state of a request that the server has refused, logged and counted by itself."""

LEAVE = "leave"
"""What a request calls, by this name in its state, that is served from now on without a place."""

BUSY = "The server is busy. Try again in a moment."


class Envelope:
    """Gives each request an id, answers 500 for a defect, and writes a line to the access log.

    The id is the client's if it is well formed; answers and logs carry it. A log line has the
    method, the route, the status, milliseconds, bytes and the key's id, what the surfaces tell of
    the request in its state (_TOLD), and never the path, which may hold a name or a key. The same
    is counted. An answer to a defect shows nothing of it.
    Answers of both surfaces carry the rate-limit headers: the request's *allowance* if its key is
    known, else a full *rate_limit*, a key's points a minute; and the *position* that was written.
    """

    def __init__(self, app: ASGIApp, rate_limit: int) -> None:
        self._app = app
        self._untouched = Allowance(rate_limit, rate_limit, WINDOW_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = request_id_of(scope["headers"])
        state = scope.setdefault("state", {})
        state["request_id"] = request_id.decode()
        path = scope["path"]  # mounted applications change it in the scope
        status = sent = 0

        async def send_sealed(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.body":
                sent += len(message.get("body", b"")) if scope["method"] != "HEAD" else 0
            elif message["type"] == "http.response.start":
                status = message["status"]
                headers = sealed(message.get("headers", ()), request_id)
                if path == "/graphql" or path.startswith(COUNTED):
                    headers += _rate_headers(state.get("allowance") or self._untouched)
                if (position := state.get("position")) is not None:
                    headers.append((_POSITION, b"%d" % position))
                message["headers"] = headers
            await send(message)

        token = REQUEST_ID.set(state["request_id"])
        try:
            await self._app(scope, receive, send_sealed)
        except ClientDisconnect:
            status = status or CLIENT_CLOSED_REQUEST
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _stopping():
                raise
            log.exception("request_failed")
            if not status:
                failure = "INTERNAL_ERROR", "An internal error occurred."
                await _send_failure(send_sealed, scope, path, 500, *failure)
        finally:
            _tell(scope, path, status or 500, time.perf_counter() - started, sent)
            REQUEST_ID.reset(token)


_TOLD = ("operation", "type", "codes", "rows", "points", "kept", "events", "trace_id")
"""What the log has of a request's state, if it is there: the operation's name and type, the codes
of its errors, the rows that it visited, the points that were charged, whether a kept answer was
there, how many changes a subscriber was told of, and the trace that it belongs to."""


def _tell(scope: Scope, path: str, status: int, seconds: float, sent: int) -> None:
    """Log and count a request that is answered; note its label, for traces."""
    state = scope["state"]
    state["status"] = status
    if REFUSED in state:
        return
    method = _method(scope["method"])
    route = state.get("route") or _route(path)
    facts = _facts(state)
    quiet = path in ALWAYS_ANSWERED or path.startswith(_STATIC)
    access(
        "request",
        quiet=quiet,
        method=method,
        path=route,
        **facts,
        status=status,
        ms=round(seconds * 1000, 2),
        bytes=sent,
        key=state.get("key_id"),
    )
    if route == "/graphql":
        name = _name_of(state)
        surface = "graphql"
        state["label"] = f"{state.get('type', method)} {name}"
    else:
        surface = "rest" if path.startswith(COUNTED) else "other"
        name = state["label"] = f"{method} {route}"
    state["route"] = route
    metrics.request(surface, name, status, seconds, sent, state)


def tell_operation(state: dict[str, Any], seconds: float) -> None:
    """Log and count an operation that was answered over a WebSocket: a request like others."""
    access(
        "operation",
        path="/graphql",
        **_facts(state),
        ms=round(seconds * 1000, 2),
        key=state.get("key_id"),
    )
    metrics.request("graphql", _name_of(state), 101, seconds, 0, state)


def _facts(state: dict[str, Any]) -> dict[str, Any]:
    return {name: state[name] for name in _TOLD if state.get(name) not in (None, "", ())}


def _name_of(state: dict[str, Any]) -> str:
    return metrics.NAMES.label(
        state.get("operation"),
        known=state.get("trusted", False),
        executed=state.get("executed", False),
    )


class Bounded:
    """Serves at most *most* requests at once; the next gets 503 at once.

    A request that waits for its body gives up its place: it does no work, and a few slow uploads
    would lock everyone else out. When the body has arrived, the request takes a place again or
    gets 503. The limit on connections bounds how many wait, the body deadline how long. A request
    whose answer may last for days leaves its place by what is in its state (LEAVE).
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self.working = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        if self.is_full():
            retry = (b"retry-after", b"1")
            path = scope["path"]
            await _send_failure(send, scope, path, 503, Unavailable.code, BUSY, retry)
            return
        place = _Place(self)
        scope["state"][LEAVE] = place.leave
        if scope["state"].get(BODY_TO_COME):
            receive = self._without_place(place, receive)
        try:
            await self._app(scope, receive, send)
        finally:
            place.leave()

    def is_full(self) -> bool:
        return self.working >= self._most

    def _without_place(self, place: "_Place", receive: Receive) -> Receive:
        whole = False

        async def receive_without_place() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            place.leave()
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                whole = True
                if self.is_full():
                    raise Unavailable(BUSY)  # each surface answers it in its own shape
                place.take()
            return message

        return receive_without_place


class _Place:
    """A request's place among those that are served at once."""

    __slots__ = ("_among", "_held")

    def __init__(self, among: Bounded) -> None:
        self._among = among
        self._held = False
        self.take()

    def take(self) -> None:
        self._among.working += 1
        self._held = True

    def leave(self) -> None:
        """Give it up, if it is held."""
        if self._held:
            self._among.working -= 1
            self._held = False


class WellFormed:
    """Refuses what two readers could read differently: 400 before anything else is looked at.

    A field of a request that may stand once stands once (RFC 9110, 5.3), and a query string is
    UTF-8.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (problem := _ambiguity(scope)):
            await _send_failure(send, scope, scope["path"], 400, Invalid.code, problem)
            return
        await self._app(scope, receive, send)


_ONCE = {
    b"authorization": "Authorization",
    b"content-type": "Content-Type",
    b"idempotency-key": "Idempotency-Key",
}


def _ambiguity(scope: Scope) -> str | None:
    seen = set()
    for name, _value in scope["headers"]:
        if name in _ONCE:
            if name in seen:
                return f"{_ONCE[name]} must be given at most once."
            seen.add(name)
    query: bytes = scope["query_string"]
    if b"%" in query or not query.isascii():
        try:
            unquote_to_bytes(query).decode()
        except UnicodeDecodeError:
            return "The query string must be UTF-8."
    return None


class BodyCap:
    """Stops reading a body that exceeds *most* bytes: HTTPException 413.

    It is raised where the body is read, so each surface refuses the body after its own checks of
    key, rate and scope, and in its own shape.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        read = 0

        async def receive_capped() -> Message:
            nonlocal read
            if read == 0 and _length_of(scope["headers"]) > self._most:
                raise self._too_large()
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise self._too_large()
            return message

        await self._app(scope, receive_capped, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"The body must have at most {self._most:,} bytes.")


def _length_of(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The value of Content-Length; 0 if it is missing or not a number."""
    lengths = [value for name, value in headers if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0


def _route(path: str) -> str:
    """The route of a path without parameters; any other text is not for a log."""
    if path in _ROUTES:
        return path
    return next((f"{root}{{file}}" for root in _STATIC if path.startswith(root)), NO_ROUTE)


def _method(name: str) -> str:
    return name if name in _METHODS else "OTHER"


def _rate_headers(allowance: Allowance) -> list[tuple[bytes, bytes]]:
    """The limit, what is left of it, and when it is whole again, in seconds since 1970."""
    return [
        (b"x-ratelimit-limit", b"%d" % allowance.limit),
        (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
        (b"x-ratelimit-reset", b"%d" % (time.time() + allowance.reset)),
    ]


def _stopping() -> bool:
    """Whether this task was cancelled from outside; if not, a cancellation leaked from within."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The id that the client sent, if it is well formed, else a new one."""
    for name, value in headers:
        if name == b"x-request-id":
            if _REQUEST_ID.fullmatch(value):
                return value
            break
    return b"%032x" % random.getrandbits(128)  # unlike others, but no secret


def sealed(headers: Iterable[tuple[bytes, bytes]], request_id: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of a response, with the request id and the security headers added."""
    sealed = [*headers, (b"x-request-id", request_id)]
    if any(name == _OWN_POLICY for name, _value in sealed):
        present = {name for name, _value in sealed}
        sealed += [header for header in SECURITY if header[0] not in present]
    else:
        sealed += SECURITY
    return sealed


def failure_body(path: str, code: str, message: str) -> bytes:
    """A failure as JSON, in the shape of the surface that *path* belongs to."""
    if path.startswith("/graphql"):
        answer: object = {"errors": [{"message": message, "extensions": {"code": code}}]}
    else:
        answer = {"error": {"code": code, "message": message, "details": []}}
    return json.dumps(answer).encode()


async def _send_failure(
    send: Send,
    scope: Scope,
    path: str,
    status: int,
    code: str,
    message: str,
    *more: tuple[bytes, bytes],
) -> None:
    scope["state"]["codes"] = (code,)
    body = failure_body(path, code, message)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
