"""From a validated operation to a Plan: what to load, layer by layer, and what to make of it.

A layer is everything that one field loads for all objects above it. Nothing is read here, and a
plan knows no variables' values: it is made once, and run for each request.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
    is_non_null_type,
)

from domain.reading import relations
from domain.reading.relations import NODE, Relation
from gateway.execution.declarations import (
    DEFINITION,
    SHOWN,
    Along,
    Caller,
    Column,
    Embedded,
    GlobalId,
)
from gateway.execution.loads import KINDS
from gateway.execution.requests import Request
from gateway.execution.selections import ALWAYS, Collector, NotCovered, Selected, When
from gateway.limits.costs import Price, price_of

__all__ = ["NotCovered", "Plan", "plan_payload", "plan_query"]

_RELATIONS: dict[str, Relation] = {
    "CasePartyConnection": relations.CASE_PARTIES,
    "CaseStaffConnection": relations.CASE_STAFF,
    "CaseLinkConnection": relations.CASE_LINKS,
    "TimelineEventConnection": relations.CASE_TIMELINE,
    "PartyCaseConnection": relations.PARTY_CASES,
    "StaffCaseConnection": relations.STAFF_CASES,
}


class Kind(StrEnum):
    """How a layer loads."""

    ROOT_PAGE = "page of a list"
    RELATED_PAGE = "page for each parent"
    ONE = "one object"
    ITS_CASE = "the case of each parent"
    NODES = "objects by global id"


@dataclass(frozen=True, slots=True)
class Source:
    """Where an object's columns are: in the rows of a layer, or in something at hand.

    What is at hand is there only if *given*, an expression, is not None.
    """

    layer: "Layer | None" = None
    prefix: str = ""
    expression: str = ""
    given: str = ""
    of_json: bool = False

    def column(self, name: str) -> str:
        """The Python expression for a column, which is loaded from now on."""
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
    keyed: bool = False  # cursors are wanted
    ended: bool = False  # whether there is more is wanted
    counted: bool = False
    listed: bool = False  # the rows themselves are wanted
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
    """A text that is known beforehand."""

    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """A column, shown as *shown* says."""

    expression: str
    shown: Mapping[Any, Any] | Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Id:
    """A global id, made of one or two columns."""

    type_name: str
    expressions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A response name, when it is there, and its value."""

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
    """What a layer made for the object at hand, found by *key*; *key* is "" at the root."""

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
    """Something about a page: a field of PageInfo or a total, or the cursor of an edge."""

    name: str


Shape = Text | Value | Id | Object | Given | Items | Loaded | NodeList | PageRows | PageFact


@dataclass(slots=True)
class Plan:
    """What an operation loads and answers."""

    layers: list[Layer] = field(default_factory=list)
    root: Object = Object(())


def plan_query(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    operation: OperationDefinitionNode,
) -> Plan:
    """The plan of a query. Raises NotCovered."""
    assert schema.query_type is not None
    planner = _Planner(schema, fragments)
    sets = [(operation.selection_set, ALWAYS)]
    planner.plan.root = planner.object(schema.query_type, sets, Source(expression="root"), ALWAYS)
    return planner.plan


def plan_payload(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    type: GraphQLNamedType,
    selected: Selected,
) -> Plan:
    """The plan of what is selected from a mutation's payload. Raises NotCovered."""
    assert isinstance(type, GraphQLObjectType)
    planner = _Planner(schema, fragments)
    planner.plan.root = planner.object(
        type, _sets(selected), Source(expression="payload"), selected.known
    )
    return planner.plan


class _Planner:
    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> None:
        self.plan = Plan()
        self._schema = schema
        self._collector = Collector(schema, fragments)
        self._path: tuple[str, ...] = ()

    def object(
        self,
        type: GraphQLObjectType,
        sets: Iterable[tuple[SelectionSetNode, When]],
        source: Source,
        known: When,
    ) -> Object:
        """The fields of an object whose columns are in *source*."""
        return self._fields(type, sets, known, lambda selected: self._value(type, selected, source))

    def _fields(
        self,
        type: GraphQLObjectType,
        sets: Iterable[tuple[SelectionSetNode, When]],
        known: When,
        value: Callable[[Selected], Shape],
    ) -> Object:
        values: dict[str, Shape] = {}
        fields: list[Field] = []
        for name, when, selected in self._collector.collect(type, sets):
            if name not in values:
                before, self._path = self._path, (*self._path, name)
                if _field_name(selected) == "__typename":
                    values[name] = Text(type.name)
                else:
                    values[name] = value(selected)
                self._path = before
            fields.append(Field(name, when - known, values[name]))
        return Object(fields)

    def _value(self, type: GraphQLObjectType, selected: Selected, source: Source) -> Shape:
        definition = type.fields.get(_field_name(selected))
        if definition is None:
            raise NotCovered("it asks about the schema")
        declared = definition.extensions[DEFINITION]
        if price_of(definition) is Price.LOADS:
            return self._load(definition, selected, source)
        named = get_named_type(definition.type)
        shown = declared.metadata.get(SHOWN)
        match shown:
            case GlobalId():
                names = ("case_id", "id") if type.name == "CaseLink" else ("id",)
                return Id(type.name, tuple(map(source.column, names)))
            case Column():
                return Value(source.column(shown.name), shown.shown)
            case Along():
                return self._along(named, selected, source, shown)
            case Caller():
                return self._object_of(named, selected, Source(expression="who"))
            case Embedded():
                return self._items(named, selected, source.column(shown.name), of_json=True)
        if declared.base_resolver is not None:
            raise NotCovered(f"{type.name}.{declared.python_name} is not declared")
        if is_leaf_type(named):
            return Value(source.column(declared.python_name))
        expression = source.column(declared.python_name)
        if is_non_null_type(definition.type):
            return self._items(named, selected, expression, of_json=False)
        there = Source(expression=expression, given=expression)
        return Given(expression, self._object_of(named, selected, there))

    def _along(self, named: Any, selected: Selected, source: Source, shown: Along) -> Object:
        if source.layer is None:
            there = replace(source, expression=f"{source.expression}.{shown.attribute}")
        else:
            there = Source(source.layer, shown.prefix)
        return self._object_of(named, selected, there)

    def _items(self, named: Any, selected: Selected, expression: str, *, of_json: bool) -> Items:
        variable = f"item{len(self._path)}"
        item = Source(expression=variable, of_json=of_json)
        return Items(expression, variable, self._object_of(named, selected, item), of_json)

    def _object_of(self, named: Any, selected: Selected, source: Source) -> Object:
        assert isinstance(named, GraphQLObjectType)
        return self.object(named, _sets(selected), source, selected.known)

    def _load(self, definition: Any, selected: Selected, source: Source) -> Shape:
        named = get_named_type(definition.type)
        node = selected.occurrences[0].node
        request = Request(self._schema, definition, node)
        at_root = source.expression == "root"
        if isinstance(named, GraphQLInterfaceType):
            return self._nodes(selected, request, single=node.name.value == "node")
        if named.name.endswith("Connection"):
            kind = Kind.ROOT_PAGE if at_root else Kind.RELATED_PAGE
            layer = self._layer(kind, named.name, request, selected, source)
            layer.relation = _RELATIONS.get(named.name)
            layer.shape = self._connection(named, selected, layer)
            if at_root:
                return Loaded(layer)
            return Loaded(layer, source.column("id"), nullable=False)
        kind = Kind.ONE if at_root else Kind.ITS_CASE
        layer = self._layer(kind, named.name, request, selected, source)
        if not at_root:
            layer.column("id")  # the first column: what the objects are found by
        layer.shape = self._object_of(named, selected, Source(layer))
        if at_root:
            return Loaded(layer)
        nullable = not is_non_null_type(definition.type)
        return Loaded(layer, source.column("case_id"), nullable)

    def _layer(
        self, kind: Kind, type_name: str, request: Request, selected: Selected, source: Source
    ) -> Layer:
        parent = None if source.expression == "root" else source
        when = [one.when for one in selected.occurrences]
        number = len(self.plan.layers) + 1
        layer = Layer(number, self._path, kind, type_name, request, when, parent=parent)
        self.plan.layers.append(layer)
        return layer

    def _nodes(self, selected: Selected, request: Request, *, single: bool) -> NodeList:
        number = len(self.plan.layers) + 1
        layers = []
        for name in KINDS:
            root = Source(expression="root")
            layer = self._layer(Kind.NODES, name, request, selected, root)
            for column in ("case_id", "id") if name == "CaseLink" else ("id",):
                layer.column(column)  # the first columns: what the objects are found by
            named = self._schema.type_map[name]
            layer.shape = self._object_of(named, selected, Source(layer))
            layers.append(layer)
        return NodeList(number, layers, single)

    def _connection(self, type: GraphQLObjectType, selected: Selected, layer: Layer) -> Object:
        through = layer.relation is not None and layer.relation.joins
        node = Source(layer, NODE if through else "")

        def value(part: Selected) -> Shape:
            name = _field_name(part)
            named = get_named_type(type.fields[name].type)
            match name:
                case "totalCount":
                    layer.counted = True
                    return PageFact(name)
                case "pageInfo":
                    return self._fields(named, _sets(part), part.known, page_info)
                case "nodes":
                    layer.listed = True
                    return PageRows(self._object_of(named, part, node))
            assert name == "edges", name
            layer.listed = True
            edge = self._fields(
                named, _sets(part), part.known, lambda inner: self._edge(named, inner, layer, node)
            )
            return PageRows(edge)

        def page_info(part: Selected) -> Shape:
            name = _field_name(part)
            layer.listed = True
            if name.endswith("Cursor"):
                layer.keyed = True
            else:
                layer.ended = True
            return PageFact(name)

        return self._fields(type, _sets(selected), selected.known, value)

    def _edge(
        self, type: GraphQLObjectType, selected: Selected, layer: Layer, node: Source
    ) -> Shape:
        name = _field_name(selected)
        if name == "cursor":
            layer.keyed = True
            return PageFact(name)
        if name == "node":
            return self._object_of(get_named_type(type.fields[name].type), selected, node)
        return self._value(type, selected, Source(layer))


def _sets(selected: Selected) -> list[tuple[SelectionSetNode, When]]:
    return [
        (one.node.selection_set, one.when) for one in selected.occurrences if one.node.selection_set
    ]


def _field_name(selected: Selected) -> str:
    return selected.occurrences[0].node.name.value
