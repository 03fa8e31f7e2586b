"""The middleware that wraps every request, for both surfaces: plain ASGI."""

import asyncio
import json
import random
import re
import time
from collections.abc import Iterable
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.access.positions import HEADER
from domain.access.rates import WINDOW_SECONDS, Allowance
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

REFUSED = "refused"
"""In the state of a request that the server has refused, logged and counted by itself."""


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
                await send_failure(send_sealed, scope, path, 500, *failure)
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


async def send_failure(
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
