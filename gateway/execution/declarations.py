"""What a field of the schema shows. One declaration serves both graphql-core and compiled plans.

A field of the schema is one of these: a column of the row, an object from the same row (an edge's
node, a link's other case), or something to load (see loads.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, cast

import strawberry

from gateway import globalids

DEFINITION = "strawberry-definition"
"""The extension key under which graphql-core's schema and fields keep Strawberry's definition."""

SHOWN = "casegraph.shown"
"""The metadata key of a field's declaration."""


T = TypeVar("T")


def shown_as(_shown: type[T], value: object) -> T:
    """*value*, a domain object or a Load, typed as the GraphQL type that shows it."""
    return cast(T, value)


@dataclass(frozen=True, slots=True)
class Column:
    """A leaf: a column, shown as it is or converted by *shown*.

    A field without a resolver needs no declaration: it shows the column of the same name.
    """

    name: str
    shown: Mapping[Any, Any] | Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class GlobalId:
    """The object's global id."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller, whose attributes are the columns."""


@dataclass(frozen=True, slots=True)
class Along:
    """An object in the same row, whose column names begin with *name* and a dot.

    On a domain object instead of a row, it is the attribute *name*.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """A column that holds JSON: a list of objects."""

    name: str


def column(name: str, description: str) -> Any:
    """A field that shows the column *name* under another name."""
    return strawberry.field(
        description=description,
        resolver=lambda root: getattr(root, name),
        metadata={SHOWN: Column(name)},
    )


def choice(name: str, kind: type[Enum], description: str) -> Any:
    """A field that shows a stored value as a member of an enum."""
    return strawberry.field(
        description=description,
        resolver=lambda root: kind(getattr(root, name)),
        metadata={SHOWN: Column(name, {member.value: member.name for member in kind})},
    )


def along(name: str, description: str) -> Any:
    """A field that shows the object *name*, which was read together with its own object."""
    return strawberry.field(
        description=description,
        resolver=lambda root: getattr(root, name),
        metadata={SHOWN: Along(name)},
    )


class GlobalIds(dict[Any, str]):
    """A cache of one type's global ids, by the id within the type or by the parts of that id."""

    MOST = 20_000

    def __init__(self, type_name: str) -> None:
        super().__init__()
        self._type_name = type_name

    def __missing__(self, id: Any) -> str:
        if len(self) >= self.MOST:
            self.clear()
        global_id = globalids.encode(self._type_name, id)
        self[id] = global_id
        return global_id
