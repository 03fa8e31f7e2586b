"""The root lists: a workspace's cases, parties and staff.

Only cases(), parties() and staff() make a list, and they require the scope to read. The list then
supplies the statements and their values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Select, bindparam, func, select

from domain.access.principal import Principal, Scope
from domain.inputs import CaseFilter, CaseOrder, CaseOrderField
from domain.reading import cursors, filters, lookups, search
from domain.reading.cursors import Seal
from domain.reading.fences import rows_of
from domain.reading.filters import Compiled, Shape
from domain.reading.lookups import Kind
from domain.reading.paging import Paging, Window, outside, page_values
from domain.reading.search import Wanted
from domain.storage.database import Snapshot
from domain.storage.spellings import aside, each
from domain.storage.statements import Fetch, Known, Prepared

FEW = 500
"""Hits of a search that are found at once; more are met when the list is walked in its order."""
MANY = 20_000
"""Hits that are found at once for a list by relevance, which cannot be walked: three megabytes."""
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
class RootList:
    """The workspace's cases, parties or staff that match a filter, in one order."""

    who: Principal
    kind: Kind
    compiled: Compiled
    order: CaseOrder
    found: Compiled | None = None
    """The filter with what is known of its search; cursors do not depend on it."""
    matches: Sequence[tuple[str, str]] | None = None
    """The keys of all its items, in its order, if they are known."""

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
    ) -> Fetch:
        """Rows: the key if *keyed*, then *columns*; up to *ahead* rows beyond the page.

        Raises Invalid for a cursor from another list.
        """
        window = Window.of(paging)
        values = self.values | page_values(paging, self.seal, _KEY_TYPES, ahead)
        shape = self.conditions.shape
        if self.matches is not None:
            shape = THESE
            values["these"] = orjson.dumps(self._within(window, values)).decode()
            window = Window(after=False, before=False, backwards=window.backwards)
        sorting = Sorting(self.kind, self.order, shape, self.ranking)
        return Fetch(_page(sorting, window, columns, keyed=keyed), values)

    def outside(self, paging: Paging, name: str) -> Fetch | Known | None:
        """A row if anything is at the cursor *name*, "after" or "before", or beyond it.

        None without that cursor. Raises Invalid for a cursor from another list.
        """
        if getattr(paging, name) is None:
            return None
        values = self.values | page_values(paging, self.seal, _KEY_TYPES)
        if self.matches is not None:
            bound = values[f"{name}_0"], values[f"{name}_1"]
            beyond = name == "after" if self.order.descending else name == "before"
            there = any(key >= bound if beyond else key <= bound for key in self.matches)
            return Known([(1,)] if there else [])
        sorting = Sorting(self.kind, self.order, self.conditions.shape, self.ranking)
        return Fetch(_outside(sorting, name), values)

    def count(self) -> Fetch | Known:
        """One row: the number of items in the whole list."""
        if self.matches is not None:
            return Known([(len(self.matches),)])
        return Fetch(_count(self.kind, self.conditions.shape), self.values)

    @property
    def seeking(self) -> Wanted | None:
        """Its search by the index, if there is one, until it is settled."""
        if self.matches is not None or self.found is not None:
            return None
        wanted = self.compiled.search
        return wanted if wanted is not None and wanted.indexed else None

    async def settled(self, db: Snapshot) -> "RootList":
        """The same list; if its search leads to few items, they are found now, for page and total.

        If there are many, walking the list in its order until enough of them were met takes less,
        but not by relevance.
        """
        wanted = self.seeking
        if wanted is None:
            return self
        wanted = await search.ordered(db, wanted, self.values, FEW)
        keys = await db.fetch(self.first_matches(wanted))
        if len(keys) > self.at_once:
            return replace(self, found=self.compiled.with_modes(wanted))
        return self.with_matches([(first, id) for first, id in keys])

    def first_matches(self, wanted: Wanted) -> Fetch:
        """Rows: the keys of the first items that its search leads to, one more than at once."""
        shape = self.compiled.with_modes(wanted).shape
        sorting = Sorting(self.kind, self.order, shape, self.ranking)
        return Fetch(_first_matches(sorting, wanted), {**self.values, "limit": self.at_once + 1})

    @property
    def at_once(self) -> int:
        """How many items are found at once."""
        return MANY if self.ranking is not None else FEW

    def with_matches(self, keys: Sequence[tuple[str, str]]) -> "RootList":
        """The same list, which has the items with these keys and no others."""
        return replace(self, matches=sorted(keys, reverse=self.order.descending))

    def _within(self, window: Window, values: Mapping[str, Any]) -> list[str]:
        """The ids on a page whose items are known, and up to one beyond it for each ahead."""
        assert self.matches is not None
        keys = self.matches
        for name in ("after", "before"):
            if getattr(window, name):
                bound = values[f"{name}_0"], values[f"{name}_1"]
                less = (name == "after") == self.order.descending
                keys = [key for key in keys if (key < bound if less else key > bound)]
        limit = values["limit"]
        chosen = keys[-limit:] if window.backwards else keys[:limit]
        return [id for _first, id in chosen]

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
    wanted = await search.ordered(db, wanted, asked.values, FEW)
    values = {**asked.values, "limit": MANY + 1}
    hits = [id for (id,) in await db.fetch(Fetch(search.first_hits(wanted), values))]
    if len(hits) > MANY:
        return replace(asked, found=asked.compiled.with_modes(wanted))
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
        first = c[_ordered_by(self.kind, self.order)]
        return [aside(first) if _hits(self.shape) else first, c.id]


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


@lru_cache(maxsize=128)
def _first_matches(sorting: Sorting, wanted: Wanted) -> Prepared:
    """Both parts of the keys of up to *limit* items, in no order."""
    kind, shape = sorting.kind, sorting.shape
    first, id = sorting.key
    statement = select(first, id).limit(bindparam("limit"))
    # PostgreSQL looks up the hits, each by its id, and at nothing else.
    hits = rows_of(kind.table, search.hits(wanted).subquery("sought"))
    rest = tuple(part for part in shape if part != wanted)
    return Prepared(
        _conditioned(statement, kind, shape),
        postgresql=_conditioned(statement, kind, rest).add_cte(hits),
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
        else filters.filed(parameter).subquery("found")
    )
    found = rows_of(kind.table, ids)
    rest = tuple(part for part in shape if part is not few)
    return Prepared(
        _conditioned(statement, kind, shape),
        postgresql=_conditioned(statement, kind, rest).add_cte(found),
    )


THESE: Shape = ("all", ("hits", "these"))
"""What is on a page of which the ids are known."""


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
