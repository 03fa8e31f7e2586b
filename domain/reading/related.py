"""Nested lists for many parents at once, with one page for each parent.

One statement loads a relation for all parents of a layer; both surfaces and both GraphQL execution
paths read through it.

This is one file because it is one page, in the forms that the two databases read fast: for one
parent or many, whole or bounded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
    tuple_,
)

from domain.access.principal import Principal, Scope
from domain.reading import cursors
from domain.reading.cursors import Seal
from domain.reading.fences import NOTHING, row_of
from domain.reading.filters import Shape
from domain.reading.narrowing import ALL, Narrowing, Wanted, conditions, narrowing
from domain.reading.paging import Paging, Window, outside, page_values
from domain.reading.relations import Joined, Relation
from domain.storage import tables
from domain.storage.spellings import each
from domain.storage.statements import Fetch, Prepared

_BEYOND: dict[type, Any] = {int: 2**63 - 1, str: "\U0010ffff"}
_BELOW: dict[type, Any] = {int: -(2**63), str: ""}


@dataclass(frozen=True, slots=True)
class RelatedList:
    """A relation's lists, narrowed if that is asked for."""

    who: Principal
    relation: Relation
    narrowing: Narrowing = ALL

    def page(
        self,
        parents: Sequence[str],
        paging: Paging,
        columns: tuple[str, ...],
        *,
        keyed: bool = False,
        ahead: int = 1,
    ) -> Fetch:
        """Rows: the parent's index in *parents*, the key if *keyed*, then *columns*.

        A cursor belongs to one parent's list: raises Invalid for a cursor with several parents.
        The caller has checked that the parents are visible.
        """
        values: dict[str, Any] = {}
        for parent in parents if paging.after or paging.before else parents[:1]:
            seal = partial(self.seal, parent)
            values = page_values(paging, seal, _key_types(self.relation), ahead)
        return self._fetch(parents, Window.of(paging), columns, keyed, values)

    def _fetch(
        self,
        parents: Sequence[str],
        window: Window,
        columns: tuple[str, ...],
        keyed: bool,
        values: dict[str, Any],
    ) -> Fetch:
        shape = self.narrowing.shape
        if len(parents) == 1:
            statement = _page_of_one(self.relation, window, columns, shape=shape, keyed=keyed)
            values["parent"] = parents[0]
        else:
            statement = _page(self.relation, window, columns, shape=shape, keyed=keyed)
            values["parents"] = orjson.dumps(parents).decode()
        values |= {**self.narrowing.values, "workspace_id": self.who.workspace_id}
        return Fetch(statement, values)

    def outside(self, parent: str, paging: Paging, name: str) -> Fetch | None:
        """A row if anything is at the cursor *name* of the parent's list, or beyond it.

        None without that cursor. Raises Invalid for a cursor from another list.
        """
        if getattr(paging, name) is None:
            return None
        values = page_values(paging, partial(self.seal, parent), _key_types(self.relation))
        values |= {**self.narrowing.values, "workspace_id": self.who.workspace_id, "parent": parent}
        return Fetch(_outside(self.relation, name, shape=self.narrowing.shape), values)

    def count(self, parents: Sequence[str]) -> Fetch:
        """Rows: a parent's index and its number of items; none for a parent without items."""
        statement = _count(self.relation, shape=self.narrowing.shape)
        values = {
            **self.narrowing.values,
            "workspace_id": self.who.workspace_id,
            "parents": orjson.dumps(parents).decode(),
        }
        return Fetch(statement, values)

    def seal(self, parent: str) -> Seal:
        """The seal of the cursors of one parent's list."""
        return cursors.seal(self.who.secret, self.relation.name, parent, *self.narrowing.told)


def items(
    who: Principal, relation: Relation, only: str | None = None, wanted: Wanted = None
) -> RelatedList:
    """The lists of a relation, or only the items of one role or link type, or those *wanted*.

    Raises InsufficientScope; Invalid for a text that no role can be, or a bad filter.
    """
    who.require(Scope.CASES_READ)
    return RelatedList(who, relation, narrowing(who, relation, only, wanted))


def same_page(
    relation: Relation,
    columns: tuple[str, ...],
    paging: Paging | None,
    *,
    keyed: bool = False,
    ahead: int = 1,
) -> Callable[[Principal, Sequence[str]], Fetch]:
    """A function that fetches the same page of any parents' lists as RelatedList.page().

    It is for what is asked again and again: all that can be is made ready here. *paging* has no
    cursor; without it the lists are whole, and only lists of roles have a limit in the domain.
    The function raises InsufficientScope.
    """
    window = None if paging is None else Window.of(paging)
    one = _page_of_one(relation, window, columns, shape=(), keyed=keyed)
    many = _page(relation, window, columns, shape=(), keyed=keyed)
    fixed = {} if paging is None else page_values(paging, _no_seal, (), ahead)

    def fetch(who: Principal, parents: Sequence[str]) -> Fetch:
        who.require(Scope.CASES_READ)
        if len(parents) == 1:
            mine = {**fixed, "workspace_id": who.workspace_id, "parent": parents[0]}
            return Fetch(one, mine)
        listed = orjson.dumps(parents).decode()
        return Fetch(many, {**fixed, "workspace_id": who.workspace_id, "parents": listed})

    return fetch


def _no_seal() -> Seal:
    raise AssertionError("a page that is always the same has no cursor")


@cache
def _key_types(relation: Relation) -> tuple[type, ...]:
    return relation.key_types


@lru_cache(maxsize=512)
def _page(
    relation: Relation,
    window: Window | None,
    columns: tuple[str, ...],
    *,
    shape: Shape,
    keyed: bool,
) -> Prepared:
    """The parent's index, the key if *keyed*, then *columns*.

    Each parent has *limit* rows, or all of them if *window* is None. Each parent gets its own
    bounded index scan, so a party with a hundred thousand cases costs no more than one with three.
    """
    parents = each.numbered(bindparam("parents"), "parent")
    edges = relation.edges
    key = [edges.c[name] for name in relation.key]
    selected = _selected(relation, columns, keyed)
    mine = [
        edges.c.workspace_id == bindparam("workspace_id"),
        edges.c[relation.parent] == parents.c.value,
    ]
    if window is not None:
        mine.append(_within(relation, window, parents, shape))
    source = _with_joined(relation, parents.join(edges, and_(*mine)), columns)
    order = (window or _WHOLE).order(key, descending=relation.descending)
    statement = select(parents.c.key, *selected).select_from(source)
    statement = statement.where(*_outer(relation, window, shape))
    statement = statement.order_by(parents.c.key, *order)
    lateral = _lateral(relation, window, columns, shape=shape, keyed=keyed)
    return Prepared(statement, postgresql=lateral)


def _lateral(
    relation: Relation,
    window: Window | None,
    columns: tuple[str, ...],
    *,
    shape: Shape,
    keyed: bool,
) -> Select[Any]:
    """The same rows as _page(), for databases with LATERAL: one scan for each parent."""
    parents = each.numbered(bindparam("parents"), "parent")
    one = _fenced(relation, window, columns, parents.c.value, shape=shape, keyed=keyed)
    page = one.lateral("page")
    shown, order = _shown(relation, window, page)
    statement = select(parents.c.key, *shown).select_from(parents.join(page, true()))
    return statement.order_by(parents.c.key, *order)


def _shown(relation: Relation, window: Window | None, page: FromClause) -> tuple[Any, Any]:
    """The columns of a fenced page but for its key, and its order by that."""
    columns = list(page.c)
    last = len(columns) - len(relation.key)
    order = (window or _WHOLE).order(columns[last:], descending=relation.descending)
    return columns[:last], order


def _fenced(
    relation: Relation,
    window: Window | None,
    columns: tuple[str, ...],
    parent: Any,
    *,
    shape: Shape,
    keyed: bool,
) -> Select[Any]:
    """One parent's page, then its key: the edges in order, then each object by its id.

    PostgreSQL chooses another way if it is free to: see fences.py.
    """
    edges = relation.edges
    key = [edges.c[name] for name in relation.key]
    source, objects = _fenced_objects(relation, columns)

    def column(name: str) -> Any:
        whose, dot, its = name.rpartition(".")
        return objects[whose].c[its] if dot else edges.c[its]

    shown = [*(relation.key if keyed else ()), *columns, *relation.key]
    page = (
        select(*(column(name).label(f"c{place}") for place, name in enumerate(shown)))
        .select_from(source)
        .where(
            edges.c.workspace_id == bindparam("workspace_id"),
            edges.c[relation.parent] == parent,
            *conditions(shape, relation, edges, _led_to(relation, objects)),
        )
        .order_by(*(window or _WHOLE).order(key, descending=relation.descending))
    )
    if window is None:
        return page.offset(NOTHING)
    bounds = window.conditions(key, descending=relation.descending)
    return page.where(*bounds).limit(bindparam("limit"))


def _fenced_objects(
    relation: Relation, columns: tuple[str, ...]
) -> tuple[FromClause, dict[str, Any]]:
    """The edges with the objects whose columns are needed, and these by name."""
    source: FromClause = relation.edges
    objects: dict[str, Any] = {}
    for one in relation.joined:
        if one is relation.to or any(name.startswith(f"{one.name}.") for name in columns):
            found = row_of(one.table, relation.edges, one.id, one.name)
            objects[one.name] = found
            visible = found.c.deleted_at.is_(None) if one is relation.to else true()
            source = source.join(found, visible)
    if relation.hidden_with_parent:
        here = row_of(tables.cases.alias(), relation.edges, "case_id", "here")
        source = source.join(here, here.c.deleted_at.is_(None))
    return source, objects


def _outer(relation: Relation, window: Window | None, shape: Shape) -> list[ColumnElement[bool]]:
    """The conditions on the rows, unless these are found by the keys of a narrowed _walk()."""
    if window is not None and not relation.clustered:
        return []
    return conditions(shape, relation, relation.edges, tables.cases)


def _led_to(relation: Relation, objects: dict[str, Any]) -> Any:
    """The cases that the edges lead to, among the fenced objects; None for other relations."""
    return None if relation.to is None else objects[relation.to.name]


@lru_cache(maxsize=512)
def _page_of_one(
    relation: Relation,
    window: Window | None,
    columns: tuple[str, ...],
    *,
    shape: Shape,
    keyed: bool,
) -> Prepared:
    """Like _page(), for a single parent, at half the cost to the database."""
    edges = relation.edges
    key = [edges.c[name] for name in relation.key]
    statement = (
        select(literal_column("0"), *_selected(relation, columns, keyed))
        .select_from(_with_joined(relation, edges, columns))
        .where(
            edges.c.workspace_id == bindparam("workspace_id"),
            edges.c[relation.parent] == bindparam("parent"),
            *_outer(relation, window, shape),
        )
        .order_by(*(window or _WHOLE).order(key, descending=relation.descending))
    )
    fenced = _fenced(relation, window, columns, bindparam("parent"), shape=shape, keyed=keyed)
    shown, order = _shown(relation, window, fenced.subquery("page"))
    postgresql = select(NOTHING, *shown).order_by(*order)
    if window is None:
        return Prepared(statement, postgresql=postgresql)
    if relation.clustered:
        bounded = statement.where(*window.conditions(key, descending=relation.descending))
        return Prepared(bounded.limit(bindparam("limit")), postgresql=postgresql)
    # Otherwise SQLite may scan the whole table, which is in the key's order.
    walk = _walk(relation, window, bindparam("parent"), shape)
    return Prepared(statement.where(_among(key, walk)), postgresql=postgresql)


_WHOLE = Window(after=False, before=False, backwards=False)


def _selected(relation: Relation, columns: tuple[str, ...], keyed: bool) -> list[Any]:
    key = relation.key if keyed else ()
    return [relation.column(name) for name in (*key, *columns)]


def _with_joined(relation: Relation, source: FromClause, columns: tuple[str, ...]) -> FromClause:
    """*source*, which contains the edges, with the objects whose columns are needed."""
    for one in relation.joined:
        if one is relation.to:
            source = source.join(one.table, _is_visible(one, relation.edges, one.table))
        elif any(name.startswith(f"{one.name}.") for name in columns):
            source = source.join(one.table, _is(one, relation.edges, one.table))
    return _with_visible_parents(relation, relation.edges, source)


def _is(one: Joined, edges: Any, table: Any) -> ColumnElement[bool]:
    mine = table.c.workspace_id == bindparam("workspace_id")
    return and_(mine, table.c.id == edges.c[one.id])


def _is_visible(one: Joined, edges: Any, table: Any) -> ColumnElement[bool]:
    return and_(_is(one, edges, table), table.c.deleted_at.is_(None))


def _within(relation: Relation, window: Window, parents: Any, shape: Shape) -> ColumnElement[bool]:
    """The condition that a row is on its parent's page."""
    walk = _walk(relation, window, parents.c.value, shape).correlate(parents)
    outer = [relation.edges.c[name] for name in relation.key]
    if not relation.clustered:
        return _among(outer, walk)
    # If the table itself is in the parents' order, a range scan is faster than single rows.
    last = walk.limit(1).offset(bindparam("others")).scalar_subquery()
    kind = outer[0].type.python_type
    if relation.descending != window.backwards:
        bound = outer[0] >= func.coalesce(last, _BELOW[kind])
    else:
        bound = outer[0] <= func.coalesce(last, _BEYOND[kind])
    return and_(bound, *window.conditions(outer, descending=relation.descending))


def _walk(relation: Relation, window: Window, parent: Any, shape: Shape) -> Select[Any]:
    """The keys of one parent's rows, in page order."""
    inner = relation.edges.alias("inner")
    inner_case = tables.cases.alias("inner_case")
    key = [inner.c[name] for name in relation.key]
    return (
        select(*key)
        .select_from(_visible(relation, inner, inner_case))
        .where(
            inner.c.workspace_id == bindparam("workspace_id"),
            inner.c[relation.parent] == parent,
            *window.conditions(key, descending=relation.descending),
            *conditions(shape, relation, inner, inner_case),
        )
        .order_by(*window.order(key, descending=relation.descending))
    )


def _among(key: Sequence[ColumnElement[Any]], walk: Select[Any]) -> ColumnElement[bool]:
    keys = walk.limit(bindparam("limit"))
    return key[0].in_(keys) if len(key) == 1 else tuple_(*key).in_(keys)


@lru_cache(maxsize=64)
def _outside(relation: Relation, name: str, *, shape: Shape) -> Prepared:
    edges = relation.edges
    key = [edges.c[part] for part in relation.key]
    condition, nearest = outside(key, name, descending=relation.descending)
    statement = (
        select(key[0])
        .select_from(_visible(relation, edges, tables.cases))
        .where(
            edges.c.workspace_id == bindparam("workspace_id"),
            edges.c[relation.parent] == bindparam("parent"),
            *conditions(shape, relation, edges, tables.cases),
            condition,
        )
    )
    return Prepared(statement.order_by(*nearest).limit(1))


@lru_cache(maxsize=64)
def _count(relation: Relation, *, shape: Shape) -> Prepared:
    """The index and the number of rows of each parent that has any."""
    parents = each.numbered(bindparam("parents"), "parent")
    edges = relation.edges
    source = parents.join(
        _visible(relation, edges, tables.cases),
        and_(
            edges.c.workspace_id == bindparam("workspace_id"),
            edges.c[relation.parent] == parents.c.value,
        ),
    )
    statement = select(parents.c.key, func.count()).select_from(source)
    statement = statement.where(*conditions(shape, relation, edges, tables.cases))
    fenced, objects = _fenced_objects(relation, ())
    mine = (
        edges.c.workspace_id == bindparam("workspace_id"),
        edges.c[relation.parent] == parents.c.value,
    )
    of_one = (
        select(func.count().label("count"))
        .select_from(fenced)
        .where(*mine, *conditions(shape, relation, edges, _led_to(relation, objects)))
        .correlate(parents)
        .lateral("counted")
    )
    counted = parents.join(of_one, of_one.c.count > 0)
    return Prepared(
        statement.group_by(parents.c.key),
        postgresql=select(parents.c.key, of_one.c.count).select_from(counted),
    )


def _visible(relation: Relation, edges: Any, cases: Any) -> FromClause:
    """The edges, without those to deleted *cases*."""
    source: FromClause = edges
    if relation.to is not None:
        source = source.join(cases, _is_visible(relation.to, edges, cases))
    return _with_visible_parents(relation, edges, source)


def _with_visible_parents(relation: Relation, edges: Any, source: FromClause) -> FromClause:
    """Hide a link if either of its cases is deleted; other items need a visible parent anyway."""
    if not relation.hidden_with_parent:
        return source
    here = tables.cases.alias()
    return source.join(
        here,
        and_(
            here.c.workspace_id == edges.c.workspace_id,
            here.c.id == edges.c.case_id,
            here.c.deleted_at.is_(None),
        ),
    )
