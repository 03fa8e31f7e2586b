"""What every answer must be, whatever was asked: no defect, and nothing of another firm."""

from typing import Any

from rest_compat.errors import STATUS
from tests.fault.exchanges import Answer, Request
from tests.fault.worlds import FOREIGN

SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}
PROTOCOL = {400: "VALIDATION_ERROR", 408: "REQUEST_TIMEOUT", 431: "HEADERS_TOO_LARGE"}
"""What the server says where there is no request yet; then it closes."""

GRAPHQL_CODES = {
    "VALIDATION_ERROR",
    "AUTH_INVALID_KEY",
    "AUTH_INSUFFICIENT_SCOPE",
    "GRAPHQL_VALIDATION_FAILED",
    "METHOD_NOT_ALLOWED",
    "NOT_ACCEPTABLE",
    "BATCH_NOT_SUPPORTED",
    "VARIABLES_TOO_LARGE",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "PERSISTED_QUERY_NOT_FOUND",
    "QUERY_TOO_COSTLY",
    "QUERY_TOO_DEEP",
    "QUERY_TOO_LARGE",
    "QUERY_TOO_MANY_ALIASES",
    "QUERY_TOO_MANY_DIRECTIVES",
    "QUERY_TOO_MANY_DUPLICATES",
}
TELLING = (b"Traceback", b"sqlite", b"sqlalchemy", b"SELECT ", b"site-packages", b'.py"', b"Error(")


class Unacceptable(AssertionError):
    """An answer that must not be, with the request that got it."""


def judge(request: Request, answer: Answer, expected_id: str | None) -> None:
    """Raise Unacceptable unless the answer is one of those that are documented."""

    def must(condition: object, what: str) -> None:
        if not condition:
            raise Unacceptable(f"{what}\n{request}\n{answer}")

    must(answer.status < 500, "a defect")
    ids = answer.all("x-request-id")
    must(len(ids) == 1 and ids[0].isascii() and 0 < len(ids[0]) <= 64, "one sane X-Request-Id")
    must(expected_id is None or ids == [expected_id], "the answer to another request")
    for name, value in SECURITY.items():
        must(answer.all(name) == [value], name)
    must(not answer.all("x-injected"), "a header of the client's making")
    must(FOREIGN.encode() not in answer.body, "another firm's row")
    if answer.status in (204, 304, 307) or request.method == b"HEAD":
        must(not answer.body, "no body")
        return
    kind = answer.all("content-type")
    must(len(kind) == 1, "one Content-Type")
    path = request.target.partition(b"?")[0]
    if answer.status < 400 and not kind[0].startswith(("application/json", "application/graphql")):
        must(path in _PAGES or path.startswith(b"/graphql/static/"), "JSON")
        return
    if answer.status == 405 and request.method == b"OPTIONS":
        must(answer.all("allow"), "Allow")
    try:
        body = answer.json()
    except ValueError:
        raise Unacceptable(f"no JSON\n{request}\n{answer}") from None
    if answer.status >= 400:
        told = [part for part in TELLING if part in answer.body]
        must(not told or all(part in request.bytes() for part in told), "no internals")
    if "errors" in body or (path == b"/graphql" and "error" not in body):
        _judge_graphql(body, answer, must)
    elif answer.status >= 400:
        _judge_envelope(body, answer, must)


_PAGES = (b"/graphql", b"/graphql/schema.graphql", b"/api/v1/docs", b"/")


def _judge_envelope(body: Any, answer: Answer, must: Any) -> None:
    must(isinstance(body, dict) and body.keys() == {"error"}, "the envelope")
    error = body["error"]
    must(
        {"code", "message", "details"}
        <= error.keys()
        <= {"code", "message", "details", "retry_after"},
        "its parts",
    )
    last = "close" in answer.all("connection")
    must(
        STATUS.get(error["code"]) == answer.status
        or (last and PROTOCOL.get(answer.status) == error["code"]),
        "a documented code",
    )
    must(isinstance(error["message"], str) and 0 < len(error["message"]) < 2_000, "a message")
    for detail in error["details"]:
        must(
            {"field", "code", "message"}
            <= detail.keys()
            <= {"field", "code", "message", "existing_id", "current"},
            "a detail",
        )


def _judge_graphql(body: Any, answer: Answer, must: Any) -> None:
    must(isinstance(body, dict) and body.keys() <= {"data", "errors", "extensions"}, "its parts")
    must("data" in body or body.get("errors"), "data or errors")
    for error in body.get("errors", ()):
        must(isinstance(error["message"], str) and len(error["message"]) < 2_000, "a message")
        must(error["extensions"]["code"] in GRAPHQL_CODES, "a documented code")
    must("data" not in body or answer.status == 200, "200 for what was executed")
