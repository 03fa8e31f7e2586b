"""The domain's nouns as frozen values, and the edges between them. No SQL, no I/O.

Field order is column order: statements select by these names, so a row and its type cannot drift.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from domain.instants import Instant


class CaseStatus(StrEnum):
    ACTIVE = "active"
    CLOSED = "closed"
    ARCHIVED = "archived"


class PartyKind(StrEnum):
    PERSON = "person"
    ORGANIZATION = "organization"
    COURT = "court"


class LinkType(StrEnum):
    """The linked case's relation to this case."""

    RELATED = "related"
    PARENT = "parent"
    CHILD = "child"
    PREDECESSOR = "predecessor"
    SUCCESSOR = "successor"
    APPEAL = "appeal"
    LOWER_INSTANCE = "lower_instance"

    @property
    def inverse(self) -> "LinkType":
        return _INVERSE.get(self, self)


_PAIRS = (
    (LinkType.PARENT, LinkType.CHILD),
    (LinkType.PREDECESSOR, LinkType.SUCCESSOR),
    (LinkType.APPEAL, LinkType.LOWER_INSTANCE),
)
_INVERSE = dict(_PAIRS) | {b: a for a, b in _PAIRS}


class Mode(StrEnum):
    """Live keys see the firm's files; test keys see only its sandbox."""

    LIVE = "live"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One law firm (the tenant), or its sandbox: the same slug in test mode."""

    id: int
    slug: str
    mode: Mode
    name: str
    secret: str = field(repr=False)
    """32 bytes in hexadecimal, which key what the workspace stores of names and hands out."""


@dataclass(frozen=True, slots=True)
class Case:
    """A matter the firm works on, as stored; parties and staff are read separately."""

    id: str
    name: str
    file_number: str | None
    status: str
    type: str | None
    description: str | None
    dezernat: str | None
    created_at: Instant
    updated_at: Instant
    version: int


@dataclass(frozen=True, slots=True)
class DeletedCase:
    """A case that is hidden everywhere, until it is restored or purged."""

    id: str
    name: str
    file_number: str | None
    status: str
    created_at: Instant
    version: int
    deleted_at: Instant


@dataclass(frozen=True, slots=True)
class Party:
    """A person, organization or court, independent of any case."""

    id: str
    kind: str
    name: str
    created_at: Instant
    updated_at: Instant
    version: int


@dataclass(frozen=True, slots=True)
class Staff:
    """Someone who works at the firm."""

    id: str
    name: str
    email: str | None
    created_at: Instant
    updated_at: Instant
    version: int


@dataclass(frozen=True, slots=True)
class CaseParty:
    """A party's role in a case. *number* identifies it within the case and is never used again."""

    case_id: str
    number: int
    party_id: str
    role: str
    reference: str | None
    added_at: Instant
    party: Party
    case: Case


@dataclass(frozen=True, slots=True)
class CaseStaff:
    """A staff member's role in a case. *number* is as in CaseParty."""

    case_id: str
    number: int
    staff_id: str
    role: str
    note: str | None
    assigned_at: Instant
    staff: Staff
    case: Case


@dataclass(frozen=True, slots=True)
class CaseLink:
    """A link as seen from *case_id*: *type* is the linked case's relation to this case.

    The other end has the same id, the cases swapped and the inverse type.
    """

    id: str
    case_id: str
    linked_case_id: str
    type: str
    created_at: Instant
    linked: Case


@dataclass(frozen=True, slots=True)
class Change:
    """One field, before and after, as JSON values."""

    field: str
    before: Any
    after: Any


class EventSource(StrEnum):
    """Whether casegraph wrote an event about what it did itself, or took it from a file."""

    RECORDED = "recorded"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """An event: *at* is when *actor* had it recorded, *occurred_at* when it happened.

    Of an imported event, *occurred_at*, *claimed_actor* and all the rest are what the file claims.
    """

    seq: int
    id: str
    case_id: str | None
    subject_id: str | None
    type: str
    actor: str
    at: Instant
    occurred_at: Instant
    title: str | None
    source: str
    claimed_actor: str | None
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as listed; the key itself is shown once, at creation."""

    id: str
    name: str
    workspace: str
    mode: Mode
    scopes: frozenset[str]
    created_at: Instant
    revoked_at: Instant | None
    expires_at: Instant | None
    last_used_on: str | None
    """The day, as YYYY-MM-DD, on which it was last used."""


class WebhookState(StrEnum):
    """Whether a webhook is told of changes."""

    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that is told of changes, each answered to a GraphQL selection."""

    id: str
    url: str
    events: tuple[str, ...] | None
    """The types of changes that it is told of; None for all."""
    query: str
    """The subscription whose answers it gets."""
    key_id: str
    """The API key whose rights it has: that of whoever made it, or changed it last."""
    state: WebhookState
    reason: str | None
    """Why it is paused."""
    created_at: Instant
    seq: int
    """The number of the last change that it was told of, or that it need not be told of."""
    failures: int
    """How many times in a row a delivery has failed."""
    failing_since: Instant | None
    due_at: Instant
    """When the next delivery is tried, at the earliest."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to tell a webhook of a change."""

    number: int
    seq: int
    event_id: str
    type: str
    attempt: int
    at: Instant
    duration_ms: int
    status: int | None
    """The HTTP status that was answered, if there was an answer."""
    error: str | None
    """Why it failed; None if it was delivered."""
