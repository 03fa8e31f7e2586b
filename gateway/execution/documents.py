"""The operations that came before, by document text and operation name."""

from collections import OrderedDict
from typing import NamedTuple

from gateway.execution.operations import Operation
from gateway.limits.measured import Measured

MOST = 500
MOST_CHARACTERS = 1_000_000
"""Of all remembered documents together; what is made of them takes some hundred times as much."""


class Remembered(NamedTuple):
    """An operation that passed every stage before: compiled, and its measure."""

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

    def remember(self, query: str, operation_name: str | None, one: Remembered) -> None:
        key = query, operation_name
        if key not in self._known:
            self._characters += len(query)
        self._known[key] = one
        while len(self._known) > MOST or self._characters > MOST_CHARACTERS:
            (dropped, _name), _operation = self._known.popitem(last=False)
            self._characters -= len(dropped)
