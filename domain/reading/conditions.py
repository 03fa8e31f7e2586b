"""The SQL conditions for the shape of a compiled filter: see filters.py."""

import operator
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    true,
)

from domain.reading import search
from domain.reading.fences import once
from domain.reading.filters import NOTHING, Shape
from domain.reading.search import Wanted
from domain.storage.spellings import each, filed_under
from domain.storage.tables import (
    case_party,
    cases,
    party,
    party_alias,
    staff,
    staff_assignment,
)


def condition(shape: Shape, of: FromClause = cases) -> ColumnElement[bool]:
    """The SQL condition on *of*, the cases or what stands for them, for a shape."""
    kind, *rest = shape
    c = of.c
    match kind:
        case "all":
            return and_(true(), *(condition(part, of) for part in rest))
        case "any":
            return or_(false(), *(condition(part, of) for part in rest))
        case "not":
            # Conditions on nullable columns test for null, so that NOT also matches null values.
            return not_(condition(rest[0], of))
        case "status":
            return c.status.in_(_values(rest[0]))
        case "type" | "dezernat":
            return and_(c[kind].is_not(None), c[kind].in_(_values(rest[0])))
        case "file_number":
            return c.id.in_(once(filed(rest[0])))
        case "created_at" | "updated_at":
            return compared(c[kind], *rest)
        case "search":
            return search.found(Wanted(*shape), c.id)
        case "hits":
            return c.id.in_(_values(rest[0]))
        case "party":
            return _has(case_party, party, "party", rest, of)
        case "staff":
            return _has(staff_assignment, staff, "staff", rest, of)
    raise AssertionError(shape)


def filed(parameter: str) -> Select[Any]:
    """The ids of the cases with one of the file numbers whose keys are in *parameter*."""
    workspace_id = bindparam("workspace_id", type_=Integer)
    found = filed_under.of(workspace_id, bindparam(parameter, type_=Text))
    return select(found.c.id.label("value"))


def searched(kind: str, table: Any, shape: Shape) -> ColumnElement[bool]:
    """The SQL condition on *party* or *staff* for a compiled search."""
    return and_(true(), *(_matches(kind, table.c.id, part) for part in shape[1:]))


def _matches(kind: str, id: ColumnElement[Any], part: Shape) -> ColumnElement[bool]:
    if part == NOTHING:
        return false()
    if part[0] == "hits":
        return id.in_(_values(part[1]))
    return search.found(Wanted(*part), id)


def _has(
    edges: Any, nodes: Any, kind: str, shape: Sequence[Any], of: FromClause
) -> ColumnElement[bool]:
    edges = edges if of is cases else edges.alias()
    node_id = edges.c[f"{kind}_id"]
    conditions: list[ColumnElement[bool]] = []
    through = edges
    for part in shape[1:]:
        match part[0]:
            case "id":
                conditions.append(node_id == _kept(kind, bindparam(part[1], type_=Text)))
            case "role":
                conditions.append(edges.c.role.in_(_values(part[1])))
            case "search" | "any":
                conditions.append(_matches(kind, node_id, part))
            case "reference":
                conditions += search.written(part[1], edges.c.case_id, edges.c.position)
            case "kind":
                through = edges.join(
                    nodes,
                    and_(nodes.c.workspace_id == edges.c.workspace_id, nodes.c.id == node_id),
                )
                conditions.append(nodes.c.kind.in_(_values(part[1])))
    if any(part[0] in ("id", "search", "reference", "any") for part in shape[1:]):
        # Few roles: find them once. Asked for each case, SQLite would look up each person found.
        mine = edges.c.workspace_id == bindparam("workspace_id", type_=Integer)
        found = select(edges.c.case_id).select_from(through).where(mine, *conditions)
        return of.c.id.in_(once(found))
    of_case = (edges.c.workspace_id == of.c.workspace_id, edges.c.case_id == of.c.id)
    return exists(select(1).select_from(through).where(*of_case, *conditions).correlate(of))


def _kept(kind: str, id: Any) -> Any:
    """The id of the party that one was merged into, or the id itself."""
    if kind != "party":
        return id
    mine = (
        party_alias.c.workspace_id == bindparam("workspace_id", type_=Integer),
        party_alias.c.id == id,
    )
    return func.coalesce(select(party_alias.c.party_id).where(*mine).scalar_subquery(), id)


def compared(column: ColumnElement[Any], sign: str, parameter: str) -> ColumnElement[bool]:
    compare = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}[sign]
    comparison: ColumnElement[bool] = compare(column, bindparam(parameter))
    return comparison


def _values(parameter: str) -> Any:
    return select(each.value(bindparam(parameter)).c.value)


def event_condition(part: Shape, events: Any) -> ColumnElement[bool]:
    """The SQL condition on *events* for a part of a compiled filter of a timeline."""
    name, *rest = part
    if name == "at":
        return compared(events.c.at, *rest)
    found: ColumnElement[bool] = events.c[name].in_(_values(rest[0]))
    return found
