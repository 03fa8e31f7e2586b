"""The root lists: a workspace's cases, parties and staff.

Only cases(), parties() and staff() make a list, and they require the scope to read. The list then
supplies the statements and their values.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select

from domain.access.principal import Principal, Scope
from domain.inputs import CaseFilter, CaseOrder, CaseOrderField
from domain.reading import cursors, filters, lookups, search
from domain.reading.cursors import Seal
from domain.reading.fences import rows_of
from domain.reading.filters import Compiled, Shape
from domain.reading.lookups import Kind
from domain.reading.paging import Paging, Window, outside, page_values
from domain.storage.database import Snapshot
from domain.storage.spellings import aside, each
from domain.storage.statements import Fetch, Prepared

FEW = 500
"""Hits of a search that are found at once."""
NEWEST_FIRST = CaseOrder()
_BY_NAME = CaseOrder(CaseOrderField.NAME, descending=False)
_ORDER_COLUMN = {
    CaseOrderField.NAME: "name_order",
    CaseOrderField.FILE_NUMBER: "number_order",
    CaseOrderField.CREATED_AT: "created_at",
    CaseOrderField.UPDATED_AT: "updated_at",
}
_PRIVATE = {"name_order", "number_order"}
_KEY_TYPES = (str, str)
"""Every root list is ordered by a text, then by id."""


@dataclass(frozen=True, slots=True)
class RootList:
    """The workspace's cases, parties or staff that match a filter, in one order."""

    who: Principal
    kind: Kind
    compiled: Compiled
    order: CaseOrder
    found: Compiled | None = None
    """The filter with the hits of its search; cursors do not depend on it."""

    @property
    def conditions(self) -> Compiled:
        """What all of its items match."""
        return self.found or self.compiled

    def page(
        self, paging: Paging, columns: tuple[str, ...], *, keyed: bool = False, ahead: int = 1
    ) -> Fetch:
        """Rows: the key if *keyed*, then *columns*; up to *ahead* rows beyond the page.

        Raises Invalid for a cursor from another list.
        """
        window = Window.of(paging)
        shape = self.conditions.shape
        statement = _page(self.kind, self.order, shape, window, columns, keyed=keyed)
        values = page_values(paging, self.seal, _KEY_TYPES, ahead)
        values |= {"workspace_id": self.who.workspace_id, **self.conditions.values}
        return Fetch(statement, values)

    def outside(self, paging: Paging, name: str) -> Fetch | None:
        """A row if anything is at the cursor *name*, "after" or "before", or beyond it.

        None without that cursor. Raises Invalid for a cursor from another list.
        """
        if getattr(paging, name) is None:
            return None
        values = page_values(paging, self.seal, _KEY_TYPES)
        values |= {"workspace_id": self.who.workspace_id, **self.conditions.values}
        return Fetch(_outside(self.kind, self.order, self.conditions.shape, name), values)

    def count(self) -> Fetch:
        """One row: the number of items in the whole list."""
        values = {"workspace_id": self.who.workspace_id, **self.conditions.values}
        return Fetch(_count(self.kind, self.conditions.shape), values)

    def first_hits(self) -> Fetch | None:
        """Rows: the ids of the first hits of its search, one more than are few.

        None without a search by the index, and if the hits are known.
        """
        name = self.compiled.search
        if name is None or self.found is not None:
            return None
        values = {"workspace_id": self.who.workspace_id, "limit": FEW + 1, **self.compiled.values}
        return Fetch(_first_hits(self.kind.name, name), values)

    def with_hits(self, ids: list[str]) -> "RootList":
        """The same list, whose search has these hits and no others."""
        name = self.compiled.search
        assert name is not None
        return replace(self, found=self.compiled.with_hits(name, ids))

    def seal(self) -> Seal:
        """The seal of the list's cursors."""
        order = (self.order.field, self.order.descending) if self.kind is lookups.CASE else ()
        return cursors.seal(
            self.who.secret,
            self.kind.name,
            self.compiled.shape,
            self.compiled.values,
            *order,
            private=_ordered_by(self.kind, self.order) in _PRIVATE,
        )


async def settled(db: Snapshot, asked: RootList) -> RootList:
    """The same list; if its search has few hits, they are found now, for the page and the total.

    A page of few hits is put in order. If there are many, walking the list in its order until
    enough of them were met takes less.
    """
    wanted = asked.first_hits()
    if wanted is None:
        return asked
    hits = [id for (id,) in await db.fetch(wanted)]
    return asked if len(hits) > FEW else asked.with_hits(hits)


def cases(
    who: Principal, wanted: CaseFilter | None = None, order: CaseOrder = NEWEST_FIRST
) -> RootList:
    """The workspace's cases. Raises InsufficientScope, Invalid for a bad filter."""
    who.require(Scope.CASES_READ)
    return RootList(who, lookups.CASE, filters.compile_filter(who.workspace_id, wanted), order)


def parties(who: Principal, search: str | None = None) -> RootList:
    """The workspace's parties, by name. Raises InsufficientScope, Invalid."""
    who.require(Scope.CASES_READ)
    return _register(who, lookups.PARTY, search)


def staff(who: Principal, search: str | None = None) -> RootList:
    """The workspace's staff, by name. Raises InsufficientScope, Invalid."""
    who.require(Scope.CASES_READ)
    return _register(who, lookups.STAFF, search)


def deleted_cases(who: Principal) -> RootList:
    """The workspace's deleted cases, the last one first. Raises InsufficientScope."""
    who.require(Scope.CASES_READ)
    who.require(Scope.CASES_DELETE)
    everything = filters.compile_filter(who.workspace_id, None)
    return RootList(who, lookups.DELETED_CASE, everything, NEWEST_FIRST)


def _register(who: Principal, kind: Kind, search: str | None) -> RootList:
    compiled = filters.compile_search(who.workspace_id, kind.name, search)
    return RootList(who, kind, compiled, _BY_NAME)


def _ordered_by(kind: Kind, order: CaseOrder) -> str:
    """The column that a list is ordered by."""
    return "deleted_at" if kind.deleted else _ORDER_COLUMN[order.field]


_first_hits = lru_cache(maxsize=64)(search.first_hits)


@lru_cache(maxsize=512)
def _page(
    kind: Kind,
    order: CaseOrder,
    shape: Shape,
    window: Window,
    columns: tuple[str, ...],
    *,
    keyed: bool,
) -> Prepared:
    """The two parts of the key if *keyed*, then *columns*."""
    c = kind.table.c
    key = _key(kind, order, shape)
    statement = (
        select(*(key if keyed else ()), *(c[name] for name in columns))
        .where(*window.conditions(key, descending=order.descending))
        .order_by(*window.order(key, descending=order.descending))
    )
    return matching(statement.limit(bindparam("limit")), kind, shape)


@lru_cache(maxsize=192)
def _outside(kind: Kind, order: CaseOrder, shape: Shape, name: str) -> Prepared:
    c = kind.table.c
    key = _key(kind, order, shape)
    condition, nearest = outside(key, name, descending=order.descending)
    return matching(select(c.id).where(condition).order_by(*nearest).limit(1), kind, shape)


def _key(kind: Kind, order: CaseOrder, shape: Shape) -> list[Any]:
    """The columns that a list is ordered by: not what the hits of a search are found by."""
    first = kind.table.c[_ordered_by(kind, order)]
    return [aside(first) if _hits(shape) else first, kind.table.c.id]


@lru_cache(maxsize=192)
def _count(kind: Kind, shape: Shape) -> Prepared:
    return matching(select(func.count()).select_from(kind.table), kind, shape)


def matching(statement: Select[Any], kind: Kind, shape: Shape) -> Prepared:
    """The statement for what matches the shape.

    PostgreSQL fetches hits that are known and file numbers first, each by its id, and looks at
    nothing else.
    """
    few = _hits(shape) or _number(shape)
    if few is None:
        return Prepared(_conditioned(statement, kind, shape))
    kind_of_few, parameter = few[:2]
    ids = (
        each.value(bindparam(parameter))
        if kind_of_few == "hits"
        else filters.filed(parameter).subquery("found")
    )
    found = rows_of(kind.table, ids)
    rest = tuple(part for part in shape if part is not few)
    return Prepared(
        _conditioned(statement, kind, shape),
        postgresql=_conditioned(statement, kind, rest).add_cte(found),
    )


def _hits(shape: Shape) -> Shape | None:
    """The part of a shape that tells of hits whose ids are known."""
    return next((part for part in shape[1:] if part[0] == "hits"), None)


def _number(shape: Shape) -> Shape | None:
    """The part of a shape that asks for a file number."""
    return next((part for part in shape[1:] if part[0] == "file_number"), None)


def _conditioned(statement: Select[Any], kind: Kind, shape: Shape) -> Select[Any]:
    matches: ColumnElement[bool] = (
        filters.condition(shape)
        if kind is lookups.CASE
        else filters.searched(kind.name, kind.table, shape)
    )
    mine = kind.table.c.workspace_id == bindparam("workspace_id")
    return statement.where(mine, *kind.visible(kind.table), matches)
