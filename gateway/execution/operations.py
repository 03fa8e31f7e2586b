"""Runs a compiled operation.

graphql-core executes whatever a plan cannot answer, by one rule: run() returns None if the
variables cannot be coerced, if a condition of @skip or @include is null, or if anything at all was
raised. Errors are then exactly those of the specification. The exception is a database that is too
slow or unavailable: it is not asked again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    NamedTypeNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    OperationType,
    get_named_type,
    get_operation_ast,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from graphql.pyutils import Path
from strawberry.types.field import StrawberryField

from domain.errors import DomainError, TimedOut, Unavailable
from domain.storage.database import Pace, Snapshot
from gateway.execution.arguments import arguments_of
from gateway.execution.context import Context
from gateway.execution.declarations import DEFINITION
from gateway.execution.planning import plan_payload, plan_query
from gateway.execution.plans import Plan
from gateway.execution.requests import NO_VARIABLES
from gateway.execution.selections import (
    ALWAYS,
    Collector,
    NotCovered,
    When,
    conditional_variables,
)
from gateway.execution.source import function_of
from gateway.limits.fragments import fragments_of

log = structlog.get_logger("casegraph.graphql")

Run = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class _Info:
    """As much of strawberry.Info as a mutation asks for."""

    context: Context
    path: Path


class Write:
    """Calls the resolver of a mutation as graphql-core and Strawberry would."""

    def __init__(
        self, schema: GraphQLSchema, definition: GraphQLField, node: FieldNode, name: str
    ) -> None:
        field: StrawberryField = definition.extensions[DEFINITION]
        resolver = field.base_resolver
        if resolver is None or len(field.extensions) != 1:
            raise NotCovered(f"{name} is not declared as a mutation")
        declared: Any = resolver.wrapped_func
        self._convert = arguments_of(field, schema.extensions[DEFINITION].schema_converter)
        self._resolve = field.extensions[0].resolve_async
        self._next = lambda _source, info, **given: declared(info=info, **given)
        self._definition = definition
        self._node = node
        self._path = Path(None, name, None)

    async def __call__(self, context: Context, variables: VariableValues) -> Any:
        arguments = self._convert(get_argument_values(self._definition, self._node, variables))
        info: Any = _Info(context, self._path)
        return await self._resolve(self._next, None, info, **arguments)


@dataclass(frozen=True, slots=True)
class MutationField:
    """A root field of a mutation, and the function for the selection on its payload."""

    name: str
    when: When
    write: Write
    run: Run


class Operation:
    """One operation of a validated document, compiled. Raises NotCovered if it cannot be.

    It keeps the plans' functions, not the plans. A plan contains reference cycles: plans that are
    remembered for long and then dropped would leave the garbage collector so much at once that
    every request waits for it.
    """

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, operation_name: str | None
    ) -> None:
        operation = get_operation_ast(document, operation_name)
        assert operation is not None
        self._schema = schema
        self._node = operation
        self._pace = Pace()
        self._fragments = fragments_of(document)
        bodies = (operation, *self._fragments.values())
        self._conditional = conditional_variables(one.selection_set for one in bodies)
        self._mutations: list[MutationField] = []
        self._plain = _plain_variables(operation)
        self.type = operation.operation
        self.name = name_of(operation)
        if self.type is OperationType.QUERY:
            self.plan_function = function_of(plan_query(schema, self._fragments, operation))
        elif self.type is OperationType.MUTATION:
            planned = _planned_mutations(schema, self._fragments, operation)
            self._mutations = [
                MutationField(name, when, Write(schema, definition, node, name), function_of(plan))
                for name, when, definition, node, plan in planned
            ]
        else:
            raise NotCovered("it is a subscription")

    @property
    def document(self) -> DocumentNode:
        """The operation and its fragments, for graphql-core."""
        return DocumentNode(definitions=(self._node, *self._fragments.values()))

    async def run(self, context: Context, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The data of the answer, or None if graphql-core must execute the operation.

        Raises TimedOut, Unavailable.
        """
        variables = self.variables(given)
        if variables is None or any(variables.coerced[name] is None for name in self._conditional):
            return None
        try:
            if self.type is OperationType.QUERY:
                return await self._query(context, variables)
            return await self._mutation(context, variables)
        except (TimedOut, Unavailable):
            if context.done:
                return None
            raise
        except (DomainError, GraphQLError):
            return None
        except Exception as error:
            # Perhaps a defect of the plan. Its type and line may be logged, its message may not.
            log.warning("plan_failed", error=type(error).__name__, line=_line_of(error))
            return None

    async def _query(self, context: Context, variables: VariableValues) -> dict[str, Any]:
        data: dict[str, Any] = await context.services.database.run(
            lambda db: self.plan_function(db, context.who, variables, None),
            self._pace,
            context.who.workspace_id,
        )
        return data

    async def _mutation(self, context: Context, variables: VariableValues) -> dict[str, Any]:
        """Execute the root fields one after another, each followed by its selection."""
        data: dict[str, Any] = {}
        for field in self._mutations:
            if not all(variables.coerced[name] is wanted for name, wanted in field.when):
                continue
            try:
                payload = await field.write(context, variables)
            except Exception as error:
                context.done[field.name] = error
                raise
            context.done[field.name] = payload
            data[field.name] = await context.services.database.run(
                partial(_selected, field, context, variables, payload),
                self._pace,
                context.who.workspace_id,
            )
        return data

    def variables(self, given: Mapping[str, Any] | None) -> VariableValues | None:
        definitions = self._node.variable_definitions
        if not definitions:
            return NO_VARIABLES
        if (
            self._plain is not None
            and (plain := _as_they_are(self._plain, given or {})) is not None
        ):
            return plain
        values = get_variable_values(self._schema, definitions, dict(given or {}), max_errors=1)
        return values if isinstance(values, VariableValues) else None


def name_of(operation: OperationDefinitionNode) -> str:
    """The operation's name; empty if it has none."""
    return operation.name.value if operation.name else ""


@dataclass(frozen=True, slots=True)
class _Plain:
    """A variable of a scalar type whose values are used as they are sent."""

    name: str
    kind: type
    required: bool


_KINDS: dict[str, type] = {"ID": str, "String": str, "Int": int, "Boolean": bool}
_INT = range(-(2**31), 2**31)


def _plain_variables(operation: OperationDefinitionNode) -> list[_Plain] | None:
    """The variables, if all of them are plain and none has a default."""
    found = []
    for one in operation.variable_definitions or ():
        type_ = one.type
        required = isinstance(type_, NonNullTypeNode)
        if isinstance(type_, NonNullTypeNode):
            type_ = type_.type
        if one.default_value or not isinstance(type_, NamedTypeNode):
            return None
        kind = _KINDS.get(type_.name.value)
        if kind is None:
            return None
        found.append(_Plain(one.variable.name.value, kind, required))
    return found


def _as_they_are(wanted: Sequence[_Plain], given: Mapping[str, Any]) -> VariableValues | None:
    """The values, if each is of its variable's type; None if graphql-core must coerce them.

    It takes ten times as long, and finds the same.
    """
    coerced = {}
    for one in wanted:
        value = given.get(one.name, given)
        if type(value) is one.kind:
            if one.kind is int and value not in _INT:
                return None
            coerced[one.name] = value
        elif value is not given or one.required:
            return None
    return VariableValues({}, coerced)


async def _selected(
    field: MutationField,
    context: Context,
    variables: VariableValues,
    payload: Any,
    db: Snapshot,
) -> Any:
    return await field.run(db, context.who, variables, payload)


def plans_of(
    schema: GraphQLSchema, document: DocumentNode, operation_name: str | None
) -> list[Plan]:
    """The plans that the operation is compiled from. Raises NotCovered."""
    operation = get_operation_ast(document, operation_name)
    assert operation is not None
    fragments = fragments_of(document)
    if operation.operation is OperationType.QUERY:
        return [plan_query(schema, fragments, operation)]
    return [plan for *_field, plan in _planned_mutations(schema, fragments, operation)]


def _planned_mutations(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    operation: OperationDefinitionNode,
) -> Iterator[tuple[str, When, GraphQLField, FieldNode, Plan]]:
    root = schema.mutation_type
    assert isinstance(root, GraphQLObjectType)
    sets = [(operation.selection_set, ALWAYS)]
    for name, when, selected in Collector(schema, fragments).collect(root, sets):
        node = selected.occurrences[0].node
        if node.name.value == "__typename" or len(selected.places) > 1:
            raise NotCovered(
                "it selects __typename at its root, or a field whose place depends on variables"
            )
        definition = root.fields[node.name.value]
        plan = plan_payload(schema, fragments, get_named_type(definition.type), selected)
        yield name, when, definition, node, plan


def _line_of(error: BaseException) -> int:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_lineno if trace else 0
