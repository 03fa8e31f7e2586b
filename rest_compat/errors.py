"""Every failure in one envelope: {"error": {"code", "message", "details": [...]}}."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import DomainError, InvalidKey, Problem, RateLimited, Unavailable

STATUS = {
    "VALIDATION_ERROR": 400,
    "AUTH_INVALID_KEY": 401,
    "AUTH_INSUFFICIENT_SCOPE": 403,
    "CASE_NOT_FOUND": 404,
    "PARTY_NOT_FOUND": 404,
    "STAFF_NOT_FOUND": 404,
    "LINK_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "FILE_NUMBER_CONFLICT": 409,
    "LINK_EXISTS": 409,
    "IDEMPOTENCY_KEY_REUSED": 409,
    "VERSION_CONFLICT": 412,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RATE_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
}
"""The closed list of codes. A code is public and permanent."""

_PLAIN = {
    404: ("NOT_FOUND", "There is no such path."),
    405: ("METHOD_NOT_ALLOWED", "This path does not take this method."),
}


class Unreadable(Exception):
    """A body that cannot be read as what it should be; *code* says why."""

    def __init__(self, code: str, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.problems = problems


def envelope(
    code: str,
    message: str,
    problems: Sequence[Problem] = (),
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The response for a failure; *more* stands beside code and message."""
    details = [
        {"field": ".".join(problem.field), "code": problem.code, "message": problem.message}
        for problem in problems
        if problem.field
    ]
    error = {"code": code, "message": message, "details": details, **more}
    body = orjson.dumps({"error": error})
    return Response(body, STATUS[code], headers, media_type="application/json")


async def refused(_request: Request, error: Exception) -> Response:
    """The envelope for what the domain refuses."""
    assert isinstance(error, DomainError)
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    if isinstance(error, InvalidKey):
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after)
        more["retry_after"] = error.retry_after
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = "1"
    return envelope(error.code, error.message, error.problems, headers=headers, **more)


async def unreadable(_request: Request, error: Exception) -> Response:
    """The envelope for a body that could not be read."""
    assert isinstance(error, Unreadable)
    return envelope(error.code, str(error), error.problems)


async def http_failure(_request: Request, error: Exception) -> Response:
    """The envelope for unknown paths and methods."""
    status = getattr(error, "status_code", 404)
    code, message = _PLAIN.get(status, ("VALIDATION_ERROR", "The request is not valid."))
    return envelope(code, message, headers=getattr(error, "headers", None))


async def failed(_request: Request, _error: Exception) -> Response:
    """The envelope for a defect. Starlette raises it again behind this, for the log."""
    return envelope("INTERNAL_ERROR", "An internal error occurred.")
