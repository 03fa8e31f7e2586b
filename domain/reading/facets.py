"""Facets: how many cases of a list have each status, each staff member and so on.

Each facet is counted without the filter on itself, so that whoever has chosen one value still sees
the others, with what choosing them would find.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, func, select

from domain.errors import invalid
from domain.reading import lists, lookups, objects
from domain.reading.filters import Compiled, Shape
from domain.reading.lists import RootList
from domain.storage import tables
from domain.storage.database import Snapshot
from domain.storage.statements import Fetch, Prepared

DEFAULT_VALUES, MOST_VALUES = 20, 100


class FacetField(StrEnum):
    """What cases can be counted by."""

    STATUS = "status"
    TYPE = "type"
    DEZERNAT = "dezernat"
    STAFF = "staff"
    PARTY_ROLE = "party_role"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value, None for cases without one, and how many cases of the list have it.

    A case with several staff members or roles counts once for each of them. A staff member's value
    is the id, and the *label* the name; any other value is its own label.
    """

    value: str | None
    label: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of one field, the most frequent first; *has_more* if others were left out."""

    field: FacetField
    values: Sequence[FacetValue]
    has_more: bool


@dataclass(frozen=True, slots=True)
class _Counted:
    """How a field is counted: its column, what it is joined with, and its own filter.

    *without* is a part of a filter's shape without the conditions on the field itself; None if
    nothing is left.
    """

    value: ColumnElement[Any]
    without: Callable[[Shape], Shape | None]
    joined: FromClause = tables.cases
    distinct: ColumnElement[Any] | None = None
    """What counts once for a value, where a case may have it several times."""

    @property
    def count(self) -> ColumnElement[int]:
        return func.count() if self.distinct is None else func.count(self.distinct.distinct())


async def facets(
    db: Snapshot, asked: RootList, by: Sequence[FacetField], first: int = DEFAULT_VALUES
) -> list[Facet]:
    """The facets of a list of cases, each with up to *first* values, in the order of *by*.

    A field that is given again is counted once. Raises Invalid for a *first* that is not from 1 to
    100.
    """
    if not 1 <= first <= MOST_VALUES:
        raise invalid(f"first must be from 1 to {MOST_VALUES}.", "first")
    asked = await lists.sought(db, asked)
    return [await _facet(db, asked, field, first) for field in dict.fromkeys(by)]


def counts(asked: RootList, field: FacetField, first: int) -> Fetch:
    """Rows: the first values of a field and their counts, and one value more."""
    compiled = without(asked.conditions, field)
    values = {**compiled.values, "workspace_id": asked.who.workspace_id, "limit": first + 1}
    return Fetch(_statement(field, compiled.shape), values)


async def _facet(db: Snapshot, asked: RootList, field: FacetField, first: int) -> Facet:
    rows = await db.fetch(counts(asked, field, first))
    found = rows[:first]
    labels = {}
    if field is FacetField.STAFF:
        people = await objects.by_id(asked.who, db, lookups.STAFF, [id for id, _count in found])
        labels = {id: one.name for id, one in people.items()}
    listed = [FacetValue(value, labels.get(value, value), count) for value, count in found]
    return Facet(field, listed, len(rows) > first)


def without(compiled: Compiled, field: FacetField) -> Compiled:
    """A filter without its conditions on *field*, as far as all of it has to match."""
    parts = (_COUNTED[field].without(part) for part in compiled.shape[1:])
    return replace(compiled, shape=("all", *(part for part in parts if part is not None)))


@lru_cache(maxsize=256)
def _statement(field: FacetField, shape: Shape) -> Prepared:
    counted = _COUNTED[field]
    value, count = counted.value.label("value"), counted.count.label("count")
    statement = (
        select(value, count)
        .select_from(counted.joined)
        .group_by(counted.value)
        .order_by(count.desc(), counted.value.is_(None), counted.value)
        .limit(bindparam("limit"))
    )
    return lists.matching(statement, lookups.CASE, shape)


def _plainly(*names: str) -> Callable[[Shape], Shape | None]:
    """Leaves out the conditions of these names, those that are joined by `and`, too."""

    def leave_out(part: Shape) -> Shape | None:
        if part[0] == "all":
            rest = tuple(one for one in map(leave_out, part[1:]) if one is not None)
            return ("all", *rest) if rest else None
        return None if part[0] in names else part

    return leave_out


def _role_only(part: Shape) -> Shape | None:
    """Leaves out the role of parties, and keeps who they are."""
    if part[0] == "all":
        rest = tuple(one for one in map(_role_only, part[1:]) if one is not None)
        return ("all", *rest) if rest else None
    if part[0] != "party":
        return part
    rest = tuple(one for one in part[2:] if one[0] != "role")
    return (*part[:2], *rest) if rest else None


def _roles(edges: Any) -> FromClause:
    mine = and_(
        edges.c.workspace_id == tables.cases.c.workspace_id,
        edges.c.case_id == tables.cases.c.id,
    )
    return tables.cases.join(edges, mine)


_c = tables.cases.c
_parties, _staff = tables.case_party, tables.staff_assignment
_COUNTED = {
    FacetField.STATUS: _Counted(_c.status, _plainly("status")),
    FacetField.TYPE: _Counted(_c.type, _plainly("type")),
    FacetField.DEZERNAT: _Counted(_c.dezernat, _plainly("dezernat")),
    FacetField.STAFF: _Counted(
        _staff.c.staff_id,
        _plainly("staff"),
        _roles(_staff),
        _staff.c.case_id,
    ),
    FacetField.PARTY_ROLE: _Counted(
        _parties.c.role, _role_only, _roles(_parties), _parties.c.case_id
    ),
    FacetField.YEAR: _Counted(func.substr(_c.created_at, 1, 4), _plainly("created_at")),
}
