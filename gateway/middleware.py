"""What every request passes through on its way in and out, for both surfaces: plain ASGI."""

import json
import re
import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("casegraph.access")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)


class RequestId:
    """Gives each request an id, the client's if it is a sane one; answers and logs carry it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex.encode()
        scope.setdefault("state", {})["request_id"] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"] = list(message.get("headers", ()))
                headers.append((b"x-request-id", request_id))
                present = {name for name, _value in headers}
                headers += [header for header in _SECURITY if header[0] not in present]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id.decode()):
            await self._app(scope, receive, send_with_id)


class AccessLog:
    """One line for each request: method, path, status, milliseconds, and the key's id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        # The path as it came: mounted applications change the scope's own copy.
        path = scope["path"]
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            log.info(
                "request",
                method=scope["method"],
                path=path[:200],
                status=status,
                ms=round((time.perf_counter() - started) * 1000, 2),
                key=scope.get("state", {}).get("key_id"),
            )


class Failures:
    """Answers 500 for a defect: logged with its trace, and nothing of it shown."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            if scope["type"] != "http":
                raise
            log.exception("request_failed")
            if not started:
                await self._answer(scope["path"], send)

    async def _answer(self, path: str, send: Send) -> None:
        code, message = "INTERNAL_ERROR", "An internal error occurred."
        if path.startswith("/graphql"):
            answer: object = {"errors": [{"message": message, "extensions": {"code": code}}]}
        else:
            answer = {"error": {"code": code, "message": message, "details": []}}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
