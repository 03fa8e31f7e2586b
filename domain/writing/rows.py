"""Rows of cases, parties and staff: loading them for a change, and storing them.

Shared by all writers. Callers enforce the rules and write the timeline.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from domain import checks, folding, words
from domain.access.principal import Principal, Scope
from domain.errors import CaseNotFound, PartyNotFound, StaffNotFound, VersionConflict
from domain.ids import canonical_case_id
from domain.inputs import Expected, ExpectedVersion
from domain.models import Case, Party, Staff
from domain.reading import revisions, search
from domain.storage.database import Row, Snapshot, Transaction
from domain.storage.spellings import each
from domain.storage.statements import Prepared
from domain.storage.tables import cases, party, party_alias, search_entry, staff

_KEY = ("workspace_id", "id")
_ENTRY_KEY = ("workspace_id", "kind", "id")
ORDER_MAX = 200  # characters of a name that its sort key keeps


async def case_to_change(
    db: Transaction,
    who: Principal,
    case_id: str,
    expected_version: ExpectedVersion = None,
    field: tuple[str, ...] = ("id",),
) -> Case:
    """The case, locked until the transaction ends. Raises CaseNotFound, VersionConflict."""
    canonical = canonical_case_id(case_id)
    mine = {"workspace_id": who.workspace_id, "id": canonical}
    row = await db.first(_CASE, mine) if canonical else None
    if row is None:
        raise CaseNotFound(case_id, field)
    case = Case(*row)
    if isinstance(expected_version, Expected):
        await _require_expected(db, who, case, expected_version)
    else:
        _require_version(who, case, expected_version)
    return case


async def any_case(db: Transaction, who: Principal, case_id: str) -> Case:
    """A case, even if it is deleted. Raises CaseNotFound once it is purged."""
    row = await db.first(_ANY_CASE, {"workspace_id": who.workspace_id, "id": case_id})
    if row is None:
        raise CaseNotFound(case_id, ("idempotency_key",))
    return Case(*row)


async def deleted_case(
    db: Transaction, who: Principal, case_id: str, expected_version: ExpectedVersion = None
) -> Case:
    """The deleted case, locked until the transaction ends. Raises CaseNotFound, VersionConflict."""
    canonical = canonical_case_id(case_id)
    if canonical is None or await visible_cases(db, who, [canonical]):
        raise CaseNotFound(case_id, where="among the deleted cases of this workspace")
    try:
        case = await any_case(db, who, canonical)
    except CaseNotFound:
        raise CaseNotFound(case_id, where="among the deleted cases of this workspace") from None
    _require_version(who, case, expected_version)
    return case


async def visible_cases(db: Transaction, who: Principal, ids: Collection[str]) -> list[str]:
    """Those of *ids* that are visible cases, in order."""
    if not ids:
        return []
    values = {"workspace_id": who.workspace_id, "ids": json.dumps(sorted(ids))}
    return [id for (id,) in await db.rows(_VISIBLE, values)]


async def party_to_change(
    db: Transaction,
    who: Principal,
    party_id: str,
    expected_version: ExpectedVersion = None,
    field: tuple[str, ...] = ("id",),
) -> Party:
    """The party, locked until the transaction ends; the id may be one that was merged into it.

    Raises PartyNotFound, VersionConflict.
    """
    row = await _register_row(db, who, "party", party_id)
    if row is None and (kept := await kept_ids(db, who, {party_id})):
        row = await _register_row(db, who, "party", kept[party_id])
    if row is None:
        raise PartyNotFound(party_id, field)
    current = Party(*row)
    _require_version(who, current, expected_version)
    return current


async def staff_to_change(
    db: Transaction,
    who: Principal,
    staff_id: str,
    expected_version: ExpectedVersion = None,
    field: tuple[str, ...] = ("id",),
) -> Staff:
    """The locked staff member; see party_to_change(). Raises StaffNotFound, VersionConflict."""
    row = await _register_row(db, who, "staff", staff_id)
    if row is None:
        raise StaffNotFound(staff_id, field)
    current = Staff(*row)
    _require_version(who, current, expected_version)
    return current


async def names_of(
    db: Transaction, workspace_id: int, kind: str, ids: Collection[str]
) -> dict[str, str]:
    """The names, by id, of the parties or staff among *ids* that exist."""
    if not ids:
        return {}
    values = {"workspace_id": workspace_id, "ids": json.dumps(sorted(ids))}
    return dict(await db.rows(_NAMES[kind], values))


async def touch(db: Transaction, who: Principal, case: Case, **changes: Any) -> Case:
    """Store *changes* to a case and increment its version; updated_at is now unless given.

    An imported case may have been created in what is the future here: it is updated no earlier.
    """
    changes.setdefault("updated_at", max(db.now, case.created_at))
    touched = replace(case, **changes, version=case.version + 1)
    values = {name: getattr(touched, name) for name in (*changes, "version")}
    if "name" in changes:
        values["name_order"] = name_order(touched.name)
    if "file_number" in changes:
        values |= number_keys(touched.file_number)
    await update_case(db, who, case.id, values)
    if {"name", "file_number"} & changes.keys():
        await replace_entry(db, case_entry(who.workspace_id, touched))
    return touched


async def update_case(
    db: Transaction, who: Principal, case_id: str, values: Mapping[str, Any]
) -> None:
    """Store *values* in the columns of a case."""
    mine = {"workspace_id": who.workspace_id, "id": case_id}
    await db.run(_update(cases, tuple(values)), _update_values(mine, values))


async def insert_cases(
    db: Transaction, workspace_id: int, new: Sequence[Case], positions: Sequence[int] = ()
) -> None:
    """Insert cases; *positions* is the highest position used in each, 0 if not given."""
    rows = [
        {
            "workspace_id": workspace_id,
            **_values(case),
            "name_order": name_order(case.name),
            **number_keys(case.file_number),
            "last_position": last,
        }
        for case, last in zip(new, positions or [0] * len(new), strict=True)
    ]
    await db.run(_INSERT[cases], rows)
    await insert_entries(db, [case_entry(workspace_id, case) for case in new])


async def insert_parties(db: Transaction, workspace_id: int, new: Sequence[Party]) -> None:
    await _insert_register(db, workspace_id, party, "party", new)


async def insert_staff(db: Transaction, workspace_id: int, new: Sequence[Staff]) -> None:
    await _insert_register(db, workspace_id, staff, "staff", new)


async def update_register(
    db: Transaction, who: Principal, kind: str, changed: Party | Staff
) -> None:
    """Store a changed party or staff member."""
    table = {"party": party, "staff": staff}[kind]
    values = {**_values(changed), "name_order": name_order(changed.name)}
    mine = {"workspace_id": who.workspace_id, "id": values.pop("id")}
    await db.run(_update(table, tuple(values)), _update_values(mine, values))
    await replace_entry(db, register_entry(who.workspace_id, kind, changed))


async def remove_register(db: Transaction, who: Principal, kind: str, id: str) -> None:
    """Remove a party or staff member whom no case names any more."""
    table = {"party": party, "staff": staff}[kind]
    await remove_entry(db, who, kind, id)
    mine = (table.c.workspace_id == who.workspace_id, table.c.id == id)
    await db.run(delete(table).where(*mine))


async def kept_ids(db: Snapshot, who: Principal, ids: Collection[str]) -> dict[str, str]:
    """For each of *ids* that a merged party had, the id of the party that was kept."""
    ids = {id for id in ids if checks.may_be_id(id)}
    if not ids:
        return {}
    values = {"workspace_id": who.workspace_id, "ids": json.dumps(sorted(ids))}
    return dict(await db.rows(_ALIASES, values))


async def replace_entry(db: Transaction, entry: dict[str, Any]) -> None:
    mine = {name: entry[name] for name in _ENTRY_KEY}
    rest = {name: value for name, value in entry.items() if name not in mine}
    await db.run(_update(search_entry, tuple(rest), _ENTRY_KEY), _update_values(mine, rest))


async def insert_entries(db: Transaction, entries: Sequence[dict[str, Any]]) -> None:
    """Make objects found by search that were not."""
    if entries:
        await db.run(_INSERT[search_entry], entries)


async def remove_entry(db: Transaction, who: Principal, kind: str, id: str) -> None:
    """Remove an object from search."""
    await remove_entries(db, who.workspace_id, kind, [id])


async def remove_entries(
    db: Transaction, workspace_id: int, kind: str, ids: Collection[str]
) -> None:
    """Remove objects from search."""
    if ids:
        gone = [{"its_workspace": workspace_id, "its_kind": kind, "its_id": id} for id in ids]
        await db.run(_REMOVE, gone)


async def remove_references(db: Transaction, workspace_id: int, case_id: str) -> None:
    """Remove the references in a case from search."""
    mine = {"its_workspace": workspace_id, "first": f"{case_id}/", "beyond": f"{case_id}0"}
    await db.run(_REMOVE_REFERENCES, mine)


def case_entry(workspace_id: int, case: Case) -> dict[str, Any]:
    code = words.code(case.file_number) if case.file_number else ""
    return search.entry(workspace_id, "case", case.id, name=words.name(case.name), code=code)


def register_entry(workspace_id: int, kind: str, found: Party | Staff) -> dict[str, Any]:
    email = found.email if isinstance(found, Staff) else None
    code = words.name(email) if email else ""
    return search.entry(workspace_id, kind, found.id, name=words.name(found.name), code=code)


def reference_entry(
    workspace_id: int, case_id: str, position: int, reference: str
) -> dict[str, Any]:
    """What a party's reference in a case is found by."""
    id = search.reference_id(case_id, position)
    return search.entry(workspace_id, "reference", id, code=words.code(reference))


def name_order(name: str) -> str:
    return folding.plain(name)[:ORDER_MAX]


def number_keys(file_number: str | None) -> dict[str, str | None]:
    """The columns that a case's file number is sorted and found by."""
    return {
        "number_order": folding.number_order(file_number)[:ORDER_MAX],
        "number_key": folding.number_key(file_number),
    }


async def _insert_register(
    db: Transaction, workspace_id: int, table: Any, kind: str, new: Sequence[Party | Staff]
) -> None:
    rows = [
        {"workspace_id": workspace_id, **_values(one), "name_order": name_order(one.name)}
        for one in new
    ]
    await db.run(_INSERT[table], rows)
    entries = [register_entry(workspace_id, kind, one) for one in new]
    await insert_entries(db, entries)


async def _register_row(db: Transaction, who: Principal, kind: str, id: str) -> Row | None:
    if not checks.may_be_id(id):
        return None
    return await db.first(_REGISTER[kind], {"workspace_id": who.workspace_id, "id": id})


async def _require_expected(
    db: Transaction, who: Principal, case: Case, expected: Expected
) -> None:
    any_of, none_of = expected.any_of, expected.none_of
    if any_of is None and not none_of:
        return
    now = await revisions.current(db, who.workspace_id, case.id, case.version)
    if any_of is not None and now not in any_of:
        raise VersionConflict(any_of, now, _shown(who, case))
    if none_of is True or (none_of and now in none_of):
        raise VersionConflict((), now, _shown(who, case), field="unwanted_version")


def _require_version(
    who: Principal, current: Case | Party | Staff, expected: ExpectedVersion
) -> None:
    if expected is None:
        return
    assert isinstance(expected, int), "only cases have revisions"
    if current.version != expected:
        raise VersionConflict([str(expected)], str(current.version), _shown(who, current))


def _shown(who: Principal, current: Any) -> Any:
    return current if who.may(Scope.CASES_READ) else None


def _values(row: Case | Party | Staff) -> dict[str, Any]:
    """Like asdict(), but without the deep copy, which takes ten times as long."""
    return {name: getattr(row, name) for name in row.__slots__}


def _columns(table: Any, model: Any) -> list[Any]:
    return [table.c[field.name] for field in fields(model)]


def _one(table: Any, *columns: Any) -> Any:
    """Select *columns* of the row with the parameter id, locked until the transaction ends."""
    mine = (table.c.workspace_id == bindparam("workspace_id"), table.c.id == bindparam("id"))
    return select(*columns).where(*mine).with_for_update()


_VISIBLE = Prepared(
    select(cases.c.id)
    .where(
        cases.c.workspace_id == bindparam("workspace_id"),
        cases.c.deleted_at.is_(None),
        cases.c.id.in_(select(each.value(bindparam("ids")).c.value)),
    )
    .order_by(cases.c.id)
)
_ALIASES = Prepared(
    select(party_alias.c.id, party_alias.c.party_id).where(
        party_alias.c.workspace_id == bindparam("workspace_id"),
        party_alias.c.id.in_(select(each.value(bindparam("ids")).c.value)),
    )
)


def _select_names(table: Any) -> Prepared:
    ids = select(each.value(bindparam("ids")).c.value)
    mine = (table.c.workspace_id == bindparam("workspace_id"), table.c.id.in_(ids))
    return Prepared(select(table.c.id, table.c.name).where(*mine))


@lru_cache(maxsize=256)
def _update(table: Any, columns: tuple[str, ...], key: tuple[str, ...] = _KEY) -> Prepared:
    """Update *columns* of one row; see _update_values() for its parameters."""
    mine = [table.c[name] == bindparam(f"mine_{name}") for name in key]
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    return Prepared(update(table).where(*mine).values(values))


def _update_values(mine: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an _update(): the key of the row and the new values."""
    key = {f"mine_{name}": value for name, value in mine.items()}
    return key | {f"new_{name}": value for name, value in values.items()}


_ENTRY = {
    column.name: bindparam(column.name, type_=column.type)
    for column in search_entry.c
    if column.name != "entry"  # the database assigns it, if it has such a column
}
_REMOVE = Prepared(
    delete(search_entry).where(
        search_entry.c.workspace_id == bindparam("its_workspace"),
        search_entry.c.kind == bindparam("its_kind"),
        search_entry.c.id == bindparam("its_id"),
    )
)
_REMOVE_REFERENCES = Prepared(
    delete(search_entry).where(
        search_entry.c.workspace_id == bindparam("its_workspace"),
        search_entry.c.kind == "reference",
        search_entry.c.id >= bindparam("first"),
        search_entry.c.id < bindparam("beyond"),
    )
)
_ANY_CASE = Prepared(_one(cases, *_columns(cases, Case)))
_CASE = Prepared(_one(cases, *_columns(cases, Case)).where(cases.c.deleted_at.is_(None)))
_REGISTER = {
    "party": Prepared(_one(party, *_columns(party, Party))),
    "staff": Prepared(_one(staff, *_columns(staff, Staff))),
}
_NAMES = {"party": _select_names(party), "staff": _select_names(staff)}
_INSERT = {table: Prepared(insert(table)) for table in (cases, party, staff)} | {
    search_entry: Prepared(insert(search_entry).values(_ENTRY).inline())
}
