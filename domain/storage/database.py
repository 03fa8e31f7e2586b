"""What everybody reads and writes through: an open database, a snapshot of it, a transaction."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ClauseElement
from sqlalchemy.engine import URL

from domain.instants import Instant
from domain.storage.statements import Fetch, Prepared

T = TypeVar("T")
Row = tuple[Any, ...]
Statement = Prepared | ClauseElement
Values = Mapping[str, Any]

BUSY_SECONDS = 5.0
"""How long a server's write waits for its turn."""
PATIENT_SECONDS = 60.0
"""How long a command waits instead; also a server when it starts, perhaps for a migration."""
DISK_FULL = "The disk is full: nothing can be written until there is room again."

THREADED_AFTER_OVERRUN = 50
"""How many reads of a kind go to a thread after one of them was not short."""


class Snapshot(ABC):
    """One state of the database: everything that is fetched through it belongs together.

    What runs often is a Prepared; any other statement is compiled each time.
    """

    @abstractmethod
    async def fetch(self, wanted: Fetch) -> list[Row]:
        """The rows. Raises TimedOut, Unavailable, Damaged."""

    async def fetch_each(self, wanted: Sequence[Fetch | None]) -> list[list[Row]]:
        """The rows of each, none for None."""
        return [[] if one is None else await self.fetch(one) for one in wanted]

    async def rows(self, statement: Statement, values: Values | None = None) -> list[Row]:
        """What a statement finds or returns."""
        return await self.fetch(Fetch(prepared(statement), values or {}))

    async def first(self, statement: Statement, values: Values | None = None) -> Row | None:
        """The first row that a statement finds or returns."""
        rows = await self.rows(statement, values)
        return rows[0] if rows else None


class Transaction(Snapshot):
    """All or nothing, and the only way to write. Everything in it happens at one instant, *now*."""

    def __init__(self, now: Instant) -> None:
        self.now = now

    @abstractmethod
    async def run(
        self, statement: Statement, values: Values | Sequence[Values] | None = None
    ) -> None:
        """Execute a statement once, or once for each row of *values*."""


class Pace:
    """Remembers whether one kind of read is short."""

    __slots__ = ("_threaded",)

    def __init__(self) -> None:
        self._threaded = 0

    def brief(self) -> bool:
        """Whether to try the next one on the event loop."""
        if self._threaded:
            self._threaded -= 1
            return False
        return True

    def overran(self) -> None:
        self._threaded = THREADED_AFTER_OVERRUN


class Database(ABC):
    """What is read and written by everybody. Open one with opening.opened().

    Whoever reads or writes says in which workspace; None stands for all of them, which only the
    operator's commands and the look for a key have reason to ask for.
    """

    def __init__(self, url: URL, clock: Callable[[], Instant]) -> None:
        self.url = url
        self.clock = clock

    @abstractmethod
    async def open(self, *, migrate: bool = True) -> None:
        """Connect and bring the schema up to date. Raises Unavailable, Damaged: what to do."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of all connections."""

    @abstractmethod
    def read(self, workspace_id: int | None = None) -> AbstractAsyncContextManager[Snapshot]:
        """One snapshot, read-only, for as long as the block lasts: keep it short."""

    @abstractmethod
    async def run(
        self,
        work: Callable[[Snapshot], Coroutine[Any, Any, T]],
        pace: Pace,
        workspace_id: int | None = None,
    ) -> T:
        """Do *work* in one snapshot.

        It waits for nothing but its rows, and may be done a second time. *pace* is kept by the
        caller for each kind of work. Raises TimedOut, Unavailable, Damaged, and what *work* raises.
        """

    @abstractmethod
    def write(self, workspace_id: int | None = None) -> AbstractAsyncContextManager[Transaction]:
        """One transaction: committed durably when the block ends, rolled back if it raises.

        Writes to one workspace run one at a time.
        """

    @abstractmethod
    async def backup(
        self,
        target: Path,
        *,
        overwrite: bool = False,
        on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    ) -> None:
        """Copy the database to the file *target* while it is in use.

        *on_progress* is told the pages that are done and those in all. Raises Invalid if *target*
        exists and may not be overwritten, or if the database has tools of its own for this;
        Unavailable if the copy cannot be written, and Damaged if the database cannot be read.
        """

    @abstractmethod
    async def damage(self) -> list[tuple[str, str]]:
        """What the database itself finds wrong: a place and a sentence for each."""

    @abstractmethod
    async def rewrite(self) -> None:
        """Give back the room of what was erased, so that as little as possible of it is left."""

    @abstractmethod
    async def ready(self) -> None:
        """Raise a DomainError unless a read works.

        Whether a write would work is not asked: on a full disk, reading goes on.
        """


def prepared(statement: Statement) -> Prepared:
    return statement if isinstance(statement, Prepared) else Prepared(statement)
