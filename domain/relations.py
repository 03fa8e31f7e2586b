"""The lists that hang on an object: a case's parties, a party's cases and so on, as data.

One statement loads such a list for many parents at once, each with its own page; both
surfaces and both ways of executing GraphQL read through it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import ColumnElement, FromClause, Table, and_, bindparam, func, select, tuple_

from domain import tables
from domain.keyset import Window
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
from domain.prepared import Prepared, each


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
    node_columns: tuple[str, ...] = ()

    @property
    def key_types(self) -> tuple[type, ...]:
        return tuple(self.edges.c[name].type.python_type for name in self.key)


def _names(kind: type, *without: str) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name not in without)


def _edge(edge_type: Any, node_type: Any) -> Callable[[Sequence[Any]], Any]:
    width = len(fields(edge_type)) - 1
    return lambda row: edge_type(*row[:width], node_type(*row[width:]))


def event_of(row: Sequence[Any]) -> TimelineEvent:
    changes = tuple(Change(**change) for change in orjson.loads(row[-1]))
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
    nodes=tables.cases,
    node_id="case_id",
    node_columns=_names(Case),
)


@lru_cache(maxsize=256)
def page(relation: Relation, window: Window, *, narrowed: bool) -> Prepared:
    """The parent, the key, then the edge's and the node's columns; *limit* rows a parent.

    Each parent's rows are found by its own bounded walk along the index, so a party with a
    hundred thousand cases costs no more than one with three.
    """
    parents = each.value(bindparam("parents"), "parent")
    inner = relation.edges.alias("inner")
    inner_key = [inner.c[name] for name in relation.key]
    walk = (
        select(*inner_key)
        .select_from(_with_visible_nodes(relation, inner, tables.cases.alias("inner_node")))
        .where(
            inner.c.workspace_id == bindparam("workspace_id"),
            inner.c[relation.parent] == parents.c.value,
            *window.conditions(inner_key, descending=relation.descending),
            *_narrowing(relation, inner, narrowed),
        )
        .order_by(*window.order(inner_key, descending=relation.descending))
        .limit(bindparam("limit"))
        .correlate(parents)
    )
    outer = relation.edges
    key = [outer.c[name] for name in relation.key]
    within = key[0].in_(walk) if len(key) == 1 else tuple_(*key).in_(walk)
    source = parents.join(
        outer,
        and_(
            outer.c.workspace_id == bindparam("workspace_id"),
            outer.c[relation.parent] == parents.c.value,
            within,
        ),
    )
    columns = [outer.c[name] for name in relation.columns]
    if relation.nodes is not None:
        nodes = relation.nodes
        source = source.join(
            nodes,
            and_(
                nodes.c.workspace_id == bindparam("workspace_id"),
                nodes.c.id == outer.c[relation.node_id],
            ),
        )
        columns += [nodes.c[name] for name in relation.node_columns]
    order = window.order(key, descending=relation.descending)
    statement = select(parents.c.value, *key, *columns).select_from(source)
    return Prepared(statement.order_by(parents.c.value, *order))


@lru_cache(maxsize=64)
def count(relation: Relation, *, narrowed: bool) -> Prepared:
    """For each parent that has any: the parent and the number of rows."""
    parents = each.value(bindparam("parents"), "parent")
    edges = relation.edges
    source = parents.join(
        _with_visible_nodes(relation, edges, tables.cases),
        and_(
            edges.c.workspace_id == bindparam("workspace_id"),
            edges.c[relation.parent] == parents.c.value,
        ),
    )
    statement = select(parents.c.value, func.count()).select_from(source)
    statement = statement.where(*_narrowing(relation, edges, narrowed))
    return Prepared(statement.group_by(parents.c.value))


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
    return source


def _narrowing(relation: Relation, edges: Any, narrowed: bool) -> list[ColumnElement[bool]]:
    if not narrowed or relation.only is None:
        return []
    return [edges.c[relation.only] == bindparam("only")]
