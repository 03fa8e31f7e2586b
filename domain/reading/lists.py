"""The root lists: a workspace's cases, parties and staff.

Only cases(), parties() and staff() make a list, and they require the scope to read. The list then
supplies the statements and their values.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select

from domain.access.principal import Principal, Scope
from domain.inputs import CaseFilter, CaseOrder, CaseOrderField
from domain.reading import cursors, filters, lookups
from domain.reading.cursors import Seal
from domain.reading.filters import Compiled, Shape
from domain.reading.lookups import Kind
from domain.reading.paging import Paging, Window, outside, page_values
from domain.storage.statements import Fetch, Prepared

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

    def page(
        self, paging: Paging, columns: tuple[str, ...], *, keyed: bool = False, ahead: int = 1
    ) -> Fetch:
        """Rows: the key if *keyed*, then *columns*; up to *ahead* rows beyond the page.

        Raises Invalid for a cursor from another list.
        """
        window = Window.of(paging)
        statement = _page(self.kind, self.order, self.compiled.shape, window, columns, keyed=keyed)
        values = page_values(paging, self.seal, _KEY_TYPES, ahead)
        values |= {"workspace_id": self.who.workspace_id, **self.compiled.values}
        return Fetch(statement, values)

    def outside(self, paging: Paging, name: str) -> Fetch | None:
        """A row if anything is at the cursor *name*, "after" or "before", or beyond it.

        None without that cursor. Raises Invalid for a cursor from another list.
        """
        if getattr(paging, name) is None:
            return None
        values = page_values(paging, self.seal, _KEY_TYPES)
        values |= {"workspace_id": self.who.workspace_id, **self.compiled.values}
        return Fetch(_outside(self.kind, self.order, self.compiled.shape, name), values)

    def count(self) -> Fetch:
        """One row: the number of items in the whole list."""
        values = {"workspace_id": self.who.workspace_id, **self.compiled.values}
        return Fetch(_count(self.kind, self.compiled.shape), values)

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
    key = [c[_ordered_by(kind, order)], c.id]
    statement = _matching(
        select(*(key if keyed else ()), *(c[name] for name in columns)), kind, shape
    )
    statement = statement.where(*window.conditions(key, descending=order.descending))
    statement = statement.order_by(*window.order(key, descending=order.descending))
    return Prepared(statement.limit(bindparam("limit")))


@lru_cache(maxsize=192)
def _outside(kind: Kind, order: CaseOrder, shape: Shape, name: str) -> Prepared:
    c = kind.table.c
    key = [c[_ordered_by(kind, order)], c.id]
    condition, nearest = outside(key, name, descending=order.descending)
    statement = _matching(select(c.id), kind, shape).where(condition)
    return Prepared(statement.order_by(*nearest).limit(1))


@lru_cache(maxsize=192)
def _count(kind: Kind, shape: Shape) -> Prepared:
    return Prepared(_matching(select(func.count()).select_from(kind.table), kind, shape))


def _matching(statement: Select[Any], kind: Kind, shape: Shape) -> Select[Any]:
    matches: ColumnElement[bool] = (
        filters.condition(shape)
        if kind is lookups.CASE
        else filters.searched(kind.name, kind.table, shape)
    )
    mine = kind.table.c.workspace_id == bindparam("workspace_id")
    return statement.where(mine, *kind.visible(kind.table), matches)
