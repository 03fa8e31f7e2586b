"""The input types, and what each means to the domain. Rules about values are the domain's."""

from typing import Any

import strawberry
from strawberry import UNSET

from domain import inputs
from domain.errors import invalid
from domain.models import CaseStatus, LinkType, PartyKind
from gateway import globalids
from gateway.schema.scalars import DateTime, OrderDirection

_EXPECTED = (
    "The version the change was made for; if the object has changed since, the mutation is "
    "refused with `VERSION_CONFLICT`."
)
_IDEMPOTENCY = (
    "Any text of up to 255 characters. A second request with the same key within a day does "
    "nothing and returns what the first one made."
)
_NULL_CLEARS = " Left alone if absent, cleared by null."


def described(description: str, **options: Any) -> Any:
    return strawberry.field(description=description, **options)


@strawberry.input(description="A span of time; every bound that is given must hold.")
class DateRange:
    gte: DateTime | None = described("At or after.", default=None)
    gt: DateTime | None = described("After.", default=None)
    lte: DateTime | None = described("At or before.", default=None)
    lt: DateTime | None = described("Before.", default=None)

    def to_domain(self) -> inputs.DateRange:
        return inputs.DateRange(self.gte, self.gt, self.lte, self.lt)


@strawberry.input(description="A party of the case for which all that is given holds.")
class PartyFilter:
    id: strawberry.ID | None = described("This party.", default=None)
    search: str | None = described(
        "Part of the name, folded as in `CaseFilter.search`.", default=None
    )
    kind: list[PartyKind] | None = described("Any of these kinds.", default=None)
    role: list[str] | None = described("In any of these roles.", default=None)

    def to_domain(self) -> inputs.PartyFilter:
        id = None if self.id is None else globalids.local(self.id, "Party")
        return inputs.PartyFilter(id, self.search, _values(self.kind), self.role)


@strawberry.input(description="A staff member on the case for whom all that is given holds.")
class StaffFilter:
    id: strawberry.ID | None = described("This staff member.", default=None)
    search: str | None = described(
        "Part of the name or email, folded as in `CaseFilter.search`.", default=None
    )
    role: list[str] | None = described("In any of these roles.", default=None)

    def to_domain(self) -> inputs.StaffFilter:
        id = None if self.id is None else globalids.local(self.id, "Staff")
        return inputs.StaffFilter(id, self.search, self.role)


@strawberry.input(
    description="Which cases: every condition that is given must hold. An empty list of choices "
    "matches none."
)
class CaseFilter:
    status: list[CaseStatus] | None = described("Any of these.", default=None)
    type: list[str] | None = described("Any of these types.", default=None)
    dezernat: list[str] | None = described("Any of these departments.", default=None)
    search: str | None = described(
        "Part of the name or file number. Case and accents do not count, nor separators in file "
        "numbers, and ä, ae and "
        "a are the same: `muller` finds Müller and Mueller, `az 2026/042` finds AZ-2026-042.",
        default=None,
    )
    file_number: str | None = described("Exactly this file number.", default=None)
    party: PartyFilter | None = described("Has such a party.", default=None)
    staff: StaffFilter | None = described("Has such a staff member.", default=None)
    created_at: DateRange | None = described("Opened within this span.", default=None)
    updated_at: DateRange | None = described("Changed last within this span.", default=None)
    and_: list["CaseFilter"] | None = described("All of these hold.", name="and", default=None)
    or_: list["CaseFilter"] | None = described(
        "At least one of these holds.", name="or", default=None
    )
    not_: "CaseFilter | None" = described("This does not hold.", name="not", default=None)

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
        )


@strawberry.input(description="The order of a list of cases.")
class CaseOrder:
    field: inputs.CaseOrderField = described("What to order by.")
    direction: OrderDirection = described("Which way.", default=OrderDirection.ASC)

    def to_domain(self) -> inputs.CaseOrder:
        return inputs.CaseOrder(self.field, self.direction is OrderDirection.DESC)


@strawberry.input(description="A party to be entered.")
class NewPartyInput:
    name: str = described("The full name, 1 to 500 characters.")
    kind: PartyKind = described("What the party is.", default=PartyKind.PERSON)

    def to_domain(self) -> inputs.NewParty:
        return inputs.NewParty(self.name, self.kind.value)


@strawberry.input(description="A staff member to be entered.")
class NewStaffInput:
    name: str = described("The full name, 1 to 500 characters.")
    email: str | None = described("The address at the firm.", default=None)

    def to_domain(self) -> inputs.NewStaff:
        return inputs.NewStaff(self.name, self.email)


@strawberry.input(description="A party and its role in a case: exactly one of `partyId` and `new`.")
class CasePartyInput:
    party_id: strawberry.ID | None = described("A party that is known.", default=None)
    new: NewPartyInput | None = described("A party to be entered.", default=None)
    role: str = described("A lower-case word, like `client`.")
    reference: str | None = described("The party's own reference for the case.", default=None)

    def to_domain(self, index: int) -> inputs.PartyRole:
        if (self.party_id is None) == (self.new is None):
            raise invalid("Exactly one of partyId and new must be given.", "parties", str(index))
        if self.new is not None:
            return inputs.PartyRole(self.new.to_domain(), self.role, self.reference)
        id = globalids.local(str(self.party_id), "Party")
        return inputs.PartyRole(id, self.role, self.reference)


@strawberry.input(
    description="A staff member and their role in a case: exactly one of `staffId` and `new`."
)
class CaseStaffInput:
    staff_id: strawberry.ID | None = described("A staff member who is known.", default=None)
    new: NewStaffInput | None = described("A staff member to be entered.", default=None)
    role: str = described("A lower-case word, like `lead_attorney`.")
    note: str | None = described("A note on the assignment.", default=None)

    def to_domain(self, index: int) -> inputs.StaffRole:
        if (self.staff_id is None) == (self.new is None):
            raise invalid("Exactly one of staffId and new must be given.", "staff", str(index))
        if self.new is not None:
            return inputs.StaffRole(self.new.to_domain(), self.role, self.note)
        id = globalids.local(str(self.staff_id), "Staff")
        return inputs.StaffRole(id, self.role, self.note)


@strawberry.input(description="A case to be opened, all or nothing.")
class CreateCaseInput:
    name: str = described("The short title, 1 to 500 characters.")
    file_number: str | None = described(
        "The firm's own reference, up to 100 characters; no other case may have it.", default=None
    )
    status: CaseStatus = described("Where it stands.", default=CaseStatus.ACTIVE)
    type: str | None = described("A lower-case word, like `litigation`.", default=None)
    description: str | None = described("Up to 20,000 characters.", default=None)
    dezernat: str | None = described("The department, up to 200 characters.", default=None)
    parties: list[CasePartyInput] = described("Up to 1,000.", default_factory=list)
    staff: list[CaseStaffInput] = described("Up to 200.", default_factory=list)
    idempotency_key: str | None = described(_IDEMPOTENCY, default=None)

    def to_domain(self) -> inputs.NewCase:
        return inputs.NewCase(
            name=self.name,
            file_number=self.file_number,
            status=self.status.value,
            type=self.type,
            description=self.description,
            dezernat=self.dezernat,
            parties=[role.to_domain(index) for index, role in enumerate(self.parties)],
            staff=[role.to_domain(index) for index, role in enumerate(self.staff)],
        )


@strawberry.input(description="What to change in a case.")
class UpdateCaseInput:
    id: strawberry.ID = described("The case.")
    name: str | None = described("The short title; cannot be cleared.", default=UNSET)
    file_number: str | None = described("The firm's own reference." + _NULL_CLEARS, default=UNSET)
    status: CaseStatus | None = described("Where it stands; cannot be cleared.", default=UNSET)
    type: str | None = described("A lower-case word." + _NULL_CLEARS, default=UNSET)
    description: str | None = described("What it is about." + _NULL_CLEARS, default=UNSET)
    dezernat: str | None = described("The department." + _NULL_CLEARS, default=UNSET)
    expected_version: int | None = described(_EXPECTED, default=None)

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


@strawberry.input(description="Which case to delete.")
class DeleteCaseInput:
    id: strawberry.ID = described("The case.")
    expected_version: int | None = described(_EXPECTED, default=None)


@strawberry.input(description="A party to be entered.")
class CreatePartyInput(NewPartyInput):
    idempotency_key: str | None = described(_IDEMPOTENCY, default=None)


@strawberry.input(description="What to change in a party.")
class UpdatePartyInput:
    id: strawberry.ID = described("The party.")
    name: str | None = described("The full name; cannot be cleared.", default=UNSET)
    kind: PartyKind | None = described("What it is; cannot be cleared.", default=UNSET)
    expected_version: int | None = described(_EXPECTED, default=None)

    def to_domain(self) -> inputs.PartyChanges:
        kind = self.kind.value if isinstance(self.kind, PartyKind) else self.kind
        return inputs.PartyChanges(_maybe(self.name), _maybe(kind))


@strawberry.input(description="A staff member to be entered.")
class CreateStaffInput(NewStaffInput):
    idempotency_key: str | None = described(_IDEMPOTENCY, default=None)


@strawberry.input(description="What to change in a staff member.")
class UpdateStaffInput:
    id: strawberry.ID = described("The staff member.")
    name: str | None = described("The full name; cannot be cleared.", default=UNSET)
    email: str | None = described("The address at the firm." + _NULL_CLEARS, default=UNSET)
    expected_version: int | None = described(_EXPECTED, default=None)

    def to_domain(self) -> inputs.StaffChanges:
        return inputs.StaffChanges(_maybe(self.name), _maybe(self.email))


@strawberry.input(description="Parties to be added to a case.")
class AddCasePartiesInput:
    case_id: strawberry.ID = described("The case.")
    parties: list[CasePartyInput] = described("At least one; none that has its role already.")
    expected_version: int | None = described(_EXPECTED, default=None)
    idempotency_key: str | None = described(_IDEMPOTENCY, default=None)


@strawberry.input(description="All the parties a case is to have.")
class ReplaceCasePartiesInput:
    case_id: strawberry.ID = described("The case.")
    parties: list[CasePartyInput] = described("In this order; an empty list removes all.")
    expected_version: int | None = described(_EXPECTED, default=None)


@strawberry.input(description="Parties to be removed from a case; they stay in the register.")
class RemoveCasePartiesInput:
    case_id: strawberry.ID = described("The case.")
    party_ids: list[strawberry.ID] = described("At least one; each must be in the case.")
    role: str | None = described("Only from this role; from all if absent.", default=None)
    expected_version: int | None = described(_EXPECTED, default=None)


@strawberry.input(description="Staff to be assigned to a case.")
class AssignStaffInput:
    case_id: strawberry.ID = described("The case.")
    staff: list[CaseStaffInput] = described("At least one; none who has the role already.")
    expected_version: int | None = described(_EXPECTED, default=None)
    idempotency_key: str | None = described(_IDEMPOTENCY, default=None)


@strawberry.input(description="Staff to be taken off a case.")
class UnassignStaffInput:
    case_id: strawberry.ID = described("The case.")
    staff_ids: list[strawberry.ID] = described("At least one; each must be assigned to the case.")
    role: str | None = described("Only from this role; from all if absent.", default=None)
    expected_version: int | None = described(_EXPECTED, default=None)


@strawberry.input(description="Two cases to be linked.")
class LinkCasesInput:
    case_id: strawberry.ID = described("The case to link from.")
    linked_case_id: strawberry.ID = described("The case to link to; another one.")
    type: LinkType = described("What the linked case is to the case.")
    expected_version: int | None = described(_EXPECTED, default=None)
    idempotency_key: str | None = described(_IDEMPOTENCY, default=None)


@strawberry.input(description="A link to be removed, at both ends.")
class UnlinkCasesInput:
    link_id: strawberry.ID = described("The link, as seen from either end.")
    expected_version: int | None = described(
        "The version of the case the link is seen from. " + _EXPECTED, default=None
    )


def _values(members: list[Any] | None) -> list[str] | None:
    return None if members is None else [member.value for member in members]


def _converted(given: Any) -> Any:
    return None if given is None else given.to_domain()


def _maybe(value: Any) -> Any:
    return inputs.UNSET if value is UNSET else value
