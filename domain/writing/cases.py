"""The life of a case: opened, changed, deleted."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import bindparam, select

from domain import checks, ids
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import FileNumberTaken
from domain.inputs import CaseChanges, ExpectedVersion, NewCase, mentioned
from domain.models import Case, CaseStatus, Change
from domain.storage.database import Database, Transaction
from domain.storage.statements import Prepared
from domain.storage.tables import cases
from domain.writing import idempotency, roles, rows, timeline
from domain.writing.roles import Wanted
from domain.writing.rows import PARTY_ROLES, STAFF_ROLES
from domain.writing.timeline import NewEvent

_WITH_NUMBER = Prepared(
    select(cases.c.id).where(
        cases.c.workspace_id == bindparam("workspace_id"),
        cases.c.file_number == bindparam("file_number"),
        cases.c.deleted_at.is_(None),
    )
)
CASE_FIELDS = tuple(field.name for field in fields(CaseChanges))
"""The fields of a case that callers write, and so those the timeline tells of."""


async def create_case(
    who: Principal, database: Database, new: NewCase, *, idempotency_key: str | None = None
) -> Case:
    """Open a case with its parties and staff, all or nothing.

    Raises Invalid, PartyNotFound, StaffNotFound, FileNumberTaken, IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    check = Check()
    values = {name: getattr(new, name) for name in CASE_FIELDS}
    values = check_values(check, values)
    parties = [Wanted(role.party, role.role, role.reference) for role in new.parties]
    parties = roles.checked_roles(check, PARTY_ROLES, parties)
    staff = [Wanted(role.staff, role.role, role.note) for role in new.staff]
    staff = roles.checked_roles(check, STAFF_ROLES, staff)
    check.done()
    key = idempotency.checked(idempotency_key)
    request = idempotency.fingerprint(key, "create_case", values, parties, staff)
    async with database.write(who.workspace_id) as db:
        if before := await idempotency.replayed(db, who, key, request):
            return await rows.case_to_change(db, who, before, field=idempotency.FIELD)
        await _require_free(db, who, values["file_number"])
        case = Case(id=ids.new_case_id(), **values, created_at=db.now, updated_at=db.now, version=1)
        given = await roles.resolve(db, who, PARTY_ROLES, case.id, parties, 1)
        party_rows = [one.role for one in given]
        given = await roles.resolve(db, who, STAFF_ROLES, case.id, staff, 1 + len(parties))
        staff_rows = [one.role for one in given]
        await rows.insert_cases(db, who.workspace_id, [case], [len(parties) + len(staff)])
        await rows.insert_roles(db, who.workspace_id, PARTY_ROLES, party_rows)
        await rows.insert_roles(db, who.workspace_id, STAFF_ROLES, staff_rows)
        changes = timeline.changes_between(None, case, CASE_FIELDS)
        for table, given_rows in ((PARTY_ROLES, party_rows), (STAFF_ROLES, staff_rows)):
            told = await roles.described(db, who, table, given_rows)
            changes += [Change(table.field, None, one) for one in told]
        event = NewEvent("case_created", case_id=case.id, changes=changes)
        await timeline.record(db, who.workspace_id, who.key_name, [event])
        await idempotency.remember(db, who, key, request, case.id)
        return case


async def update_case(
    who: Principal,
    database: Database,
    case_id: str,
    changes: CaseChanges,
    *,
    expected_version: ExpectedVersion = None,
) -> Case:
    """Change the fields that are mentioned; a change to the same value is none.

    Where nothing changes, all that comes back is what was there: that needs the scope to read.

    Raises CaseNotFound, VersionConflict, Invalid, FileNumberTaken.
    """
    who.require(Scope.CASES_WRITE)
    async with database.write(who.workspace_id) as db:
        case = await rows.case_to_change(db, who, case_id, expected_version)
        check = Check()
        wanted = check_values(check, mentioned(changes))
        check.done()
        wanted = {name: value for name, value in wanted.items() if value != getattr(case, name)}
        if not wanted:
            who.require(Scope.CASES_READ)
            return case
        if "file_number" in wanted:
            await _require_free(db, who, wanted["file_number"])
        changed = await rows.touch(db, who, case, **wanted)
        event = NewEvent(
            "case_updated",
            case_id=case.id,
            changes=timeline.changes_between(case, changed, CASE_FIELDS),
        )
        await timeline.record(db, who.workspace_id, who.key_name, [event])
        return changed


async def delete_case(
    who: Principal, database: Database, case_id: str, *, expected_version: ExpectedVersion = None
) -> Case:
    """Hide a case everywhere, and record it; purging erases it for good.

    Raises CaseNotFound, VersionConflict.
    """
    who.require(Scope.CASES_DELETE)
    async with database.write(who.workspace_id) as db:
        case = await rows.case_to_change(db, who, case_id, expected_version)
        deleted = await rows.touch(db, who, case)
        await rows.update_case(db, who, case.id, {"deleted_at": db.now})
        await rows.remove_entry(db, who, "case", case.id)
        event = NewEvent("case_deleted", case_id=case.id)
        await timeline.record(db, who.workspace_id, who.key_name, [event])
        return deleted


def check_values(check: Check, given: Mapping[str, object]) -> dict[str, Any]:
    """Check those fields of a case that are *given*; what comes out may be stored."""
    checked: dict[str, Any] = {}
    for name, value in given.items():
        match name:
            case "name":
                checked[name] = check.line(value, checks.NAME_MAX, name)
            case "file_number":
                checked[name] = check.optional_line(value, checks.FILE_NUMBER_MAX, name)
            case "status":
                checked[name] = check.one_of(value, tuple(CaseStatus), name)
            case "type":
                checked[name] = check.optional_word(value, name)
            case "description":
                checked[name] = check.prose(value, checks.DESCRIPTION_MAX, name)
            case "dezernat":
                checked[name] = check.optional_line(value, checks.DEZERNAT_MAX, name)
    return checked


async def _require_free(db: Transaction, who: Principal, file_number: str | None) -> None:
    if file_number is None:
        return
    values = {"workspace_id": who.workspace_id, "file_number": file_number}
    if await db.first(_WITH_NUMBER, values):
        raise FileNumberTaken(file_number)
