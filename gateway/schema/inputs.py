"""The input types, and their conversion to the domain's own. The domain checks the values.

One file, since inputs share their parts: a case's are those of its parties and staff.
"""

from typing import Any

import strawberry
from strawberry import UNSET

from domain import inputs
from domain.models import CaseStatus, EventSource, LinkType, PartyKind
from domain.reading.search import MatchField
from gateway import globalids
from gateway.schema.scalars import DateTime, OrderDirection

_EXPECTED = (
    "The `version` this change is based on. If the object has changed since, the mutation is "
    "refused with `VERSION_CONFLICT`. If absent or null, the version is not checked."
)
_EXPECTED_CASE = (
    "The `version` of the case that this change is based on. If the case has changed since, the "
    "mutation is refused with `VERSION_CONFLICT`. If absent or null, the version is not checked."
)
IDEMPOTENCY = (
    "Makes a retry safe: any text of at most 255 characters. Repeating the request with the same "
    "key within 24 hours changes nothing and returns the object as it is now."
)
_NULL_CLEARS = " Unchanged if absent; null clears it."
_NOT_NULL = " Unchanged if absent; null is refused."


def described(description: str, **options: Any) -> Any:
    return strawberry.field(description=description, **options)


@strawberry.input(description="A time span. An instant must be within every bound given.")
class DateRange:
    gte: DateTime | None = described("At or after this instant.", default=None)
    gt: DateTime | None = described("After this instant.", default=None)
    lte: DateTime | None = described("At or before this instant.", default=None)
    lt: DateTime | None = described("Before this instant.", default=None)

    def to_domain(self) -> inputs.DateRange:
        return inputs.DateRange(self.gte, self.gt, self.lte, self.lt)


@strawberry.input(description="Conditions that one and the same party of the case must meet.")
class PartyFilter:
    id: strawberry.ID | None = described("The id of the party.", default=None)
    search: str | None = described(
        "Words in the name, as in `CaseFilter.search`.",
        default=None,
    )
    kind: list[PartyKind] | None = described("Any of these kinds.", default=None)
    role: list[str] | None = described("Any of these roles, at most 100.", default=None)
    reference: str | None = described(
        "The party's own reference for the case. Ignores case, separators and leading zeros: "
        "`907 js 123456/22` finds 907 Js 123456/22.",
        default=None,
    )

    def to_domain(self) -> inputs.PartyFilter:
        id = None if self.id is None else globalids.local(self.id, "Party")
        return inputs.PartyFilter(id, self.search, _values(self.kind), self.role, self.reference)


@strawberry.input(
    description="Conditions that one and the same staff member on the case must meet."
)
class StaffFilter:
    id: strawberry.ID | None = described("The id of the staff member.", default=None)
    search: str | None = described(
        "Words in the name or email address, as in `CaseFilter.search`.",
        default=None,
    )
    role: list[str] | None = described("Any of these roles, at most 100.", default=None)

    def to_domain(self) -> inputs.StaffFilter:
        id = None if self.id is None else globalids.local(self.id, "Staff")
        return inputs.StaffFilter(id, self.search, self.role)


@strawberry.input(
    description="Conditions on a case; all of those given must hold. An empty list of "
    "values matches no case. At most 60 conditions, nested at most 8 levels deep."
)
class CaseFilter:
    status: list[CaseStatus] | None = described("Any of these statuses.", default=None)
    type: list[str] | None = described("Any of these types, at most 100.", default=None)
    dezernat: list[str] | None = described("Any of these departments, at most 100.", default=None)
    search: str | None = described(
        "Words, at most 200 characters and 16 words: all must be found, in any order, in the "
        "fields that `in` names. A word is found as a part of a word; spelled alike (ä, ae and a "
        "are equal: `muller` finds Müller and Mueller) as a whole word, or with four letters as "
        "its beginning. "
        "Quotes keep words together. Case, accents and kinds of dashes make no difference, nor do "
        "separators and leading zeros of file numbers and references: `az 2026/42` finds "
        "AZ-2026-042. Without any letter or digit it is no condition.",
        default=None,
    )
    in_: list[MatchField] | None = described(
        "Where `search` looks; if absent, in the name, the file number, and the names and "
        "references of parties.",
        name="in",
        default=None,
    )
    file_number: str | None = described(
        "This file number. Ignores case, and kinds of dashes and spaces; separators count.",
        default=None,
    )
    party: PartyFilter | None = described("At least one party of the case matches.", default=None)
    staff: StaffFilter | None = described(
        "At least one staff member on the case matches.", default=None
    )
    created_at: DateRange | None = described("Opened within this time span.", default=None)
    updated_at: DateRange | None = described("Last changed within this time span.", default=None)
    and_: list["CaseFilter"] | None = described(
        "All of these filters match.", name="and", default=None
    )
    or_: list["CaseFilter"] | None = described(
        "At least one of these filters matches.", name="or", default=None
    )
    not_: "CaseFilter | None" = described("This filter does not match.", name="not", default=None)

    def to_domain(self) -> inputs.CaseFilter:
        return inputs.CaseFilter(
            status=_values(self.status),
            type=self.type,
            dezernat=self.dezernat,
            search=self.search,
            file_number=self.file_number,
            party=_converted(self.party),
            staff=_converted(self.staff),
            created_at=_converted(self.created_at),
            updated_at=_converted(self.updated_at),
            and_=None if self.and_ is None else [part.to_domain() for part in self.and_],
            or_=None if self.or_ is None else [part.to_domain() for part in self.or_],
            not_=_converted(self.not_),
            in_=_values(self.in_),
        )


@strawberry.input(
    description="Conditions on an event; all of those given must hold. An empty list of values "
    "matches no event."
)
class TimelineFilter:
    at: DateRange | None = described("Recorded within this time span.", default=None)
    type: list[str] | None = described(
        "Any of these types, like `case_updated`, at most 100.", default=None
    )
    actor: list[str] | None = described(
        "Done by any of these actors, at most 100; an actor is the name of an API key.",
        default=None,
    )

    def to_domain(self) -> inputs.EventFilter:
        return inputs.EventFilter(at=_converted(self.at), type=self.type, actor=self.actor)


@strawberry.input(
    description="Conditions on a change; all of those given must hold. An empty list of values "
    "matches no change."
)
class ChangeFilter:
    case: list[strawberry.ID] | None = described(
        "Of any of these cases, deleted or erased ones included, at most 100.", default=None
    )
    party: list[strawberry.ID] | None = described(
        "Of any of these parties, or of a case in which one of them has a role, at most 100.",
        default=None,
    )
    at: DateRange | None = described("Recorded within this time span.", default=None)
    type: list[str] | None = described(
        "Any of these types, like `case_updated`, at most 100.", default=None
    )
    actor: list[str] | None = described(
        "Done by any of these actors, at most 100; an actor is the name of an API key.",
        default=None,
    )
    source: list[EventSource] | None = described("From any of these sources.", default=None)

    def to_domain(self) -> inputs.ChangeFilter:
        return inputs.ChangeFilter(
            at=_converted(self.at),
            type=self.type,
            actor=self.actor,
            case=_locals(self.case, "Case"),
            party=_locals(self.party, "Party"),
            source=_values(self.source),
        )


@strawberry.input(description="The sort order of a list of cases.")
class CaseOrder:
    field: inputs.CaseOrderField = described("The field to sort by.")
    direction: OrderDirection = described("The sort direction.", default=OrderDirection.ASC)

    def to_domain(self) -> inputs.CaseOrder:
        # The first by relevance is what fits best.
        best_first = self.field is inputs.CaseOrderField.RELEVANCE
        return inputs.CaseOrder(self.field, (self.direction is OrderDirection.DESC) != best_first)


@strawberry.input(description="A party to create.")
class NewPartyInput:
    name: str = described("The full name, 1 to 500 characters.")
    kind: PartyKind = described("The kind of party.", default=PartyKind.PERSON)

    def to_domain(self) -> inputs.NewParty:
        return inputs.NewParty(self.name, self.kind.value)


@strawberry.input(description="A staff member to create.")
class NewStaffInput:
    name: str = described("The full name, 1 to 500 characters.")
    email: str | None = described(
        "The email address at the firm, at most 254 characters.", default=None
    )

    def to_domain(self) -> inputs.NewStaff:
        return inputs.NewStaff(self.name, self.email)


@strawberry.input(
    description="A party and its role in a case. Give exactly one of `partyId` and `new`."
)
class CasePartyInput:
    party_id: strawberry.ID | None = described("The id of an existing party.", default=None)
    new: NewPartyInput | None = described("A party to create.", default=None)
    role: str = described("One lower-case word, like `client`, at most 100 characters.")
    reference: str | None = described(
        "The party's own reference for the case, at most 200 characters. If absent, a role that "
        "`replaceCaseParties` keeps also keeps its reference.",
        default=UNSET,
    )

    def to_domain(self) -> inputs.PartyRole:
        party: str | inputs.NewParty | inputs.Unclear
        if (self.party_id is None) == (self.new is None):
            party = inputs.Unclear("Exactly one of partyId and new must be given.")
        elif self.new is not None:
            party = self.new.to_domain()
        else:
            party = globalids.local(str(self.party_id), "Party")
        return inputs.PartyRole(party, self.role, _maybe(self.reference))


@strawberry.input(
    description="A staff member and their role in a case. Give exactly one of `staffId` and `new`."
)
class CaseStaffInput:
    staff_id: strawberry.ID | None = described("The id of an existing staff member.", default=None)
    new: NewStaffInput | None = described("A staff member to create.", default=None)
    role: str = described("One lower-case word, like `lead_attorney`, at most 100 characters.")
    note: str | None = described(
        "A note on the assignment, at most 1,000 characters.", default=None
    )

    def to_domain(self) -> inputs.StaffRole:
        staff: str | inputs.NewStaff | inputs.Unclear
        if (self.staff_id is None) == (self.new is None):
            staff = inputs.Unclear("Exactly one of staffId and new must be given.")
        elif self.new is not None:
            staff = self.new.to_domain()
        else:
            staff = globalids.local(str(self.staff_id), "Staff")
        return inputs.StaffRole(staff, self.role, self.note)


@strawberry.input(description="A case to open, with its parties and staff.")
class CreateCaseInput:
    name: str = described("The short title, 1 to 500 characters.")
    file_number: str | None = described(
        "The firm's own reference, at most 100 characters, unique in the workspace.", default=None
    )
    status: CaseStatus = described("The status of the new case.", default=CaseStatus.ACTIVE)
    type: str | None = described(
        "One lower-case word, like `litigation`, at most 100 characters.", default=None
    )
    description: str | None = described(
        "What the case is about: plain text, at most 20,000 characters.", default=None
    )
    dezernat: str | None = described("The department, at most 200 characters.", default=None)
    parties: list[CasePartyInput] = described(
        "The parties in this order, at most 1,000.", default_factory=list
    )
    staff: list[CaseStaffInput] = described(
        "The staff in this order, at most 200.", default_factory=list
    )
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)

    def to_domain(self) -> inputs.NewCase:
        return inputs.NewCase(
            name=self.name,
            file_number=self.file_number,
            status=self.status.value,
            type=self.type,
            description=self.description,
            dezernat=self.dezernat,
            parties=[role.to_domain() for role in self.parties],
            staff=[role.to_domain() for role in self.staff],
        )


@strawberry.input(description="Changes to a case.")
class UpdateCaseInput:
    id: strawberry.ID = described("The case.")
    name: str | None = described("The short title, 1 to 500 characters." + _NOT_NULL, default=UNSET)
    file_number: str | None = described(
        "The firm's own reference, at most 100 characters, unique in the workspace." + _NULL_CLEARS,
        default=UNSET,
    )
    status: CaseStatus | None = described("The status." + _NOT_NULL, default=UNSET)
    type: str | None = described(
        "One lower-case word, at most 100 characters." + _NULL_CLEARS, default=UNSET
    )
    description: str | None = described(
        "What the case is about: plain text, at most 20,000 characters." + _NULL_CLEARS,
        default=UNSET,
    )
    dezernat: str | None = described(
        "The department, at most 200 characters." + _NULL_CLEARS, default=UNSET
    )
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)

    def to_domain(self) -> inputs.CaseChanges:
        return inputs.CaseChanges(
            name=_maybe(self.name),
            file_number=_maybe(self.file_number),
            status=_maybe(
                self.status.value if isinstance(self.status, CaseStatus) else self.status
            ),
            type=_maybe(self.type),
            description=_maybe(self.description),
            dezernat=_maybe(self.dezernat),
        )


@strawberry.input(description="The case to delete.")
class DeleteCaseInput:
    id: strawberry.ID = described("The case.")
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="A party to create.")
class CreatePartyInput(NewPartyInput):
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="Changes to a party.")
class UpdatePartyInput:
    id: strawberry.ID = described("The party.")
    name: str | None = described("The full name, 1 to 500 characters." + _NOT_NULL, default=UNSET)
    kind: PartyKind | None = described("The kind of party." + _NOT_NULL, default=UNSET)
    expected_version: int | None = described(_EXPECTED, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)

    def to_domain(self) -> inputs.PartyChanges:
        kind = self.kind.value if isinstance(self.kind, PartyKind) else self.kind
        return inputs.PartyChanges(_maybe(self.name), _maybe(kind))


@strawberry.input(description="A staff member to create.")
class CreateStaffInput(NewStaffInput):
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="Changes to a staff member.")
class UpdateStaffInput:
    id: strawberry.ID = described("The staff member.")
    name: str | None = described("The full name, 1 to 500 characters." + _NOT_NULL, default=UNSET)
    email: str | None = described(
        "The email address at the firm, at most 254 characters." + _NULL_CLEARS, default=UNSET
    )
    expected_version: int | None = described(_EXPECTED, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)

    def to_domain(self) -> inputs.StaffChanges:
        return inputs.StaffChanges(_maybe(self.name), _maybe(self.email))


@strawberry.input(description="Parties to add to a case.")
class AddCasePartiesInput:
    case_id: strawberry.ID = described("The case.")
    parties: list[CasePartyInput] = described(
        "At least one, none of them already in the case in the same role; a case has at most 1,000."
    )
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(
    description="The complete list of a case's parties, which replaces the present one."
)
class ReplaceCasePartiesInput:
    case_id: strawberry.ID = described("The case.")
    parties: list[CasePartyInput] = described(
        "In this order, at most 1,000; an empty list removes all."
    )
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="Changes to a party's role in a case.")
class UpdateCasePartyInput:
    id: strawberry.ID = described("The id of the `CaseParty`.")
    role: str | None = described(
        "One lower-case word, like `client`, at most 100 characters." + _NOT_NULL, default=UNSET
    )
    reference: str | None = described(
        "The party's own reference for the case, at most 200 characters." + _NULL_CLEARS,
        default=UNSET,
    )
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)

    def to_domain(self) -> inputs.RoleChanges:
        return inputs.RoleChanges(_maybe(self.role), _maybe(self.reference))


@strawberry.input(description="Changes to a staff member's role in a case.")
class UpdateCaseStaffInput:
    id: strawberry.ID = described("The id of the `CaseStaff`.")
    role: str | None = described(
        "One lower-case word, like `lead_attorney`, at most 100 characters." + _NOT_NULL,
        default=UNSET,
    )
    note: str | None = described(
        "A note on the assignment, at most 1,000 characters." + _NULL_CLEARS, default=UNSET
    )
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)

    def to_domain(self) -> inputs.RoleChanges:
        return inputs.RoleChanges(_maybe(self.role), _maybe(self.note))


@strawberry.input(
    description="Parties to remove from a case; the parties themselves are not deleted."
)
class RemoveCasePartiesInput:
    case_id: strawberry.ID = described("The case.")
    party_ids: list[strawberry.ID] = described(
        "At least one, each of a party in the case or of a `CaseParty` of it. A party loses all "
        "its roles, or only `role` if that is given."
    )
    role: str | None = described("Remove only this role; all roles if absent.", default=None)
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="Staff to assign to a case.")
class AssignStaffInput:
    case_id: strawberry.ID = described("The case.")
    staff: list[CaseStaffInput] = described(
        "At least one, none of them already on the case in the same role; a case has at most 200."
    )
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(
    description="Staff to take off a case; the staff members themselves are not deleted."
)
class UnassignStaffInput:
    case_id: strawberry.ID = described("The case.")
    staff_ids: list[strawberry.ID] = described(
        "At least one, each of a staff member on the case or of a `CaseStaff` of it. A staff "
        "member loses all their roles, or only `role` if that is given."
    )
    role: str | None = described("Remove only this role; all roles if absent.", default=None)
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="A deleted case to show again.")
class RestoreCaseInput:
    id: strawberry.ID = described("The case: its `uuid`, or the global id that it had.")
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="A party to delete.")
class DeletePartyInput:
    id: strawberry.ID = described("The party; no case may name it.")
    expected_version: int | None = described(_EXPECTED, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="A staff member to delete.")
class DeleteStaffInput:
    id: strawberry.ID = described("The staff member; no case may name them.")
    expected_version: int | None = described(_EXPECTED, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="Two parties that are one and the same.")
class MergePartiesInput:
    keep_id: strawberry.ID = described("The party to keep, as it is.")
    merge_id: strawberry.ID = described(
        "The party that goes. Its roles move to the other, and so does its id."
    )
    dry_run: bool = described("Only tell what would be done, and change nothing.", default=False)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="Two cases to link.")
class LinkCasesInput:
    case_id: strawberry.ID = described("The case to link from.")
    linked_case_id: strawberry.ID = described("The case to link to; not the same case.")
    type: LinkType = described("What the case `linkedCaseId` is to the case `caseId`.")
    expected_version: int | None = described(_EXPECTED_CASE, default=None)
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="A link to remove, from both cases.")
class UnlinkCasesInput:
    link_id: strawberry.ID = described("The link, as seen from either case.")
    expected_version: int | None = described(
        _EXPECTED_CASE + " The case is the one that `linkId` is seen from.", default=None
    )
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


def _values(members: list[Any] | None) -> list[str] | None:
    return None if members is None else [member.value for member in members]


def _locals(ids: list[strawberry.ID] | None, name: str) -> list[str] | None:
    return None if ids is None else [globalids.local(id, name) for id in ids]


def _converted(given: Any) -> Any:
    return None if given is None else given.to_domain()


def _maybe(value: Any) -> Any:
    return inputs.UNSET if value is UNSET else value
