"""CaseFilter to SQL.

A filter compiles to a *shape*, which determines the SQL, and to parameter values. Filters that
differ only in values share a shape, and therefore a statement.
"""

import json
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    true,
)

from domain import checks, folding, instants, words
from domain.checks import Check
from domain.inputs import (
    CaseFilter,
    ChangeFilter,
    DateRange,
    EventFilter,
    PartyFilter,
    StaffFilter,
)
from domain.models import CaseStatus, EventSource, PartyKind
from domain.reading import search, terms
from domain.reading.fences import once
from domain.reading.search import MatchField, Wanted
from domain.reading.terms import Sought
from domain.storage.spellings import each, filed_under
from domain.storage.tables import (
    case_party,
    cases,
    party,
    party_alias,
    staff,
    staff_assignment,
)

MAX_CONDITIONS = 60
MAX_DEPTH = 8
MAX_CHOICES = 100

Shape = tuple[Any, ...]
"""Nested tuples: ("all", ...), ("any", ...), ("not", shape), or a condition with its parameter."""

EVERYTHING: Shape = ("all",)
NOTHING: Shape = ("any",)


@dataclass(slots=True)
class Compiled:
    """A filter's shape, its parameter values, and what its searches look for, by their names."""

    shape: Shape
    values: dict[str, Any]
    sought: dict[str, Sought]

    @property
    def search(self) -> Wanted | None:
        """The first search that everything has to match, if there is one."""
        parts = self.shape[1:] if self.shape[0] == "all" else ()
        return next((part for part in parts if isinstance(part, Wanted)), None)

    def with_search(self, changed: Wanted, values: Mapping[str, Any]) -> "Compiled":
        """The same, with the search of the same name as it is in *changed*, and its *values*."""
        known = self._with(changed.name, changed)
        known.values = {**self.values, **values}
        return known

    def with_hits(self, name: str, ids: Sequence[str]) -> "Compiled":
        """The same, if the search of this name has these hits and no others."""
        known = self._with(name, ("hits", name))
        known.values = self.values | {name: orjson.dumps(ids).decode()}
        return known

    def _with(self, name: str, new: Shape) -> "Compiled":
        parts = (
            new if isinstance(part, Wanted) and part.name == name else part for part in self.shape
        )
        return Compiled(tuple(parts), self.values, self.sought)


def compile_filter(workspace_id: int, wanted: CaseFilter | None) -> Compiled:
    """Check and compile a filter. Raises Invalid for values that no case can have."""
    if wanted is None:
        return Compiled(EVERYTHING, {}, {})
    compiler = _Compiler(workspace_id)
    shape = compiler.case(wanted, ("filter",), 1)
    compiler.check.done()
    return Compiled(shape, compiler.values, compiler.sought)


def compile_events(wanted: EventFilter) -> Compiled:
    """Check and compile a filter of a timeline. Raises Invalid for what no event can have."""
    compiler = _Compiler(0)
    shape = [
        *compiler.range("at", wanted.at, ("filter", "at")),
        *compiler.choice("type", wanted.type, None, ("filter",)),
        *compiler.choice("actor", wanted.actor, None, ("filter",)),
    ]
    compiler.check.done()
    return Compiled(("all", *shape), compiler.values, compiler.sought)


def compile_changes(wanted: ChangeFilter) -> Compiled:
    """Check and compile a filter of changes. Raises Invalid for what no event can have."""
    compiler = _Compiler(0)
    shape = [
        *compiler.range("at", wanted.at, ("filter", "at")),
        *compiler.choice("type", wanted.type, None, ("filter",)),
        *compiler.choice("actor", wanted.actor, None, ("filter",)),
        *compiler.choice("source", wanted.source, tuple(EventSource), ("filter",)),
        *compiler.choice("case", wanted.case, None, ("filter",)),
        *compiler.choice("party", wanted.party, None, ("filter",)),
    ]
    compiler.check.done()
    return Compiled(("all", *shape), compiler.values, compiler.sought)


def event_condition(part: Shape, events: Any) -> ColumnElement[bool]:
    """The SQL condition on *events* for a part of a compiled filter of a timeline."""
    name, *rest = part
    if name == "at":
        return compared(events.c.at, *rest)
    found: ColumnElement[bool] = events.c[name].in_(_values(rest[0]))
    return found


def compile_search(workspace_id: int, kind: str, text: str | None) -> Compiled:
    """Compile a search of parties or staff."""
    compiler = _Compiler(workspace_id)
    shape = compiler.search(kind, text, ("search",)) if text is not None else []
    compiler.check.done()
    return Compiled(("all", *shape), compiler.values, compiler.sought)


@dataclass(slots=True)
class _Compiler:
    workspace_id: int
    check: Check = field(default_factory=Check)
    values: dict[str, Any] = field(default_factory=dict)
    sought: dict[str, Sought] = field(default_factory=dict)
    conditions: int = 0

    def case(self, wanted: CaseFilter, path: tuple[str, ...], depth: int) -> Shape:
        if depth > MAX_DEPTH:
            self.check.wrong(f"A filter must be at most {MAX_DEPTH} levels deep.", "filter")
            self.check.done()
        parts: list[Shape] = []
        for name, allowed in (("status", tuple(CaseStatus)), ("type", None), ("dezernat", None)):
            parts += self.choice(name, getattr(wanted, name), allowed, path)
        if wanted.search is not None:
            parts += self.search(
                "case", wanted.search, (*path, "search"), self.fields(wanted, path)
            )
        if wanted.file_number is not None:
            number = self.check.stored(wanted.file_number, checks.SEARCH_MAX, *path, "file_number")
            parts.append(("file_number", self.parameter(json.dumps([folding.number_key(number)]))))
        for name in ("created_at", "updated_at"):
            parts += self.range(name, getattr(wanted, name), (*path, name))
        if wanted.party is not None:
            parts.append(("party", *self.role(wanted.party, "party", (*path, "party"))))
        if wanted.staff is not None:
            parts.append(("staff", *self.role(wanted.staff, "staff", (*path, "staff"))))
        for joiner, name in (("all", "and"), ("any", "or")):
            nested = getattr(wanted, f"{name}_")
            if nested is not None:
                inner = [
                    self.case(part, (*path, name, str(index)), depth + 1)
                    for index, part in enumerate(nested)
                ]
                self.count()
                # Those of `and` are conditions like the filter's own.
                parts += _flat(inner) if joiner == "all" else [(joiner, *inner)]
        if wanted.not_ is not None:
            parts.append(("not", self.case(wanted.not_, (*path, "not"), depth + 1)))
        if depth > 1 and not parts:
            self.count()
        return ("all", *parts)

    def role(self, wanted: PartyFilter | StaffFilter, kind: str, path: tuple[str, ...]) -> Shape:
        parts: list[Shape] = []
        if wanted.id is not None:
            parts.append(("id", self.text(wanted.id, (*path, "id"))))
        if wanted.search is not None:
            parts += self.search(kind, wanted.search, (*path, "search"))
        if isinstance(wanted, PartyFilter):
            parts += self.choice("kind", wanted.kind, tuple(PartyKind), path)
            if wanted.reference is not None:
                parts.append(self.reference(wanted.reference, (*path, "reference")))
        parts += self.choice("role", wanted.role, None, path)
        self.count()
        return ("all", *parts)

    def choice(
        self,
        name: str,
        chosen: Sequence[str] | None,
        allowed: tuple[str, ...] | None,
        path: tuple[str, ...],
    ) -> list[Shape]:
        if chosen is None:
            return []
        if len(chosen) > MAX_CHOICES:
            self.check.wrong(f"{name} must have at most {MAX_CHOICES} values.", *path, name)
            return []
        values = [
            self.check.one_of(value, allowed, *path, name, str(index))
            if allowed is not None
            else self.check.stored(value, checks.DEZERNAT_MAX, *path, name, str(index))
            for index, value in enumerate(chosen)
        ]
        return [(name, self.parameter(json.dumps(values)))]

    def range(self, name: str, wanted: DateRange | None, path: tuple[str, ...]) -> list[Shape]:
        if wanted is None:
            return []
        bounds = {sign: getattr(wanted, sign) for sign in ("gte", "gt", "lte", "lt")}
        parts: list[Shape] = []
        for sign, bound in bounds.items():
            if bound is None:
                continue
            instant = self.check.instant(bound, *path, sign)
            if instant is not None and not instants.is_whole(bound):
                # Stored instants are whole seconds: none lies between this one and the bound.
                sign = {"gte": "gt", "lt": "lte"}.get(sign, sign)
            parts.append((name, sign, self.parameter(instant)))
        return parts

    def fields(self, wanted: CaseFilter, path: tuple[str, ...]) -> tuple[MatchField, ...]:
        """Where a search looks."""
        if wanted.in_ is None:
            return search.DEFAULT_FIELDS
        chosen = [
            self.check.one_of(field, tuple(MatchField), *path, "in", str(index))
            for index, field in enumerate(wanted.in_[:MAX_CHOICES])
        ]
        return tuple(field for field in MatchField if field in chosen)

    def search(
        self,
        kind: str,
        text: str,
        path: tuple[str, ...],
        fields: tuple[MatchField, ...] = search.DEFAULT_FIELDS,
    ) -> list[Shape]:
        asked = terms.sought(self.check.prose(text, checks.SEARCH_MAX, *path) or "")
        if len(asked.words) > terms.MOST_WORDS:
            self.check.wrong(f"search must have at most {terms.MOST_WORDS} words.", *path)
            return []
        if not asked.terms:
            return []
        sources = search.sources_of(kind, fields)
        if not sources:
            return [NOTHING]
        for _ in asked.terms[1:]:
            self.count()
        modes, spellings = search.modes_of(asked), search.spellings_of(asked)
        wanted = Wanted("search", self.parameter(None), kind, sources, modes, spellings)
        self.values |= search.parameters(self.workspace_id, wanted, asked)
        self.sought[wanted.name] = asked
        return [wanted]

    def reference(self, value: str, path: tuple[str, ...]) -> Shape:
        found = [
            word.plain for word in words.words(self.check.stored(value, checks.SEARCH_MAX, *path))
        ]
        if not found:
            return NOTHING
        name = self.parameter(None)
        self.values |= search.reference_parameters(self.workspace_id, name, found)
        return ("reference", name)

    def text(self, value: str, path: tuple[str, ...]) -> str:
        return self.parameter(self.check.stored(value, checks.SEARCH_MAX, *path))

    def parameter(self, value: Any) -> str:
        self.count()
        name = f"p{len(self.values)}"
        self.values[name] = value
        return name

    def count(self) -> None:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            self.check.wrong(f"A filter must have at most {MAX_CONDITIONS} conditions.", "filter")
            self.check.done()


@lru_cache(maxsize=512)
def plain(shape: Shape) -> Shape:
    """A shape as JSON values."""
    return tuple(plain(part) if isinstance(part, tuple) else part for part in shape)


def _flat(shapes: Sequence[Shape]) -> list[Shape]:
    """The parts of shapes all of which have to match."""
    return [part for shape in shapes for part in shape[1:]]


def condition(shape: Shape, of: FromClause = cases) -> ColumnElement[bool]:
    """The SQL condition on *of*, the cases or what stands for them, for a shape."""
    kind, *rest = shape
    c = of.c
    match kind:
        case "all":
            return and_(true(), *(condition(part, of) for part in rest))
        case "any":
            return or_(false(), *(condition(part, of) for part in rest))
        case "not":
            # Conditions on nullable columns test for null, so that NOT also matches null values.
            return not_(condition(rest[0], of))
        case "status":
            return c.status.in_(_values(rest[0]))
        case "type" | "dezernat":
            return and_(c[kind].is_not(None), c[kind].in_(_values(rest[0])))
        case "file_number":
            return c.id.in_(once(filed(rest[0])))
        case "created_at" | "updated_at":
            return compared(c[kind], *rest)
        case "search":
            return search.found(Wanted(*shape), c.id)
        case "hits":
            return c.id.in_(_values(rest[0]))
        case "party":
            return _has(case_party, party, "party", rest, of)
        case "staff":
            return _has(staff_assignment, staff, "staff", rest, of)
    raise AssertionError(shape)


def filed(parameter: str) -> Select[Any]:
    """The ids of the cases with one of the file numbers whose keys are in *parameter*."""
    workspace_id = bindparam("workspace_id", type_=Integer)
    found = filed_under.of(workspace_id, bindparam(parameter, type_=Text))
    return select(found.c.id.label("value"))


def searched(kind: str, table: Any, shape: Shape) -> ColumnElement[bool]:
    """The SQL condition on *party* or *staff* for a compiled search."""
    return and_(true(), *(_matches(kind, table.c.id, part) for part in shape[1:]))


def _matches(kind: str, id: ColumnElement[Any], part: Shape) -> ColumnElement[bool]:
    if part == NOTHING:
        return false()
    if part[0] == "hits":
        return id.in_(_values(part[1]))
    return search.found(Wanted(*part), id)


def _has(
    edges: Any, nodes: Any, kind: str, shape: Sequence[Any], of: FromClause
) -> ColumnElement[bool]:
    edges = edges if of is cases else edges.alias()
    node_id = edges.c[f"{kind}_id"]
    conditions: list[ColumnElement[bool]] = []
    through = edges
    for part in shape[1:]:
        match part[0]:
            case "id":
                conditions.append(node_id == _kept(kind, bindparam(part[1], type_=Text)))
            case "role":
                conditions.append(edges.c.role.in_(_values(part[1])))
            case "search" | "any":
                conditions.append(_matches(kind, node_id, part))
            case "reference":
                conditions += search.written(part[1], edges.c.case_id, edges.c.position)
            case "kind":
                through = edges.join(
                    nodes,
                    and_(nodes.c.workspace_id == edges.c.workspace_id, nodes.c.id == node_id),
                )
                conditions.append(nodes.c.kind.in_(_values(part[1])))
    if any(part[0] in ("id", "search", "reference", "any") for part in shape[1:]):
        # Few roles: find them once. Asked for each case, SQLite would look up each person found.
        mine = edges.c.workspace_id == bindparam("workspace_id", type_=Integer)
        found = select(edges.c.case_id).select_from(through).where(mine, *conditions)
        return of.c.id.in_(once(found))
    of_case = (edges.c.workspace_id == of.c.workspace_id, edges.c.case_id == of.c.id)
    return exists(select(1).select_from(through).where(*of_case, *conditions).correlate(of))


def _kept(kind: str, id: Any) -> Any:
    """The id of the party that one was merged into, or the id itself."""
    if kind != "party":
        return id
    mine = (
        party_alias.c.workspace_id == bindparam("workspace_id", type_=Integer),
        party_alias.c.id == id,
    )
    return func.coalesce(select(party_alias.c.party_id).where(*mine).scalar_subquery(), id)


def compared(column: ColumnElement[Any], sign: str, parameter: str) -> ColumnElement[bool]:
    compare = {"gte": operator.ge, "gt": operator.gt, "lte": operator.le, "lt": operator.lt}[sign]
    comparison: ColumnElement[bool] = compare(column, bindparam(parameter))
    return comparison


def _values(parameter: str) -> Any:
    return select(each.value(bindparam(parameter)).c.value)
