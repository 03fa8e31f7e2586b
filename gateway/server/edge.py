"""What every request passes through on its way in and out, for both surfaces: plain ASGI."""

import asyncio
import json
import logging
import os
import re
import time
from collections.abc import Iterable

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.access.rates import WINDOW_SECONDS, Allowance
from domain.errors import Unavailable
from gateway.logs import REQUEST_ID

log = structlog.get_logger("casegraph.access")
_access = logging.getLogger("casegraph.access")

_REQUEST_ID = re.compile(rb"(?!.*cg_(?:live|test)_)[A-Za-z0-9._-]{1,64}")
"""Whatever holds none of our keys: an id is logged and shown."""

SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
"""On every response, also on those that the protocol gives before there is a request."""

_OWN_POLICY = b"content-security-policy"
"""A page that has one brings the other headers along, too."""

CLIENT_CLOSED_REQUEST = 499
"""In the access log only, as nginx has it: nobody is there to be answered."""

ALWAYS_ANSWERED = frozenset(("/healthz", "/readyz"))
"""However much there is to do: who watches the process must be able to tell busy from dead."""

COUNTED = ("/graphql", "/api/v1/")
"""Where the paths begin whose answers say what the key may still do."""

BODY_TO_COME = "body_to_come"
"""The server sets it in a request's state if the body is not there when the request starts."""

BUSY = "The server is busy. Try again in a moment."


class Envelope:
    """Gives each request an id, answers 500 for a defect, and writes a line to the access log.

    The id is the client's if it is a sane one; answers and logs carry it. A line of the log has
    method, path, status, milliseconds, and the key's id. Of a defect nothing is shown. Answers of
    the two surfaces say what the key may still do: the request's *allowance*, if its key is known,
    else *rate_limit*, what a key may do in a minute.
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
        path = scope["path"]  # mounted applications change the scope's own copy
        status = 0

        async def send_sealed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = sealed(message.get("headers", ()), request_id)
                if path.startswith(COUNTED):
                    headers += _rate_headers(state.get("allowance") or self._untouched)
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
                await _send_failure(send_sealed, path, 500, *failure)
        finally:
            if _access.isEnabledFor(logging.INFO):
                log.info(
                    "request",
                    method=scope["method"],
                    path=path[:200],
                    status=status or 500,
                    ms=round((time.perf_counter() - started) * 1000, 2),
                    key=state.get("key_id"),
                )
            REQUEST_ID.reset(token)


class Bounded:
    """Works on *most* requests at once; the next is turned away at once with 503.

    A request that waits for its body holds no place: nothing is worked on, and a few slow uploads
    would keep everybody out. It takes its place again when the body is there, or is turned away
    then. How many may wait is bounded by the connections, and how long by the body deadline.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._working = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        if self._working >= self._most:
            retry = (b"retry-after", b"1")
            await _send_failure(send, scope["path"], 503, Unavailable.code, BUSY, retry)
            return
        if scope["state"].get(BODY_TO_COME):
            await self._wait_without_place(scope, receive, send)
            return
        self._working += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._working -= 1

    async def _wait_without_place(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._working += 1
        holds = True
        whole = False

        async def receive_without_place() -> Message:
            nonlocal holds, whole
            if whole:
                return await receive()
            if holds:
                self._working -= 1
                holds = False
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                whole = True
                if self._working >= self._most:
                    raise Unavailable(BUSY)  # both surfaces know how to say it
                self._working += 1
                holds = True
            return message

        try:
            await self._app(scope, receive_without_place, send)
        finally:
            if holds:
                self._working -= 1


class BodyCap:
    """Ends the reading of a body that is longer than *most* bytes: HTTPException 413.

    That is raised where the body is read, so that each surface refuses it in its turn (behind the
    key, the rate and the scope) and in its own shape.
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
    """What Content-Length announces; 0 for nothing, or nothing sane."""
    lengths = [value for name, value in headers if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0


def _rate_headers(allowance: Allowance) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-limit", b"%d" % allowance.limit),
        (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
        (b"x-ratelimit-reset", b"%d" % allowance.reset),
    ]


def _stopping() -> bool:
    """Whether this task was cancelled from outside; else a cancellation leaked from within."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The id that a request brings along, if it is a sane one, else a new one."""
    for name, value in headers:
        if name == b"x-request-id":
            if _REQUEST_ID.fullmatch(value):
                return value
            break
    return os.urandom(16).hex().encode()


def sealed(headers: Iterable[tuple[bytes, bytes]], request_id: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of a response, with those that every response has."""
    sealed = [*headers, (b"x-request-id", request_id)]
    if any(name == _OWN_POLICY for name, _value in sealed):
        present = {name for name, _value in sealed}
        sealed += [header for header in SECURITY if header[0] not in present]
    else:
        sealed += SECURITY
    return sealed


def failure_body(path: str, code: str, message: str) -> bytes:
    """What a failure looks like on the surface that *path* belongs to: JSON."""
    if path.startswith("/graphql"):
        answer: object = {"errors": [{"message": message, "extensions": {"code": code}}]}
    else:
        answer = {"error": {"code": code, "message": message, "details": []}}
    return json.dumps(answer).encode()


async def _send_failure(
    send: Send, path: str, status: int, code: str, message: str, *more: tuple[bytes, bytes]
) -> None:
    body = failure_body(path, code, message)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
