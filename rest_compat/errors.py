"""One envelope for every error: {"error": {"code", "message", "details": [...]}}."""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from domain.errors import (
    DomainError,
    InDoubt,
    InvalidKey,
    Path,
    Problem,
    RateLimited,
    Refused,
    Several,
    Unavailable,
    VersionConflict,
)
from rest_compat.conditions import etag

STATUS = {
    "VALIDATION_ERROR": 400,
    "AUTH_INVALID_KEY": 401,
    "AUTH_INSUFFICIENT_SCOPE": 403,
    "CASE_NOT_FOUND": 404,
    "PARTY_NOT_FOUND": 404,
    "STAFF_NOT_FOUND": 404,
    "LINK_NOT_FOUND": 404,
    "WEBHOOK_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "FILE_NUMBER_CONFLICT": 409,
    "LINK_EXISTS": 409,
    "PARTY_IN_USE": 409,
    "STAFF_IN_USE": 409,
    "IDEMPOTENCY_KEY_REUSED": 409,
    "VERSION_CONFLICT": 412,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RATE_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "DATABASE_DAMAGED": 500,
    "QUERY_TIMEOUT": 503,
    "SERVICE_UNAVAILABLE": 503,
}
"""The closed list of codes. A code is public and permanent."""

MAX_DETAILS = 100
"""A body of 1 MiB can have 300,000 problems; reporting all of them would take 26 MB."""

_WIRE_NAMES = {
    "kind": "type",
    "expected_version": "If-Match",
    "unwanted_version": "If-None-Match",
    "idempotency_key": "Idempotency-Key",
}
"""The contract's names for fields that the domain names differently."""

_PLAIN = {
    404: ("NOT_FOUND", "This path does not exist."),
    405: ("METHOD_NOT_ALLOWED", "This path does not allow this method."),
}


class Unreadable(Exception):
    """A body that cannot be read; *code* says why."""

    def __init__(self, code: str, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.problems = problems


class Answered(Exception):
    """An error whose whole response is made already."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


@contextmanager
def named_as(names: Mapping[str, str]) -> Iterator[None]:
    """Name fields in refusals as the client did, where it had a choice of names."""
    try:
        yield
    except Several as error:
        raise type(error)(
            replace(problem, field=tuple(names.get(part, part) for part in problem.field))
            for problem in error.problems
        ) from None
    except Refused as error:
        error.field = tuple(names.get(part, part) for part in error.field)
        raise


def envelope(
    code: str,
    message: str,
    problems: Sequence[Problem] = (),
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The response for an error; *more* is added beside code and message."""
    error = {"code": code, "message": message, "details": _details(problems), **more}
    return ErrorResponse(error, {"Cache-Control": "no-store", **(headers or {})})


class ErrorResponse(Response):
    """Says in the request's state, for the log, which error it tells of."""

    def __init__(self, error: dict[str, Any], headers: Mapping[str, str]) -> None:
        self._code = error["code"]
        body = orjson.dumps({"error": error})
        super().__init__(body, STATUS[self._code], headers, media_type="application/json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["codes"] = (self._code,)
        await super().__call__(scope, receive, send)


def _details(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    return [
        {
            "field": ".".join(_wire_field(problem)),
            "code": problem.code,
            "message": _wire_message(problem),
            **_existing(problem),
        }
        for problem in islice(problems, MAX_DETAILS)
        if problem.field
    ]


def _existing(problem: Problem) -> dict[str, Any]:
    """The plain id of the object in the way."""
    if problem.existing is None:
        return {}
    _type, key = problem.existing
    return {"existing_id": key[-1] if isinstance(key, tuple) else key}


def _wire_field(problem: Problem) -> Path:
    return tuple(_WIRE_NAMES.get(part, part) for part in problem.field)


def _wire_message(problem: Problem) -> str:
    """The problem's message, with the contract's name if it begins with the field's name."""
    *_, name = problem.field
    noun = name.replace("_", " ")
    if name in _WIRE_NAMES and problem.message.startswith(f"{noun} must"):
        return _WIRE_NAMES[name] + problem.message.removeprefix(noun)
    return problem.message


async def refused(_request: Request, error: Exception) -> Response:
    """The envelope for a refusal by the domain."""
    assert isinstance(error, DomainError)
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    if isinstance(error, InvalidKey):
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after)
        more["retry_after"] = error.retry_after
    elif isinstance(error, Unavailable) and not isinstance(error, InDoubt):
        headers["Retry-After"] = "1"
    elif isinstance(error, VersionConflict):
        headers["ETag"] = etag(error.actual)
    problems = error.problems
    message = error.message
    if problems and problems[0].field:
        message = message.replace(problems[0].message, _wire_message(problems[0]), 1)
    return envelope(error.code, message, problems, headers=headers, **more)


def version_conflict(conflict: VersionConflict, current: dict[str, Any]) -> Response:
    """The envelope for a version conflict, with the object as it is now in its detail."""
    detail = _details(conflict.problems)[0] | {"current": current}
    error = {"code": conflict.code, "message": conflict.message, "details": [detail]}
    headers = {"Cache-Control": "no-store", "ETag": etag(conflict.actual)}
    return ErrorResponse(error, headers)


async def unreadable(_request: Request, error: Exception) -> Response:
    """The envelope for a body that could not be read."""
    assert isinstance(error, Unreadable)
    return envelope(error.code, str(error), error.problems)


async def http_failure(_request: Request, error: Exception) -> Response:
    """The envelope for unknown paths and methods, and for bodies that are too long."""
    status = getattr(error, "status_code", 404)
    if status == 413:  # the sender of the 413 states the limit
        return envelope("PAYLOAD_TOO_LARGE", getattr(error, "detail", ""))
    code, message = _PLAIN.get(status, ("VALIDATION_ERROR", "The request is not valid."))
    return envelope(code, message, headers=getattr(error, "headers", None))


def http_failure_of(
    routes: Iterable[BaseRoute],
) -> Callable[[Request, Any], Coroutine[Any, Any, Response]]:
    """http_failure() for the paths of *routes*, with all methods of the path in Allow.

    Each route has its own methods only, and Starlette names those of the first match.
    """

    async def handle(request: Request, error: Exception) -> Response:
        response = await http_failure(request, error)
        if response.status_code == 405:
            methods = {
                method
                for route in routes
                if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
                for method in route.methods or ()
            }
            methods |= {"HEAD"} if "GET" in methods else set()
            response.headers["Allow"] = ", ".join(sorted(methods)) or response.headers["Allow"]
        return response

    return handle


async def failed(_request: Request, _error: Exception) -> Response:
    """The envelope for a defect. Starlette then raises it again, for the log."""
    return envelope("INTERNAL_ERROR", "An internal error occurred.")
