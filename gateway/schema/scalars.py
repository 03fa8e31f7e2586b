"""The scalars and enums of the schema, with a description of each value."""

from enum import Enum
from typing import NewType

import strawberry
from strawberry.schema.config import StrawberryConfig

from domain import instants, models
from domain.errors import CODES, Denied
from domain.inputs import CaseOrderField
from domain.reading.facets import FacetField
from domain.reading.mixed import SearchType
from domain.reading.search import MatchField
from domain.reading.terms import MatchRule

DateTime = NewType("DateTime", str)
JSON = NewType("JSON", object)


def _instant(text: str) -> str:
    """The text, whose fraction of a second the domain still needs. Raises ValueError."""
    instants.parse(text)
    return text


DATE_TIME = strawberry.scalar(
    name="DateTime",
    description=(
        "An instant in UTC, in whole seconds, like `2026-01-15T09:00:00Z`. Input may be any date "
        "or date-time of RFC 3339, of at most 40 characters and without leap seconds: a date "
        "means its first second, and a time without an offset is UTC. Fractions of a second count "
        "where instants are compared."
    ),
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=lambda value: value,
    parse_value=lambda value: _instant(value if isinstance(value, str) else ""),
)
JSON_SCALAR = strawberry.scalar(
    name="JSON",
    description="Any JSON value.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
    serialize=lambda value: value,
    parse_value=lambda value: value,
)
CONFIG = StrawberryConfig(scalar_map={DateTime: DATE_TIME, JSON: JSON_SCALAR})


def _described(kind: type[Enum], name: str, description: str, values: dict[str, str]) -> None:
    """Publish a domain enum with a description of each value."""
    missing = {member.name for member in kind} ^ values.keys()
    if missing:
        raise AssertionError(f"{name}: {missing}")
    definition = strawberry.enum(kind, name=name, description=description)
    for value in definition.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]


_described(
    models.CaseStatus,
    "CaseStatus",
    "The stage a case has reached.",
    {
        "ACTIVE": "The firm is working on it.",
        "CLOSED": "The work is finished.",
        "ARCHIVED": "Put away after closing and kept for the retention period required by law.",
    },
)
_described(
    FacetField,
    "FacetField",
    "What cases are counted by.",
    {
        "STATUS": "The status.",
        "TYPE": "The kind of matter.",
        "DEZERNAT": "The unit of the firm.",
        "STAFF": "The staff members, in whatever role.",
        "PARTY_ROLE": "The roles of parties.",
        "YEAR": "The year in which the case was opened, in UTC.",
    },
)
_described(
    MatchField,
    "MatchField",
    "Where a search looks, or has found something.",
    {
        "NAME": "The name of the case.",
        "FILE_NUMBER": "Its file number.",
        "PARTY": "The name of a party.",
        "REFERENCE": "A party's own reference for the case.",
        "STAFF": "The name of a staff member; where staff are searched, the email address, too.",
    },
)
_described(
    MatchRule,
    "MatchRule",
    "By which rule a text was found, the best first.",
    {
        "EXACT": "It is what was searched for, and nothing else.",
        "NUMBER": "A file number or reference has it, whatever the separators and leading zeros.",
        "WORD": "A word of it is the word that was searched for.",
        "PREFIX": "A word of it begins like that.",
        "SUBSTRING": "A word of it has that in it.",
        "FOLDED": "A word of it is spelled alike: ä, ae and a are equal, and so are Anna-Lena, "
        "Anna Lena and Annalena.",
    },
)
_described(
    SearchType,
    "SearchType",
    "What can be searched for.",
    {"CASE": "Cases.", "PARTY": "Parties.", "STAFF": "Members of the staff."},
)
_described(
    models.PartyKind,
    "PartyKind",
    "The kind of party.",
    {
        "PERSON": "A natural person.",
        "ORGANIZATION": "A company, public authority, association or other legal person.",
        "COURT": "A court or tribunal.",
    },
)
_described(
    models.LinkType,
    "CaseLinkType",
    "What the linked case is to this case. Seen from the other case, a link has the inverse type.",
    {
        "RELATED": "The cases are related. Its own inverse.",
        "PARENT": "The linked case is the main file of this case. Inverse: `CHILD`.",
        "CHILD": "The linked case is a part of this case. Inverse: `PARENT`.",
        "PREDECESSOR": "The linked case came before this case, which continues it. "
        "Inverse: `SUCCESSOR`.",
        "SUCCESSOR": "The linked case continues this case. Inverse: `PREDECESSOR`.",
        "APPEAL": "The linked case is the appeal (Rechtsmittel) from this case. "
        "Inverse: `LOWER_INSTANCE`.",
        "LOWER_INSTANCE": "The linked case is the lower instance (Vorinstanz) of this case. "
        "Inverse: `APPEAL`.",
    },
)
_described(
    models.EventSource,
    "EventSource",
    "Where an event comes from.",
    {
        "RECORDED": "casegraph recorded it, in the transaction of the change that it tells of.",
        "IMPORTED": "A file claims it; casegraph recorded only that it was imported.",
    },
)
_described(
    models.Mode,
    "KeyMode",
    "The data an API key can access.",
    {"LIVE": "The firm's real files.", "TEST": "The firm's sandbox only."},
)
_described(
    CaseOrderField,
    "CaseOrderField",
    "The field that cases are sorted by; ties are sorted by id, in the same direction.",
    {
        "NAME": "Name, ignoring case and accents.",
        "FILE_NUMBER": "File number, with digits sorted by value (9 before 10); cases without one "
        "come last, or first if descending.",
        "CREATED_AT": "The time the case was opened.",
        "UPDATED_AT": "The time the case or its parties, staff or links last changed.",
        "RELEVANCE": "How well the case fits `search`. With `ASC`, the default, the best come "
        "first: those whose file number is what was searched for, or whose name is; those of which "
        "all words are whole words of name and file number, begin words, are parts of words, or "
        "are spelled alike (Mueller, Müller); then those found in other fields. Of cases that fit "
        "alike, and without a search, the newest come first.",
    },
)


class OrderDirection(Enum):
    ASC = "asc"
    DESC = "desc"


_described(
    OrderDirection,
    "OrderDirection",
    "The direction of a sort order.",
    {"ASC": "Smallest, alphabetically first or oldest first.", "DESC": "The reverse of `ASC`."},
)

_CODE_MEANING = {
    "VALIDATION_ERROR": "The input breaks a rule; `message` states the rule and `field` the place.",
    "CASE_NOT_FOUND": "The workspace has no such case.",
    "PARTY_NOT_FOUND": "The party does not exist, or it is not in the case.",
    "STAFF_NOT_FOUND": "The staff member does not exist, or is not assigned to the case.",
    "LINK_NOT_FOUND": "The link does not exist.",
    "WEBHOOK_NOT_FOUND": "The workspace has no such webhook.",
    "FILE_NUMBER_CONFLICT": "Another case has this file number.",
    "LINK_EXISTS": "The two cases are already linked this way.",
    "PARTY_IN_USE": "A case still names the party.",
    "STAFF_IN_USE": "A case still names the staff member.",
    "VERSION_CONFLICT": "The object has changed since `expectedVersion` was read: read it again.",
    "IDEMPOTENCY_KEY_REUSED": "The idempotency key was already used for a different request.",
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
