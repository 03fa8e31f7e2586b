"""Rows of the roles in a case: one code path for case_party and staff_assignment."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from domain import checks
from domain.access.principal import Principal
from domain.errors import Absent, PartyNotFound, StaffNotFound
from domain.instants import Instant
from domain.storage.database import Transaction
from domain.storage.statements import Prepared
from domain.storage.tables import case_party, cases, staff_assignment


@dataclass(frozen=True, slots=True)
class Role:
    """A row of case_party or staff_assignment; *node_id* is the party or staff member."""

    case_id: str
    position: int
    node_id: str
    role: str
    remark: str | None
    since: Instant


@dataclass(frozen=True, slots=True, eq=False)
class RoleTable:
    """The common parts of the two role tables, with each table's names for them."""

    table: Any
    kind: str  # of the nodes, under the name that search and the register use
    node: str
    remark: str
    since: str
    field: str
    most: int  # rows per case
    remark_max: int  # characters
    absent: type[Absent]
    added: str  # event type
    removed: str  # event type


PARTY_ROLES = RoleTable(
    case_party,
    kind="party",
    node="party_id",
    remark="reference",
    since="added_at",
    field="parties",
    most=1_000,
    remark_max=checks.REFERENCE_MAX,
    absent=PartyNotFound,
    added="parties_added",
    removed="parties_removed",
)
STAFF_ROLES = RoleTable(
    staff_assignment,
    kind="staff",
    node="staff_id",
    remark="note",
    since="assigned_at",
    field="staff",
    most=200,
    remark_max=checks.NOTE_MAX,
    absent=StaffNotFound,
    added="staff_assigned",
    removed="staff_unassigned",
)


async def roles_of(db: Transaction, who: Principal, roles: RoleTable, case_id: str) -> list[Role]:
    """All rows of a case, by position."""
    values = {"workspace_id": who.workspace_id, "case_id": case_id}
    return [Role(*row) for row in await db.rows(_of_case(roles), values)]


async def next_position(db: Transaction, who: Principal, case_id: str, count: int) -> int:
    """Reserve *count* positions in a case and return the first."""
    values = {"mine": who.workspace_id, "case_id": case_id, "more": count}
    row = await db.first(_TAKE_POSITIONS, values)
    assert row is not None
    last: int = row[0]
    return last - count + 1


async def insert_roles(
    db: Transaction, workspace_id: int, roles: RoleTable, new: Sequence[Role]
) -> None:
    values = [
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
    await db.run(_insert(roles), values)


async def delete_roles(
    db: Transaction, workspace_id: int, roles: RoleTable, gone: Sequence[Role]
) -> None:
    c = roles.table.c
    statement = delete(roles.table).where(
        c.workspace_id == workspace_id,
        c.case_id == bindparam("gone_case"),
        c.position == bindparam("gone_position"),
    )
    await db.run(
        Prepared(statement),
        [{"gone_case": row.case_id, "gone_position": row.position} for row in gone],
    )


@cache
def _of_case(roles: RoleTable) -> Prepared:
    c = roles.table.c
    columns = [c.case_id, c.position, c[roles.node], c.role, c[roles.remark], c[roles.since]]
    mine = (c.workspace_id == bindparam("workspace_id"), c.case_id == bindparam("case_id"))
    return Prepared(select(*columns).where(*mine).order_by(c.position))


@cache
def _insert(roles: RoleTable) -> Prepared:
    return Prepared(insert(roles.table))


_TAKE_POSITIONS = Prepared(
    update(cases)
    .where(cases.c.workspace_id == bindparam("mine"), cases.c.id == bindparam("case_id"))
    .values(last_position=cases.c.last_position + bindparam("more"))
    .returning(cases.c.last_position)
)
