"""The roles in a case: its parties and the staff assigned to it.

A party or staff member may have several roles in one case, but each role only once. Both kinds
of role follow the same rules, so they are in one file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import CaseNotFound
from domain.ids import canonical_case_id
from domain.inputs import (
    ExpectedVersion,
    PartyRole,
    RoleChanges,
    RoleKey,
    StaffRole,
    mentioned,
)
from domain.models import Case, CaseParty, CaseStaff, Change
from domain.storage.database import Database
from domain.writing import idempotency, role_rows, rows
from domain.writing import wanted as wanted_roles
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES, Role, RoleTable
from domain.writing.timeline import NewEvent
from domain.writing.wanted import Given, Warned


@dataclass(frozen=True, slots=True)
class Written:
    """A case as a call left it, the roles that the call added, and what may not have been meant.

    A retry of a completed call adds none.
    """

    case: Case
    given: Sequence[Given] = ()
    warnings: Sequence[Warned] = ()


async def add_parties(
    who: Principal,
    database: Database,
    case_id: str,
    roles: Sequence[PartyRole],
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Written:
    """Add parties to a case, each in a role.

    Raises CaseNotFound, PartyNotFound, VersionConflict, Invalid, IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    return await _add(
        who,
        database,
        case_id,
        PARTY_ROLES,
        wanted_roles.parties(roles),
        expected_version,
        idempotency_key,
    )


async def replace_parties(
    who: Principal,
    database: Database,
    case_id: str,
    roles: Sequence[PartyRole],
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Written:
    """Make *roles* the parties of a case, in that order. Raises the errors of add_parties().

    A role that the case already has stays the same: its number, the time it was added, and its
    reference unless another is given. If nothing changes at all, see cases.update_case().
    """
    who.require(Scope.CASES_WRITE)
    table = PARTY_ROLES
    check = Check()
    wanted = wanted_roles.checked(check, table, wanted_roles.parties(roles))
    case_id = canonical_case_id(case_id) or case_id
    async with idempotency.once(
        who, database, check, idempotency_key, "replace_parties", case_id, list(roles)
    ) as call:
        db, call.result = call.db, case_id
        if call.before:
            return Written(await rows.case_to_change(db, who, case_id, field=idempotency.FIELD))
        case = await rows.case_to_change(db, who, case_id, expected_version)
        before = await role_rows.roles_of(db, who, table, case.id)
        wanted, names = await wanted_roles.check_known(check, db, who, table, wanted)
        check.done()
        previous = {(role.node_id, role.role): role for role in before}
        wanted = [wanted_roles.kept(one, previous) for one in wanted]
        if [wanted_roles.Wanted(role.node_id, role.role, role.remark) for role in before] == wanted:
            who.require(Scope.CASES_READ)
            return Written(case)
        first = await role_rows.next_position(db, who, case.id, len(wanted))
        after = await wanted_roles.resolve(call, who, table, case.id, wanted, names, first)
        given = [
            replace(one, role=replace(one.role, since=old.since, number=old.number))
            if (old := previous.get((one.role.node_id, one.role.role)))
            else one
            for one in after.given
        ]
        after = replace(after, given=given)
        await role_rows.delete_roles(db, who.workspace_id, table, before)
        await role_rows.insert_roles(db, who.workspace_id, table, after.roles)
        gone = {role.node_id for role in before} - after.names.keys()
        all_names = {**after.names, **await rows.names_of(db, who.workspace_id, table.kind, gone)}
        descriptions = role_rows.described(table, before, all_names), after.described()
        event = _event("parties_replaced", case, table, *descriptions)
        # Roles that stay are not told anew, but they may have changed places.
        order = Change(
            f"{table.field}_order",
            [role.number for role in before],
            [role.number or role.position for role in after.roles],
        )
        call.events.append(replace(event, changes=[*event.changes, order]))
        warnings = wanted_roles.doubled(table, wanted, before, all_names)
        return Written(await rows.touch(db, who, case), given, warnings)


async def update_party_role(
    who: Principal,
    database: Database,
    key: RoleKey,
    changes: RoleChanges,
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> CaseParty:
    """Change a party's role in a case, or its reference there; see also cases.update_case().

    *expected_version* is the case's. Raises PartyNotFound if there is no such role or case,
    VersionConflict, Invalid, IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    role, case, party = await _update(
        who, database, PARTY_ROLES, key, changes, expected_version, idempotency_key
    )
    return CaseParty(
        case.id, role.number, role.node_id, role.role, role.remark, role.since, party, case
    )


async def update_staff_role(
    who: Principal,
    database: Database,
    key: RoleKey,
    changes: RoleChanges,
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> CaseStaff:
    """Change a staff member's role in a case, or the note on it; see update_party_role()."""
    who.require(Scope.CASES_WRITE)
    role, case, member = await _update(
        who, database, STAFF_ROLES, key, changes, expected_version, idempotency_key
    )
    return CaseStaff(
        case.id, role.number, role.node_id, role.role, role.remark, role.since, member, case
    )


async def remove_parties(
    who: Principal,
    database: Database,
    case_id: str,
    parties: Sequence[str | RoleKey],
    *,
    role: str | None = None,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Case:
    """Remove roles from a case: those named by key, and those of parties named by id.

    A party loses *role* only, or all its roles in the case if that is None. Raises CaseNotFound,
    PartyNotFound for one that is not in the case, VersionConflict, Invalid, IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    return await _remove(
        who, database, case_id, PARTY_ROLES, parties, role, expected_version, idempotency_key
    )


async def assign_staff(
    who: Principal,
    database: Database,
    case_id: str,
    roles: Sequence[StaffRole],
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Written:
    """Assign staff to a case, each in a role.

    Raises CaseNotFound, StaffNotFound, VersionConflict, Invalid, IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    return await _add(
        who,
        database,
        case_id,
        STAFF_ROLES,
        wanted_roles.staff(roles),
        expected_version,
        idempotency_key,
    )


async def unassign_staff(
    who: Principal,
    database: Database,
    case_id: str,
    staff: Sequence[str | RoleKey],
    *,
    role: str | None = None,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Case:
    """Take staff off a case; see remove_parties(). Raises StaffNotFound for one not on it."""
    who.require(Scope.CASES_WRITE)
    return await _remove(
        who, database, case_id, STAFF_ROLES, staff, role, expected_version, idempotency_key
    )


async def _add(
    who: Principal,
    database: Database,
    case_id: str,
    table: RoleTable,
    given: Sequence[tuple[Any, str, Any]],
    expected_version: ExpectedVersion,
    idempotency_key: str | None,
) -> Written:
    check = Check()
    if not given:
        check.wrong(f"At least one of the {table.field} must be given.", table.field)
    wanted = wanted_roles.checked(check, table, given)
    case_id = canonical_case_id(case_id) or case_id
    async with idempotency.once(
        who, database, check, idempotency_key, f"add_{table.field}", case_id, wanted
    ) as call:
        db, call.result = call.db, case_id
        if call.before:
            return Written(await rows.case_to_change(db, who, case_id, field=idempotency.FIELD))
        case = await rows.case_to_change(db, who, case_id, expected_version)
        present = await role_rows.roles_of(db, who, table, case.id)
        wanted, names = await wanted_roles.check_known(check, db, who, table, wanted)
        existing = {(role.node_id, role.role) for role in present}
        for index, one in enumerate(wanted):
            if (one.node, one.role) in existing:
                check.wrong(
                    "This party or staff member already has this role in the case.",
                    table.field,
                    str(index),
                    "role",
                )
        if len(present) + len(wanted) > table.most:
            check.wrong(f"A case may have at most {table.most} {table.field}.", table.field)
        check.done()
        first = await role_rows.next_position(db, who, case.id, len(wanted))
        added = await wanted_roles.resolve(call, who, table, case.id, wanted, names, first)
        await role_rows.insert_roles(db, who.workspace_id, table, added.roles)
        call.events.append(_event(table.added, case, table, [], added.described()))
        warnings = wanted_roles.doubled(
            table, wanted, *await wanted_roles.alike(db, who, table, present, wanted)
        )
        return Written(await rows.touch(db, who, case), added.given, warnings)


async def _remove(
    who: Principal,
    database: Database,
    case_id: str,
    table: RoleTable,
    named: Sequence[str | RoleKey],
    role: str | None,
    expected_version: ExpectedVersion,
    idempotency_key: str | None,
) -> Case:
    check = Check()
    if not named:
        check.wrong(f"At least one of the {table.field} must be named.", table.field)
    if role is not None:
        sought = check.word(role, "role", like=table.like)
        role = None if check.problems else sought
    case_id = canonical_case_id(case_id) or case_id
    async with idempotency.once(
        who, database, check, idempotency_key, f"remove_{table.field}", case_id, list(named), role
    ) as call:
        db, call.result = call.db, case_id
        if call.before:
            return await rows.case_to_change(db, who, case_id, field=idempotency.FIELD)
        case = await rows.case_to_change(db, who, case_id, expected_version)
        present = await role_rows.roles_of(db, who, table, case.id)
        leaving: dict[int, Role] = {}
        there = {found.node_id for found in present}
        unknown = {one for one in named if isinstance(one, str) and one not in there}
        kept = await rows.kept_ids(db, who, unknown) if table is PARTY_ROLES else {}
        for index, one in enumerate(named):
            one = kept.get(one, one) if isinstance(one, str) else one
            of_one = [
                found
                for found in present
                if one in (found.node_id, (found.case_id, found.number))
                and role in (None, found.role)
            ]
            if not of_one:
                where = "in this case" if role is None else "with this role in this case"
                shown = one if isinstance(one, str) else None
                check.refuse(table.absent(shown, (table.field, str(index)), where))
            leaving |= {found.number: found for found in of_one}
        check.done()
        gone = [found for found in present if found.number in leaving]
        await role_rows.delete_roles(db, who.workspace_id, table, gone)
        ids = {found.node_id for found in gone}
        names = await rows.names_of(db, who.workspace_id, table.kind, ids)
        call.events.append(
            _event(table.removed, case, table, role_rows.described(table, gone, names), [])
        )
        return await rows.touch(db, who, case)


async def _update(
    who: Principal,
    database: Database,
    table: RoleTable,
    key: RoleKey,
    changes: RoleChanges,
    expected_version: ExpectedVersion,
    idempotency_key: str | None,
) -> tuple[Role, Case, Any]:
    """Change a role in place; the role, its case and its party or staff member afterwards."""
    check = Check()
    values = mentioned(changes)
    if "role" in values:
        values["role"] = check.word(values["role"], "role", like=table.like)
    if "remark" in values:
        values["remark"] = check.optional_line(values["remark"], table.remark_max, table.remark)
    case_id, number = canonical_case_id(key[0]) or key[0], key[1]
    async with idempotency.once(
        who, database, check, idempotency_key, f"update_{table.field}", case_id, number, values
    ) as call:
        db, call.result = call.db, case_id
        field = idempotency.FIELD if call.before else ("id",)
        absent = table.absent(None, field)
        try:
            case = await rows.case_to_change(
                db, who, case_id, None if call.before else expected_version
            )
        except CaseNotFound:
            raise absent from None
        present = await role_rows.roles_of(db, who, table, case.id)
        before = next((role for role in present if role.number == number), None)
        if before is None:
            raise absent
        node = await table.to_change(db, who, before.node_id)
        if call.before:
            return before, case, node
        after = replace(before, **values)
        if any(
            (one.node_id, one.role) == (after.node_id, after.role)
            for one in present
            if one != before
        ):
            check.wrong("This party or staff member already has this role in the case.", "role")
        check.done()
        if after == before:
            who.require(Scope.CASES_READ)
            return before, case, node
        await role_rows.update_role(db, who.workspace_id, table, after)
        names = {node.id: node.name}
        [was], [now] = (
            role_rows.described(table, [before], names),
            role_rows.described(table, [after], names),
        )
        changed = [Change(table.field, was, now)]
        call.events.append(NewEvent(table.changed, case_id=case.id, changes=changed))
        return after, await rows.touch(db, who, case), node


def _event(
    event_type: str,
    case: Case,
    table: RoleTable,
    before: Sequence[dict[str, Any]],
    after: Sequence[dict[str, Any]],
) -> NewEvent:
    """The event that records the differences between two lists of roles."""
    now = {one["number"]: one for one in after}
    numbers = {one["number"] for one in before}
    changed = [
        Change(table.field, one, now.get(one["number"]))
        for one in before
        if one != now.get(one["number"])
    ]
    added = [Change(table.field, None, one) for one in after if one["number"] not in numbers]
    return NewEvent(event_type, case_id=case.id, changes=[*changed, *added])
