"""The cost of an operation: the most rows it may read, computed before it is validated.

The document is walked once, and each fragment once. A part that depends on variables stays a term,
evaluated for each request. The cost is an upper bound: a field that is selected twice counts twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from domain.reading import search
from domain.reading.facets import FacetField
from domain.reading.matches import MOST as MOST_MATCHES
from domain.reading.paging import DEFAULT_LIMIT, MAX_LIMIT

COUNT = 100
"""The cost of a totalCount in rows: an index is walked from end to end."""
FILTER = 100
"""The cost of a filter in rows, beside its searches."""
_CAP = 10**15
"""Costs are capped here: the cost of a deep document can have hundreds of digits."""

PRICE = "casegraph.price"
"""The metadata key of a field's price; a field without one is free."""


class Price(StrEnum):
    """The price that a field of the schema declares."""

    LOADS = "loads"
    """The rows it may load: a page, one for each listed id, or one."""
    COUNTS = "counts"
    """A count, once for each page."""
    FACETS = "facets"
    """A count for each field that is listed."""
    MATCHES = "matches"
    """The rows of the most matches that are told of one object, for each item of the page."""


@dataclass(frozen=True, slots=True)
class Term:
    """*inner* for each of *rows*, a number or a variable's name, if the conditions hold."""

    rows: int | str
    inner: "Cost"
    conditions: tuple[tuple[str, bool], ...] = ()


@dataclass(slots=True, eq=False)
class Cost:
    """A number of rows, and terms that depend on variables.

    For a connection's selection set it is the cost of each row; *once* is for the page.
    """

    fixed: int = 0
    once: int = 0
    terms: list[Term] = field(default_factory=list)
    sought: list[ValueNode] = field(default_factory=list)
    """Filters and search texts, of the lists at the root."""

    def value(self, variables: Mapping[str, Any]) -> int:
        """The cost with these variables: the values sent, or the defaults."""
        return self._value(variables, {})

    def add(self, rows: int | str, inner: "Cost", conditions: tuple[tuple[str, bool], ...]) -> None:
        """Add *inner* for each of *rows*."""
        self.sought += inner.sought
        if conditions or isinstance(rows, str) or inner.terms:
            self.terms.append(Term(rows, inner, conditions))
        else:
            self.fixed += rows * inner.fixed

    def _value(self, variables: Mapping[str, Any], known: dict["Cost", int]) -> int:
        # A fragment's cost appears in many places and is evaluated once.
        if self not in known:
            known[self] = self.fixed + sum(
                _rows(term.rows, variables) * term.inner._value(variables, known)
                for term in self.terms
                if all(variables.get(name) is wanted for name, wanted in term.conditions)
            )
        return known[self]


@dataclass(frozen=True, slots=True)
class OperationCost:
    """The cost of one operation, the defaults of its variables, and how many mutations it has."""

    cost: Cost
    defaults: Mapping[str, Any]
    writes: int = 0

    def value(self, variables: Mapping[str, Any] | None, entries: int = 0) -> int:
        """The most rows it may read; a count, a filter or a search counts as a hundred.

        A search that cannot use the index counts the workspace's search *entries*: every condition
        of a filter is counted where it stands.
        """
        if not self.cost.sought and not self.cost.terms:
            return min(self.cost.fixed, _CAP)
        searches = sum(search.visits(text, entries) for text in self.searches(variables))
        if not self.cost.terms:
            return min(self.cost.fixed + searches, _CAP)
        rows = self.cost.value({**self.defaults, **(variables or {})})
        return min(rows + searches, _CAP)

    def searches(self, variables: Mapping[str, Any] | None) -> list[str]:
        """The texts that are searched for, each as often as it stands there."""
        if not self.cost.sought:
            return []
        given = {**self.defaults, **(variables or {})}
        return [text for node in self.cost.sought for text in _texts_in(node, given)]

    def slow_visits(self, variables: Mapping[str, Any] | None, entries: int) -> int:
        """The index entries that searches compare which cannot use the index."""
        slow = [text for text in self.searches(variables) if search.is_short(text)]
        return sum(search.visits(text, entries) for text in slow)

    def is_slow(self, variables: Mapping[str, Any] | None) -> bool:
        """Whether a search cannot use the index, so that its cost depends on the workspace."""
        return bool(self.cost.sought) and any(
            search.is_short(text) for text in self.searches(variables)
        )


def cost_of(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Iterable[FragmentDefinitionNode],
) -> OperationCost:
    """The cost of an operation; invalid parts cost nothing, and validation refuses them later.

    *fragments* are the ones it reaches, innermost first.
    """
    pass_ = _Pass(schema)
    fragments = list(fragments)
    for fragment in fragments:
        pass_.fragment(fragment)
    writes = _writes(operation, fragments)
    return OperationCost(pass_.operation(operation), _defaults(operation), writes)


def _writes(operation: OperationDefinitionNode, fragments: Iterable[FragmentDefinitionNode]) -> int:
    """How many root fields a mutation has at most; 0 for a query."""
    if operation.operation is not OperationType.MUTATION:
        return 0
    known: dict[str, int] = {}

    def counted(selection_set: SelectionSetNode | None) -> int:
        total = 0
        for node in selection_set.selections if selection_set else ():
            if isinstance(node, FieldNode):
                total += node.name.value != "__typename"
            elif isinstance(node, InlineFragmentNode):
                total += counted(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                total += known.get(node.name.value, 0)
        return min(total, _CAP)

    for fragment in fragments:
        known[fragment.name.value] = counted(fragment.selection_set)
    return counted(operation.selection_set)


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
                known = self._known.get(node.name.value)  # none: a cycle, which is not valid
                if known is None or node.name.value in spread:
                    continue
                if not conditions:
                    spread.add(node.name.value)
                inner = known
            total.add(1, inner, conditions)
            total.once = max(total.once, inner.once)
        return total

    def _field(self, type: GraphQLNamedType | None, node: FieldNode) -> Cost:
        definition = getattr(type, "fields", {}).get(node.name.value)
        if definition is None:
            return Cost()
        price = price_of(definition)
        if price is Price.COUNTS:
            return Cost(once=COUNT)
        arguments = {one.name.value: one.value for one in node.arguments or ()}
        if price is Price.FACETS:
            return Cost(once=COUNT * min(_listed(arguments), len(FacetField)))
        inner = self._selections(get_named_type(definition.type), node.selection_set)
        if price is None:
            return inner
        each = Cost(inner.fixed + 1, terms=inner.terms)
        whole = Cost()
        if price is Price.MATCHES:
            whole.add(MOST_MATCHES, each, ())
            return whole
        if "first" in definition.args:
            asked = [arguments[name] for name in _SOUGHT if name in arguments]
            whole.fixed = inner.once + (FILTER if asked else 0)
            whole.sought += asked
            whole.add(_limit(arguments), each, ())
        elif is_list_type(get_nullable_type(definition.type)):
            whole.add(_listed(arguments), each, ())
        else:
            each.once = inner.once
            return each
        return whole


def price_of(field: GraphQLField) -> Price | None:
    """The price that a field of the schema declares."""
    declared = field.extensions.get("strawberry-definition")
    price: Price | None = declared.metadata.get(PRICE) if declared else None
    return price


def _texts_in(node: ValueNode, variables: Mapping[str, Any]) -> Iterator[str]:
    """The texts that a filter or a search text searches for."""
    if isinstance(node, StringValueNode):
        yield node.value
    elif isinstance(node, VariableNode):
        yield from _texts_of(variables.get(node.name.value))
    elif isinstance(node, ListValueNode):
        for one in node.values:
            if not isinstance(one, StringValueNode):
                yield from _texts_in(one, variables)
    elif isinstance(node, ObjectValueNode):
        for part in node.fields:
            if part.name.value in _SEARCHING:
                yield from _texts_in(part.value, variables)


def _texts_of(value: Any) -> Iterator[str]:
    """The same, of the value of a variable."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            if not isinstance(one, str):
                yield from _texts_of(one)
    elif isinstance(value, dict):
        for name, part in value.items():
            if name in _SEARCHING:
                yield from _texts_of(part)


_SOUGHT = ("search", "filter", "query")
"""The arguments of lists that search for a text, or hold what may."""
_SEARCHING = {"search", "party", "staff", "and", "or", "not"}
"""The fields of filters that search for a text, or hold others that may."""


def _listed(arguments: Mapping[str, ValueNode]) -> int:
    """How many objects are listed by id; a variable counts as the limit."""
    lists = [len(one.values) for one in arguments.values() if isinstance(one, ListValueNode)]
    return max(lists, default=MAX_LIMIT)


def _limit(arguments: Mapping[str, ValueNode]) -> int | str:
    sizes = [
        value
        for name in ("first", "last")
        if (value := arguments.get(name)) is not None and not isinstance(value, NullValueNode)
    ]
    if len(sizes) > 1:
        return MAX_LIMIT  # one of them may be a variable that is null
    for value in sizes:
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
        value = int(value)  # GraphQL's Int accepts 100.0, too
    return _clamped(value) if type(value) is int else 0


def _clamped(value: int) -> int:
    """The rows of a page of this size; a page that is refused reads none."""
    return value if 1 <= value <= MAX_LIMIT else 0


def _conditions(node: Any) -> tuple[tuple[str, bool], ...] | None:
    """The conditions of @skip and @include on variables; None if the node is never included."""
    conditions: list[tuple[str, bool]] = []
    for directive in node.directives or ():
        name = directive.name.value
        if name not in ("skip", "include") or not directive.arguments:
            continue
        value = directive.arguments[0].value
        if isinstance(value, BooleanValueNode):
            if value.value is (name == "skip"):
                return None
        elif isinstance(value, VariableNode):
            conditions.append((value.name.value, name == "include"))
    return tuple(conditions)


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    """The defaults of variables that can be a page size or a condition."""
    defaults: dict[str, Any] = {}
    for definition in operation.variable_definitions or ():
        default = definition.default_value
        name = definition.variable.name.value
        if isinstance(default, IntValueNode) and len(default.value) < 10:
            defaults[name] = int(default.value)
        elif isinstance(default, BooleanValueNode):
            defaults[name] = default.value
        elif isinstance(default, NullValueNode):
            defaults[name] = None
    return defaults
