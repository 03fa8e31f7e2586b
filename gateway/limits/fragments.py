"""The fragments that an operation spreads, in an order that visits each once."""

from collections.abc import Mapping

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The document's fragments by name."""
    return {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }


def innermost_first(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> list[FragmentDefinitionNode]:
    """The fragments that *operation* reaches, each after the fragments it spreads itself.

    It does not recurse, since a chain may be longer than Python's stack. In a cycle, which is not
    valid (GraphQL specification, 5.5.2.2), one spread is left out.
    """
    ordered: list[FragmentDefinitionNode] = []
    seen: set[str] = set()
    path = [(None, iter(_spread(operation.selection_set)))]
    while path:
        fragment, spread = path[-1]
        for name in spread:
            if name not in seen and (inner := fragments.get(name)) is not None:
                seen.add(name)
                path.append((inner, iter(_spread(inner.selection_set))))  # type: ignore[arg-type]
                break
        else:
            path.pop()
            if fragment is not None:
                ordered.append(fragment)
    return ordered


def _spread(selection_set: SelectionSetNode) -> dict[str, None]:
    """The names of the fragments spread anywhere below, each once, in order."""
    names: dict[str, None] = {}
    open_ = [selection_set]
    while open_:
        for node in open_.pop().selections:
            if isinstance(node, FieldNode | InlineFragmentNode):
                if node.selection_set is not None:
                    open_.append(node.selection_set)
            else:
                names[node.name.value] = None  # type: ignore[attr-defined]
    return names
