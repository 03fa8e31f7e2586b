"""The life cycle of a case: open, change, delete."""

import json
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import bindparam, select

from domain import checks, ids
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import FileNumberTaken
from domain.ids import canonical_case_id
from domain.inputs import CaseChanges, ExpectedVersion, NewCase, mentioned
from domain.models import Case, CaseStatus, Change
from domain.storage.database import Database, Transaction
from domain.storage.spellings import each
from domain.storage.statements import Prepared
from domain.storage.tables import cases
from domain.writing import idempotency, links, role_rows, roles, rows, timeline
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES
from domain.writing.roles import Resolved
from domain.writing.timeline import NewEvent

_VISIBLE = (cases.c.workspace_id == bindparam("workspace_id"), cases.c.deleted_at.is_(None))
_BY_NUMBER = Prepared(
    select(cases.c.file_number, cases.c.id).where(
        *_VISIBLE, cases.c.file_number == bindparam("number")
    )
)
# Asked for many, SQLite walks the workspace and not the index, which leaves out nulls.
_BY_NUMBERS = Prepared(
    select(cases.c.file_number, cases.c.id).where(
        *_VISIBLE, cases.c.file_number.in_(select(each.value(bindparam("numbers")).c.value))
    )
)
CASE_FIELDS = tuple(field.name for field in fields(CaseChanges))
"""The fields of a case that callers write, and so those that its events record."""


async def create_case(
    who: Principal, database: Database, new: NewCase, *, idempotency_key: str | None = None
) -> Case:
    """Open a case with its parties and staff, all or nothing.

    Raises Invalid, PartyNotFound, StaffNotFound, FileNumberTaken, or Several of them;
    IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    check = Check()
    values = {name: getattr(new, name) for name in CASE_FIELDS}
    values = check_values(check, values)
    given = {
        PARTY_ROLES: roles.checked_roles(check, PARTY_ROLES, roles.wanted_parties(new.parties)),
        STAFF_ROLES: roles.checked_roles(check, STAFF_ROLES, roles.wanted_staff(new.staff)),
    }
    async with idempotency.once(
        who, database, check, idempotency_key, "create_case", values, *given.values()
    ) as call:
        db = call.db
        if call.before:
            return await rows.case_to_change(db, who, call.before, field=idempotency.FIELD)
        names = {
            table: await roles.check_known(check, db, who, table, wanted)
            for table, wanted in given.items()
        }
        await _check_free(check, db, who, values["file_number"])
        check.done()
        case = Case(id=ids.new_case_id(), **values, created_at=db.now, updated_at=db.now, version=1)
        involved: list[Resolved] = []
        last = 0
        for table, wanted in given.items():
            involved.append(
                await roles.resolve(call, who, table, case.id, wanted, names[table], last + 1)
            )
            last += len(wanted)
        await rows.insert_cases(db, who.workspace_id, [case], [last])
        changes = timeline.changes_between(None, case, CASE_FIELDS)
        for resolved in involved:
            await role_rows.insert_roles(db, who.workspace_id, resolved.table, resolved.roles)
            changes += [Change(resolved.table.field, None, one) for one in resolved.described()]
        call.events.append(NewEvent("case_created", case_id=case.id, changes=changes))
        call.result = case.id
        return case


async def update_case(
    who: Principal,
    database: Database,
    case_id: str,
    changes: CaseChanges,
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Case:
    """Change the fields that are mentioned; setting a field to its current value is no change.

    If nothing changes, the result only discloses stored data, which requires the scope to read.

    Raises CaseNotFound, VersionConflict, Invalid, FileNumberTaken, IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    check = Check()
    case_id = canonical_case_id(case_id) or case_id
    async with idempotency.once(
        who, database, check, idempotency_key, "update_case", case_id, changes
    ) as call:
        db, call.result = call.db, case_id
        if call.before:
            return await rows.case_to_change(db, who, case_id, field=idempotency.FIELD)
        case = await rows.case_to_change(db, who, case_id, expected_version)
        values = check_values(check, mentioned(changes))
        values = {name: value for name, value in values.items() if value != getattr(case, name)}
        if "file_number" in values:
            await _check_free(check, db, who, values["file_number"])
        check.done()
        if not values:
            who.require(Scope.CASES_READ)
            return case
        changed = await rows.touch(db, who, case, **values)
        differences = timeline.changes_between(case, changed, CASE_FIELDS)
        call.events.append(NewEvent("case_updated", case_id=case.id, changes=differences))
        return changed


async def delete_case(
    who: Principal,
    database: Database,
    case_id: str,
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Case:
    """Hide a case everywhere, and record the deletion; purging later erases it for good.

    Its links are removed: the cases at their other ends get an event and a new version.

    Raises CaseNotFound, VersionConflict, IdempotencyKeyReused, Invalid for a bad idempotency key.
    """
    who.require(Scope.CASES_DELETE)
    check = Check()
    case_id = canonical_case_id(case_id) or case_id
    async with idempotency.once(
        who, database, check, idempotency_key, "delete_case", case_id
    ) as call:
        db, call.result = call.db, case_id
        if call.before:
            return await rows.deleted_case(db, who, case_id)
        case = await rows.case_to_change(db, who, case_id, expected_version)
        check.done()
        await links.remove_links_of(call, who, case)
        deleted = await rows.touch(db, who, case)
        await rows.update_case(db, who, case.id, {"deleted_at": db.now})
        await rows.remove_entry(db, who, "case", case.id)
        call.events.append(NewEvent("case_deleted", case_id=case.id))
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
                checked[name] = check.optional_word(value, name, like="litigation")
            case "description":
                checked[name] = check.prose(value, checks.DESCRIPTION_MAX, name)
            case "dezernat":
                checked[name] = check.optional_line(value, checks.DEZERNAT_MAX, name)
    return checked


async def owners_of_numbers(
    db: Transaction, who: Principal, numbers: Collection[str]
) -> dict[str, str]:
    """The id of the case that holds each file number; free numbers are left out.

    No two cases that are not deleted have the same file number.
    """
    if not numbers:
        return {}
    values: dict[str, Any] = {"workspace_id": who.workspace_id}
    if len(numbers) == 1:
        return dict(await db.rows(_BY_NUMBER, values | {"number": next(iter(numbers))}))
    return dict(await db.rows(_BY_NUMBERS, values | {"numbers": json.dumps(list(numbers))}))


async def _check_free(
    check: Check, db: Transaction, who: Principal, file_number: str | None
) -> None:
    """Refuse a file number that another case has."""
    if not file_number:
        return
    for owner in (await owners_of_numbers(db, who, [file_number])).values():
        shown = owner if who.may(Scope.CASES_READ) else None
        check.refuse(FileNumberTaken(file_number, shown))
