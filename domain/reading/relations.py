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
    CaseStaff,
    Change,
    Party,
    Staff,
    TimelineEvent,
)
from domain.storage import tables


@dataclass(frozen=True, eq=False, slots=True)
class Joined:
    """An object that every item refers to by the column *id*: the attribute *name* of the item.

    Its columns are called name.column.
    """

    name: str
    table: Table
    id: str
    model: type

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns, with the name before them."""
        return tuple(f"{self.name}.{column}" for column in _names(self.model))


@dataclass(frozen=True, eq=False, slots=True)
class Relation:
    """A list of *edges* rows for each value of *parent*, ordered by *key*.

    An item is hidden if the case that it leads *to* is deleted; others have a visible parent.
    """

    name: str
    edges: Table
    parent: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    build: Callable[[Sequence[Any]], Any]
    joined: tuple[Joined, ...]
    descending: bool = False
    to: Joined | None = None
    only: str | None = None  # the column that the argument role or type filters
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
        """The columns that *build* takes: the item's own, then those of each joined object."""
        return (*self.columns, *(name for one in self.joined for name in one.columns))

    def column(self, name: str) -> Any:
        """The column of the table that has it."""
        whose, dot, its = name.rpartition(".")
        if not dot:
            return self.edges.c[name]
        return next(one for one in self.joined if one.name == whose).table.c[its]


def _names(kind: type, *without: str) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name not in without)


def _item(kind: Any, joined: Sequence[Joined]) -> Callable[[Sequence[Any]], Any]:
    """A function from a row of all_columns to a *kind*, whose last fields are the *joined*."""
    own = start = len(fields(kind)) - len(joined)
    parts = []
    for one in joined:
        parts.append((one.model, start, start + len(one.columns)))
        start += len(one.columns)
    return lambda row: kind(*row[:own], *[model(*row[a:b]) for model, a, b in parts])


def _event(row: Sequence[Any]) -> TimelineEvent:
    try:
        changes = tuple(Change(**change) for change in orjson.loads(row[-1]))
    except (orjson.JSONDecodeError, TypeError):
        # The original message would reveal the stored value.
        raise Damaged from None
    return TimelineEvent(*row[:-1], changes)  # type: ignore[call-arg]


_PARTY = Joined("party", tables.party, "party_id", Party)
_STAFF = Joined("staff", tables.staff, "staff_id", Staff)
_CASE = Joined("case", tables.cases, "case_id", Case)
_LINKED = Joined("linked", tables.cases, "linked_case_id", Case)


def _relation(
    name: str,
    edges: Table,
    parent: str,
    key: tuple[str, ...],
    kind: Any,
    *joined: Joined,
    **more: Any,
) -> Relation:
    return Relation(
        name=name,
        edges=edges,
        parent=parent,
        key=key,
        columns=_names(kind, *(one.name for one in joined)),
        build=more.pop("build", None) or _item(kind, joined),
        joined=joined,
        **more,
    )


CASE_PARTIES = _relation(
    "case.parties",
    tables.case_party,
    "case_id",
    ("position",),
    CaseParty,
    _PARTY,
    _CASE,
    only="role",
)
CASE_STAFF = _relation(
    "case.staff",
    tables.staff_assignment,
    "case_id",
    ("position",),
    CaseStaff,
    _STAFF,
    _CASE,
    only="role",
)
CASE_LINKS = _relation(
    "case.links",
    tables.case_link,
    "case_id",
    ("id",),
    CaseLink,
    _LINKED,
    to=_LINKED,
    only="type",
    hidden_with_parent=True,
)
CASE_TIMELINE = _relation(
    "case.timeline",
    tables.timeline_event,
    "case_id",
    ("seq",),
    TimelineEvent,
    descending=True,
    build=_event,
)
PARTY_CASES = _relation(
    "party.cases",
    tables.case_party,
    "party_id",
    ("case_id", "role"),
    CaseParty,
    _PARTY,
    _CASE,
    descending=True,
    to=_CASE,
    only="role",
)
STAFF_CASES = _relation(
    "staff.cases",
    tables.staff_assignment,
    "staff_id",
    ("case_id", "role"),
    CaseStaff,
    _STAFF,
    _CASE,
    descending=True,
    to=_CASE,
    only="role",
)
