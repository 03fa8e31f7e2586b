"""The register: parties and staff, independent of any case."""

from dataclasses import replace
from typing import Any

from sqlalchemy import delete

from domain import checks, ids
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import InUse, PartyInUse, StaffInUse
from domain.inputs import ExpectedVersion, NewParty, NewStaff, PartyChanges, StaffChanges, mentioned
from domain.models import Change, Party, PartyKind, Staff
from domain.storage.database import Database, Transaction
from domain.storage.tables import imported, party_alias
from domain.writing import idempotency, role_rows, rows, timeline
from domain.writing.idempotency import Call
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES, RoleTable
from domain.writing.timeline import NewEvent

PARTY_FIELDS = ("name", "kind")
STAFF_FIELDS = ("name", "email")


async def create_party(
    who: Principal, database: Database, new: NewParty, *, idempotency_key: str | None = None
) -> Party:
    """Create a party. Raises Invalid, IdempotencyKeyReused."""
    who.require(Scope.CASES_WRITE)
    check = Check()
    new = checked_party(check, new)
    async with idempotency.once(who, database, check, idempotency_key, "create_party", new) as call:
        check.done()
        if call.before:
            return await rows.party_to_change(call.db, who, call.before, field=idempotency.FIELD)
        party = party_of(new, call.db.now)
        await enter_parties(call.db, who, [party], call.events)
        call.result = party.id
        return party


async def update_party(
    who: Principal,
    database: Database,
    party_id: str,
    changes: PartyChanges,
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Party:
    """Change a party; if nothing changes, see cases.update_case().

    Raises PartyNotFound, VersionConflict, Invalid, IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    check = Check()
    async with idempotency.once(
        who, database, check, idempotency_key, "update_party", party_id, changes
    ) as call:
        if call.before:
            return await rows.party_to_change(call.db, who, call.before, field=idempotency.FIELD)
        party = await rows.party_to_change(call.db, who, party_id, expected_version)
        values = mentioned(changes)
        if "name" in values:
            values["name"] = check.line(values["name"], checks.NAME_MAX, "name")
        if "kind" in values:
            values["kind"] = check.one_of(values["kind"], tuple(PartyKind), "kind")
        check.done()
        call.result = party.id
        changed: Party = await _change(who, call, "party", party, values, PARTY_FIELDS)
        return changed


async def create_staff(
    who: Principal, database: Database, new: NewStaff, *, idempotency_key: str | None = None
) -> Staff:
    """Create a staff member. Raises Invalid, IdempotencyKeyReused."""
    who.require(Scope.CASES_WRITE)
    check = Check()
    new = checked_staff(check, new)
    async with idempotency.once(who, database, check, idempotency_key, "create_staff", new) as call:
        check.done()
        if call.before:
            return await rows.staff_to_change(call.db, who, call.before, field=idempotency.FIELD)
        staff = staff_of(new, call.db.now)
        await enter_staff(call.db, who, [staff], call.events)
        call.result = staff.id
        return staff


async def update_staff(
    who: Principal,
    database: Database,
    staff_id: str,
    changes: StaffChanges,
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Staff:
    """Change a staff member; if nothing changes, see cases.update_case().

    Raises StaffNotFound, VersionConflict, Invalid, IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    check = Check()
    async with idempotency.once(
        who, database, check, idempotency_key, "update_staff", staff_id, changes
    ) as call:
        if call.before:
            return await rows.staff_to_change(call.db, who, call.before, field=idempotency.FIELD)
        staff = await rows.staff_to_change(call.db, who, staff_id, expected_version)
        values = mentioned(changes)
        if "name" in values:
            values["name"] = check.line(values["name"], checks.NAME_MAX, "name")
        if "email" in values:
            values["email"] = check.email(values["email"], "email")
        check.done()
        call.result = staff.id
        changed: Staff = await _change(who, call, "staff", staff, values, STAFF_FIELDS)
        return changed


async def delete_party(
    who: Principal,
    database: Database,
    party_id: str,
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Party | None:
    """Delete a party that no visible case names; return it, or None if that was done before.

    Deleted cases lose it, too. What the timeline tells of it stays until it is purged.

    Raises PartyInUse, PartyNotFound, VersionConflict, Invalid, IdempotencyKeyReused.
    """
    who.require(Scope.CASES_DELETE)
    gone: Party | None = await _delete(
        who, database, PARTY_ROLES, PartyInUse, party_id, expected_version, idempotency_key
    )
    return gone


async def delete_staff(
    who: Principal,
    database: Database,
    staff_id: str,
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Staff | None:
    """Delete a staff member; see delete_party(). Raises StaffInUse, StaffNotFound."""
    who.require(Scope.CASES_DELETE)
    gone: Staff | None = await _delete(
        who, database, STAFF_ROLES, StaffInUse, staff_id, expected_version, idempotency_key
    )
    return gone


async def _delete(
    who: Principal,
    database: Database,
    roles: RoleTable,
    in_use: type[InUse],
    id: str,
    expected_version: ExpectedVersion,
    idempotency_key: str | None,
) -> Any:
    check = Check()
    async with idempotency.once(
        who, database, check, idempotency_key, f"delete_{roles.kind}", id
    ) as call:
        db, call.result = call.db, id
        if call.before:
            return None
        gone = await roles.to_change(db, who, id, expected_version)
        check.done()
        call.result = gone.id
        held = await role_rows.roles_of_node(db, who, roles, gone.id)
        cases = {role.case_id: await rows.any_case(db, who, role.case_id) for role in held}
        if visible := await rows.visible_cases(db, who, cases):
            raise in_use(len(visible), visible[0] if who.may(Scope.CASES_READ) else None)
        for case_id, case in cases.items():
            of_case = [role for role in held if role.case_id == case_id]
            told = role_rows.described(roles, of_case, {gone.id: gone.name})
            changes = [Change(roles.field, one, None) for one in told]
            call.events.append(NewEvent(roles.removed, case_id=case_id, changes=changes))
            await rows.touch(db, who, case)
        await role_rows.delete_roles(db, who.workspace_id, roles, held)
        await remove(db, who, roles.kind, gone, call.events)
        return gone


async def remove(
    db: Transaction,
    who: Principal,
    kind: str,
    gone: Any,
    events: list[NewEvent],
    event: str | None = None,
) -> None:
    """Remove a party or staff member whom no case names, and every mark that leads there.

    The *event* is of this type; one of a deletion if there is none given.
    """
    for table, column in ((imported, imported.c.object_id), (party_alias, party_alias.c.party_id)):
        await db.run(
            delete(table).where(table.c.workspace_id == who.workspace_id, column == gone.id)
        )
    await rows.remove_register(db, who, kind, gone.id)
    names = PARTY_FIELDS if kind == "party" else STAFF_FIELDS
    changes = timeline.changes_between(gone, None, names)
    events.append(NewEvent(event or f"{kind}_deleted", subject_id=gone.id, changes=changes))


def checked_party(check: Check, new: NewParty, *path: str) -> NewParty:
    return NewParty(
        name=check.line(new.name, checks.NAME_MAX, *path, "name"),
        kind=check.one_of(new.kind, tuple(PartyKind), *path, "kind"),
    )


def checked_staff(check: Check, new: NewStaff, *path: str) -> NewStaff:
    return NewStaff(
        name=check.line(new.name, checks.NAME_MAX, *path, "name"),
        email=check.email(new.email, *path, "email"),
    )


def party_of(new: NewParty, now: str) -> Party:
    return Party(ids.new_id(ids.PARTY), new.kind, new.name, now, now, 1)


def staff_of(new: NewStaff, now: str) -> Staff:
    return Staff(ids.new_id(ids.STAFF), new.name, new.email, now, now, 1)


async def enter_parties(
    db: Transaction, who: Principal, new: list[Party], events: list[NewEvent]
) -> None:
    """Store new parties and add their events to *events*."""
    await rows.insert_parties(db, who.workspace_id, new)
    events += [party_created(one) for one in new]


async def enter_staff(
    db: Transaction, who: Principal, new: list[Staff], events: list[NewEvent]
) -> None:
    """Store new staff and add their events to *events*."""
    await rows.insert_staff(db, who.workspace_id, new)
    events += [staff_created(one) for one in new]


def party_created(party: Party) -> NewEvent:
    changes = timeline.changes_between(None, party, PARTY_FIELDS)
    return NewEvent("party_created", subject_id=party.id, changes=changes)


def staff_created(staff: Staff) -> NewEvent:
    changes = timeline.changes_between(None, staff, STAFF_FIELDS)
    return NewEvent("staff_created", subject_id=staff.id, changes=changes)


async def _change(
    who: Principal,
    call: Call,
    kind: str,
    before: Any,
    wanted: dict[str, Any],
    names: tuple[str, ...],
) -> Any:
    after = replace(before, **wanted)
    changes = timeline.changes_between(before, after, names)
    if not changes:
        who.require(Scope.CASES_READ)
        return before
    after = replace(
        after, version=before.version + 1, updated_at=max(call.db.now, before.created_at)
    )
    await rows.update_register(call.db, who, kind, after)
    call.events.append(NewEvent(f"{kind}_updated", subject_id=before.id, changes=changes))
    return after
