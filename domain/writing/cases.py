"""The life cycle of a case: open, change, delete."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Integer, bindparam, select

from domain import checks, folding, ids
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import FileNumberTaken
from domain.inputs import CaseChanges, ExpectedVersion, NewCase, mentioned
from domain.models import Case, CaseStatus, Change
from domain.storage.database import Database, Transaction
from domain.storage.spellings import Text, filed_under
from domain.storage.statements import Prepared
from domain.writing import idempotency, role_rows, roles, rows, timeline
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES
from domain.writing.roles import Wanted
from domain.writing.timeline import NewEvent

_FILED = filed_under.of(bindparam("workspace_id", type_=Integer), bindparam("numbers", type_=Text))
_BY_NUMBERS = Prepared(select(_FILED.c.number_key, _FILED.c.id))
CASE_FIELDS = tuple(field.name for field in fields(CaseChanges))
"""The fields of a case that callers write, and so those that its events record."""


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
    async with timeline.recorded(who, database) as (db, events):
        if before := await idempotency.replayed(db, who, key, request):
            return await rows.case_to_change(db, who, before, field=idempotency.FIELD)
        await _require_free(db, who, values["file_number"])
        case = Case(id=ids.new_case_id(), **values, created_at=db.now, updated_at=db.now, version=1)
        involved = [
            await roles.resolve(db, who, PARTY_ROLES, case.id, parties, 1, events),
            await roles.resolve(db, who, STAFF_ROLES, case.id, staff, 1 + len(parties), events),
        ]
        await rows.insert_cases(db, who.workspace_id, [case], [len(parties) + len(staff)])
        changes = timeline.changes_between(None, case, CASE_FIELDS)
        for resolved in involved:
            await role_rows.insert_roles(db, who.workspace_id, resolved.table, resolved.roles)
            changes += [Change(resolved.table.field, None, one) for one in resolved.described()]
        events.append(NewEvent("case_created", case_id=case.id, changes=changes))
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
    """Change the fields that are mentioned; setting a field to its current value is no change.

    If nothing changes, the result only discloses stored data, which requires the scope to read.

    Raises CaseNotFound, VersionConflict, Invalid, FileNumberTaken.
    """
    who.require(Scope.CASES_WRITE)
    async with timeline.recorded(who, database) as (db, events):
        case = await rows.case_to_change(db, who, case_id, expected_version)
        check = Check()
        values = check_values(check, mentioned(changes))
        check.done()
        values = {name: value for name, value in values.items() if value != getattr(case, name)}
        if not values:
            who.require(Scope.CASES_READ)
            return case
        if "file_number" in values:
            await _require_free(db, who, values["file_number"], but=case.id)
        changed = await rows.touch(db, who, case, **values)
        differences = timeline.changes_between(case, changed, CASE_FIELDS)
        events.append(NewEvent("case_updated", case_id=case.id, changes=differences))
        return changed


async def delete_case(
    who: Principal, database: Database, case_id: str, *, expected_version: ExpectedVersion = None
) -> Case:
    """Hide a case everywhere, and record the deletion; purging later erases it for good.

    Raises CaseNotFound, VersionConflict.
    """
    who.require(Scope.CASES_DELETE)
    async with timeline.recorded(who, database) as (db, events):
        case = await rows.case_to_change(db, who, case_id, expected_version)
        deleted = await rows.touch(db, who, case)
        await rows.update_case(db, who, case.id, {"deleted_at": db.now})
        await rows.remove_entry(db, who, "case", case.id)
        events.append(NewEvent("case_deleted", case_id=case.id))
        return deleted


def check_values(check: Check, given: Mapping[str, object]) -> dict[str, Any]:
    """Check the *given* fields of a case and return the values to store."""
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


async def owners_of_numbers(
    db: Transaction, who: Principal, numbers: Iterable[str]
) -> dict[str, list[str]]:
    """The ids of the cases that hold each file number, by folding.number_key(); oldest first.

    Free numbers are left out. More than one case has a number only if they had it before numbers
    were compared by their keys. Within a write the answer holds until its end, because the writes
    of a workspace run one at a time.
    """
    keys = sorted({key for number in numbers if (key := folding.number_key(number))})
    if not keys:
        return {}
    values = {"workspace_id": who.workspace_id, "numbers": json.dumps(keys)}
    found = await db.rows(_BY_NUMBERS, values)
    owners: dict[str, list[str]] = {}
    for key, id in sorted(map(tuple, found)):
        owners.setdefault(key, []).append(id)
    return owners


async def _require_free(
    db: Transaction, who: Principal, file_number: str | None, but: str | None = None
) -> None:
    """Raise FileNumberTaken if a case other than *but* has the file number."""
    if file_number is None:
        return
    for owners in (await owners_of_numbers(db, who, [file_number])).values():
        if set(owners) - {but}:
            raise FileNumberTaken(file_number)
