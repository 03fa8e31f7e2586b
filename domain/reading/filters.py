"""A filter, checked and compiled: to a *shape*, which determines the SQL, and to parameter values.

Filters that differ only in values share a shape, and therefore a statement. The SQL is in
conditions.py.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

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
from domain.reading.search import MatchField, Wanted
from domain.reading.terms import Sought

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
