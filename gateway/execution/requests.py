"""The arguments of a field that loads, from the document and the variables."""

from collections.abc import Callable
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    ListValueNode,
    Node,
    ObjectValueNode,
    VariableNode,
    is_specified_scalar_type,
)
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.types.field import StrawberryField

from domain.errors import DomainError
from gateway.execution.arguments import arguments_of
from gateway.execution.declarations import DEFINITION
from gateway.execution.loads import Load
from gateway.execution.selections import NotCovered

NO_VARIABLES = VariableValues({}, {})


class Request:
    """Makes a field's Load from a request's variables; only once, if the field uses none."""

    def __init__(self, schema: GraphQLSchema, definition: GraphQLField, node: FieldNode) -> None:
        converter = schema.extensions[DEFINITION].schema_converter
        self._definition = definition
        self._node = node
        self._field: StrawberryField = definition.extensions[DEFINITION]
        self._converted = arguments_of(self._field, converter)
        self._names = {
            converter.config.name_converter.from_argument(one): one.python_name
            for one in self._field.arguments
        }
        resolver = self._field.base_resolver
        assert resolver is not None
        self._declared: Callable[..., Load] = resolver.wrapped_func
        self.names = frozenset(argument.name.value for argument in node.arguments or ())
        self.constant: Load | None = None
        """The Load, if the field uses no variable."""
        self._direct: dict[str, str] | None = None
        self._required: tuple[str, ...] = ()
        self._fixed: dict[str, Any] = {}
        variable = [one for one in node.arguments or () if _has_variable(one.value)]
        if not variable:
            try:
                self.constant = self._declared(**self._arguments(NO_VARIABLES))
            except DomainError:
                raise NotCovered(f"the arguments of {node.name.value} are refused") from None
        elif all(
            isinstance(one.value, VariableNode) and _as_it_is(definition.args[one.name.value].type)
            for one in variable
        ):
            self._direct = {
                self._names[one.name.value]: one.value.name.value  # type: ignore[attr-defined]
                for one in variable
            }
            self._required = tuple(
                one.value.name.value  # type: ignore[attr-defined]
                for one in variable
                if isinstance(definition.args[one.name.value].type, GraphQLNonNull)
            )
            fixed = tuple(one for one in node.arguments or () if one not in variable)
            literals = FieldNode(name=node.name, arguments=fixed, directives=())
            self._fixed = self._converted(_literals(definition, literals))

    def load(self, variables: VariableValues) -> Load:
        """The Load for these variables.

        Raises DomainError for arguments that are refused, GraphQLError for a null where none is
        allowed: a nullable variable with a default may be null all the same.
        """
        if self.constant is not None:
            return self.constant
        coerced = variables.coerced
        if self._direct is None or any(coerced[name] is None for name in self._required):
            return self._declared(**self._arguments(variables))
        arguments = {
            name: coerced[variable]
            for name, variable in self._direct.items()
            if variable in coerced
        }
        return self._declared(**self._fixed, **arguments)

    def _arguments(self, variables: VariableValues) -> dict[str, Any]:
        return self._converted(get_argument_values(self._definition, self._node, variables))


def _literals(definition: GraphQLField, node: FieldNode) -> dict[str, Any]:
    """The values of the literal arguments; a required argument may be missing."""
    names = {argument.name.value for argument in node.arguments or ()}
    args = {name: one for name, one in definition.args.items() if name in names}
    return get_argument_values(GraphQLField(definition.type, args), node)


def _has_variable(node: Node) -> bool:
    if isinstance(node, VariableNode):
        return True
    if isinstance(node, ListValueNode):
        return any(map(_has_variable, node.values))
    if isinstance(node, ObjectValueNode):
        return any(_has_variable(field.value) for field in node.fields)
    return False


def _as_it_is(type: Any) -> bool:
    """Whether the resolver takes a coerced variable of this type without conversion."""
    while isinstance(type, GraphQLNonNull | GraphQLList):
        type = type.of_type
    return isinstance(type, GraphQLScalarType) and is_specified_scalar_type(type)
