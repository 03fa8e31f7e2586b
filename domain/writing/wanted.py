"""The roles that a caller wants: checked, resolved to rows, and described for the timeline."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain import folding
from domain.access.principal import Principal
from domain.checks import Check
from domain.inputs import UNSET, Maybe, NewParty, NewStaff, PartyRole, StaffRole, Unclear
from domain.models import Party, Staff
from domain.storage.database import Transaction
from domain.writing import register, role_rows, rows
from domain.writing.idempotency import Call
from domain.writing.role_rows import Role, RoleTable


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


def parties(roles: Iterable[PartyRole]) -> list[tuple[Any, str, Any]]:
    """Roles as checked() takes them."""
    return [(role.party, role.role, role.reference) for role in roles]


def staff(roles: Iterable[StaffRole]) -> list[tuple[Any, str, Any]]:
    return [(role.staff, role.role, role.note) for role in roles]


def checked(check: Check, table: RoleTable, given: Sequence[tuple[Any, str, Any]]) -> list[Wanted]:
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
            node = ""
        elif isinstance(node, NewParty):
            node = register.checked_party(check, node, *path)
        elif isinstance(node, NewStaff):
            node = register.checked_staff(check, node, *path)
        else:
            before = len(check.problems)
            node = check.identifier(node, *path, "id")
            if len(check.problems) > before:
                node = ""  # not looked for
            elif (node, role) in seen:
                check.wrong(_TWICE, *path, "id")
            seen.add((node, role))
        checked.append(Wanted(node, role, remark))
    return checked


async def check_known(
    check: Check, db: Transaction, who: Principal, table: RoleTable, wanted: Sequence[Wanted]
) -> tuple[list[Wanted], dict[str, str]]:
    """*wanted* with the ids of merged parties replaced, and the names by id.

    Unknown parties and staff are refused.
    """
    wanted = list(wanted)
    names = await rows.names_of(db, who.workspace_id, table.kind, _ids(wanted))
    if unknown := _ids(wanted) - names.keys():
        kept = await rows.kept_ids(db, who, unknown)
        wanted = [replace(one, node=kept.get(str(one.node), one.node)) for one in wanted]
        names |= await rows.names_of(db, who.workspace_id, table.kind, set(kept.values()))
        _refuse_twice(check, table, wanted, set(kept.values()))
    for index, one in enumerate(wanted):
        if isinstance(one.node, str) and one.node and one.node not in names:
            check.refuse(table.absent(one.node, (table.field, str(index), "id")))
    return wanted, names


def _ids(wanted: Iterable[Wanted]) -> set[str]:
    return {one.node for one in wanted if isinstance(one.node, str) and one.node}


def _refuse_twice(
    check: Check, table: RoleTable, wanted: Sequence[Wanted], nodes: Collection[str]
) -> None:
    """Refuse the same role for one of *nodes* under two of its ids."""
    seen: set[tuple[Any, str]] = set()
    for index, one in enumerate(wanted):
        if one.node in nodes and (one.node, one.role) in seen:
            check.wrong(_TWICE, table.field, str(index), "id")
        seen.add((one.node, one.role))


_TWICE = "A party or staff member must not have the same role twice."


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
        return role_rows.described(self.table, self.roles, self.names)


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


async def alike(
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


def kept(wanted: Wanted, previous: Mapping[tuple[Any, str], Role]) -> Wanted:
    """*wanted*, with the reference or note that the role already has if none was given."""
    if wanted.remark is not UNSET:
        return wanted
    old = previous.get((wanted.node, wanted.role))
    return replace(wanted, remark=None if old is None else old.remark)
