"""A subscription as a query of the feed.

The query lists the changes after a cursor, with what the client selects of each. So the answers to
a subscription come from the same plans as those to any query, many at a time if there are many.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values

from domain.inputs import ChangeFilter
from gateway import globalids
from gateway.execution.selections import ALWAYS, Collector
from gateway.limits.fragments import fragments_of

BATCH = 20
"""Changes that are read at a time, at most."""
FIRST, AFTER, FILTER = "casegraph.first", "casegraph.after", "casegraph.filter"
CURSOR = "casegraph.cursor"
"""Variables and an alias of the query. No client can have one with a dot in its name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The arguments of a subscription."""

    after: str | None
    case_id: str | None
    types: tuple[str, ...] | None

    @property
    def filter(self) -> ChangeFilter:
        case = None if self.case_id is None else [self.case_id]
        return ChangeFilter(case=case, type=self.types)

    @property
    def variable(self) -> dict[str, Any]:
        """The same as a value of the type ChangeFilter."""
        case = None if self.case_id is None else [self.case_id]
        return {"case": case, "type": None if self.types is None else list(self.types)}


@dataclass(frozen=True, slots=True)
class Feed:
    """A subscription, compiled: the query of its changes, and what its answers are called."""

    name: str
    document: DocumentNode
    _schema: GraphQLSchema
    _field: FieldNode
    _operation: OperationDefinitionNode

    @property
    def operation(self) -> OperationDefinitionNode:
        """The query's only operation."""
        operation = self.document.definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        return operation

    def wanted(self, given: Mapping[str, Any] | None) -> Wanted:
        """The arguments, with the variables of a request. Raises GraphQLError."""
        definitions = self._operation.variable_definitions or ()
        values = get_variable_values(self._schema, definitions, dict(given or {}), max_errors=1)
        if not isinstance(values, VariableValues):
            raise values[0]
        assert self._schema.subscription_type is not None
        definition = self._schema.subscription_type.fields[self._field.name.value]
        found = get_argument_values(definition, self._field, values)
        case_id, types = found.get("caseId"), found.get("types")
        return Wanted(
            found.get("after"),
            None if case_id is None else globalids.local(case_id, "Case"),
            None if types is None else tuple(types),
        )


def feed_of(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> Feed:
    """The feed of a valid subscription. Raises GraphQLError, NotCovered."""
    fragments = fragments_of(document)
    assert schema.subscription_type is not None
    collected = Collector(schema, fragments).collect(
        schema.subscription_type, [(operation.selection_set, ALWAYS)]
    )
    [(name, when, selected)] = collected if len(collected) == 1 else [("", ALWAYS, None)]
    field = selected.occurrences[0].node if selected is not None else None
    if field is None or when or field.name.value == "__typename":
        raise GraphQLError("A subscription must select one field, on no condition.")
    selections = [
        inner
        for one in selected.occurrences  # type: ignore[union-attr]
        for inner in (one.node.selection_set.selections if one.node.selection_set else ())
    ]
    edges = _field("edges", [*selections, _field("cursor", alias=CURSOR)])
    page_info = _field("pageInfo", [_field("endCursor"), _field("hasNextPage")])
    arguments = (
        _argument("first", _variable(FIRST)),
        _argument("after", _variable(AFTER)),
        _argument("filter", _variable(FILTER)),
    )
    query = OperationDefinitionNode(
        operation=OperationType.QUERY,
        name=operation.name,
        variable_definitions=(
            *(operation.variable_definitions or ()),
            VariableDefinitionNode(variable=_variable(FIRST), type=_type("Int"), directives=()),
            VariableDefinitionNode(variable=_variable(AFTER), type=_type("String"), directives=()),
            VariableDefinitionNode(
                variable=_variable(FILTER), type=_type("ChangeFilter"), directives=()
            ),
        ),
        directives=(),
        selection_set=SelectionSetNode(
            selections=(_field("changes", [edges, page_info], arguments=arguments),)
        ),
    )
    kept: list[FragmentDefinitionNode] = [
        one
        for one in fragments.values()
        if one.type_condition.name.value != schema.subscription_type.name
    ]
    return Feed(name, DocumentNode(definitions=(query, *kept)), schema, field, operation)


def _field(
    name: str,
    selections: Any = (),
    *,
    alias: str | None = None,
    arguments: tuple[ArgumentNode, ...] = (),
) -> FieldNode:
    return FieldNode(
        name=NameNode(value=name),
        alias=None if alias is None else NameNode(value=alias),
        arguments=arguments,
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(selections)) if selections else None,
    )


def _argument(name: str, value: Any) -> ArgumentNode:
    return ArgumentNode(name=NameNode(value=name), value=value)


def _variable(name: str) -> VariableNode:
    return VariableNode(name=NameNode(value=name))


def _type(name: str) -> NamedTypeNode:
    return NamedTypeNode(name=NameNode(value=name))
