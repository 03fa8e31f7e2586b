"""The root mutation fields and their payloads. The domain decides; refusals become userErrors.

One file, long as it is: each of the twenty is a payload and a call, and all read alike.
"""

from typing import Any

import strawberry

from domain.access.principal import Scope
from domain.inputs import RoleKey
from domain.writing import cases, links, merging, register, roles
from gateway import globalids
from gateway.execution.context import Info
from gateway.execution.declarations import shown_as
from gateway.schema import inputs
from gateway.schema.refusals import UserError, UserWarning, camel_case, refusable, user_errors
from gateway.schema.types import Case, CaseLink, CaseParty, CaseStaff, Party, Staff
from gateway.schema.webhooks import WebhookMutations

_WRITE = " Needs `cases:write`."
_CONFLICT = " After `VERSION_CONFLICT` it is the object as it is now, if the key has `cases:read`."
_WRITE_OR_READ = " Needs `cases:write`, and also `cases:read` if nothing changes."


def _object(description: str) -> Any:
    return strawberry.field(description=description, default=None)


def _user_warnings(what: str) -> Any:
    return strawberry.field(
        description=f"What was done but may not have been meant, like a second {what} of the same "
        "name and role.",
        default_factory=list,
    )


@strawberry.type(description="The new case, or why the mutation was refused.")
class CreateCasePayload:
    case: Case | None = _object("The case in its current state; null if the mutation was refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The updated case, or why the mutation was refused.")
class UpdateCasePayload:
    case: Case | None = _object(
        "The case in its current state; null if the mutation was refused." + _CONFLICT
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The deleted case, or why the mutation was refused.")
class DeleteCasePayload:
    case: Case | None = _object(
        "The deleted case, which can no longer be read; null if the mutation was refused."
        + _CONFLICT
    )
    deleted_case_id: strawberry.ID | None = _object(
        "The global id of the deleted case; null if the mutation was refused."
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The new party, or why the mutation was refused.")
class CreatePartyPayload:
    party: Party | None = _object(
        "The party in its current state; null if the mutation was refused."
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The updated party, or why the mutation was refused.")
class UpdatePartyPayload:
    party: Party | None = _object(
        "The party in its current state; null if the mutation was refused." + _CONFLICT
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The new staff member, or why the mutation was refused.")
class CreateStaffPayload:
    staff: Staff | None = _object(
        "The staff member in their current state; null if the mutation was refused."
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The updated staff member, or why the mutation was refused.")
class UpdateStaffPayload:
    staff: Staff | None = _object(
        "The staff member in their current state; null if the mutation was refused." + _CONFLICT
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The restored case, or why the mutation was refused.")
class RestoreCasePayload:
    case: Case | None = _object("The case in its current state; null if the mutation was refused.")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The deleted party, or why the mutation was refused.")
class DeletePartyPayload:
    party: Party | None = _object(
        "The party as it was, which can no longer be read; null if the mutation was refused or had "
        "been carried out before (see `idempotencyKey`)." + _CONFLICT
    )
    deleted_party_id: strawberry.ID | None = _object(
        "The global id of the deleted party; null if the mutation was refused."
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The deleted staff member, or why the mutation was refused.")
class DeleteStaffPayload:
    staff: Staff | None = _object(
        "The staff member as they were, who can no longer be read; null if the mutation was "
        "refused or had been carried out before (see `idempotencyKey`)." + _CONFLICT
    )
    deleted_staff_id: strawberry.ID | None = _object(
        "The global id of the deleted staff member; null if the mutation was refused."
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The party that was kept, or why the mutation was refused.")
class MergePartiesPayload:
    party: Party | None = _object(
        "The party that was kept, in its current state; null if the mutation was refused."
    )
    merged_party_id: strawberry.ID | None = _object(
        "The global id of the party that went, which leads to the other now; null if the mutation "
        "was refused, or only tried."
    )
    cases: int = strawberry.field(
        description="The number of cases in which the kept party stands for the other now.",
        default=0,
    )
    moved_roles: int = strawberry.field(
        description="The number of roles that the kept party took over.", default=0
    )
    joined_roles: int = strawberry.field(
        description="The number of roles that both had in one case, which are one now.", default=0
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The case with its parties, or why the mutation was refused.")
class AddCasePartiesPayload:
    case: Case | None = _object(
        "The case in its current state; null if the mutation was refused." + _CONFLICT
    )
    warnings: list[UserWarning] = _user_warnings("party")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The case with its parties, or why the mutation was refused.")
class ReplaceCasePartiesPayload:
    case: Case | None = _object(
        "The case in its current state; null if the mutation was refused." + _CONFLICT
    )
    warnings: list[UserWarning] = _user_warnings("party")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The case with its parties, or why the mutation was refused.")
class RemoveCasePartiesPayload:
    case: Case | None = _object(
        "The case in its current state; null if the mutation was refused." + _CONFLICT
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The changed role, or why the mutation was refused.")
class UpdateCasePartyPayload:
    case_party: CaseParty | None = _object(
        "The role in its current state; null if the mutation was refused."
    )
    case: Case | None = _object(
        "Its case in its current state; null if the mutation was refused." + _CONFLICT
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The changed role, or why the mutation was refused.")
class UpdateCaseStaffPayload:
    case_staff: CaseStaff | None = _object(
        "The role in its current state; null if the mutation was refused."
    )
    case: Case | None = _object(
        "Its case in its current state; null if the mutation was refused." + _CONFLICT
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The case with its staff, or why the mutation was refused.")
class AssignStaffPayload:
    case: Case | None = _object(
        "The case in its current state; null if the mutation was refused." + _CONFLICT
    )
    warnings: list[UserWarning] = _user_warnings("staff member")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The case with its staff, or why the mutation was refused.")
class UnassignStaffPayload:
    case: Case | None = _object(
        "The case in its current state; null if the mutation was refused." + _CONFLICT
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The new link, or why the mutation was refused.")
class LinkCasesPayload:
    link: CaseLink | None = _object(
        "The link as seen from `caseId`; null if the mutation was refused."
    )
    case: Case | None = _object(
        "The case `caseId` in its current state; null if the mutation was refused." + _CONFLICT
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The removed link, or why the mutation was refused.")
class UnlinkCasesPayload:
    link: CaseLink | None = _object(
        "The removed link, with its cases in their current state; null if the mutation was refused "
        "or had been carried out before (see `idempotencyKey`)."
    )
    case: Case | None = _object(
        "The case that the link was seen from, in its current state; null if the mutation was "
        "refused." + _CONFLICT
    )
    deleted_link_id: strawberry.ID | None = _object(
        "The global id of the removed link; null if the mutation was refused."
    )
    user_errors: list[UserError] = user_errors()


@strawberry.type(
    description="All write operations. Each mutation takes effect entirely or not at all."
)
class Mutation(WebhookMutations):
    @refusable(CreateCasePayload, "Open a case, together with its parties and staff." + _WRITE)
    async def create_case(info: Info, input: inputs.CreateCaseInput) -> CreateCasePayload | None:
        case = await cases.create_case(
            info.context.who,
            info.context.services.database,
            input.to_domain(),
            idempotency_key=input.idempotency_key,
        )
        return CreateCasePayload(case=shown_as(Case, case))

    @refusable(UpdateCasePayload, "Update a case; absent fields stay unchanged." + _WRITE_OR_READ)
    async def update_case(info: Info, input: inputs.UpdateCaseInput) -> UpdateCasePayload | None:
        case = await cases.update_case(
            info.context.who,
            info.context.services.database,
            _case(input.id),
            input.to_domain(),
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return UpdateCasePayload(case=shown_as(Case, case))

    @refusable(
        DeleteCasePayload,
        "Delete a case: it and its links are hidden everywhere. Needs `cases:delete`.",
        scope=Scope.CASES_DELETE,
    )
    async def delete_case(info: Info, input: inputs.DeleteCaseInput) -> DeleteCasePayload | None:
        case = await cases.delete_case(
            info.context.who,
            info.context.services.database,
            _case(input.id),
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return DeleteCasePayload(
            case=shown_as(Case, case),
            deleted_case_id=strawberry.ID(globalids.of(case)),
        )

    @refusable(
        RestoreCasePayload,
        "Show a deleted case again, without its links. Needs `cases:delete`.",
        scope=Scope.CASES_DELETE,
    )
    async def restore_case(info: Info, input: inputs.RestoreCaseInput) -> RestoreCasePayload | None:
        case = await cases.restore_case(
            info.context.who,
            info.context.services.database,
            _case(input.id),
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return RestoreCasePayload(case=shown_as(Case, case))

    @refusable(
        DeletePartyPayload,
        "Delete a party that no case names. Needs `cases:delete`.",
        scope=Scope.CASES_DELETE,
    )
    async def delete_party(info: Info, input: inputs.DeletePartyInput) -> DeletePartyPayload | None:
        id = globalids.local(input.id, "Party")
        party = await register.delete_party(
            info.context.who,
            info.context.services.database,
            id,
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return DeletePartyPayload(
            party=None if party is None else shown_as(Party, party),
            deleted_party_id=strawberry.ID(globalids.encode("Party", party.id if party else id)),
        )

    @refusable(
        DeleteStaffPayload,
        "Delete a staff member whom no case names. Needs `cases:delete`.",
        scope=Scope.CASES_DELETE,
    )
    async def delete_staff(info: Info, input: inputs.DeleteStaffInput) -> DeleteStaffPayload | None:
        id = globalids.local(input.id, "Staff")
        staff = await register.delete_staff(
            info.context.who,
            info.context.services.database,
            id,
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return DeleteStaffPayload(
            staff=None if staff is None else shown_as(Staff, staff),
            deleted_staff_id=strawberry.ID(globalids.encode("Staff", id)),
        )

    @refusable(
        MergePartiesPayload,
        "Merge two parties that are one and the same. Needs `cases:write` and `cases:delete`.",
        scope=Scope.CASES_DELETE,
    )
    async def merge_parties(
        info: Info, input: inputs.MergePartiesInput
    ) -> MergePartiesPayload | None:
        merge_id = globalids.local(input.merge_id, "Party")
        merged = await merging.merge_parties(
            info.context.who,
            info.context.services.database,
            globalids.local(input.keep_id, "Party"),
            merge_id,
            dry_run=input.dry_run,
            idempotency_key=input.idempotency_key,
        )
        gone = None if input.dry_run else strawberry.ID(globalids.encode("Party", merge_id))
        return MergePartiesPayload(
            party=shown_as(Party, merged.party),
            merged_party_id=gone,
            cases=merged.cases,
            moved_roles=merged.moved,
            joined_roles=merged.joined,
        )

    @refusable(CreatePartyPayload, "Create a party." + _WRITE)
    async def create_party(info: Info, input: inputs.CreatePartyInput) -> CreatePartyPayload | None:
        party = await register.create_party(
            info.context.who,
            info.context.services.database,
            input.to_domain(),
            idempotency_key=input.idempotency_key,
        )
        return CreatePartyPayload(party=shown_as(Party, party))

    @refusable(UpdatePartyPayload, "Update a party; absent fields stay unchanged." + _WRITE_OR_READ)
    async def update_party(info: Info, input: inputs.UpdatePartyInput) -> UpdatePartyPayload | None:
        party = await register.update_party(
            info.context.who,
            info.context.services.database,
            globalids.local(input.id, "Party"),
            input.to_domain(),
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return UpdatePartyPayload(party=shown_as(Party, party))

    @refusable(CreateStaffPayload, "Create a staff member." + _WRITE)
    async def create_staff(info: Info, input: inputs.CreateStaffInput) -> CreateStaffPayload | None:
        staff = await register.create_staff(
            info.context.who,
            info.context.services.database,
            input.to_domain(),
            idempotency_key=input.idempotency_key,
        )
        return CreateStaffPayload(staff=shown_as(Staff, staff))

    @refusable(
        UpdateStaffPayload, "Update a staff member; absent fields stay unchanged." + _WRITE_OR_READ
    )
    async def update_staff(info: Info, input: inputs.UpdateStaffInput) -> UpdateStaffPayload | None:
        staff = await register.update_staff(
            info.context.who,
            info.context.services.database,
            globalids.local(input.id, "Staff"),
            input.to_domain(),
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return UpdateStaffPayload(staff=shown_as(Staff, staff))

    @refusable(
        AddCasePartiesPayload,
        "Add parties to a case, after those already in it." + _WRITE,
        id="case_id",
    )
    async def add_case_parties(
        info: Info, input: inputs.AddCasePartiesInput
    ) -> AddCasePartiesPayload | None:
        written = await roles.add_parties(
            info.context.who,
            info.context.services.database,
            _case(input.case_id),
            [role.to_domain() for role in input.parties],
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return AddCasePartiesPayload(case=shown_as(Case, written.case), warnings=_warnings(written))

    @refusable(
        ReplaceCasePartiesPayload,
        "Replace all parties of a case, in the order given." + _WRITE_OR_READ,
        id="case_id",
    )
    async def replace_case_parties(
        info: Info, input: inputs.ReplaceCasePartiesInput
    ) -> ReplaceCasePartiesPayload | None:
        written = await roles.replace_parties(
            info.context.who,
            info.context.services.database,
            _case(input.case_id),
            [role.to_domain() for role in input.parties],
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return ReplaceCasePartiesPayload(
            case=shown_as(Case, written.case), warnings=_warnings(written)
        )

    @refusable(
        UpdateCasePartyPayload,
        "Change a party's role in a case, or its reference; absent fields stay unchanged."
        + _WRITE_OR_READ,
        remark="reference",
    )
    async def update_case_party(
        info: Info, input: inputs.UpdateCasePartyInput
    ) -> UpdateCasePartyPayload | None:
        role = await roles.update_party_role(
            info.context.who,
            info.context.services.database,
            _role(input.id, "CaseParty"),
            input.to_domain(),
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return UpdateCasePartyPayload(
            case_party=shown_as(CaseParty, role), case=shown_as(Case, role.case)
        )

    @refusable(
        UpdateCaseStaffPayload,
        "Change a staff member's role in a case, or the note; absent fields stay unchanged."
        + _WRITE_OR_READ,
        remark="note",
    )
    async def update_case_staff(
        info: Info, input: inputs.UpdateCaseStaffInput
    ) -> UpdateCaseStaffPayload | None:
        role = await roles.update_staff_role(
            info.context.who,
            info.context.services.database,
            _role(input.id, "CaseStaff"),
            input.to_domain(),
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return UpdateCaseStaffPayload(
            case_staff=shown_as(CaseStaff, role), case=shown_as(Case, role.case)
        )

    @refusable(
        RemoveCasePartiesPayload,
        "Remove parties from a case; the parties themselves are not deleted." + _WRITE,
        id="case_id",
        parties="party_ids",
    )
    async def remove_case_parties(
        info: Info, input: inputs.RemoveCasePartiesInput
    ) -> RemoveCasePartiesPayload | None:
        case = await roles.remove_parties(
            info.context.who,
            info.context.services.database,
            _case(input.case_id),
            [_role_or_id(id, "CaseParty", "Party") for id in input.party_ids],
            role=input.role,
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return RemoveCasePartiesPayload(case=shown_as(Case, case))

    @refusable(
        AssignStaffPayload,
        "Assign staff to a case, after those already assigned." + _WRITE,
        id="case_id",
    )
    async def assign_staff(info: Info, input: inputs.AssignStaffInput) -> AssignStaffPayload | None:
        written = await roles.assign_staff(
            info.context.who,
            info.context.services.database,
            _case(input.case_id),
            [role.to_domain() for role in input.staff],
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return AssignStaffPayload(case=shown_as(Case, written.case), warnings=_warnings(written))

    @refusable(
        UnassignStaffPayload,
        "Take staff off a case; the staff members themselves are not deleted." + _WRITE,
        id="case_id",
        staff="staff_ids",
    )
    async def unassign_staff(
        info: Info, input: inputs.UnassignStaffInput
    ) -> UnassignStaffPayload | None:
        case = await roles.unassign_staff(
            info.context.who,
            info.context.services.database,
            _case(input.case_id),
            [_role_or_id(id, "CaseStaff", "Staff") for id in input.staff_ids],
            role=input.role,
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return UnassignStaffPayload(case=shown_as(Case, case))

    @refusable(LinkCasesPayload, "Link two cases; both show the link." + _WRITE, id="case_id")
    async def link_cases(info: Info, input: inputs.LinkCasesInput) -> LinkCasesPayload | None:
        written = await links.link_cases(
            info.context.who,
            info.context.services.database,
            _case(input.case_id),
            _case(input.linked_case_id),
            input.type.value,
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        return LinkCasesPayload(
            link=shown_as(CaseLink, written.link), case=shown_as(Case, written.case)
        )

    @refusable(UnlinkCasesPayload, "Remove a link from both cases." + _WRITE, id="link_id")
    async def unlink_cases(info: Info, input: inputs.UnlinkCasesInput) -> UnlinkCasesPayload | None:
        written = await links.unlink_cases(
            info.context.who,
            info.context.services.database,
            globalids.local(input.link_id, "CaseLink"),
            case_id=globalids.link_owner(input.link_id),
            expected_version=input.expected_version,
            idempotency_key=input.idempotency_key,
        )
        link_id = globalids.local(input.link_id, "CaseLink")
        return UnlinkCasesPayload(
            link=None if written.link is None else shown_as(CaseLink, written.link),
            case=shown_as(Case, written.case),
            deleted_link_id=strawberry.ID(globalids.encode("CaseLink", (written.case.id, link_id))),
        )


def _case(id: str) -> str:
    return globalids.local(id, "Case")


def _role_or_id(id: str, role: str, node: str) -> str | RoleKey:
    """The key of a role, or the id of a party or staff member."""
    key: RoleKey | None = globalids.key_of(id, role)
    return globalids.local(id, node) if key is None else key


def _role(id: str, name: str) -> RoleKey:
    """The key of a role; one that no role has if *id* is no role's."""
    key: RoleKey | None = globalids.key_of(id, name)
    return (id, 0) if key is None else key


def _warnings(written: roles.Written) -> list[UserWarning]:
    return [
        UserWarning(message=one.message, field=[camel_case(part) for part in one.field])
        for one in written.warnings
    ]
