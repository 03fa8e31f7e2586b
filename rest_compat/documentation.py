"""The OpenAPI description of the routes: requests, responses and every error, in one document."""

from typing import Annotated, Any

from pydantic import TypeAdapter

from domain import checks
from domain.access.positions import HEADER as POSITION
from domain.access.principal import Scope
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES
from rest_compat import bodies
from rest_compat.equivalents import EQUIVALENTS
from rest_compat.errors import STATUS
from rest_compat.models import (
    Error,
    PartiesToAdd,
    PartiesToHave,
    StaffToAssign,
)
from rest_compat.schemas import (
    items,
)

DESCRIPTION = """The documented routes over a law firm's cases. GraphQL at `/graphql` serves the
same data.

Send `Authorization: Bearer <key>`. Lists are paged with `limit` (1 to 100, 50 if absent) and
`cursor`; on the last page `has_more` is false and `cursor` is absent. Every error has the same
envelope, with one of these codes:
""" + ", ".join(f"`{code}` ({status})" for code, status in STATUS.items())

TAGS = [
    {"name": "Cases", "description": "The matters the firm works on."},
    {"name": "Parties", "description": "The persons, organizations and courts of cases."},
    {"name": "Staff", "description": "The firm's staff and their cases."},
    {"name": "Timeline", "description": "What happened to a case."},
    {"name": "Links", "description": "How cases belong together."},
    {"name": "Webhooks", "description": "Addresses that are told of changes."},
]
WRITE_ONLY = (
    "Without `cases:read` the response holds only what the call itself wrote: a case's own "
    "fields, or the roles in the request, with names only for new parties and staff. A call that "
    "changes nothing then needs `cases:read`."
)
_ALWAYS = (400, 401, 403, 429, 500, 503)
_MEANING = {
    304: "The client already has this revision.",
    400: "The request breaks a rule.",
    401: "The key is missing, malformed, unknown or revoked.",
    403: "The key lacks the scope.",
    404: "It does not exist, was deleted, or belongs to another workspace.",
    409: "The request conflicts with existing data, which `existing_id` names.",
    412: "The case is not as If-Match or If-None-Match demands; `current` shows it as it is now.",
    413: "The body exceeds 1 MiB.",
    415: "The body is not JSON.",
    429: "Too many requests; Retry-After says when to try again.",
    500: "A server error; it is logged with the X-Request-Id.",
    503: "The service is temporarily unavailable; try again.",
}
_SHOWN = ("case", "changes", "parties", "replacement", "staff")
"""The bodies of writes whose responses also show data that the call did not write."""
_PAGE = [
    (
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
        "How many items a page has at most.",
    ),
    (
        "cursor",
        {"type": "string", "pattern": "^[A-Za-z0-9+/]+=*$", "maxLength": 4_000},
        "Where the page begins: the `cursor` of the page before, for the same list and filter.",
    ),
]
_ID = {"type": "string", "minLength": 1, "maxLength": checks.ID_MAX}
_IDENTITY = {
    "case_id": ({"type": "string", "format": "uuid"}, "The id of the case."),
    "link_id": (_ID, "The id of the link."),
    "party_id": (_ID, "The id of the party."),
    "staff_id": (_ID, "The id of the staff member."),
    "webhook_id": (_ID, "The id of the webhook."),
}
LINE = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_TAG_LIST = '^(\\*|(W/)?"[!#-~]*"(, ?(W/)?"[!#-~]*")*)$'
_HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "Idempotency-Key": (
        {"type": "string", "maxLength": checks.IDEMPOTENCY_KEY_MAX, "pattern": "^[!-~]+$"},
        "Makes a retry safe: the same request with the same key within 24 hours changes nothing.",
    ),
    "If-Match": (
        {"type": "string", "pattern": _TAG_LIST, "examples": ['"3"']},
        "The ETag that the case must still have; 412 if the case has changed since.",
    ),
    "If-None-Match": (
        {"type": "string", "pattern": _TAG_LIST, "examples": ['"3"']},
        "An ETag that the client has: 304 when reading, 412 when writing, if it is still current.",
    ),
    POSITION: (
        {"type": "string", "pattern": "^[0-9]{1,18}$", "examples": ["4711"]},
        "The position of a write, as its answer told it: what is read is not older than that.",
    ),
}
_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_EVERYWHERE: dict[str, tuple[dict[str, Any], str]] = {
    "X-Request-Id": (_TEXT, "The request's id, as in the logs."),
    "X-RateLimit-Limit": (_NUMBER, "Calls a minute."),
    "X-RateLimit-Remaining": (_NUMBER, "Calls that are left."),
    "X-RateLimit-Reset": (_NUMBER, "When all calls are available again, in seconds since 1970."),
}
_WRITTEN = {POSITION: (_NUMBER, "The position of what was written: bring it when you read.")}
_RETRY = {"Retry-After": (_NUMBER, "Seconds to wait.")}
_ETAG = {"ETag": (_TEXT, "The revision of the case, in quotes.")}
_CREATED = {"Location": ({"type": "string", "format": "uri-reference"}, "What was created.")}
_WARNED = {"X-Warning": (_TEXT, "What was done but may not have been meant.")}
_BODIES: dict[str, Any] = {
    "case": bodies.CaseCreate,
    "changes": bodies.CaseUpdate,
    "link": bodies.LinkCreate,
    "parties": PartiesToAdd
    | Annotated[list[bodies.PartyItem], items(1, PARTY_ROLES.most)]
    | bodies.PartyItem,
    "replacement": PartiesToHave
    | Annotated[list[bodies.PartyItem], items(0, PARTY_ROLES.most)]
    | bodies.PartyItem,
    "staff": StaffToAssign
    | Annotated[list[bodies.StaffItem], items(1, STAFF_ROLES.most)]
    | bodies.StaffItem,
    "removal": bodies.StaffRemoval,
    "webhook": bodies.WebhookCreate,
    "webhook changes": bodies.WebhookUpdate,
}


def documented(
    operation: str,
    tag: str,
    summary: str,
    scope: str,
    *errors: int,
    ok: int = 200,
    model: Any = None,
    body: str | None = None,
    parameters: list[tuple[str, dict[str, Any], str]] | None = None,
    paged: bool = False,
    headers: tuple[str, ...] = (),
    tagged: bool = True,
    about: str = "",
) -> dict[str, Any]:
    """The keyword arguments of a route: its responses, its errors and its inputs.

    *about* is said after the summary. *headers* are those of the request; if there are any, and
    *tagged*, the answer has an ETag.
    """
    kept = (409,) if "Idempotency-Key" in headers else ()
    codes = sorted({*errors, *_ALWAYS, *((413, 415) if body else ()), *kept})
    responses: dict[int | str, Any] = {
        code: {"description": _MEANING[code], "model": Error, "headers": _shown(_of_error(code))}
        for code in codes
        if code != 304
    }
    if 304 in errors:
        responses[304] = {"description": _MEANING[304], "headers": _shown(_EVERYWHERE | _ETAG)}
    # Without a default, FastAPI documents its own 422 for every path with a parameter.
    responses["default"] = {"description": "Every other error.", "model": Error}
    with_success = (
        _EVERYWHERE | (_ETAG if tagged and headers else {}) | (_CREATED if ok == 201 else {})
    )
    if body in ("parties", "replacement", "staff"):
        with_success |= _WARNED
    if scope != Scope.CASES_READ:
        with_success |= _WRITTEN
    responses[ok] = {"description": summary + ".", "headers": _shown(with_success)}
    if model is not None:
        responses[ok]["model"] = model
    query = [*(parameters or []), *(_PAGE if paged else [])]
    extra: dict[str, Any] = {
        "parameters": [
            *(
                {"name": name, "in": "query", "schema": schema, "description": text}
                for name, schema, text in query
            ),
            *(
                {"name": name, "in": "header", "schema": schema, "description": text}
                for name in (*headers, POSITION)
                for schema, text in (_HEADERS[name],)
            ),
        ],
        "security": [{"key": [scope]}],
    }
    if body is not None:
        schema = TypeAdapter(_BODIES[body]).json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        if "properties" in schema:
            # By its name: generated clients name their classes after it.
            schema = {"$ref": f"#/components/schemas/{schema['title']}"}
        extra["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return {
        "operation_id": operation,
        "tags": [tag],
        "summary": summary,
        "description": "\n\n".join(
            [
                f"Needs `{scope}`." + (f" {WRITE_ONLY}" if body in _SHOWN else ""),
                *([about] if about else []),
                EQUIVALENTS[operation].shown,
            ]
        ),
        "status_code": ok,
        "responses": responses,
        "openapi_extra": extra,
    }


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the security scheme and the schemas of bodies FastAPI does not read."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    schemas = components.setdefault("schemas", {})
    for shape in _BODIES.values():
        schema = TypeAdapter(shape).json_schema(ref_template="#/components/schemas/{model}")
        definitions = schema.pop("$defs", {})
        if "properties" in schema:
            definitions[schema["title"]] = schema
        for definition in definitions.values():
            for field in definition["properties"].values():
                if field.get("default", "") is None:
                    del field["default"]  # absent is not null: null clears
        schemas.update(definitions)
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    its_schema, text = _IDENTITY[parameter["name"]]
                    parameter.update(schema=its_schema, description=text)
            shared(operation["responses"], components.setdefault("responses", {}))
    document["tags"] = TAGS
    return document


def shared(responses: dict[str, Any], block: dict[str, Any]) -> None:
    """Put the errors that are the same everywhere into one *block*, which the routes refer to."""
    for status, response in responses.items():
        content = response.get("content", {}).get("application/json", {}).get("schema")
        if content == {"$ref": "#/components/schemas/Error"}:
            name = f"Error{status}" if status.isdigit() else "Error"
            assert block.setdefault(name, response) == response
            responses[status] = {"$ref": f"#/components/responses/{name}"}


def _of_error(code: int) -> dict[str, tuple[dict[str, Any], str]]:
    return _EVERYWHERE | (_RETRY if code in (429, 503) else {}) | (_ETAG if code == 412 else {})


def _shown(headers: dict[str, tuple[dict[str, Any], str]]) -> dict[str, Any]:
    return {
        name: {"schema": schema, "description": text} for name, (schema, text) in headers.items()
    }
