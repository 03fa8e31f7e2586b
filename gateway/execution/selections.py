"""Collects the fields of selection sets, with fragments and directives applied in advance.

Whether a field is included may depend on variables (@skip, @include). This becomes a condition,
so that one plan serves every value (GraphQL specification, section 6.3.2, CollectFields).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
)

When = frozenset[tuple[str, bool]]
"""Boolean variables and the value that each must have."""

ALWAYS: When = frozenset()
MOST_OCCURRENCES = 5_000


class NotCovered(Exception):
    """No plan covers this operation, for the reason in the text; graphql-core executes it."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A field somewhere in a selection set, and the condition for including it."""

    node: FieldNode
    when: When


@dataclass(frozen=True, slots=True)
class Selected:
    """A selection set's occurrences of one response name, with its *places* in output order.

    The answer has the name at the first place whose condition holds.
    """

    name: str
    occurrences: Sequence[Occurrence]
    places: Sequence[When]

    @property
    def known(self) -> When:
        """What is known of the variables wherever the field is included."""
        return frozenset.intersection(*(one.when for one in self.occurrences))


class Collector:
    """Collects the fields of the selection sets of one operation."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._left = MOST_OCCURRENCES

    def collect(
        self, type: GraphQLObjectType, sets: Iterable[tuple[SelectionSetNode, When]]
    ) -> list[tuple[str, When, Selected]]:
        """The fields for an object of *type*: name and condition, in output order.

        A name appears twice only if its place depends on variables, with the same Selected.
        """
        found: dict[str, list[Occurrence]] = {}
        order: list[tuple[str, When]] = []
        visited: set[tuple[str, When]] = set()
        for selection_set, when in sets:
            self._walk(type, selection_set, when, found, order, visited)
        selected = {
            name: Selected(name, occurrences, [when for other, when in order if other == name])
            for name, occurrences in found.items()
        }
        return [(name, when, selected[name]) for name, when in order]

    def _walk(
        self,
        type: GraphQLObjectType,
        selection_set: SelectionSetNode,
        outer: When,
        found: dict[str, list[Occurrence]],
        order: list[tuple[str, When]],
        visited: set[tuple[str, When]],
    ) -> None:
        for node in selection_set.selections:
            when = _condition(node.directives or (), outer)
            if when is None:
                continue
            self._left -= 1
            if self._left < 0:
                raise NotCovered("it selects too many fields")
            if isinstance(node, FieldNode):
                name = (node.alias or node.name).value
                occurrences = found.setdefault(name, [])
                if not any(before.when <= when for before in occurrences):
                    order.append((name, when))
                occurrences.append(Occurrence(node, when))
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                if condition is None or self._applies(condition.name.value, type):
                    self._walk(type, node.selection_set, when, found, order, visited)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                if (node.name.value, when) in visited:
                    continue
                visited.add((node.name.value, when))
                if self._applies(fragment.type_condition.name.value, type):
                    self._walk(type, fragment.selection_set, when, found, order, visited)

    def _applies(self, condition: str, type: GraphQLObjectType) -> bool:
        if condition == type.name:
            return True
        named = self._schema.type_map[condition]
        return is_abstract_type(named) and self._schema.is_sub_type(named, type)


def conditional_variables(selection_sets: Iterable[SelectionSetNode]) -> frozenset[str]:
    """The variables that @skip and @include ask for, anywhere in these selection sets."""
    names: set[str] = set()
    sets = list(selection_sets)
    while sets:
        for node in sets.pop().selections:
            names |= {
                argument.value.name.value
                for directive in node.directives or ()
                for argument in directive.arguments or ()
                if isinstance(argument.value, VariableNode)
            }
            if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
                sets.append(node.selection_set)
    return frozenset(names)


def _condition(directives: Iterable[DirectiveNode], outer: When) -> When | None:
    """*outer* and the conditions of @skip and @include; None if they can never hold."""
    wanted = dict(outer)
    for directive in directives:
        name = directive.name.value
        if name not in ("skip", "include"):
            raise NotCovered(f"it has the directive @{name}")
        [argument] = directive.arguments or ()
        value = argument.value
        if isinstance(value, BooleanValueNode):
            if value.value is (name == "skip"):
                return None
        elif isinstance(value, VariableNode):
            variable = value.name.value
            if wanted.setdefault(variable, name == "include") is not (name == "include"):
                return None
        else:
            raise NotCovered(f"@{name} has a condition that is neither a Boolean nor a variable")
    return frozenset(wanted.items())
