"""The objects in bodies and answers, as the OpenAPI document shows them."""

from typing import Annotated, Any

from pydantic import BaseModel, WithJsonSchema, create_model

from domain.models import EventSource
from domain.reading.search import MatchField
from domain.reading.terms import MatchRule
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES
from rest_compat import bodies
from rest_compat.answers import CASE
from rest_compat.errors import STATUS
from rest_compat.schemas import (
    CaseId,
    EventId,
    Instant,
    Kind,
    LinkId,
    LinkKind,
    State,
    Status,
    WebhookId,
    items,
)

Code = Annotated[str, WithJsonSchema({"type": "string", "enum": list(STATUS)})]


class ErrorDetail(BaseModel):
    """One problem. *field* is the place in the body, like parties.0.role, or a parameter."""

    field: str
    code: Code
    message: str
    existing_id: str | None = None
    current: dict[str, Any] | None = None


class ErrorContent(BaseModel):
    code: Code
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


# The answers name the fields.
_SHOWN_AS: dict[str, Any] = {
    "id": CaseId,
    "name": str,
    "status": Status,
    "created_at": Instant,
    "updated_at": Instant,
}
_NAMED: Any = {name: (_SHOWN_AS.get(name, str | None), ...) for name in CASE}
_CaseFields: Any = create_model("Case", **_NAMED)


class Case(_CaseFields):  # type: ignore[misc]
    parties: list[CaseParty]
    staff: list[CaseStaff]


class TextRange(BaseModel):
    """From *start* up to, and not including, *end*, in UTF-16 code units."""

    start: int
    end: int


class Match(BaseModel):
    """A text in which the search was found, and the parts of it."""

    field: Annotated[str, WithJsonSchema({"type": "string", "enum": list(MatchField)})]
    rule: Annotated[str, WithJsonSchema({"type": "string", "enum": list(MatchRule)})]
    text: str
    ranges: list[TextRange]
    party_id: str | None
    staff_id: str | None


class ListedCase(Case):
    """*matches* is there only if it is asked for."""

    matches: list[Match] | None = None


class Pagination(BaseModel):
    cursor: str | None = None
    has_more: bool


class FacetValue(BaseModel):
    """*label* is the value for people: of a staff member the name."""

    value: str | None
    label: str | None
    count: int


class Facet(BaseModel):
    values: list[FacetValue]
    has_more: bool


class Cases(BaseModel):
    """*facets* is there only if it is asked for."""

    data: list[ListedCase]
    pagination: Pagination
    facets: dict[str, Facet] | None = None


class Party(BaseModel):
    id: str
    role: str
    name: str
    type: Kind
    reference: str | None
    added_at: Instant


class Parties(BaseModel):
    data: list[Party]
    pagination: Pagination


class Staff(BaseModel):
    id: str
    name: str
    email: str | None
    role: str
    note: str | None
    assigned_at: Instant


class StaffList(BaseModel):
    data: list[Staff]
    pagination: Pagination


class Change(BaseModel):
    field: str
    before: Any
    after: Any


class Event(BaseModel):
    id: EventId
    seq: int
    type: str
    source: EventSource
    actor: str
    claimed_actor: str | None
    at: Instant
    occurred_at: Instant
    title: str | None
    changes: list[Change]


class FeedEvent(Event):
    """A change of the workspace: of a case, even a deleted one, or of a party or staff member."""

    case_id: CaseId | None
    subject_id: str | None


class Changes(BaseModel):
    data: list[FeedEvent]
    pagination: Pagination


class Timeline(BaseModel):
    data: list[Event]
    pagination: Pagination


class Webhook(BaseModel):
    """An address that is told of changes: what its query is answered for each is posted to it."""

    id: WebhookId
    url: str
    events: list[str] | None
    query: str
    key_id: str
    state: State
    reason: str | None
    created_at: Instant
    cursor: str
    failures: int
    failing_since: Instant | None
    due_at: Instant


class WebhookWithSecret(Webhook):
    """The secret signs deliveries (Standard Webhooks). It is not shown again; a retry has null if
    it was rolled since."""

    secret: str | None


class Webhooks(BaseModel):
    data: list[Webhook]
    pagination: Pagination


class WebhookDelivery(BaseModel):
    """One attempt; *error* is null if it was delivered."""

    event_id: EventId
    type: str
    attempt: int
    at: Instant
    duration_ms: int
    status: int | None
    error: str | None


class WebhookDeliveries(BaseModel):
    data: list[WebhookDelivery]
    pagination: Pagination


class LinkedCase(BaseModel):
    id: CaseId
    name: str
    file_number: str | None
    status: Status


class Link(BaseModel):
    id: LinkId
    type: LinkKind
    case_id: CaseId
    linked_case_id: CaseId
    linked_case: LinkedCase
    created_at: Instant


class Links(BaseModel):
    data: list[Link]
    pagination: Pagination


class FirmParty(BaseModel):
    """A party of the firm, whatever its cases."""

    id: str
    name: str
    type: Kind
    created_at: Instant
    updated_at: Instant


class FirmParties(BaseModel):
    data: list[FirmParty]
    pagination: Pagination


class PartyCase(BaseModel):
    """A role of a party in a case."""

    role: str
    reference: str | None
    added_at: Instant
    case: LinkedCase


class PartyCases(BaseModel):
    data: list[PartyCase]
    pagination: Pagination


class FirmStaff(BaseModel):
    """Someone who works at the firm."""

    id: str
    name: str
    email: str | None
    created_at: Instant
    updated_at: Instant


class FirmStaffList(BaseModel):
    data: list[FirmStaff]
    pagination: Pagination


class StaffCase(BaseModel):
    """A role of a staff member in a case."""

    role: str
    note: str | None
    assigned_at: Instant
    case: LinkedCase


class StaffCases(BaseModel):
    data: list[StaffCase]
    pagination: Pagination


class PartiesToAdd(bodies.Body):
    parties: Annotated[list[bodies.PartyItem], items(1, PARTY_ROLES.most)]


class PartiesToHave(bodies.Body):
    parties: Annotated[list[bodies.PartyItem], items(0, PARTY_ROLES.most)]


class StaffToAssign(bodies.Body):
    staff: Annotated[list[bodies.StaffItem], items(1, STAFF_ROLES.most)]
