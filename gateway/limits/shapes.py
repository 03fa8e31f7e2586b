"""The shape of an operation: its depth, and how much it holds that is expensive to validate.

Counts are as if fragments were spread out, as often as they are spread. Yet each fragment is
visited once, so the time this takes is linear in the document.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

INTROSPECTION = {"__schema", "__type"}
_CAP = 10**15
"""Counts are capped here: with fragments spread out they may have hundreds of digits."""

_VISITS = 20_000
"""The most fields visited to find duplicates; a document that needs more has too many."""


@dataclass(slots=True)
class Shape:
    """The figures of an operation, or of a part of it."""

    depth: int = 0
    """Levels of fields."""
    nesting: int = 0
    """Levels of selection sets, including those of fragments."""
    aliases: int = 0
    directives: int = 0
    introspection: bool = False

    def add(self, inner: "Shape", *, below: int = 0) -> None:
        """Add a part that begins *below* levels under this one."""
        self.depth = max(self.depth, inner.depth + below)
        self.nesting = max(self.nesting, inner.nesting + 1)
        self.aliases = min(self.aliases + inner.aliases, _CAP)
        self.directives = min(self.directives + inner.directives, _CAP)
        self.introspection = self.introspection or inner.introspection


def shape_of(
    operation: OperationDefinitionNode, fragments: Iterable[FragmentDefinitionNode]
) -> Shape:
    """The shape of *operation*; a field at its root has depth 1.

    *fragments* are the ones it reaches, innermost first.
    """
    known: dict[str, Shape] = {}
    for fragment in fragments:
        known[fragment.name.value] = _shape(fragment, known)
    return _shape(operation, known)


def _shape(
    part: OperationDefinitionNode | FragmentDefinitionNode | FieldNode | InlineFragmentNode,
    known: Mapping[str, Shape],
) -> Shape:
    """The shape of a node's selections, including the directives of the node."""
    shape = Shape(directives=len(part.directives or ()))
    for node in part.selection_set.selections if part.selection_set else ():
        if isinstance(node, FieldNode):
            shape.aliases += node.alias is not None
            shape.introspection |= node.name.value in INTROSPECTION
            shape.add(_shape(node, known), below=1)
        elif isinstance(node, InlineFragmentNode):
            shape.add(_shape(node, known))
        else:
            shape.directives += len(node.directives or ())
            if (spread := known.get(node.name.value)) is not None:  # type: ignore[attr-defined]
                shape.add(spread)
    return shape


def duplicates_of(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode], most: int
) -> int:
    """How many pairs of fields share a response name at the same place in the answer.

    Validation compares each pair (GraphQL specification, 5.3.2), and also each pair of fragments
    spread there. The search ends when it finds more than *most* or has visited too many fields.
    """
    pairs = visits = 0
    seen: set[frozenset[int]] = set()
    places = [[operation.selection_set]]
    while places:
        fields, spreads = _fields(places.pop(), fragments)
        pairs += spreads
        for same in fields.values():
            visits += len(same)
            pairs += len(same) * (len(same) - 1) // 2
            inner = [node.selection_set for node in same if node.selection_set is not None]
            key = frozenset(map(id, inner))
            if inner and key not in seen:
                seen.add(key)
                places.append(inner)
        if pairs > most or visits > _VISITS:
            return max(pairs, most + 1)
    return pairs


def _fields(
    selection_sets: list[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]
) -> tuple[dict[str, list[FieldNode]], int]:
    """The fields at one place in the answer by response name, and the pairs of fragments there.

    Each fragment is spread once (GraphQL specification, 6.3.2).
    """
    fields: dict[str, list[FieldNode]] = {}
    spread: set[str] = set()
    spreads = 0
    open_ = list(selection_sets)
    while open_:
        for node in open_.pop().selections:
            if isinstance(node, FieldNode):
                fields.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                open_.append(node.selection_set)
            else:
                spreads += 1
                name = node.name.value  # type: ignore[attr-defined]
                if name not in spread:
                    spread.add(name)
                    if name in fragments:
                        open_.append(fragments[name].selection_set)
    return fields, spreads * (len(spread) - 1) // 2
