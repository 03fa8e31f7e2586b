"""Rows of cases, parties and staff: loading them to be changed, putting them in.

Shared by everything that writes. No rules here, and no timeline: callers see to both.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from domain import folding, search, texts
from domain.auth import Principal
from domain.database import Transaction
from domain.errors import CaseNotFound, PartyNotFound, StaffNotFound, VersionConflict
from domain.ids import canonical_case_id
from domain.instants import Instant
from domain.models import Case, Party, Staff
from domain.prepared import each
from domain.tables import case_party, cases, party, search_entry, staff, staff_assignment

ORDER_MAX = 200  # characters of a name that count in its order


@dataclass(frozen=True, slots=True)
class Role:
    """A row of case_party or staff_assignment; *node_id* is the party or staff member."""

    case_id: str
    position: int
    node_id: str
    role: str
    remark: str | None
    since: Instant


@dataclass(frozen=True, slots=True)
class RoleTable:
    """How the two role tables spell what they have in common."""

    table: Any
    node: str
    remark: str
    since: str
    field: str
    most: int  # rows a case
    remark_max: int  # characters


PARTY_ROLES = RoleTable(
    case_party, "party_id", "reference", "added_at", "parties", 1_000, texts.REFERENCE_MAX
)
STAFF_ROLES = RoleTable(
    staff_assignment, "staff_id", "note", "assigned_at", "staff", 200, texts.NOTE_MAX
)


async def case_to_change(
    db: Transaction,
    who: Principal,
    case_id: str,
    expected_version: int | None = None,
    field: tuple[str, ...] = ("id",),
) -> Case:
    """The case, locked until the transaction ends. Raises CaseNotFound, VersionConflict."""
    canonical = canonical_case_id(case_id)
    row = canonical and await db.first(
        select(*_columns(cases, Case))
        .where(
            cases.c.workspace_id == who.workspace_id,
            cases.c.id == canonical,
            cases.c.deleted_at.is_(None),
        )
        .with_for_update()
    )
    if not row:
        raise CaseNotFound(case_id, field)
    case = Case(*row)
    _require_version(case.version, expected_version)
    return case


async def party_to_change(
    db: Transaction, who: Principal, party_id: str, expected_version: int | None = None
) -> Party:
    """The party, locked until the transaction ends. Raises PartyNotFound, VersionConflict."""
    row = await _register_row(db, who, party, Party, party_id)
    if row is None:
        raise PartyNotFound(party_id)
    found = Party(*row)
    _require_version(found.version, expected_version)
    return found


async def staff_to_change(
    db: Transaction, who: Principal, staff_id: str, expected_version: int | None = None
) -> Staff:
    """The staff member, locked until the end. Raises StaffNotFound, VersionConflict."""
    row = await _register_row(db, who, staff, Staff, staff_id)
    if row is None:
        raise StaffNotFound(staff_id)
    found = Staff(*row)
    _require_version(found.version, expected_version)
    return found


async def names_of(
    db: Transaction, workspace_id: int, kind: str, ids: Collection[str]
) -> dict[str, str]:
    """The names of those parties or staff among *ids* that exist."""
    if not ids:
        return {}
    table = {"party": party, "staff": staff}[kind]
    listed = select(each.value(bindparam("ids")).c.value)
    rows = await db.rows(
        select(table.c.id, table.c.name).where(
            table.c.workspace_id == workspace_id, table.c.id.in_(listed)
        ),
        {"ids": json.dumps(sorted(ids))},
    )
    return {row.id: row.name for row in rows}


async def roles_of(db: Transaction, who: Principal, roles: RoleTable, case_id: str) -> list[Role]:
    """All rows of a case, in order."""
    c = roles.table.c
    columns = [c.case_id, c.position, c[roles.node], c.role, c[roles.remark], c[roles.since]]
    rows = await db.rows(
        select(*columns)
        .where(c.workspace_id == who.workspace_id, c.case_id == case_id)
        .order_by(c.position)
    )
    return [Role(*row) for row in rows]


async def next_position(db: Transaction, who: Principal, case_id: str, count: int) -> int:
    """Take *count* positions in a case; the first of them."""
    mine = (cases.c.workspace_id == who.workspace_id, cases.c.id == case_id)
    row = await db.first(select(cases.c.last_position).where(*mine))
    assert row is not None
    await db.run(
        update(cases).where(*mine).values(last_position=bindparam("last")),
        {"last": row.last_position + count},
    )
    first: int = row.last_position + 1
    return first


async def touch(db: Transaction, who: Principal, case: Case, **changes: Any) -> Case:
    """Store *changes* to a case, and with them a new version; updated_at is now unless given."""
    changes.setdefault("updated_at", db.now)
    touched = replace(case, **changes, version=case.version + 1)
    values = {name: getattr(touched, name) for name in (*changes, "version")}
    if "name" in changes:
        values["name_order"] = name_order(touched.name)
    if "file_number" in changes:
        values["number_order"] = folding.number_order(touched.file_number)[:ORDER_MAX]
    mine = (cases.c.workspace_id == who.workspace_id, cases.c.id == case.id)
    await db.run(update(cases).where(*mine).values(values))
    if {"name", "file_number"} & changes.keys():
        await replace_entry(db, case_entry(who.workspace_id, touched))
    return touched


async def insert_cases(
    db: Transaction, workspace_id: int, new: Sequence[Case], positions: Sequence[int] = ()
) -> None:
    """Put in cases; *positions* is the highest position used in each, 0 if not given."""
    rows = [
        {
            "workspace_id": workspace_id,
            **asdict(case),
            "name_order": name_order(case.name),
            "number_order": folding.number_order(case.file_number)[:ORDER_MAX],
            "last_position": last,
        }
        for case, last in zip(new, positions or [0] * len(new), strict=True)
    ]
    await db.run(insert(cases), rows)
    await db.run(insert(search_entry), [case_entry(workspace_id, case) for case in new])


async def insert_parties(db: Transaction, workspace_id: int, new: Sequence[Party]) -> None:
    await _insert_register(db, workspace_id, party, "party", new)


async def insert_staff(db: Transaction, workspace_id: int, new: Sequence[Staff]) -> None:
    await _insert_register(db, workspace_id, staff, "staff", new)


async def insert_roles(
    db: Transaction, workspace_id: int, roles: RoleTable, new: Sequence[Role]
) -> None:
    rows = [
        {
            "workspace_id": workspace_id,
            "case_id": role.case_id,
            "position": role.position,
            roles.node: role.node_id,
            "role": role.role,
            roles.remark: role.remark,
            roles.since: role.since,
        }
        for role in new
    ]
    await db.run(insert(roles.table), rows)


async def delete_roles(
    db: Transaction, workspace_id: int, roles: RoleTable, rows: Sequence[Role]
) -> None:
    c = roles.table.c
    gone = delete(roles.table).where(
        c.workspace_id == workspace_id,
        c.case_id == bindparam("gone_case"),
        c.position == bindparam("gone_position"),
    )
    await db.run(gone, [{"gone_case": row.case_id, "gone_position": row.position} for row in rows])


async def update_register(
    db: Transaction, who: Principal, kind: str, changed: Party | Staff
) -> None:
    """Store a changed party or staff member."""
    table = {"party": party, "staff": staff}[kind]
    values = {**asdict(changed), "name_order": name_order(changed.name)}
    id = values.pop("id")
    mine = (table.c.workspace_id == who.workspace_id, table.c.id == id)
    await db.run(update(table).where(*mine).values(values))
    await replace_entry(db, register_entry(who.workspace_id, kind, changed))


async def replace_entry(db: Transaction, entry: dict[str, Any]) -> None:
    await db.run(update(search_entry).where(*_entry(entry)).values(entry))


async def remove_entry(db: Transaction, who: Principal, kind: str, id: str) -> None:
    """Take an object out of search."""
    mine = _entry({"workspace_id": who.workspace_id, "kind": kind, "id": id})
    await db.run(delete(search_entry).where(*mine))


def case_entry(workspace_id: int, case: Case) -> dict[str, Any]:
    return search.entry(workspace_id, "case", case.id, case.name, number=case.file_number)


def register_entry(workspace_id: int, kind: str, found: Party | Staff) -> dict[str, Any]:
    email = found.email if isinstance(found, Staff) else None
    return search.entry(workspace_id, kind, found.id, found.name, email)


def name_order(name: str) -> str:
    return folding.plain(name)[:ORDER_MAX]


async def _insert_register(
    db: Transaction, workspace_id: int, table: Any, kind: str, new: Sequence[Party | Staff]
) -> None:
    rows = [
        {"workspace_id": workspace_id, **asdict(one), "name_order": name_order(one.name)}
        for one in new
    ]
    await db.run(insert(table), rows)
    entries = [register_entry(workspace_id, kind, one) for one in new]
    await db.run(insert(search_entry), entries)


async def _register_row(db: Transaction, who: Principal, table: Any, model: Any, id: str) -> Any:
    if not texts.may_be_id(id):
        return None
    return await db.first(
        select(*_columns(table, model))
        .where(table.c.workspace_id == who.workspace_id, table.c.id == id)
        .with_for_update()
    )


def _require_version(actual: int, expected: int | None) -> None:
    if expected is not None and actual != expected:
        raise VersionConflict(expected, actual)


def _columns(table: Any, model: Any) -> list[Any]:
    return [table.c[field.name] for field in fields(model)]


def _entry(entry: dict[str, Any]) -> list[Any]:
    return [search_entry.c[name] == entry[name] for name in ("workspace_id", "kind", "id")]
