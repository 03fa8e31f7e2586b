"""What a document may be, checked before it is validated."""

from collections.abc import Callable, Iterator

from graphql import GraphQLError, OperationDefinitionNode
from strawberry.extensions import MaxTokensLimiter, SchemaExtension

from gateway.costs import cost_of

MAX_TOKENS = 5_000


class OneOperation(SchemaExtension):
    """Refuses a document with several operations unless operationName says which is meant.

    Strawberry would run the first one (GraphQL specification, 6.1, GetOperation, forbids it).
    """

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        document = context.graphql_document
        if document is not None and context._provided_operation_name is None:
            operations = [
                definition
                for definition in document.definitions
                if isinstance(definition, OperationDefinitionNode)
            ]
            if len(operations) > 1:
                context.pre_execution_errors = [
                    GraphQLError("The document has several operations: send operationName.")
                ]
        yield


class CostLimit(SchemaExtension):
    """Refuses a document that may read too much, before anything is validated."""

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        document, context = execution.graphql_document, execution.context
        if document is not None and not execution.pre_execution_errors:
            try:
                context.cost = cost_of(
                    execution.schema._schema, document, execution._provided_operation_name
                )
                context.cost.check(execution.variables, context.most_rows)
            except GraphQLError as error:
                execution.pre_execution_errors = [error]
            except RecursionError:
                execution.pre_execution_errors = [GraphQLError("The document is too deep.")]
        yield


def extensions() -> list[Callable[[], SchemaExtension]]:
    """Makers of what guards a document; each operation gets its own."""
    return [OneOperation, CostLimit, lambda: MaxTokensLimiter(MAX_TOKENS)]
