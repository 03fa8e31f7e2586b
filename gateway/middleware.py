"""What every request passes through on its way in and out, for both surfaces: plain ASGI."""

import json
import logging
import os
import re
import time

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.logs import REQUEST_ID

log = structlog.get_logger("casegraph.access")
_access = logging.getLogger("casegraph.access")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_OWN_POLICY = b"content-security-policy"
"""A page that has one brings the other headers along, too."""


CLIENT_CLOSED_REQUEST = 499
"""In the access log only, as nginx has it: nobody is there to be answered."""


class Envelope:
    """Gives each request an id, answers 500 for a defect, and writes a line to the access log.

    The id is the client's if it is a sane one; answers and logs carry it. A line of the log has
    method, path, status, milliseconds, and the key's id. Of a defect nothing is shown.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id.decode()
        path = scope["path"]  # mounted applications change the scope's own copy
        status = 0

        async def send_sealed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _sealed(message.get("headers", ()), request_id)
            await send(message)

        token = REQUEST_ID.set(state["request_id"])
        try:
            await self._app(scope, receive, send_sealed)
        except ClientDisconnect:
            status = status or CLIENT_CLOSED_REQUEST
        except Exception:
            log.exception("request_failed")
            if not status:
                await _fail(path, send_sealed)
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


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            if _REQUEST_ID.fullmatch(value):
                given: bytes = value
                return given
            break
    return os.urandom(16).hex().encode()


def _sealed(headers: object, request_id: bytes) -> list[tuple[bytes, bytes]]:
    sealed: list[tuple[bytes, bytes]] = [*headers, (b"x-request-id", request_id)]  # type: ignore[misc]
    if any(name == _OWN_POLICY for name, _value in sealed):
        present = {name for name, _value in sealed}
        sealed += [header for header in _SECURITY if header[0] not in present]
    else:
        sealed += _SECURITY
    return sealed


async def _fail(path: str, send: Send) -> None:
    code, message = "INTERNAL_ERROR", "An internal error occurred."
    if path.startswith("/graphql"):
        answer: object = {"errors": [{"message": message, "extensions": {"code": code}}]}
    else:
        answer = {"error": {"code": code, "message": message, "details": []}}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
