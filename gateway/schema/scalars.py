"""The scalars and enums of the schema, with what each value means."""

from enum import Enum
from typing import NewType

import strawberry
from strawberry.schema.config import StrawberryConfig

from domain import instants, models
from domain.errors import CODES, Denied
from domain.inputs import CaseOrderField

DateTime = NewType("DateTime", str)
JSON = NewType("JSON", object)

DATE_TIME = strawberry.scalar(
    name="DateTime",
    description=(
        "An instant in UTC with whole seconds, like `2026-01-15T09:00:00Z`. "
        "As input, any ISO 8601 date or date-time is taken; without an offset it is UTC."
    ),
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=lambda value: value,
    parse_value=lambda value: instants.parse(value if isinstance(value, str) else ""),
)
JSON_SCALAR = strawberry.scalar(
    name="JSON",
    description="Any JSON value.",
    serialize=lambda value: value,
    parse_value=lambda value: value,
)
CONFIG = StrawberryConfig(scalar_map={DateTime: DATE_TIME, JSON: JSON_SCALAR})


def _described(kind: type[Enum], name: str, description: str, values: dict[str, str]) -> None:
    """Publish a domain enum with a description for each of its values."""
    missing = {member.name for member in kind} ^ values.keys()
    if missing:
        raise AssertionError(f"{name}: {missing}")
    definition = strawberry.enum(kind, name=name, description=description)
    for value in definition.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]


_described(
    models.CaseStatus,
    "CaseStatus",
    "Where a case stands in its life.",
    {
        "ACTIVE": "The firm is working on it.",
        "CLOSED": "The work is done.",
        "ARCHIVED": "Put away after closing; kept for the time the law asks for.",
    },
)
_described(
    models.PartyKind,
    "PartyKind",
    "What a party is.",
    {
        "PERSON": "A natural person.",
        "ORGANIZATION": "A company, authority, association or other legal person.",
        "COURT": "A court or tribunal.",
    },
)
_described(
    models.LinkType,
    "CaseLinkType",
    "What the linked case is to this case. Seen from the other end, a link has the inverse type.",
    {
        "RELATED": "They have to do with each other. Its own inverse.",
        "PARENT": "The linked case is the main file of this one. Inverse: `CHILD`.",
        "CHILD": "The linked case is a part of this one. Inverse: `PARENT`.",
        "PREDECESSOR": "The linked case came before and was continued by this one. "
        "Inverse: `SUCCESSOR`.",
        "SUCCESSOR": "The linked case continues this one. Inverse: `PREDECESSOR`.",
        "APPEAL": "The linked case is the appeal (Rechtsmittel) in this one. "
        "Inverse: `LOWER_INSTANCE`.",
        "LOWER_INSTANCE": "The linked case is the lower instance (Vorinstanz) of this one. "
        "Inverse: `APPEAL`.",
    },
)
_described(
    models.Mode,
    "KeyMode",
    "Which data an API key sees.",
    {"LIVE": "The firm's own files.", "TEST": "The firm's sandbox, and nothing else."},
)
_described(
    CaseOrderField,
    "CaseOrderField",
    "What cases are ordered by; cases that are equal in it are ordered by id.",
    {
        "NAME": "Name, without regard to case and accents.",
        "FILE_NUMBER": "File number, digits by value (9 before 10); cases without one come last, "
        "or first if descending.",
        "CREATED_AT": "When the case was opened.",
        "UPDATED_AT": "When the case, or its parties, staff or links, changed last.",
    },
)


class OrderDirection(Enum):
    ASC = "asc"
    DESC = "desc"


_described(
    OrderDirection,
    "OrderDirection",
    "Which way a list runs.",
    {"ASC": "Smallest, first in the alphabet or oldest first.", "DESC": "The other way round."},
)

_CODE_MEANING = {
    "VALIDATION_ERROR": "The input breaks a rule; `field` and `message` say which.",
    "CASE_NOT_FOUND": "There is no such case in this workspace.",
    "PARTY_NOT_FOUND": "There is no such party, or it is not in the case.",
    "STAFF_NOT_FOUND": "There is no such staff member, or they are not assigned to the case.",
    "LINK_NOT_FOUND": "There is no such link.",
    "FILE_NUMBER_CONFLICT": "Another case has this file number.",
    "LINK_EXISTS": "The two cases are linked this way already.",
    "VERSION_CONFLICT": "The object changed since `expectedVersion` was read: read it again.",
    "IDEMPOTENCY_KEY_REUSED": "The idempotency key was used for a different request.",
}
_REFUSALS = [code for code, error in CODES.items() if code in _CODE_MEANING]
assert not [c for c, e in CODES.items() if issubclass(e, Denied) and c in _CODE_MEANING]

UserErrorCode = Enum("UserErrorCode", {code: code for code in _REFUSALS})  # type: ignore[misc]
_described(
    UserErrorCode,
    "UserErrorCode",
    "Why a mutation was refused. The REST routes use the same codes.",
    _CODE_MEANING,
)
