"""The parameters of a GraphQL request, read from its query string or body, and checked.

GraphQL-over-HTTP specification (draft), 5.4 and 6.1.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from gateway.settings import Settings

JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Parameters:
    """The operation to execute; with *tell_cost*, the answer includes its cost.

    *query* is empty if the request only names its document, by *document_id* or *sha256*.
    """

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    tell_cost: bool = False
    document_id: str | None = None
    sha256: str | None = None
    trusted: bool = False
    """Whether *query* is known to be a document that the server was started with."""


class BadRequest(Exception):
    """A request that is refused before there is an operation.

    *status* is None where it is that of any answer without data.
    """

    def __init__(
        self, status: int | None, code: str, message: str, *headers: tuple[bytes, bytes]
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


async def read_content(scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
    """What holds the parameters: the query string, or the body.

    Raises BadRequest, ClientDisconnect, HTTPException.
    """
    if scope["method"] != "POST":
        query: bytes = scope["query_string"]
        return query
    content_type, *parameters = headers.get(b"content-type", b"").lower().split(b";")
    if content_type.strip() != b"application/json":
        raise _unsupported(f"The body must be {JSON_TYPE}.")
    given = [part.strip() for part in parameters]
    if any(one.startswith(b"charset") and one not in _UTF_8 for one in given):
        raise _unsupported("The body must be in UTF-8.")
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise _unsupported("The body must not be compressed.")
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return body


def parameters_of(content: bytes, method: str, settings: Settings) -> Parameters:
    """The parameters that the content of a request holds. Raises BadRequest."""
    if method == "POST":
        return _checked(_parsed(content, "The body"), settings)
    values: Any = dict(QueryParams(content))
    for name in ("variables", "extensions"):
        if values.get(name):
            values[name] = _parsed(values[name].encode(), name)
        else:
            values.pop(name, None)
    return _checked(values, settings)


_UTF_8 = (b"charset=utf-8", b'charset="utf-8"', b"charset=utf8")


def _unsupported(message: str) -> BadRequest:
    accepted = (b"accept", JSON_TYPE.encode())
    return BadRequest(415, "UNSUPPORTED_MEDIA_TYPE", message, accepted)


def _check_variables(variables: dict[str, Any], settings: Settings) -> None:
    """Raise BadRequest for too many values to coerce; lists and objects count as values."""
    most, most_objects = settings.variable_values, settings.variable_objects
    values = objects = 0
    open_: list[Any] = [variables]
    while open_ and values <= most and objects <= most_objects:
        value = open_.pop()
        inner = value.values() if isinstance(value, dict) else value
        values += len(inner)
        for one in inner:
            if isinstance(one, dict):
                objects += 1
                open_.append(one)
            elif isinstance(one, list):
                open_.append(one)
    for figure, limit, what in ((values, most, "values"), (objects, most_objects, "objects")):
        if figure > limit:
            message = f"The variables contain more than {limit:,} {what}."
            raise BadRequest(400, "VARIABLES_TOO_LARGE", message)


def _parsed(text: bytes, name: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadRequest(400, "VALIDATION_ERROR", f"{name} must be valid JSON.") from None


def _checked(values: Any, settings: Settings) -> Parameters:
    def must(condition: bool, message: str, code: str = "VALIDATION_ERROR") -> None:
        if not condition:
            raise BadRequest(400, code, message)

    one = "Send one operation in each request."
    must(not isinstance(values, list), f"Batches are not supported. {one}", "BATCH_NOT_SUPPORTED")
    must(isinstance(values, dict), "The request must be a JSON object with a query.")
    extensions = values.get("extensions")
    must(extensions is None or isinstance(extensions, dict), "extensions must be a JSON object.")
    named = values.get("documentId")
    must(
        named is None or (isinstance(named, str) and 0 < len(named) <= MOST_OF_AN_ID),
        f"documentId must be a string of 1 to {MOST_OF_AN_ID} characters.",
    )
    persisted = (extensions or {}).get("persistedQuery")
    must(persisted is None or _is_hash(persisted), _HASH)
    query = values.get("query")
    if query is None and (named is not None or persisted is not None):
        query = ""
    else:
        must(isinstance(query, str) and bool(query.strip()), "query must be a GraphQL document.")
        must(named is None, "Send query or documentId, not both.")
    variables = values.get("variables")
    must(variables is None or isinstance(variables, dict), "variables must be a JSON object.")
    if variables:
        _check_variables(variables, settings)
    name = values.get("operationName")
    must(name is None or isinstance(name, str), "operationName must be a string.")
    tell_cost = bool(extensions) and extensions.get("cost") is True
    hashed = persisted["sha256Hash"].lower() if persisted else None
    return Parameters(query, variables, name or None, tell_cost, named, hashed)


MOST_OF_AN_ID = 200
_HASH = (
    'extensions.persistedQuery must be {"version": 1, "sha256Hash": "..."}, with a hash of 64 '
    "hexadecimal digits."
)
_HEXADECIMAL = re.compile("[0-9a-fA-F]{64}")


def _is_hash(persisted: Any) -> bool:
    """Whether it is what Apollo's persisted queries send, version 1."""
    if not isinstance(persisted, dict) or persisted.get("version", 1) != 1:
        return False
    found = persisted.get("sha256Hash")
    return isinstance(found, str) and _HEXADECIMAL.fullmatch(found) is not None
