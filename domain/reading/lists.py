"""The root lists: a workspace's cases, parties and staff.

Only cases(), parties() and staff() make a list, and they require the scope to read. The list then
supplies the statements and their values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, exists, false, func, select, true

from domain.access.principal import Principal, Scope
from domain.inputs import CaseFilter, CaseOrder, CaseOrderField
from domain.reading import conditions, cursors, filters, lookups, search
from domain.reading.cursors import Seal
from domain.reading.fences import rows_of
from domain.reading.filters import Compiled, Shape
from domain.reading.lookups import Kind
from domain.reading.paging import Paging, Window, outside, page_values
from domain.reading.search import Wanted
from domain.storage import turns
from domain.storage.database import Row, Snapshot
from domain.storage.spellings import each
from domain.storage.statements import Fetch, Known, Prepared

FEW = 500
"""Hits of a search that are put in order; more are met when the list is walked in its order."""
MANY = 20_000
"""Hits that are put in order for a list by relevance, which cannot be walked."""
NEWEST_FIRST = CaseOrder()
_BY_NAME = CaseOrder(CaseOrderField.NAME, descending=False)
_BY_RELEVANCE = CaseOrder(CaseOrderField.RELEVANCE)
_ORDER_COLUMN = {
    CaseOrderField.NAME: "name_order",
    CaseOrderField.FILE_NUMBER: "number_order",
    CaseOrderField.CREATED_AT: "created_at",
    CaseOrderField.UPDATED_AT: "updated_at",
    CaseOrderField.RELEVANCE: "created_at",  # after the score
}
_PRIVATE = {"name_order", "number_order"}
_KEY_TYPES = (str, str)
"""Every root list is ordered by a text, then by id."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What a search that leads to few items has found: how many they are, and a page of them.

    The rows have the key, then *columns*, and there is up to one beyond the page. *outside* tells
    of each cursor whether anything is at it or beyond it.
    """

    total: int
    paging: Paging | None
    columns: tuple[str, ...]
    rows: list[Row]
    outside: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class RootList:
    """The workspace's cases, parties or staff that match a filter, in one order."""

    who: Principal
    kind: Kind
    compiled: Compiled
    order: CaseOrder
    found: Compiled | None = None
    """The filter with what is known of its search; cursors do not depend on it."""
    hits: Hits | None = None
    """What its search has found, if that is few."""

    key_width = len(_KEY_TYPES)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that *build* takes."""
        return self.kind.columns

    @property
    def build(self) -> Callable[[Sequence[Any]], Any]:
        """Makes an item of a row of its columns."""
        return self.kind.build

    @property
    def ranking(self) -> Wanted | None:
        """The search that it is ordered by, if it is."""
        return self.compiled.search if self.order.field is CaseOrderField.RELEVANCE else None

    @property
    def conditions(self) -> Compiled:
        """What all of its items match."""
        return self.found or self.compiled

    def page(
        self, paging: Paging, columns: tuple[str, ...], *, keyed: bool = False, ahead: int = 1
    ) -> Fetch | Known:
        """Rows: the key if *keyed*, then *columns*; up to *ahead* rows beyond the page.

        Raises Invalid for a cursor from another list.
        """
        if (hits := self.hits) is not None and (hits.paging, hits.columns) == (paging, columns):
            rows = hits.rows[: paging.limit + ahead]
            return Known(rows if keyed else [row[self.key_width :] for row in rows])
        values = self.values | page_values(paging, self.seal, _KEY_TYPES, ahead)
        return Fetch(_page(self._sorting, Window.of(paging), columns, keyed=keyed), values)

    def outside(self, paging: Paging, name: str) -> Fetch | Known | None:
        """A row if anything is at the cursor *name*, "after" or "before", or beyond it.

        None without that cursor. Raises Invalid for a cursor from another list.
        """
        if getattr(paging, name) is None:
            return None
        if self.hits is not None and self.hits.paging == paging:
            return Known([(1,)] if self.hits.outside[name] else [])
        values = self.values | page_values(paging, self.seal, _KEY_TYPES)
        return Fetch(_outside(self._sorting, name), values)

    def count(self) -> Fetch | Known:
        """One row: the number of items in the whole list."""
        if self.hits is not None:
            return Known([(self.hits.total,)])
        return Fetch(_count(self.kind, self.conditions.shape), self.values)

    @property
    def seeking(self) -> Wanted | None:
        """Its search by the index, if there is one, until it is settled."""
        if self.found is not None:
            return None
        wanted = self.compiled.search
        return wanted if wanted is not None and wanted.indexed else None

    async def settled(
        self, db: Snapshot, paging: Paging | None = None, columns: tuple[str, ...] = ()
    ) -> "RootList":
        """The same list; if its search leads to few items, they are found now: their number, and
        a page with *columns*, if any is asked for.

        If there are many, walking the list in its order until enough of them were met takes less,
        but not by relevance. Raises Invalid for a cursor from another list.
        """
        if (wanted := self.seeking) is None:
            return self
        ordered = await search.ordered(db, wanted, self.values, FEW)
        asked = replace(self, found=self.compiled.with_search(*ordered))
        visited = turns.visited()
        rows = await db.fetch(asked.first_hits(paging, columns))
        total, after, before = rows[0][:_TOLD]
        turns.met(total, visited)
        if total > self.at_once:
            return asked
        page = [row[_TOLD:] for row in rows if row[_TOLD] is not None] if paging else []
        outside = {"after": bool(after), "before": bool(before)}
        return replace(asked, hits=Hits(total, paging, columns, page, outside))

    def first_hits(self, paging: Paging | None = None, columns: tuple[str, ...] = ()) -> Fetch:
        """At least one row: the number of items that its search leads to, up to one more than are
        found at once; whether any is outside the page, by either cursor; the key and *columns* of
        an item of the page.
        """
        values = {**self.values, "most": self.at_once + 1}
        window = None
        if paging is not None:
            window = Window.of(paging)
            values |= page_values(paging, self.seal, _KEY_TYPES)
        wanted = self.conditions.search
        assert wanted is not None
        return Fetch(_first_hits(self._sorting, wanted, window, columns), values)

    @property
    def at_once(self) -> int:
        """How many items are found at once."""
        return MANY if self.ranking is not None else FEW

    @property
    def _sorting(self) -> "Sorting":
        return Sorting(self.kind, self.order, self.conditions.shape, self.ranking)

    @property
    def values(self) -> dict[str, Any]:
        """The values of the parameters of its conditions."""
        return {"workspace_id": self.who.workspace_id, **self.conditions.values}

    def seal(self) -> Seal:
        """The seal of the list's cursors."""
        has_orders = self.kind is lookups.CASE or self.order.field is CaseOrderField.RELEVANCE
        order = (self.order.field, self.order.descending) if has_orders else ()
        return cursors.seal(
            self.who.secret,
            self.kind.name,
            filters.plain(self.compiled.shape),
            self.compiled.values,
            *order,
            private=_ordered_by(self.kind, self.order) in _PRIVATE,
        )


async def sought(db: Snapshot, asked: RootList) -> RootList:
    """The same list, with the hits of its search whatever else is asked of them, if they are not
    very many."""
    wanted = asked.compiled.search
    if wanted is None or not wanted.indexed:
        return asked
    wanted, known = await search.ordered(db, wanted, asked.values, FEW)
    values = {**asked.values, **known, "limit": MANY + 1}
    hits = [id for (id,) in await db.fetch(Fetch(search.first_hits(wanted), values))]
    if len(hits) > MANY:
        return replace(asked, found=asked.compiled.with_search(wanted, known))
    return replace(asked, found=asked.compiled.with_hits(wanted.name, hits))


def cases(
    who: Principal, wanted: CaseFilter | None = None, order: CaseOrder | None = NEWEST_FIRST
) -> RootList:
    """The workspace's cases. Without an *order*, a search's best hits, or the newest, come first.

    Raises InsufficientScope, Invalid for a bad filter.
    """
    who.require(Scope.CASES_READ)
    compiled = filters.compile_filter(who.workspace_id, wanted)
    order = order or _BY_RELEVANCE
    if order.field is CaseOrderField.RELEVANCE and compiled.search is None:
        order = replace(order, field=CaseOrderField.CREATED_AT)
    return RootList(who, lookups.CASE, compiled, order)


def parties(who: Principal, search: str | None = None, *, ranked: bool = False) -> RootList:
    """The workspace's parties, by name; if *ranked*, by how well they fit the search.

    Raises InsufficientScope, Invalid.
    """
    who.require(Scope.CASES_READ)
    return _register(who, lookups.PARTY, search, ranked=ranked)


def staff(who: Principal, search: str | None = None, *, ranked: bool = False) -> RootList:
    """The workspace's staff; see parties()."""
    who.require(Scope.CASES_READ)
    return _register(who, lookups.STAFF, search, ranked=ranked)


def deleted_cases(who: Principal) -> RootList:
    """The workspace's deleted cases, the last one first. Raises InsufficientScope."""
    who.require(Scope.CASES_READ)
    who.require(Scope.CASES_DELETE)
    everything = filters.compile_filter(who.workspace_id, None)
    return RootList(who, lookups.DELETED_CASE, everything, NEWEST_FIRST)


def _register(who: Principal, kind: Kind, search: str | None, *, ranked: bool) -> RootList:
    compiled = filters.compile_search(who.workspace_id, kind.name, search)
    ranked = ranked and compiled.search is not None
    return RootList(who, kind, compiled, _BY_RELEVANCE if ranked else _BY_NAME)


def _ordered_by(kind: Kind, order: CaseOrder) -> str:
    """The column that a list is ordered by."""
    return "deleted_at" if kind.deleted else _ORDER_COLUMN[order.field]


class Sorting(NamedTuple):
    """What a list's statements depend on, beside their window."""

    kind: Kind
    order: CaseOrder
    shape: Shape
    ranking: Wanted | None

    @property
    def key(self) -> list[Any]:
        """The columns that it is ordered by: not what the hits of a search are found by."""
        c = self.kind.table.c
        if self.ranking is not None:
            return [search.score(self.ranking, c.id).concat(c.created_at), c.id]
        return [c[_ordered_by(self.kind, self.order)], c.id]


@lru_cache(maxsize=512)
def _page(sorting: Sorting, window: Window, columns: tuple[str, ...], *, keyed: bool) -> Prepared:
    """The two parts of the key if *keyed*, then *columns*."""
    c = sorting.kind.table.c
    key, descending = sorting.key, sorting.order.descending
    statement = (
        select(*(key if keyed else ()), *(c[name] for name in columns))
        .where(*window.conditions(key, descending=descending))
        .order_by(*window.order(key, descending=descending))
    )
    return matching(statement.limit(bindparam("limit")), sorting.kind, sorting.shape)


_TOLD = 3
"""How many columns of each row of first_hits() are not the page's."""


@lru_cache(maxsize=256)
def _first_hits(
    sorting: Sorting, wanted: Wanted, window: Window | None, columns: tuple[str, ...]
) -> Prepared:
    kind, shape, descending = sorting.kind, sorting.shape, sorting.order.descending
    key = [one.label(f"key{n}") for n, one in enumerate(sorting.key)]
    shown = [kind.table.c[name].label(f"column{n}") for n, name in enumerate(columns)]
    statement = select(*key, *shown).limit(bindparam("most"))

    def among(found: Select[Any]) -> Select[Any]:
        met = found.cte("met").prefix_with("MATERIALIZED", dialect="postgresql")
        of_met = [met.c.key0, met.c.key1]
        beyond = [
            exists(select(1).where(outside(of_met, name, descending=descending)[0]))
            if window is not None and getattr(window, name)
            else false()
            for name in ("after", "before")
        ]
        count = func.count().label("total")
        named = [one.label(name) for one, name in zip(beyond, ("after", "before"), strict=True)]
        told = select(count, *named).select_from(met).subquery("told")
        if window is None:
            return select(told)
        order = window.order(of_met, descending=descending)
        conditions = window.conditions(of_met, descending=descending)
        page = (
            select(met)
            .where(*conditions)
            .order_by(*order)
            .limit(bindparam("limit"))
            .subquery("page")
        )
        both = told.outerjoin(page, true())
        order = window.order([page.c.key0, page.c.key1], descending=descending)
        return select(told, page).select_from(both).order_by(*order)

    # PostgreSQL looks up the hits, each by its id, and at nothing else.
    hits = rows_of(kind.table, search.hits(wanted).subquery("sought"))
    rest = tuple(part for part in shape if part != wanted)
    return Prepared(
        among(_conditioned(statement, kind, shape)),
        postgresql=among(_conditioned(statement, kind, rest).add_cte(hits)),
    )


@lru_cache(maxsize=192)
def _outside(sorting: Sorting, name: str) -> Prepared:
    c = sorting.kind.table.c
    condition, nearest = outside(sorting.key, name, descending=sorting.order.descending)
    statement = select(c.id).where(condition).order_by(*nearest).limit(1)
    return matching(statement, sorting.kind, sorting.shape)


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
        else conditions.filed(parameter).subquery("found")
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
        conditions.condition(shape)
        if kind is lookups.CASE
        else conditions.searched(kind.name, kind.table, shape)
    )
    mine = kind.table.c.workspace_id == bindparam("workspace_id")
    return statement.where(mine, *kind.visible(kind.table), matches)
