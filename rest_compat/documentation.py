"""The OpenAPI description of the routes: requests, responses and every error."""

from typing import Any, get_type_hints

from pydantic import BaseModel, TypeAdapter, create_model

from domain import models
from rest_compat.answers import CASE
from rest_compat.bodies import CaseCreate, CaseUpdate, LinkCreate, PartyItem, StaffItem
from rest_compat.errors import STATUS


class ErrorDetail(BaseModel):
    field: str
    code: str
    message: str


class ErrorContent(BaseModel):
    code: str
    message: str
    details: list[ErrorDetail]
    retry_after: int | None = None


class Error(BaseModel):
    error: ErrorContent


class CaseParty(BaseModel):
    id: str
    role: str
    name: str


class CaseStaff(BaseModel):
    id: str
    name: str
    role: str


# The answers name the fields, and the domain their types.
_TYPES = get_type_hints(models.Case)
_NAMED: Any = {name: (_TYPES[name], ...) for name in CASE}
_CaseFields: Any = create_model("Case", **_NAMED)


class Case(_CaseFields):  # type: ignore[misc]
    parties: list[CaseParty]
    staff: list[CaseStaff]


class Pagination(BaseModel):
    cursor: str | None = None
    has_more: bool


class Cases(BaseModel):
    data: list[Case]
    pagination: Pagination


class Party(BaseModel):
    id: str
    role: str
    name: str
    type: str
    reference: str | None
    added_at: str


class Parties(BaseModel):
    data: list[Party]
    pagination: Pagination


class Staff(BaseModel):
    id: str
    name: str
    email: str | None
    role: str
    assigned_at: str


class StaffList(BaseModel):
    data: list[Staff]
    pagination: Pagination


class Change(BaseModel):
    field: str
    before: Any
    after: Any


class Event(BaseModel):
    id: str
    seq: int
    type: str
    actor: str
    at: str
    occurred_at: str
    title: str | None
    changes: list[Change]


class Timeline(BaseModel):
    data: list[Event]
    pagination: Pagination


class LinkedCase(BaseModel):
    id: str
    name: str
    file_number: str | None
    status: str


class Link(BaseModel):
    id: str
    type: str
    case_id: str
    linked_case_id: str
    linked_case: LinkedCase
    created_at: str


class Links(BaseModel):
    data: list[Link]
    pagination: Pagination


DESCRIPTION = """The documented routes over a law firm's cases. GraphQL at `/graphql` serves the
same data.

Send `Authorization: Bearer <key>`. Lists are paged with `limit` (1 to 100, 50 if absent) and
`cursor`; on the last page `has_more` is false and `cursor` is absent. Every error has the same
envelope, with one of these codes:
""" + ", ".join(f"`{code}` ({status})" for code, status in STATUS.items())

WRITE_ONLY = (
    "Without `cases:read` the response holds only what the call itself wrote: a case's own "
    "fields, or the roles in the request, with names only for new parties and staff. A call that "
    "changes nothing then needs `cases:read`."
)
_ALWAYS = (401, 403, 429, 500, 503)
_MEANING = {
    304: "The client already has this version.",
    400: "The request breaks a rule.",
    401: "The key is missing, malformed, unknown or revoked.",
    403: "The key lacks the scope.",
    404: "It does not exist, was deleted, or belongs to another workspace.",
    409: "The request conflicts with existing data.",
    412: "The case's version is not one that If-Match names.",
    413: "The body exceeds 1 MiB.",
    415: "The body is not JSON.",
    429: "Too many requests; Retry-After says when to try again.",
    500: "A server error; it is logged with the X-Request-Id.",
    503: "The service is temporarily unavailable; try again.",
}
_SHOWN = ("case", "changes", "parties", "staff")
"""The bodies of writes whose responses also show data that the call did not write."""
_PAGE = [
    ("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
    ("cursor", {"type": "string"}),
]
_BODIES: dict[str, Any] = {
    "case": CaseCreate,
    "changes": CaseUpdate,
    "link": LinkCreate,
    "parties": dict[str, list[PartyItem]] | list[PartyItem] | PartyItem,
    "staff": dict[str, list[StaffItem]] | list[StaffItem] | StaffItem,
}


def documented(
    summary: str,
    scope: str,
    *errors: int,
    ok: int = 200,
    model: Any = None,
    body: str | None = None,
    parameters: list[tuple[str, dict[str, Any]]] | None = None,
    paged: bool = False,
    headers: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The keyword arguments of a route: its responses, its errors and its inputs."""
    codes = sorted(
        {*errors, *_ALWAYS, *((413, 415, 400) if body else ()), *((400,) if paged else ())}
    )
    responses: dict[int | str, Any] = {
        code: {"description": _MEANING[code], "model": Error} for code in codes if code != 304
    }
    if 304 in errors:
        responses[304] = {"description": _MEANING[304]}
    # Without a default, FastAPI documents its own 422 for every path with a parameter.
    responses["default"] = {"description": "Every other error.", "model": Error}
    if model is not None:
        responses[ok] = {"model": model, "description": summary}
    query = [*(parameters or []), *(_PAGE if paged else [])]
    extra: dict[str, Any] = {
        "parameters": [
            *({"name": name, "in": "query", "schema": schema} for name, schema in query),
            *({"name": name, "in": "header", "schema": {"type": "string"}} for name in headers),
        ],
        "security": [{"key": [scope]}],
    }
    if body is not None:
        schema = TypeAdapter(_BODIES[body]).json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        extra["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return {
        "summary": summary,
        "description": f"Needs `{scope}`." + (f" {WRITE_ONLY}" if body in _SHOWN else ""),
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
        schemas.update(schema.pop("$defs", {}))
    return document
