"""The cache of compiled operations, by document text and operation name."""

from collections import OrderedDict
from typing import NamedTuple

from gateway.execution.operations import Operation
from gateway.limits.measured import Measured

MOST = 500
MOST_CHARACTERS = 1_000_000
"""The most characters of all documents together; compiled, they take some 100 times the space."""


class Remembered(NamedTuple):
    """An operation that got through every stage: compiled, with its shape and cost."""

    operation: Operation
    measured: Measured


SEEN = 10_000
"""How many documents are noted that were asked once."""


class Documents:
    """Remembers compiled operations; drops the least recently used when there is no room.

    One is remembered when it is asked a second time: documents that are never asked again, such as
    those that a client makes up anew for each request, take no room from the others.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._known: OrderedDict[tuple[str, str | None], Remembered] = OrderedDict()
        self._characters = 0

    def find(self, query: str, operation_name: str | None) -> Remembered | None:
        remembered = self._known.get((query, operation_name))
        if remembered is not None:
            self._known.move_to_end((query, operation_name))
        return remembered

    def remember(self, query: str, operation_name: str | None, one: Remembered) -> None:
        key = query, operation_name
        noted = hash(key)
        if noted not in self._seen:
            self._seen[noted] = None
            if len(self._seen) > SEEN:
                self._seen.popitem(last=False)
            return
        if key not in self._known:
            self._characters += len(query)
        self._known[key] = one
        while len(self._known) > MOST or self._characters > MOST_CHARACTERS:
            (dropped, _name), _operation = self._known.popitem(last=False)
            self._characters -= len(dropped)
