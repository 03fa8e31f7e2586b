"""The inputs that callers send, as plain values; the services check them.

In changes, UNSET marks a field the caller did not mention, None a field to clear.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from typing import Any, Final

from domain.instants import Instant
from domain.models import CaseStatus, PartyKind


class _Unset(Enum):
    UNSET = "unset"

    def __bool__(self) -> bool:
        return False


UNSET: Final = _Unset.UNSET
Maybe = _Unset


@dataclass(frozen=True, slots=True)
class NewParty:
    name: str
    kind: str = PartyKind.PERSON


@dataclass(frozen=True, slots=True)
class NewStaff:
    name: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """What a surface could not make out, with the reason: refused together with the rest."""

    reason: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class PartyRole:
    """An existing party (by id) or a new one, and its role in a case.

    If the reference is UNSET, a role that is kept keeps its reference; a new one has none.
    """

    party: str | NewParty | Unclear
    role: str
    reference: str | Maybe | None = UNSET


@dataclass(frozen=True, slots=True)
class StaffRole:
    """An existing staff member (by id) or a new one, and their role in a case; see PartyRole."""

    staff: str | NewStaff | Unclear
    role: str
    note: str | Maybe | None = UNSET


RoleKey = tuple[str, int]
"""What identifies a role: its case's id and its number there."""


@dataclass(frozen=True, slots=True)
class RoleChanges:
    """Changes to a role in a case; *remark* is a party's reference, or the note on a staff
    member's assignment."""

    role: str | Maybe | None = UNSET
    remark: str | Maybe | None = UNSET


@dataclass(frozen=True, slots=True)
class NewCase:
    name: str
    file_number: str | None = None
    status: str = CaseStatus.ACTIVE
    type: str | None = None
    description: str | None = None
    dezernat: str | None = None
    parties: Sequence[PartyRole] = ()
    staff: Sequence[StaffRole] = ()


@dataclass(frozen=True, slots=True)
class CaseChanges:
    name: str | Maybe | None = UNSET
    file_number: str | Maybe | None = UNSET
    status: str | Maybe | None = UNSET
    type: str | Maybe | None = UNSET
    description: str | Maybe | None = UNSET
    dezernat: str | Maybe | None = UNSET


@dataclass(frozen=True, slots=True)
class Seen:
    """What a caller sends along of a case that no change of its fields can alter.

    A role is the id of the party or staff member, the role and the name.
    """

    id: str | Maybe | None = UNSET
    created_at: str | Maybe | None = UNSET
    updated_at: str | Maybe | None = UNSET
    parties: Sequence[tuple[str, str, str]] | Maybe | None = UNSET
    staff: Sequence[tuple[str, str, str]] | Maybe | None = UNSET


@dataclass(frozen=True, slots=True)
class PartyChanges:
    name: str | Maybe | None = UNSET
    kind: str | Maybe | None = UNSET


@dataclass(frozen=True, slots=True)
class StaffChanges:
    name: str | Maybe | None = UNSET
    email: str | Maybe | None = UNSET


@dataclass(frozen=True, slots=True)
class PartyFilter:
    """All given conditions must hold for the same party of the case."""

    id: str | None = None
    search: str | None = None
    kind: Sequence[str] | None = None
    role: Sequence[str] | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class StaffFilter:
    """All given conditions must hold for the same staff member of the case."""

    id: str | None = None
    search: str | None = None
    role: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class DateRange:
    gte: Instant | None = None
    gt: Instant | None = None
    lte: Instant | None = None
    lt: Instant | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Selects events: every given condition must hold. An empty list matches nothing."""

    at: DateRange | None = None
    type: Sequence[str] | None = None
    actor: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class ChangeFilter(EventFilter):
    """Selects changes of a workspace; *case* and *party* are ids of those that they are about."""

    case: Sequence[str] | None = None
    party: Sequence[str] | None = None
    source: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Selects cases: every given condition must hold. An empty list matches nothing.

    *in_* are the fields that *search* looks into, as search.MatchField has them.
    """

    status: Sequence[str] | None = None
    type: Sequence[str] | None = None
    dezernat: Sequence[str] | None = None
    search: str | None = None
    file_number: str | None = None
    party: PartyFilter | None = None
    staff: StaffFilter | None = None
    created_at: DateRange | None = None
    updated_at: DateRange | None = None
    and_: Sequence["CaseFilter"] | None = None
    or_: Sequence["CaseFilter"] | None = None
    not_: "CaseFilter | None" = None
    in_: Sequence[str] | None = None


class CaseOrderField(StrEnum):
    NAME = "name"
    FILE_NUMBER = "file_number"
    CREATED_AT = "created_at"
    UPDATED_AT = "updated_at"
    RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class CaseOrder:
    """The sort order; newest first by default.

    By relevance, descending is best first. Cases that fit a search alike, and all of a list without
    one, are then ordered by when they were created.
    """

    field: CaseOrderField = CaseOrderField.CREATED_AT
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Expected:
    """Which revisions of a case a caller expects, if any, and which it does not.

    *none_of* is True if the caller expects that there is no such case at all.
    """

    any_of: Collection[str] | None = None
    none_of: Collection[str] | bool | None = None


ExpectedVersion = int | Expected | None
"""What a caller expects of an object: its version, or more of a case; None for anything."""


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """An address to be told of changes of some types, all if None.

    *query* is the subscription whose answers it gets, *after* the cursor to begin with; without
    them, a usual selection, and from now on.
    """

    url: str
    events: Sequence[str] | None = None
    query: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookChanges:
    url: str | Maybe | None = UNSET
    events: Sequence[str] | Maybe | None = UNSET
    query: str | Maybe | None = UNSET
    state: str | Maybe | None = UNSET
    after: str | Maybe | None = UNSET


def mentioned(
    changes: CaseChanges | Seen | PartyChanges | StaffChanges | RoleChanges | WebhookChanges,
) -> dict[str, Any]:
    """The fields that the caller mentioned, with their new values."""
    return {
        field.name: value
        for field in fields(changes)
        if (value := getattr(changes, field.name)) is not UNSET
    }
