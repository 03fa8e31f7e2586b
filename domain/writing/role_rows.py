"""Rows of the roles in a case: one code path for case_party and staff_assignment."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, select, update

from domain import checks
from domain.access.principal import Principal
from domain.errors import Absent, PartyNotFound, StaffNotFound
from domain.instants import Instant
from domain.reading import search
from domain.storage.database import Transaction
from domain.storage.statements import Prepared
from domain.storage.tables import case_party, cases, staff_assignment
from domain.writing import rows


@dataclass(frozen=True, slots=True)
class Role:
    """A row of case_party or staff_assignment; *node_id* is the party or staff member."""

    case_id: str
    position: int
    node_id: str
    role: str
    remark: str | None
    since: Instant
    number: int = 0
    """What identifies the role in its case; 0 for a new role, which gets its position."""


@dataclass(frozen=True, slots=True, eq=False)
class RoleTable:
    """The common parts of the two role tables, with each table's names for them."""

    table: Any
    kind: str  # of the nodes, under the name that search and the register use
    node: str
    remark: str
    since: str
    field: str
    one: str  # of the nodes, in a sentence
    to_change: Callable[..., Awaitable[Any]]
    like: str  # a role, as an example
    most: int  # rows per case
    remark_max: int  # characters
    absent: type[Absent]
    added: str  # event type
    removed: str  # event type
    changed: str  # event type


PARTY_ROLES = RoleTable(
    case_party,
    kind="party",
    node="party_id",
    remark="reference",
    since="added_at",
    field="parties",
    one="a party",
    to_change=rows.party_to_change,
    like="client",
    most=1_000,
    remark_max=checks.REFERENCE_MAX,
    absent=PartyNotFound,
    added="parties_added",
    removed="parties_removed",
    changed="party_role_changed",
)
STAFF_ROLES = RoleTable(
    staff_assignment,
    kind="staff",
    node="staff_id",
    remark="note",
    since="assigned_at",
    field="staff",
    one="a staff member",
    to_change=rows.staff_to_change,
    like="lead_attorney",
    most=200,
    remark_max=checks.NOTE_MAX,
    absent=StaffNotFound,
    added="staff_assigned",
    removed="staff_unassigned",
    changed="staff_role_changed",
)


async def roles_of(db: Transaction, who: Principal, roles: RoleTable, case_id: str) -> list[Role]:
    """All rows of a case, by position."""
    values = {"workspace_id": who.workspace_id, "case_id": case_id}
    return [Role(*row) for row in await db.rows(_of_case(roles), values)]


async def roles_of_node(
    db: Transaction, who: Principal, roles: RoleTable, node_id: str
) -> list[Role]:
    """All rows of a party or staff member, by case and position, those in deleted cases, too."""
    values = {"workspace_id": who.workspace_id, "node_id": node_id}
    return [Role(*row) for row in await db.rows(_of_node(roles), values)]


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
            "number": role.number or role.position,
        }
        for role in new
    ]
    await db.run(_insert(roles), values)
    if roles is PARTY_ROLES:
        await rows.insert_entries(db, _reference_entries(workspace_id, new))


async def update_role(db: Transaction, workspace_id: int, roles: RoleTable, changed: Role) -> None:
    """Store whose a role that exists is, the role itself, and the reference or note."""
    values = {
        "mine": workspace_id,
        "its_case": changed.case_id,
        "its_position": changed.position,
        "new_node": changed.node_id,
        "new_role": changed.role,
        "new_remark": changed.remark,
    }
    await db.run(_update(roles), values)
    if roles is PARTY_ROLES:
        await rows.remove_entries(db, workspace_id, "reference", [_entry_id(changed)])
        await rows.insert_entries(db, _reference_entries(workspace_id, [changed]))


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
    if roles is PARTY_ROLES:
        written = [_entry_id(row) for row in gone if row.remark]
        await rows.remove_entries(db, workspace_id, "reference", written)


def _reference_entries(workspace_id: int, given: Iterable[Role]) -> list[dict[str, Any]]:
    return [
        rows.reference_entry(workspace_id, role.case_id, role.position, role.remark)
        for role in given
        if role.remark
    ]


def _entry_id(role: Role) -> str:
    return search.reference_id(role.case_id, role.position)


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
            "number": role.number or role.position,
        }
        for role in given
    ]


@cache
def _of_case(roles: RoleTable) -> Prepared:
    c = roles.table.c
    return Prepared(_roles(roles).where(c.case_id == bindparam("case_id")).order_by(c.position))


@cache
def _of_node(roles: RoleTable) -> Prepared:
    c = roles.table.c
    mine = c[roles.node] == bindparam("node_id")
    return Prepared(_roles(roles).where(mine).order_by(c.case_id, c.position))


def _roles(roles: RoleTable) -> Select[Any]:
    c = roles.table.c
    names = ("case_id", "position", roles.node, "role", roles.remark, roles.since, "number")
    mine = c.workspace_id == bindparam("workspace_id")
    return select(*(c[name] for name in names)).where(mine)


@cache
def _update(roles: RoleTable) -> Prepared:
    c = roles.table.c
    mine = (
        c.workspace_id == bindparam("mine"),
        c.case_id == bindparam("its_case"),
        c.position == bindparam("its_position"),
    )
    values: dict[str, Any] = {
        roles.node: bindparam("new_node"),
        "role": bindparam("new_role"),
        roles.remark: bindparam("new_remark"),
    }
    return Prepared(update(roles.table).where(*mine).values(values))


@cache
def _insert(roles: RoleTable) -> Prepared:
    return Prepared(insert(roles.table))


_TAKE_POSITIONS = Prepared(
    update(cases)
    .where(cases.c.workspace_id == bindparam("mine"), cases.c.id == bindparam("case_id"))
    .values(last_position=cases.c.last_position + bindparam("more"))
    .returning(cases.c.last_position)
)
