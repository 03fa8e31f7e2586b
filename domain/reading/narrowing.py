"""What narrows the list below an object: a role or link type, conditions on events or on cases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, bindparam

from domain import checks
from domain.access.principal import Principal
from domain.checks import Check
from domain.inputs import CaseFilter, EventFilter
from domain.reading import filters
from domain.reading.conditions import condition, event_condition
from domain.reading.filters import Shape
from domain.reading.relations import Relation

Wanted = CaseFilter | EventFilter | None


@dataclass(frozen=True, slots=True, eq=False)
class Narrowing:
    """Conditions on the items of a list: their *shape* determines the SQL, with these *values*."""

    shape: Shape = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    only: str | None = None

    @property
    def told(self) -> tuple[Any, ...]:
        """What the cursors of the list are sealed with: those of another list do not fit."""
        rest = [part for part in self.shape if part != _ONLY]
        return (self.only, filters.plain(tuple(rest)), self.values) if rest else (self.only,)


ALL = Narrowing()
_ONLY = ("only",)


def narrowing(
    who: Principal, relation: Relation, only: str | None = None, wanted: Wanted = None
) -> Narrowing:
    """Check and compile what narrows a relation's lists: an EventFilter events, and a CaseFilter
    roles by their cases. Raises Invalid for values that nothing can have."""
    if only is None and wanted is None:
        return ALL
    shape: list[Shape] = []
    values: dict[str, Any] = {}
    if only is not None:
        check = Check()
        only = check.stored(only, checks.WORD_MAX, relation.only or "")
        check.done()
        shape.append(_ONLY)
        values["only"] = only
    if isinstance(wanted, EventFilter):
        compiled = filters.compile_events(wanted)
        shape += compiled.shape[1:]
        values |= compiled.values
    elif wanted is not None:
        compiled = filters.compile_filter(who.workspace_id, wanted)
        if compiled.shape != filters.EVERYTHING:
            shape.append(("case", compiled.shape))
            values |= compiled.values
    return Narrowing(tuple(shape), values, only)


def conditions(
    shape: Shape, relation: Relation, edges: Any, cases: Any
) -> list[ColumnElement[bool]]:
    """The SQL conditions on the *edges* and on the *cases* that they lead to."""
    found: list[ColumnElement[bool]] = []
    for part in shape:
        match part[0]:
            case "only":
                found.append(edges.c[relation.only] == bindparam("only"))
            case "case":
                found.append(condition(part[1], cases))
            case _:
                found.append(event_condition(part, edges))
    return found
