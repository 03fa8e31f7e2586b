"""The roles in a case: its parties and the staff assigned to it.

A party or staff member may have several roles in one case, but each role only once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import invalid
from domain.ids import canonical_case_id
from domain.inputs import ExpectedVersion, NewParty, NewStaff, PartyRole, StaffRole
from domain.models import Case, Change, Party, Staff
from domain.storage.database import Database, Transaction
from domain.writing import idempotency, register, role_rows, rows, timeline
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES, Role, RoleTable
from domain.writing.timeline import NewEvent


@dataclass(frozen=True, slots=True)
class Wanted:
    """A checked role: the node's id or a new node, the role, and the reference or note."""

    node: str | NewParty | NewStaff
    role: str
    remark: str | None


@dataclass(frozen=True, slots=True)
class Given:
    """A role that a call added; *node* is the party or staff member if the call created it."""

    role: Role
    node: Party | Staff | None


@dataclass(frozen=True, slots=True)
class Written:
    """A case as a call left it, and the roles that the call added.

    A retry of a completed call adds none.
    """

    case: Case
    given: Sequence[Given] = ()


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
    wanted = _checked(PARTY_ROLES, [_party(role) for role in roles])
    return await _add(
        who, database, case_id, PARTY_ROLES, wanted, expected_version, idempotency_key
    )


async def replace_parties(
    who: Principal,
    database: Database,
    case_id: str,
    roles: Sequence[PartyRole],
    *,
    expected_version: ExpectedVersion = None,
) -> Written:
    """Make *roles* the parties of a case, in that order. Raises the errors of add_parties().

    If they already are, nothing changes; see cases.update_case().
    """
    who.require(Scope.CASES_WRITE)
    wanted = _checked(PARTY_ROLES, [_party(role) for role in roles], may_be_empty=True)
    async with timeline.recorded(who, database) as (db, events):
        case = await rows.case_to_change(db, who, case_id, expected_version)
        before = await role_rows.roles_of(db, who, PARTY_ROLES, case.id)
        if [Wanted(role.node_id, role.role, role.remark) for role in before] == wanted:
            who.require(Scope.CASES_READ)
            return Written(case)
        first = await role_rows.next_position(db, who, case.id, len(wanted))
        after = await resolve(db, who, PARTY_ROLES, case.id, wanted, first, events)
        previous = {(role.node_id, role.role): role for role in before}
        given = [
            replace(one, role=replace(one.role, since=old.since))
            if (old := previous.get((one.role.node_id, one.role.role)))
            else one
            for one in after.given
        ]
        after = replace(after, given=given)
        await role_rows.delete_roles(db, who.workspace_id, PARTY_ROLES, before)
        await role_rows.insert_roles(db, who.workspace_id, PARTY_ROLES, after.roles)
        gone = {role.node_id for role in before} - after.names.keys()
        names = {**after.names, **await rows.names_of(db, who.workspace_id, "party", gone)}
        descriptions = described(PARTY_ROLES, before, names), after.described()
        events.append(_event("parties_replaced", case, PARTY_ROLES, *descriptions))
        return Written(await rows.touch(db, who, case), given)


async def remove_parties(
    who: Principal,
    database: Database,
    case_id: str,
    party_ids: Sequence[str],
    *,
    role: str | None = None,
    expected_version: ExpectedVersion = None,
) -> Case:
    """Remove parties from a case, from *role* only or from all their roles.

    Raises CaseNotFound, PartyNotFound for one that is not in the case, VersionConflict, Invalid.
    """
    who.require(Scope.CASES_WRITE)
    return await _remove(who, database, case_id, PARTY_ROLES, party_ids, role, expected_version)


async def assign_staff(
    who: Principal,
    database: Database,
    case_id: str,
    roles: Sequence[StaffRole],
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Written:
    """Assign staff to a case. Raises CaseNotFound, StaffNotFound, VersionConflict, Invalid."""
    who.require(Scope.CASES_WRITE)
    wanted = _checked(STAFF_ROLES, [_staff(role) for role in roles])
    return await _add(
        who, database, case_id, STAFF_ROLES, wanted, expected_version, idempotency_key
    )


async def unassign_staff(
    who: Principal,
    database: Database,
    case_id: str,
    staff_ids: Sequence[str],
    *,
    role: str | None = None,
    expected_version: ExpectedVersion = None,
) -> Case:
    """Remove staff from a case, from *role* only or from all their roles.

    Raises CaseNotFound, StaffNotFound for one not assigned to it, VersionConflict, Invalid.
    """
    who.require(Scope.CASES_WRITE)
    return await _remove(who, database, case_id, STAFF_ROLES, staff_ids, role, expected_version)


def checked_roles(check: Check, table: RoleTable, given: Sequence[Wanted]) -> list[Wanted]:
    """Check the roles of one list; refuse the same node twice in one role."""
    field = table.field
    if len(given) > table.most:
        check.wrong(f"A case may have at most {table.most} {field}.", field)
        return []
    checked: list[Wanted] = []
    seen: set[tuple[str, str]] = set()
    for index, wanted in enumerate(given):
        path = (field, str(index))
        role = check.word(wanted.role, *path, "role")
        remark = check.optional_line(wanted.remark, table.remark_max, *path, table.remark)
        node = wanted.node
        if isinstance(node, NewParty):
            node = register.checked_party(check, node, *path)
        elif isinstance(node, NewStaff):
            node = register.checked_staff(check, node, *path)
        else:
            node = check.identifier(node, *path, "id")
            if (node, role) in seen:
                check.wrong(
                    "A party or staff member must not have the same role twice.", *path, "id"
                )
            seen.add((node, role))
        checked.append(Wanted(node, role, remark))
    return checked


@dataclass(frozen=True, slots=True)
class Resolved:
    """Roles ready to be stored, and their nodes' names by id."""

    table: RoleTable
    given: Sequence[Given]
    names: Mapping[str, str]

    @property
    def roles(self) -> list[Role]:
        return [one.role for one in self.given]

    def described(self) -> list[dict[str, Any]]:
        """The roles as the timeline records them."""
        return described(self.table, self.roles, self.names)


async def resolve(
    db: Transaction,
    who: Principal,
    table: RoleTable,
    case_id: str,
    wanted: Sequence[Wanted],
    first: int,
    events: list[NewEvent],
) -> Resolved:
    """Turn *wanted* into roles, at positions from *first* on.

    Stores new parties and staff and adds their events. Raises PartyNotFound, StaffNotFound.
    """
    by_id = {one.node for one in wanted if isinstance(one.node, str)}
    names = await rows.names_of(db, who.workspace_id, table.kind, by_id)
    given: list[Given] = []
    parties: list[Party] = []
    staff: list[Staff] = []
    for index, one in enumerate(wanted):
        node: Party | Staff | None = None
        if isinstance(one.node, str):
            if one.node not in names:
                raise table.absent(one.node, (table.field, str(index), "id"))
            node_id = one.node
        elif isinstance(one.node, NewParty):
            node = register.party_of(one.node, db.now)
            parties.append(node)
            node_id = node.id
        else:
            node = register.staff_of(one.node, db.now)
            staff.append(node)
            node_id = node.id
        role = Role(case_id, first + index, node_id, one.role, one.remark, db.now)
        given.append(Given(role, node))
    await register.enter_parties(db, who, parties, events)
    await register.enter_staff(db, who, staff, events)
    new_names = {one.node.id: one.node.name for one in given if one.node is not None}
    return Resolved(table, given, names | new_names)


def described(
    table: RoleTable, given: Iterable[Role], names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Roles as the timeline records them."""
    return [
        {
            "id": role.node_id,
            "name": names[role.node_id],
            "role": role.role,
            table.remark: role.remark,
        }
        for role in given
    ]


async def _add(
    who: Principal,
    database: Database,
    case_id: str,
    table: RoleTable,
    wanted: list[Wanted],
    expected_version: ExpectedVersion,
    idempotency_key: str | None,
) -> Written:
    key = idempotency.checked(idempotency_key)
    case_id = canonical_case_id(case_id) or case_id
    request = idempotency.fingerprint(key, f"add_{table.field}", case_id, wanted)
    async with timeline.recorded(who, database) as (db, events):
        if before := await idempotency.replayed(db, who, key, request):
            return Written(await rows.case_to_change(db, who, before, field=idempotency.FIELD))
        case = await rows.case_to_change(db, who, case_id, expected_version)
        present = await role_rows.roles_of(db, who, table, case.id)
        existing = {(role.node_id, role.role) for role in present}
        check = Check()
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
        added = await resolve(db, who, table, case.id, wanted, first, events)
        await role_rows.insert_roles(db, who.workspace_id, table, added.roles)
        events.append(_event(table.added, case, table, [], added.described()))
        await idempotency.remember(db, who, key, request, case.id)
        return Written(await rows.touch(db, who, case), added.given)


async def _remove(
    who: Principal,
    database: Database,
    case_id: str,
    table: RoleTable,
    node_ids: Sequence[str],
    role: str | None,
    expected_version: ExpectedVersion,
) -> Case:
    if not node_ids:
        raise invalid(f"At least one of the {table.field} must be named.", table.field)
    async with timeline.recorded(who, database) as (db, events):
        case = await rows.case_to_change(db, who, case_id, expected_version)
        present = await role_rows.roles_of(db, who, table, case.id)
        ids = set(node_ids)
        leaving = [one for one in present if one.node_id in ids and role in (None, one.role)]
        leaving_ids = {one.node_id for one in leaving}
        for index, node_id in enumerate(node_ids):
            if node_id not in leaving_ids:
                raise table.absent(node_id, (table.field, str(index)))
        await role_rows.delete_roles(db, who.workspace_id, table, leaving)
        names = await rows.names_of(db, who.workspace_id, table.kind, leaving_ids)
        events.append(_event(table.removed, case, table, described(table, leaving, names), []))
        return await rows.touch(db, who, case)


def _event(
    event_type: str,
    case: Case,
    table: RoleTable,
    before: Sequence[dict[str, Any]],
    after: Sequence[dict[str, Any]],
) -> NewEvent:
    """The event that records the differences between two lists of roles."""
    removed = [Change(table.field, one, None) for one in before if one not in after]
    added = [Change(table.field, None, one) for one in after if one not in before]
    return NewEvent(event_type, case_id=case.id, changes=[*removed, *added])


def _checked(
    table: RoleTable, given: Sequence[Wanted], *, may_be_empty: bool = False
) -> list[Wanted]:
    check = Check()
    if not given and not may_be_empty:
        check.wrong(f"At least one of the {table.field} must be given.", table.field)
    checked = checked_roles(check, table, given)
    check.done()
    return checked


def _party(role: PartyRole) -> Wanted:
    return Wanted(role.party, role.role, role.reference)


def _staff(role: StaffRole) -> Wanted:
    return Wanted(role.staff, role.role, role.note)
