"""A Plan: what an operation loads, layer by layer, and how its answer is built. Only values.

A layer is everything that one field loads for all objects above it. A plan holds no values of
variables: it is made once (planning), written as a function (source), and run for each request.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from domain.reading.relations import Relation
from gateway.execution.requests import Request
from gateway.execution.selections import When


class Kind(StrEnum):
    """How a layer loads."""

    ROOT_PAGE = "page of a list"
    RELATED_PAGE = "page for each parent"
    ONE = "one object"
    ITS_CASE = "the case of each parent"
    NODES = "objects by global id"


@dataclass(frozen=True, slots=True)
class Source:
    """Where an object's columns are: in the rows of a layer, or in a value at hand.

    The value at hand exists only if *given*, an expression, is not None.
    """

    layer: "Layer | None" = None
    prefix: str = ""
    expression: str = ""
    given: str = ""
    of_json: bool = False

    def column(self, name: str) -> str:
        """The Python expression for a column; it adds the column to the layer's load."""
        if self.layer is not None:
            return self.layer.column(self.prefix + name)
        return f"{self.expression}[{name!r}]" if self.of_json else f"{self.expression}.{name}"


@dataclass(slots=True, eq=False)
class Layer:
    """What one field loads. *when* is a list of conditions, one of which must hold."""

    number: int
    path: tuple[str, ...]
    kind: Kind
    type_name: str
    request: Request
    when: Sequence[When]
    relation: Relation | None = None
    parent: Source | None = None
    columns: list[str] = field(default_factory=list)
    keyed: bool = False  # needs cursors
    ended: bool = False  # needs to know whether there is more in its direction
    outside: set[str] = field(default_factory=set)  # cursors beyond which it needs to know so too
    counted: bool = False  # needs the total
    listed: bool = False  # needs the rows themselves
    facets: list[tuple[Request, Sequence[When]]] = field(default_factory=list)
    """What is counted of the list, and when."""
    shape: "Shape | None" = None

    @property
    def depth(self) -> int:
        above = self.parent.layer if self.parent else None
        return above.depth + 1 if above else 0

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the key's parts, which come before the columns if *keyed*."""
        if not self.keyed:
            return ()
        return self.relation.key if self.relation else ("order", "id")

    def column(self, name: str) -> str:
        if name not in self.columns:
            self.columns.append(name)
        return f"r{self.number}_{self.columns.index(name)}"


@dataclass(frozen=True, slots=True)
class Text:
    """A constant text."""

    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """A column, converted by *shown*."""

    expression: str
    shown: Mapping[Any, Any] | Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Id:
    """A global id, made of one or two columns."""

    type_name: str
    expressions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A response name, the condition for including it, and its value."""

    name: str
    when: When
    value: "Shape"


@dataclass(frozen=True, slots=True)
class Object:
    """A selection set on an object at hand."""

    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Given:
    """An object at hand that may be None."""

    expression: str
    object: Object


@dataclass(frozen=True, slots=True)
class Items:
    """A list at hand; *variable* stands for an item in *object*."""

    expression: str
    variable: str
    object: Object
    of_json: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """A layer's result for the object at hand, found by *key*; *key* is "" at the root."""

    layer: Layer
    key: str = ""
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class NodeList:
    """Objects by global id, from a layer for each type; one of them if *single*."""

    number: int
    layers: Sequence[Layer]
    single: bool


@dataclass(frozen=True, slots=True)
class PageRows:
    """The edges or the nodes of a page."""

    object: Object


@dataclass(frozen=True, slots=True)
class PageFact:
    """A fact about a page: a field of PageInfo, the total, or the cursor of an edge."""

    name: str


Shape = Text | Value | Id | Object | Given | Items | Loaded | NodeList | PageRows | PageFact


@dataclass(slots=True)
class Plan:
    """What an operation loads and answers."""

    layers: list[Layer] = field(default_factory=list)
    root: Object = Object(())
