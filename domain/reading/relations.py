"""The lists that hang on an object: a case's parties, a party's cases and so on, as data.

One statement loads such a list for many parents at once, each with its own page; both
surfaces and both ways of executing GraphQL read through it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    true,
    tuple_,
)

from domain.errors import Damaged
from domain.models import (
    Case,
    CaseLink,
    CaseParty,
    Change,
    Party,
    PartyCase,
    Staff,
    StaffAssignment,
    StaffCase,
    TimelineEvent,
)
from domain.reading.keyset import Window
from domain.storage import tables
from domain.storage.spellings import each
from domain.storage.statements import Prepared

NODE = "node."
"""Before the name of a column of the node; the edge's own columns have bare names."""
_BEYOND: dict[type, Any] = {int: 2**63 - 1, str: "\U0010ffff"}
_BELOW: dict[type, Any] = {int: -(2**63), str: ""}


@dataclass(frozen=True, eq=False, slots=True)
class Relation:
    """A list of *edges* rows for each value of *parent*, in the order of *key*."""

    name: str
    edges: Table
    parent: str
    key: tuple[str, ...]
    descending: bool
    columns: tuple[str, ...]
    build: Callable[[Sequence[Any]], Any]
    only: str | None = None  # the column that the argument role or type narrows
    nodes: Table | None = None
    node_id: str = ""
    joins: bool = False  # an item is a role, and the node is what it leads to
    node_columns: tuple[str, ...] = ()

    @property
    def all_columns(self) -> tuple[str, ...]:
        """What *build* takes: the edge's columns, then the node's."""
        return (*self.columns, *(NODE + name for name in self.node_columns))


@cache
def key_types(relation: Relation) -> tuple[type, ...]:
    return tuple(relation.edges.c[name].type.python_type for name in relation.key)


def _names(kind: type, *without: str) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name not in without)


def _edge(edge_type: Any, node_type: Any) -> Callable[[Sequence[Any]], Any]:
    width = len(fields(edge_type)) - 1
    return lambda row: edge_type(*row[:width], node_type(*row[width:]))


def event_of(row: Sequence[Any]) -> TimelineEvent:
    try:
        changes = tuple(Change(**change) for change in orjson.loads(row[-1]))
    except (orjson.JSONDecodeError, TypeError):
        # The message would show what is stored.
        raise Damaged from None
    return TimelineEvent(*row[:-1], changes)  # type: ignore[call-arg]


def link_of(row: Sequence[Any]) -> CaseLink:
    return CaseLink(*row[:5], Case(*row[5:]))  # type: ignore[call-arg]


CASE_PARTIES = Relation(
    name="case.parties",
    edges=tables.case_party,
    parent="case_id",
    key=("position",),
    descending=False,
    columns=_names(CaseParty, "node"),
    build=_edge(CaseParty, Party),
    only="role",
    joins=True,
    nodes=tables.party,
    node_id="party_id",
    node_columns=_names(Party),
)
CASE_STAFF = Relation(
    name="case.staff",
    edges=tables.staff_assignment,
    parent="case_id",
    key=("position",),
    descending=False,
    columns=_names(StaffAssignment, "node"),
    build=_edge(StaffAssignment, Staff),
    only="role",
    joins=True,
    nodes=tables.staff,
    node_id="staff_id",
    node_columns=_names(Staff),
)
CASE_LINKS = Relation(
    name="case.links",
    edges=tables.case_link,
    parent="case_id",
    key=("id",),
    descending=False,
    columns=_names(CaseLink, "linked"),
    build=link_of,
    only="type",
    nodes=tables.cases,
    node_id="linked_case_id",
    node_columns=_names(Case),
)
CASE_TIMELINE = Relation(
    name="case.timeline",
    edges=tables.timeline_event,
    parent="case_id",
    key=("seq",),
    descending=True,
    columns=_names(TimelineEvent),
    build=event_of,
)
PARTY_CASES = Relation(
    name="party.cases",
    edges=tables.case_party,
    parent="party_id",
    key=("case_id", "role"),
    descending=True,
    columns=_names(PartyCase, "node"),
    build=_edge(PartyCase, Case),
    only="role",
    joins=True,
    nodes=tables.cases,
    node_id="case_id",
    node_columns=_names(Case),
)
STAFF_CASES = Relation(
    name="staff.cases",
    edges=tables.staff_assignment,
    parent="staff_id",
    key=("case_id", "role"),
    descending=True,
    columns=_names(StaffCase, "node"),
    build=_edge(StaffCase, Case),
    only="role",
    joins=True,
    nodes=tables.cases,
    node_id="case_id",
    node_columns=_names(Case),
)


@lru_cache(maxsize=512)
def page(
    relation: Relation,
    window: Window | None,
    columns: tuple[str, ...],
    *,
    narrowed: bool,
    keyed: bool,
) -> Prepared:
    """The parent's place among the parents, the key if *keyed*, then *columns*.

    Each parent has *limit* rows, or all of them if *window* is None. They are found by its own
    bounded walk along the index, so a party with a hundred thousand cases costs no more than one
    with three.
    """
    parents = each.numbered(bindparam("parents"), "parent")
    edges = relation.edges
    key = [edges.c[name] for name in relation.key]
    selected = _selected(relation, columns, keyed)
    mine = [
        edges.c.workspace_id == bindparam("workspace_id"),
        edges.c[relation.parent] == parents.c.value,
        *_narrowing(relation, edges, narrowed),
    ]
    if window is not None:
        mine.append(_within(relation, window, parents, narrowed))
    source = _with_nodes(relation, parents.join(edges, and_(*mine)), columns)
    order = (window or _WHOLE).order(key, descending=relation.descending)
    statement = select(parents.c.key, *selected).select_from(source)
    statement = statement.order_by(parents.c.key, *order)
    if window is None:
        return Prepared(statement)
    return Prepared(statement, postgresql=_lateral(relation, window, columns, narrowed, selected))


def _lateral(
    relation: Relation,
    window: Window,
    columns: tuple[str, ...],
    narrowed: bool,
    selected: list[Any],
) -> Select[Any]:
    """What page() finds, where a database can be told to walk anew for each parent."""
    parents = each.numbered(bindparam("parents"), "parent")
    edges = relation.edges
    key = [edges.c[name] for name in relation.key]
    page = (
        _bounded(relation, window, columns, parents.c.value, narrowed)
        .with_only_columns(
            *(column.label(f"c{place}") for place, column in enumerate(selected)),
            *(column.label(f"k{place}") for place, column in enumerate(key)),
        )
        .lateral("page")
    )
    shown = [page.c[f"c{place}"] for place in range(len(selected))]
    order = window.order(
        [page.c[f"k{place}"] for place in range(len(key))], descending=relation.descending
    )
    statement = select(parents.c.key, *shown).select_from(parents.join(page, true()))
    return statement.order_by(parents.c.key, *order)


def _bounded(
    relation: Relation,
    window: Window,
    columns: tuple[str, ...],
    parent: Any,
    narrowed: bool,
) -> Select[Any]:
    """One parent's page of edges, with their nodes if they are needed."""
    edges = relation.edges
    key = [edges.c[name] for name in relation.key]
    return (
        select(edges)
        .select_from(_with_nodes(relation, edges, columns))
        .where(
            edges.c.workspace_id == bindparam("workspace_id"),
            edges.c[relation.parent] == parent,
            *_narrowing(relation, edges, narrowed),
            *window.conditions(key, descending=relation.descending),
        )
        .order_by(*window.order(key, descending=relation.descending))
        .limit(bindparam("limit"))
    )


@lru_cache(maxsize=512)
def page_of_one(
    relation: Relation,
    window: Window | None,
    columns: tuple[str, ...],
    *,
    narrowed: bool,
    keyed: bool,
) -> Prepared:
    """As page(), for a single parent: half as much work for the database."""
    edges = relation.edges
    key = [edges.c[name] for name in relation.key]
    statement = (
        select(literal_column("0"), *_selected(relation, columns, keyed))
        .select_from(_with_nodes(relation, edges, columns))
        .where(
            edges.c.workspace_id == bindparam("workspace_id"),
            edges.c[relation.parent] == bindparam("parent"),
            *_narrowing(relation, edges, narrowed),
        )
        .order_by(*(window or _WHOLE).order(key, descending=relation.descending))
    )
    if window is None:
        return Prepared(statement)
    bounded = statement.where(*window.conditions(key, descending=relation.descending))
    bounded = bounded.limit(bindparam("limit"))
    if _clustered(relation):
        return Prepared(bounded)
    # Else SQLite may prefer to walk through the whole table, which is in the key's order.
    walk = _walk(relation, window, bindparam("parent"), narrowed)
    return Prepared(statement.where(_among(key, walk)), postgresql=bounded)


_WHOLE = Window(after=False, before=False, backwards=False)


def _selected(relation: Relation, columns: tuple[str, ...], keyed: bool) -> list[Any]:
    key = [relation.edges.c[name] for name in relation.key] if keyed else []
    nodes = relation.nodes
    return key + [
        nodes.c[name.removeprefix(NODE)]
        if nodes is not None and name.startswith(NODE)
        else relation.edges.c[name]
        for name in columns
    ]


def _with_nodes(relation: Relation, source: FromClause, columns: tuple[str, ...]) -> FromClause:
    """*source*, which has the edges, and the nodes if they are needed."""
    nodes = relation.nodes
    # A role's party or staff member is there for certain; a case may be deleted.
    if nodes is not tables.cases and not any(name.startswith(NODE) for name in columns):
        return source
    assert nodes is not None
    found = [
        nodes.c.workspace_id == bindparam("workspace_id"),
        nodes.c.id == relation.edges.c[relation.node_id],
    ]
    if nodes is tables.cases:
        found.append(nodes.c.deleted_at.is_(None))
    return _with_visible_parents(relation, relation.edges, source.join(nodes, and_(*found)))


def _within(
    relation: Relation, window: Window, parents: Any, narrowed: bool
) -> ColumnElement[bool]:
    """That a row is on its parent's page."""
    walk = _walk(relation, window, parents.c.value, narrowed).correlate(parents)
    outer = [relation.edges.c[name] for name in relation.key]
    if not _clustered(relation):
        return _among(outer, walk)
    # Where the table itself is in the parents' order, one range is faster than single rows.
    last = walk.limit(1).offset(bindparam("others")).scalar_subquery()
    kind = outer[0].type.python_type
    if relation.descending != window.backwards:
        bound = outer[0] >= func.coalesce(last, _BELOW[kind])
    else:
        bound = outer[0] <= func.coalesce(last, _BEYOND[kind])
    return and_(bound, *window.conditions(outer, descending=relation.descending))


def _walk(relation: Relation, window: Window, parent: Any, narrowed: bool) -> Select[Any]:
    """The keys of one parent's rows, in the order of the page."""
    inner = relation.edges.alias("inner")
    key = [inner.c[name] for name in relation.key]
    return (
        select(*key)
        .select_from(_with_visible_nodes(relation, inner, tables.cases.alias("inner_node")))
        .where(
            inner.c.workspace_id == bindparam("workspace_id"),
            inner.c[relation.parent] == parent,
            *window.conditions(key, descending=relation.descending),
            *_narrowing(relation, inner, narrowed),
        )
        .order_by(*window.order(key, descending=relation.descending))
    )


def _among(key: Sequence[ColumnElement[Any]], walk: Select[Any]) -> ColumnElement[bool]:
    listed = walk.limit(bindparam("limit"))
    return key[0].in_(listed) if len(key) == 1 else tuple_(*key).in_(listed)


def _clustered(relation: Relation) -> bool:
    """Whether the table itself, by its primary key, is in the order of the parents."""
    return relation.edges.primary_key.columns.keys()[1] == relation.parent


@lru_cache(maxsize=64)
def count(relation: Relation, *, narrowed: bool) -> Prepared:
    """For each parent that has any: its place among the parents and the number of rows."""
    parents = each.numbered(bindparam("parents"), "parent")
    edges = relation.edges
    source = parents.join(
        _with_visible_nodes(relation, edges, tables.cases),
        and_(
            edges.c.workspace_id == bindparam("workspace_id"),
            edges.c[relation.parent] == parents.c.value,
        ),
    )
    statement = select(parents.c.key, func.count()).select_from(source)
    statement = statement.where(*_narrowing(relation, edges, narrowed))
    return Prepared(statement.group_by(parents.c.key))


def _with_visible_nodes(relation: Relation, edges: Any, nodes: Any) -> FromClause:
    """The edges; where they lead to cases, only those to cases that are not deleted."""
    source: FromClause = edges
    if relation.nodes is tables.cases:
        source = source.join(
            nodes,
            and_(
                nodes.c.workspace_id == edges.c.workspace_id,
                nodes.c.id == edges.c[relation.node_id],
                nodes.c.deleted_at.is_(None),
            ),
        )
    return _with_visible_parents(relation, edges, source)


def _with_visible_parents(relation: Relation, edges: Any, source: FromClause) -> FromClause:
    """A link is hidden with either of its cases; other lists are there as long as who asks."""
    if relation is not CASE_LINKS:
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


def _narrowing(relation: Relation, edges: Any, narrowed: bool) -> list[ColumnElement[bool]]:
    if not narrowed or relation.only is None:
        return []
    return [edges.c[relation.only] == bindparam("only")]
