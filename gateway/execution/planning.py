"""From a validated operation to a Plan: what to load, layer by layer, and how to build the answer.

Nothing is read here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLField,
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

from gateway import globalids
from gateway.execution.declarations import (
    DEFINITION,
    SHOWN,
    Along,
    Caller,
    Column,
    Embedded,
    GlobalId,
)
from gateway.execution.loads import RELATION
from gateway.execution.plans import (
    Field,
    Given,
    Id,
    Items,
    Kind,
    Layer,
    Loaded,
    NodeList,
    Object,
    PageFact,
    PageRows,
    Plan,
    Shape,
    Source,
    Text,
    Value,
)
from gateway.execution.requests import Request
from gateway.execution.selections import ALWAYS, Collector, NotCovered, Selected, When
from gateway.limits.costs import Price, price_of


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
    """The plan of the selection on a mutation's payload. Raises NotCovered."""
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
            raise NotCovered("it queries the schema")
        declared = definition.extensions[DEFINITION]
        if price_of(definition) is Price.LOADS and RELATION in declared.metadata:
            return self._load(definition, selected, source)
        named = get_named_type(definition.type)
        shown = declared.metadata.get(SHOWN)
        match shown:
            case GlobalId():
                return Id(type.name, tuple(map(source.column, globalids.KINDS[type.name].key)))
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
            there = replace(source, expression=f"{source.expression}.{shown.name}")
        else:
            there = Source(source.layer, f"{shown.name}.")
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
        if named.name == "SearchConnection":
            raise NotCovered("a search of several types is several lists")
        if named.name.endswith("Connection"):
            kind = Kind.ROOT_PAGE if at_root else Kind.RELATED_PAGE
            layer = self._layer(kind, named.name, request, selected, source)
            layer.relation = definition.extensions[DEFINITION].metadata[RELATION]
            layer.shape = self._connection(named, selected, layer)
            if at_root:
                return Loaded(layer)
            return Loaded(layer, source.column("id"), nullable=False)
        kind = Kind.ONE if at_root else Kind.ITS_CASE
        layer = self._layer(kind, named.name, request, selected, source)
        if not at_root:
            layer.column("id")  # the first column, which the objects are found by
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
        for name, kind in globalids.KINDS.items():
            root = Source(expression="root")
            layer = self._layer(Kind.NODES, name, request, selected, root)
            for column in kind.asked:
                layer.column(column)  # the first columns, which the objects are found by
            named = self._schema.type_map[name]
            layer.shape = self._object_of(named, selected, Source(layer))
            layers.append(layer)
        return NodeList(number, layers, single)

    def _connection(self, type: GraphQLObjectType, selected: Selected, layer: Layer) -> Object:
        node = Source(layer)

        def value(part: Selected) -> Shape:
            name = _field_name(part)
            named = get_named_type(type.fields[name].type)
            match name:
                case "totalCount":
                    layer.counted = True
                    return PageFact(name)
                case "facets":
                    return self._facets(type.fields[name], part, layer)
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
                cursor = "before" if name == "hasNextPage" else "after"
                layer.outside |= layer.request.names & {cursor}
            return PageFact(name)

        return self._fields(type, _sets(selected), selected.known, value)

    def _facets(self, definition: GraphQLField, selected: Selected, layer: Layer) -> Items:
        request = Request(self._schema, definition, selected.occurrences[0].node)
        layer.facets.append((request, [one.when for one in selected.occurrences]))
        counted = f"facets{layer.number}_{len(layer.facets) - 1}"
        return self._items(get_named_type(definition.type), selected, counted, of_json=False)

    def _edge(
        self, type: GraphQLObjectType, selected: Selected, layer: Layer, node: Source
    ) -> Shape:
        name = _field_name(selected)
        if name == "cursor":
            layer.keyed = True
            return PageFact(name)
        if name == "matches":
            raise NotCovered("matches are found for a page at once")
        assert name == "node", name
        return self._object_of(get_named_type(type.fields[name].type), selected, node)


def _sets(selected: Selected) -> list[tuple[SelectionSetNode, When]]:
    return [
        (one.node.selection_set, one.when) for one in selected.occurrences if one.node.selection_set
    ]


def _field_name(selected: Selected) -> str:
    return selected.occurrences[0].node.name.value
