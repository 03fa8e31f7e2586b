"""The roles in a case: its parties and the staff assigned to it.

A party or staff member may have several roles in one case, but each role only once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain import folding
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import CaseNotFound
from domain.ids import canonical_case_id
from domain.inputs import (
    UNSET,
    ExpectedVersion,
    Maybe,
    NewParty,
    NewStaff,
    PartyRole,
    RoleChanges,
    RoleKey,
    StaffRole,
    Unclear,
    mentioned,
)
from domain.models import Case, CaseParty, CaseStaff, Change, Party, Staff
from domain.storage.database import Database, Transaction
from domain.writing import idempotency, register, role_rows, rows
from domain.writing.idempotency import Call
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES, Role, RoleTable
from domain.writing.timeline import NewEvent


@dataclass(frozen=True, slots=True)
class Wanted:
    """A checked role: the node's id or a new node, the role, and the reference or note."""

    node: str | NewParty | NewStaff
    role: str
    remark: str | Maybe | None


@dataclass(frozen=True, slots=True)
class Given:
    """A role that a call added; *node* is the party or staff member if the call created it."""

    role: Role
    node: Party | Staff | None


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that was done but may not have been meant; *field* is the place in the input."""

    message: str
    field: tuple[str, ...]


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
        wanted_parties(roles),
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
    wanted = checked_roles(check, table, wanted_parties(roles))
    case_id = canonical_case_id(case_id) or case_id
    async with idempotency.once(
        who, database, check, idempotency_key, "replace_parties", case_id, list(roles)
    ) as call:
        db, call.result = call.db, case_id
        if call.before:
            return Written(await rows.case_to_change(db, who, case_id, field=idempotency.FIELD))
        case = await rows.case_to_change(db, who, case_id, expected_version)
        before = await role_rows.roles_of(db, who, table, case.id)
        names = await check_known(check, db, who, table, wanted)
        check.done()
        previous = {(role.node_id, role.role): role for role in before}
        wanted = [_kept(one, previous) for one in wanted]
        if [Wanted(role.node_id, role.role, role.remark) for role in before] == wanted:
            who.require(Scope.CASES_READ)
            return Written(case)
        first = await role_rows.next_position(db, who, case.id, len(wanted))
        after = await resolve(call, who, table, case.id, wanted, names, first)
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
        descriptions = described(table, before, all_names), after.described()
        call.events.append(_event("parties_replaced", case, table, *descriptions))
        warnings = doubled(table, wanted, before, all_names)
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
        who, database, case_id, STAFF_ROLES, wanted_staff(roles), expected_version, idempotency_key
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


def wanted_parties(roles: Iterable[PartyRole]) -> list[tuple[Any, str, Any]]:
    """Roles as checked_roles() takes them."""
    return [(role.party, role.role, role.reference) for role in roles]


def wanted_staff(roles: Iterable[StaffRole]) -> list[tuple[Any, str, Any]]:
    return [(role.staff, role.role, role.note) for role in roles]


def checked_roles(
    check: Check, table: RoleTable, given: Sequence[tuple[Any, str, Any]]
) -> list[Wanted]:
    """Check the roles of one list; refuse the same node twice in one role."""
    field = table.field
    if len(given) > table.most:
        check.wrong(f"A case may have at most {table.most} {field}.", field)
        return []
    checked: list[Wanted] = []
    seen: set[tuple[str, str]] = set()
    for index, (node, role, remark) in enumerate(given):
        path = (field, str(index))
        role = check.word(role, *path, "role", like=table.like)
        if remark is not UNSET:
            remark = check.optional_line(remark, table.remark_max, *path, table.remark)
        if isinstance(node, Unclear):
            check.wrong(node.reason, *path, *([node.field] if node.field else []))
            continue
        if isinstance(node, NewParty):
            node = register.checked_party(check, node, *path)
        elif isinstance(node, NewStaff):
            node = register.checked_staff(check, node, *path)
        else:
            before = len(check.problems)
            node = check.identifier(node, *path, "id")
            if len(check.problems) > before:
                node = ""  # not looked for
            elif (node, role) in seen:
                check.wrong(
                    "A party or staff member must not have the same role twice.", *path, "id"
                )
            seen.add((node, role))
        checked.append(Wanted(node, role, remark))
    return checked


async def check_known(
    check: Check, db: Transaction, who: Principal, table: RoleTable, wanted: Sequence[Wanted]
) -> dict[str, str]:
    """The names, by id, of the parties or staff that *wanted* names; those unknown are refused."""
    ids = {one.node for one in wanted if isinstance(one.node, str) and one.node}
    names = await rows.names_of(db, who.workspace_id, table.kind, ids)
    for index, one in enumerate(wanted):
        if isinstance(one.node, str) and one.node and one.node not in names:
            check.refuse(table.absent(one.node, (table.field, str(index), "id")))
    return names


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
    call: Call,
    who: Principal,
    table: RoleTable,
    case_id: str,
    wanted: Sequence[Wanted],
    names: Mapping[str, str],
    first: int,
) -> Resolved:
    """Turn *wanted* into roles, at positions from *first* on; *names* is from check_known().

    Stores new parties and staff and adds their events.
    """
    given: list[Given] = []
    parties: list[Party] = []
    staff: list[Staff] = []
    now = call.db.now
    for index, one in enumerate(wanted):
        node: Party | Staff | None = None
        if isinstance(one.node, str):
            node_id = one.node
        elif isinstance(one.node, NewParty):
            node = register.party_of(one.node, now)
            parties.append(node)
            node_id = node.id
        else:
            node = register.staff_of(one.node, now)
            staff.append(node)
            node_id = node.id
        remark = None if one.remark is UNSET else one.remark
        given.append(Given(Role(case_id, first + index, node_id, one.role, remark, now), node))
    await register.enter_parties(call.db, who, parties, call.events)
    await register.enter_staff(call.db, who, staff, call.events)
    new_names = {one.node.id: one.node.name for one in given if one.node is not None}
    return Resolved(table, given, {**names, **new_names})


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


def doubled(
    table: RoleTable,
    wanted: Sequence[Wanted],
    present: Sequence[Role],
    names: Mapping[str, str],
) -> list[Warned]:
    """A warning for each new party or staff member whose name and role the case already has.

    That may be meant: two people can have one name. More often a request was sent twice.
    """
    known = {(folding.plain(names[one.node_id]), one.role) for one in present}
    warnings = []
    for index, one in enumerate(wanted):
        if isinstance(one.node, str):
            continue
        key = (folding.plain(one.node.name), one.role)
        if key in known:
            message = f"The case already has {table.one} with this name and role; both are kept."
            warnings.append(Warned(message, (table.field, str(index))))
        known.add(key)
    return warnings


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
    wanted = checked_roles(check, table, given)
    case_id = canonical_case_id(case_id) or case_id
    async with idempotency.once(
        who, database, check, idempotency_key, f"add_{table.field}", case_id, wanted
    ) as call:
        db, call.result = call.db, case_id
        if call.before:
            return Written(await rows.case_to_change(db, who, case_id, field=idempotency.FIELD))
        case = await rows.case_to_change(db, who, case_id, expected_version)
        present = await role_rows.roles_of(db, who, table, case.id)
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
        names = await check_known(check, db, who, table, wanted)
        check.done()
        first = await role_rows.next_position(db, who, case.id, len(wanted))
        added = await resolve(call, who, table, case.id, wanted, names, first)
        await role_rows.insert_roles(db, who.workspace_id, table, added.roles)
        call.events.append(_event(table.added, case, table, [], added.described()))
        warnings = doubled(table, wanted, *await _alike(db, who, table, present, wanted))
        return Written(await rows.touch(db, who, case), added.given, warnings)


async def _alike(
    db: Transaction,
    who: Principal,
    table: RoleTable,
    present: Sequence[Role],
    wanted: Sequence[Wanted],
) -> tuple[list[Role], dict[str, str]]:
    """The roles in *present* that a new party or staff member is to have too, and the names."""
    new = {one.role for one in wanted if not isinstance(one.node, str)}
    alike = [one for one in present if one.role in new]
    names = await rows.names_of(db, who.workspace_id, table.kind, {one.node_id for one in alike})
    return alike, names


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
        for index, one in enumerate(named):
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
        call.events.append(_event(table.removed, case, table, described(table, gone, names), []))
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
        [was], [now] = described(table, [before], names), described(table, [after], names)
        changed = [Change(table.field, was, now)]
        call.events.append(NewEvent(table.changed, case_id=case.id, changes=changed))
        return after, await rows.touch(db, who, case), node


def _kept(wanted: Wanted, previous: Mapping[tuple[Any, str], Role]) -> Wanted:
    """*wanted*, with the reference or note that the role already has if none was given."""
    if wanted.remark is not UNSET:
        return wanted
    old = previous.get((wanted.node, wanted.role))
    return replace(wanted, remark=None if old is None else old.remark)


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
