"""Facets: how many cases of a list have each status, each staff member and so on.

Each facet is counted without the filter on itself, so that whoever has chosen one value still sees
the others, with what choosing them would find.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, and_, bindparam, func, select

from domain.errors import invalid
from domain.reading import filters, lists, lookups, objects
from domain.reading.filters import Compiled, Shape
from domain.reading.lists import RootList
from domain.storage import tables
from domain.storage.database import Snapshot
from domain.storage.spellings import aside
from domain.storage.statements import Fetch, Prepared

DEFAULT_VALUES, MOST_VALUES = 20, 100
COMBINED = 5_000
"""Combinations of values that are counted together."""


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

    roles: Any = None
    """The roles it is joined with, if it is."""

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
    found: dict[FacetField, Facet] = {}
    for fields, fetch in counts(asked, by, first):
        rows = await db.fetch(fetch)
        if len(fields) > 1 and len(rows) > COMBINED:
            # Too many combinations to be counted here: each field by itself.
            for field in fields:
                alone = await db.fetch(_alone(asked, field, first))
                found[field] = await _facet(db, asked, field, alone, first)
            continue
        for place, field in enumerate(fields):
            ordered = rows if len(fields) == 1 else _ordered(rows, place)
            found[field] = await _facet(db, asked, field, ordered, first)
    return [found[field] for field in dict.fromkeys(by)]


def counts(
    asked: RootList, by: Sequence[FacetField], first: int
) -> list[tuple[tuple[FacetField, ...], Fetch]]:
    """What is fetched for fields.

    Fields of the case itself that are counted of the same cases are counted together: the rows are
    their values and the count of this combination, in no order. Of any other field the rows are the
    first values and their counts, and one value more.
    """
    together: dict[Shape, list[FacetField]] = {}
    fetches: list[tuple[tuple[FacetField, ...], Fetch]] = []
    for field in dict.fromkeys(by):
        if _COUNTED[field].joined is tables.cases:
            together.setdefault(without(asked.conditions, field).shape, []).append(field)
        else:
            fetches.append(((field,), _alone(asked, field, first)))
    for shape, fields in together.items():
        if len(fields) == 1:
            fetches.append(((fields[0],), _alone(asked, fields[0], first)))
            continue
        values = {**asked.values, "limit": COMBINED + 1}
        fetches.append((tuple(fields), Fetch(_combined(tuple(fields), shape), values)))
    return fetches


def _alone(asked: RootList, field: FacetField, first: int) -> Fetch:
    compiled = without(asked.conditions, field)
    values = {**compiled.values, "workspace_id": asked.who.workspace_id, "limit": first + 1}
    return Fetch(_statement(field, compiled.shape), values)


def _ordered(rows: Sequence[tuple[Any, ...]], place: int) -> list[tuple[Any, int]]:
    """The values at one place of combinations and their counts, in the order of a facet."""
    counted: Counter[Any] = Counter()
    for *values, count in rows:
        counted[values[place]] += count
    return sorted(counted.items(), key=lambda one: (-one[1], one[0] is None, one[0] or ""))


async def _facet(
    db: Snapshot,
    asked: RootList,
    field: FacetField,
    rows: Sequence[tuple[Any, ...]],
    first: int,
) -> Facet:
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


@lru_cache(maxsize=128)
def _combined(fields: tuple[FacetField, ...], shape: Shape) -> Prepared:
    """How many cases have each combination of values."""
    values = [_COUNTED[field].value for field in fields]
    # Not by an index on one of them, which has not the others.
    statement = (
        select(*values, func.count()).select_from(tables.cases).group_by(*map(aside, values))
    )
    return lists.matching(statement.limit(bindparam("limit")), lookups.CASE, shape)


@lru_cache(maxsize=256)
def _statement(field: FacetField, shape: Shape) -> Prepared:
    counted = _COUNTED[field]
    if counted.roles is not None and shape == filters.EVERYTHING:
        return _of_all(counted)
    value, count = counted.value.label("value"), counted.count.label("count")
    statement = (
        select(value, count)
        .select_from(counted.joined)
        .group_by(counted.value)
        .order_by(count.desc(), counted.value.is_(None), counted.value)
        .limit(bindparam("limit"))
    )
    return lists.matching(statement, lookups.CASE, shape)


def _of_all(counted: _Counted) -> Prepared:
    """The same of all cases, read off the roles: of the cases, only deleted ones are looked at."""
    roles = counted.roles
    value, count = counted.value.label("value"), counted.count.label("count")
    c = tables.cases.c
    mine = bindparam("workspace_id", type_=Integer)
    deleted = select(c.id).where(c.workspace_id == mine, c.deleted_at.is_not(None))
    return Prepared(
        select(value, count)
        .select_from(roles)
        .where(roles.c.workspace_id == mine, roles.c.case_id.not_in(deleted))
        .group_by(counted.value)
        .order_by(count.desc(), counted.value)
        .limit(bindparam("limit"))
    )


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
        _staff,
    ),
    FacetField.PARTY_ROLE: _Counted(
        _parties.c.role, _role_only, _roles(_parties), _parties.c.case_id, _parties
    ),
    FacetField.YEAR: _Counted(func.substr(_c.created_at, 1, 4), _plainly("created_at")),
}
