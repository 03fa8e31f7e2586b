"""What a database is read and written through, whichever it is: a snapshot, and a transaction."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ClauseElement

from domain.instants import Instant
from domain.storage.statements import Fetch, Prepared

Row = tuple[Any, ...]
Statement = Prepared | ClauseElement
Values = Mapping[str, Any]

THREADED_AFTER_OVERRUN = 50
"""How many reads of a kind go to a thread at once after one of them was not brief."""


class Snapshot(ABC):
    """One state of the database: whatever is fetched through it belongs together."""

    @abstractmethod
    async def fetch(self, wanted: Fetch) -> list[Row]:
        """The rows. Raises TimedOut, Unavailable, Damaged."""

    async def fetch_each(self, wanted: Sequence[Fetch | None]) -> list[list[Row]]:
        """The rows of each, none for None."""
        return [[] if one is None else await self.fetch(one) for one in wanted]


class Transaction(ABC):
    """All or nothing; the only way to write. *now* is one instant for all that it writes.

    What runs often is a Prepared; any other statement is compiled each time.
    """

    def __init__(self, now: Instant) -> None:
        self.now = now

    @abstractmethod
    async def rows(self, statement: Statement, values: Values | None = None) -> list[Row]:
        """What a statement finds, or returns."""

    @abstractmethod
    async def run(
        self, statement: Statement, values: Values | Sequence[Values] | None = None
    ) -> None:
        """Execute, once or for each row of *values*."""

    async def first(self, statement: Statement, values: Values | None = None) -> Row | None:
        rows = await self.rows(statement, values)
        return rows[0] if rows else None


class Pace:
    """Remembers of one kind of read whether it is brief."""

    __slots__ = ("_threaded",)

    def __init__(self) -> None:
        self._threaded = 0

    def brief(self) -> bool:
        """Whether the next one is worth trying on the event loop."""
        if self._threaded:
            self._threaded -= 1
            return False
        return True

    def overran(self) -> None:
        self._threaded = THREADED_AFTER_OVERRUN


def prepared(statement: Statement) -> Prepared:
    return statement if isinstance(statement, Prepared) else Prepared(statement)
