"""The operations that were compiled before, by document text and operation name."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

import structlog
from graphql import DocumentNode, ExecutionResult
from strawberry.extensions import SchemaExtension

from gateway.execution.operations import Operation
from gateway.execution.selections import NotCovered
from gateway.limits.measured import Measured

log = structlog.get_logger("casegraph.graphql")

MOST = 500
MOST_CHARACTERS = 1_000_000
"""Of all remembered documents together; what is made of them takes some hundred times as much."""


class Remembered(NamedTuple):
    """An operation that came through the pipeline before, and its measure."""

    operation: Operation
    measured: Measured


class Documents:
    """Remembers compiled operations, the least recently used no longer than there is room."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str | None], Remembered] = OrderedDict()
        self._characters = 0

    def find(self, query: str, operation_name: str | None) -> Remembered | None:
        found = self._known.get((query, operation_name))
        if found is not None:
            self._known.move_to_end((query, operation_name))
        return found

    def remember(
        self, query: str, operation_name: str | None, operation: Operation, measured: Measured
    ) -> None:
        key = query, operation_name
        if key not in self._known:
            self._characters += len(query)
        self._known[key] = Remembered(operation, measured)
        while len(self._known) > MOST or self._characters > MOST_CHARACTERS:
            (dropped, _name), _operation = self._known.popitem(last=False)
            self._characters -= len(dropped)


class Compiling(SchemaExtension):
    """Compiles what came through Strawberry's pipeline, so that graphql-core need not execute it.

    The compiled operation is left in the context for whoever asked, with an empty result.
    """

    def on_execute(self) -> Iterator[None]:
        execution = self.execution_context
        context = execution.context
        if not context.by_reference and execution.graphql_document is not None:
            try:
                context.operation = Operation(
                    execution.schema._schema,
                    execution.graphql_document,
                    execution._provided_operation_name,
                )
                _part_tokens(execution.graphql_document)
                execution.result = ExecutionResult(data=None, errors=None)
            except NotCovered:
                pass
            except Exception as error:
                # A defect of the planner costs speed, not the answer.
                log.warning("plan_not_made", error=type(error).__name__)
        yield


def _part_tokens(document: DocumentNode) -> None:
    """Let the tokens of the text not refer to each other in circles: see Operation."""
    token = document.loc.start_token if document.loc else None
    while token is not None:
        following = token.next
        token.prev = token.next = None
        token = following
