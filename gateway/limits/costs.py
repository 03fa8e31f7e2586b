"""What an operation may cost: at most how many rows it reads, known before any of it is validated.

A document is looked at once, each fragment of it once; what depends on variables stays a term that
is worked out for each request. It is an upper bound: a field that is selected twice counts twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from domain.reading.paging import DEFAULT_LIMIT, MAX_LIMIT

COUNT = 100
"""What a totalCount costs, in rows: an index is walked from end to end."""
SEARCH = 100
"""What a search costs, in rows."""
_TOLD = 10**15
"""Costs end here: that of a deep document has hundreds of digits."""
_SINGLE = {"party", "staffMember", "node"}


@dataclass(frozen=True, slots=True)
class Term:
    """*inner* for each of so many rows, if the conditions hold; *rows* may be a variable's name."""

    rows: int | str
    inner: "Cost"
    conditions: tuple[tuple[str, bool], ...] = ()


@dataclass(slots=True, eq=False)
class Cost:
    """A number of rows, and terms that depend on variables.

    In the selection set of a connection it is meant for each row; *once* is for the page.
    """

    fixed: int = 0
    once: int = 0
    terms: list[Term] = field(default_factory=list)

    def value(self, variables: Mapping[str, Any]) -> int:
        """The cost with these variables, as they were sent or by default."""
        return self._value(variables, {})

    def add(self, rows: int | str, inner: "Cost", conditions: tuple[tuple[str, bool], ...]) -> None:
        """Add *inner* for each of *rows*."""
        if conditions or isinstance(rows, str) or inner.terms:
            self.terms.append(Term(rows, inner, conditions))
        else:
            self.fixed += rows * inner.fixed

    def _value(self, variables: Mapping[str, Any], known: dict["Cost", int]) -> int:
        # A fragment's cost stands in many places, and is worked out once.
        if self not in known:
            known[self] = self.fixed + sum(
                _rows(term.rows, variables) * term.inner._value(variables, known)
                for term in self.terms
                if all(variables.get(name) is wanted for name, wanted in term.conditions)
            )
        return known[self]


@dataclass(frozen=True, slots=True)
class OperationCost:
    """The cost of one operation, and the defaults of its variables."""

    cost: Cost
    defaults: Mapping[str, Any]

    def value(self, variables: Mapping[str, Any] | None) -> int:
        """At most how many rows it reads, a count or a search being worth a hundred."""
        if not self.cost.terms:
            return min(self.cost.fixed, _TOLD)
        return min(self.cost.value({**self.defaults, **(variables or {})}), _TOLD)


def cost_of(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Iterable[FragmentDefinitionNode],
) -> OperationCost:
    """The cost of an operation; what is not valid in it costs nothing, and is refused later.

    *fragments* are those that it reaches, the innermost first.
    """
    pass_ = _Pass(schema)
    for fragment in fragments:
        pass_.fragment(fragment)
    return OperationCost(pass_.operation(operation), _defaults(operation))


class _Pass:
    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: dict[str, Cost] = {}

    def fragment(self, fragment: FragmentDefinitionNode) -> None:
        of = self._schema.type_map.get(fragment.type_condition.name.value)
        self._known[fragment.name.value] = self._selections(of, fragment.selection_set)

    def operation(self, operation: OperationDefinitionNode) -> Cost:
        mutation = operation.operation is OperationType.MUTATION
        root = self._schema.mutation_type if mutation else self._schema.query_type
        return self._selections(root, operation.selection_set)

    def _selections(
        self, type: GraphQLNamedType | None, selection_set: SelectionSetNode | None
    ) -> Cost:
        total = Cost()
        spread: set[str] = set()  # once is enough (GraphQL specification, 6.3.2)
        for node in selection_set.selections if selection_set else ():
            conditions = _conditions(node)
            if conditions is None:
                continue
            if isinstance(node, FieldNode):
                inner = self._field(type, node)
            elif isinstance(node, InlineFragmentNode):
                narrowed = node.type_condition
                of = self._schema.type_map.get(narrowed.name.value) if narrowed else type
                inner = self._selections(of, node.selection_set)
            else:
                assert isinstance(node, FragmentSpreadNode)
                found = self._known.get(node.name.value)  # none: a cycle, which is not valid
                if found is None or node.name.value in spread:
                    continue
                if not conditions:
                    spread.add(node.name.value)
                inner = found
            total.add(1, inner, conditions)
            total.once = max(total.once, inner.once)
        return total

    def _field(self, type: GraphQLNamedType | None, node: FieldNode) -> Cost:
        definition = getattr(type, "fields", {}).get(node.name.value)
        if definition is None or node.selection_set is None:
            return Cost(once=COUNT if node.name.value == "totalCount" else 0)
        named = get_named_type(definition.type)
        inner = self._selections(named, node.selection_set)
        arguments = {one.name.value: one.value for one in node.arguments or ()}
        whole = Cost()
        if named.name.endswith("Connection"):
            search = SEARCH if arguments.keys() & {"search", "filter"} else 0
            whole.fixed = inner.once + search
            whole.add(_limit(arguments), Cost(inner.fixed + 1, terms=inner.terms), ())
        elif node.name.value == "nodes" and type is self._schema.query_type:
            ids = arguments.get("ids")
            count = len(ids.values) if isinstance(ids, ListValueNode) else MAX_LIMIT
            whole.add(count, Cost(inner.fixed + 1, terms=inner.terms), ())
        else:
            at_root = type is self._schema.query_type
            loaded = int(node.name.value == "case" or (at_root and node.name.value in _SINGLE))
            return Cost(inner.fixed + loaded, inner.once, inner.terms)
        return whole


def _limit(arguments: Mapping[str, ValueNode]) -> int | str:
    given = [
        value
        for name in ("first", "last")
        if (value := arguments.get(name)) is not None and not isinstance(value, NullValueNode)
    ]
    if len(given) > 1:
        return MAX_LIMIT  # one of them may be a variable that is null
    for value in given:
        if isinstance(value, VariableNode):
            return value.name.value
        if isinstance(value, IntValueNode):
            return _clamped(int(value.value)) if len(value.value) < 10 else 0
    return DEFAULT_LIMIT


def _rows(rows: int | str, variables: Mapping[str, Any]) -> int:
    if isinstance(rows, int):
        return rows
    value = variables.get(rows)
    if value is None:
        return DEFAULT_LIMIT
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # GraphQL's Int takes 100.0, too
    return _clamped(value) if type(value) is int else 0


def _clamped(value: int) -> int:
    """A page that is refused reads nothing."""
    return value if 1 <= value <= MAX_LIMIT else 0


def _conditions(node: Any) -> tuple[tuple[str, bool], ...] | None:
    """What @skip and @include ask of variables; None if it is never there."""
    found: list[tuple[str, bool]] = []
    for directive in node.directives or ():
        name = directive.name.value
        if name not in ("skip", "include") or not directive.arguments:
            continue
        value = directive.arguments[0].value
        if isinstance(value, BooleanValueNode):
            if value.value is (name == "skip"):
                return None
        elif isinstance(value, VariableNode):
            found.append((value.name.value, name == "include"))
    return tuple(found)


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    """The defaults of variables that can be a page's size or a condition."""
    found: dict[str, Any] = {}
    for definition in operation.variable_definitions or ():
        default = definition.default_value
        name = definition.variable.name.value
        if isinstance(default, IntValueNode) and len(default.value) < 10:
            found[name] = int(default.value)
        elif isinstance(default, BooleanValueNode):
            found[name] = default.value
        elif isinstance(default, NullValueNode):
            found[name] = None
    return found
