"""The six nested lists, declared as data: a case's parties, a party's cases and so on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson
from sqlalchemy import Table

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
from domain.storage import tables

NODE = "node."
"""Prefix of the node's columns; the edge's own columns have bare names."""


@dataclass(frozen=True, eq=False, slots=True)
class Relation:
    """A list of *edges* rows for each value of *parent*, ordered by *key*."""

    name: str
    edges: Table
    parent: str
    key: tuple[str, ...]
    descending: bool
    columns: tuple[str, ...]
    build: Callable[[Sequence[Any]], Any]
    only: str | None = None  # the column that the argument role or type filters
    nodes: Table | None = None
    node_id: str = ""
    joins: bool = False  # an item is a role that joins the parent to the node
    node_columns: tuple[str, ...] = ()
    hidden_with_parent: bool = False  # for items that can be reached without their parent

    @property
    def key_types(self) -> tuple[type, ...]:
        """The types of the parts of *key*."""
        return tuple(self.edges.c[name].type.python_type for name in self.key)

    @property
    def clustered(self) -> bool:
        """Whether the table's primary key puts its rows in the order of the parents."""
        return self.edges.primary_key.columns.keys()[1] == self.parent

    @property
    def all_columns(self) -> tuple[str, ...]:
        """The columns that *build* takes: the edge's, then the node's."""
        return (*self.columns, *(NODE + name for name in self.node_columns))


def _names(kind: type, *without: str) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name not in without)


def _edge(edge_type: Any, node_type: Any) -> Callable[[Sequence[Any]], Any]:
    width = len(fields(edge_type)) - 1
    return lambda row: edge_type(*row[:width], node_type(*row[width:]))


def _event(row: Sequence[Any]) -> TimelineEvent:
    try:
        changes = tuple(Change(**change) for change in orjson.loads(row[-1]))
    except (orjson.JSONDecodeError, TypeError):
        # The original message would reveal the stored value.
        raise Damaged from None
    return TimelineEvent(*row[:-1], changes)  # type: ignore[call-arg]


def _link(row: Sequence[Any]) -> CaseLink:
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
    build=_link,
    only="type",
    nodes=tables.cases,
    node_id="linked_case_id",
    node_columns=_names(Case),
    hidden_with_parent=True,
)
CASE_TIMELINE = Relation(
    name="case.timeline",
    edges=tables.timeline_event,
    parent="case_id",
    key=("seq",),
    descending=True,
    columns=_names(TimelineEvent),
    build=_event,
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
