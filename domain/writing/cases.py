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
from domain.ids import canonical_case_id
from domain.inputs import CaseChanges, ExpectedVersion, NewCase, Seen, mentioned
from domain.models import Case, CaseStatus, Change
from domain.storage.database import Database, Transaction
from domain.storage.spellings import Text, filed_under
from domain.storage.statements import Prepared
from domain.writing import idempotency, links, role_rows, rows, timeline, wanted
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES
from domain.writing.timeline import NewEvent
from domain.writing.wanted import Resolved

_FILED = filed_under.of(bindparam("workspace_id", type_=Integer), bindparam("numbers", type_=Text))
_BY_NUMBERS = Prepared(select(_FILED.c.number_key, _FILED.c.id))
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
        PARTY_ROLES: wanted.checked(check, PARTY_ROLES, wanted.parties(new.parties)),
        STAFF_ROLES: wanted.checked(check, STAFF_ROLES, wanted.staff(new.staff)),
    }
    async with idempotency.once(
        who, database, check, idempotency_key, "create_case", values, *given.values()
    ) as call:
        db = call.db
        if call.before:
            return await rows.case_to_change(db, who, call.before, field=idempotency.FIELD)
        known = {
            table: await wanted.check_known(check, db, who, table, roles)
            for table, roles in given.items()
        }
        await _check_free(check, db, who, values["file_number"])
        check.done()
        case = Case(id=ids.new_case_id(), **values, created_at=db.now, updated_at=db.now, version=1)
        involved: list[Resolved] = []
        last = 0
        for table, (roles, names) in known.items():
            involved.append(await wanted.resolve(call, who, table, case.id, roles, names, last + 1))
            last += len(roles)
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
    seen: Seen | None = None,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Case:
    """Change the fields that are mentioned; setting a field to its current value is no change.

    What is *seen* must be as it is stored: who sends the whole case back changes nothing unawares.
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
            await _check_free(check, db, who, values["file_number"], but=case.id)
        if seen is not None:
            await _check_seen(check, db, who, case, seen)
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
            return await rows.any_case(db, who, case_id)
        case = await rows.case_to_change(db, who, case_id, expected_version)
        check.done()
        case = await links.remove_links_of(call, who, case)
        deleted = await rows.touch(db, who, case)
        await rows.update_case(db, who, case.id, {"deleted_at": db.now})
        await rows.remove_entry(db, who, "case", case.id)
        call.events.append(NewEvent("case_deleted", case_id=case.id))
        return deleted


async def restore_case(
    who: Principal,
    database: Database,
    case_id: str,
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Case:
    """Show a deleted case again, with its parties and staff; its links are gone.

    Raises CaseNotFound for one that is not deleted, or is purged; FileNumberTaken if another case
    has its number now; VersionConflict, IdempotencyKeyReused, Invalid for a bad idempotency key.
    """
    who.require(Scope.CASES_DELETE)
    check = Check()
    case_id = canonical_case_id(case_id) or case_id
    async with idempotency.once(
        who, database, check, idempotency_key, "restore_case", case_id
    ) as call:
        db, call.result = call.db, case_id
        if call.before:
            return await rows.case_to_change(db, who, case_id, field=idempotency.FIELD)
        case = await rows.deleted_case(db, who, case_id, expected_version)
        await _check_free(check, db, who, case.file_number)
        check.done()
        await rows.update_case(db, who, case.id, {"deleted_at": None})
        restored = await rows.touch(db, who, case)
        await rows.insert_entries(db, [rows.case_entry(who.workspace_id, restored)])
        call.events.append(NewEvent("case_restored", case_id=case.id))
        return restored


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


async def _check_seen(
    check: Check, db: Transaction, who: Principal, case: Case, seen: Seen
) -> None:
    """Refuse what was seen otherwise than it is stored."""
    for name, value in mentioned(seen).items():
        if name in ("parties", "staff"):
            who.require(Scope.CASES_READ)
            table = PARTY_ROLES if name == "parties" else STAFF_ROLES
            there = await role_rows.roles_of(db, who, table, case.id)
            names = await rows.names_of(
                db, who.workspace_id, table.kind, {role.node_id for role in there}
            )
            stored: Any = [(role.node_id, role.role, names[role.node_id]) for role in there]
            same = value is not None and list(value) == stored
        elif name == "id":
            same = isinstance(value, str) and canonical_case_id(value) == case.id
        else:
            same = check.instant(value, name) == getattr(case, name)
        if not same:
            noun = name.replace("_", " ")
            check.wrong(
                f"{noun} cannot be changed here: leave it out, or send it as it is now.", name
            )


async def _check_free(
    check: Check,
    db: Transaction,
    who: Principal,
    file_number: str | None,
    but: str | None = None,
) -> None:
    """Refuse a file number that a case other than *but* has."""
    if not file_number:
        return
    for owners in (await owners_of_numbers(db, who, [file_number])).values():
        others = [owner for owner in owners if owner != but]
        if others:
            shown = others[0] if who.may(Scope.CASES_READ) else None
            check.refuse(FileNumberTaken(file_number, shown))
