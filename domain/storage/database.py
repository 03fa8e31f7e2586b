"""The interface for all reads and writes: an open database, a snapshot of it, a transaction."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from sqlalchemy import ClauseElement
from sqlalchemy.engine import URL

from domain.errors import invalid
from domain.instants import Instant
from domain.storage.statements import Fetch, Fetchable, Prepared
from domain.storage.watch import Load, Watch

T = TypeVar("T")
Row = tuple[Any, ...]
Statement = Prepared | ClauseElement
Values = Mapping[str, Any]

BUSY_SECONDS = 5.0
"""How long a server's write waits for its turn."""
PATIENT_SECONDS = 60.0
"""How long a command waits instead; also a server at startup, perhaps for a migration."""
READY_SECONDS = 2.0
"""How long the answer to whether the database can be read may take."""
DISK_FULL = "The disk is full: nothing can be written until space is freed."

THREADED_AFTER_OVERRUN = 50
"""After a read that was not short, how many more of its kind go to a thread."""


class Snapshot(ABC):
    """One state of the database: all rows fetched through it are consistent.

    Use a Prepared for a statement that runs often; any other is compiled each time.
    """

    @abstractmethod
    async def fetch(self, wanted: Fetch) -> list[Row]:
        """The rows. Raises TimedOut, Unavailable, Damaged."""

    async def fetch_each(self, wanted: Sequence[Fetchable]) -> list[list[Row]]:
        """The rows of each."""
        return [
            await self.fetch(one) if isinstance(one, Fetch) else one.rows if one else []
            for one in wanted
        ]

    async def rows(self, statement: Statement, values: Values | None = None) -> list[Row]:
        """The rows that a statement finds or returns."""
        return await self.fetch(Fetch(prepared(statement), values or {}))

    async def first(self, statement: Statement, values: Values | None = None) -> Row | None:
        """The first row that a statement finds or returns."""
        rows = await self.rows(statement, values)
        return rows[0] if rows else None


class Transaction(Snapshot):
    """Atomic, and the only way to write. Everything in it happens at one instant, *now*.

    *head* is the number and the hash of the last event of its workspace's timeline; whoever adds
    to the timeline changes it. None for a transaction of all workspaces.
    """

    def __init__(self, now: Instant, head: tuple[int, str] | None) -> None:
        self.now = now
        self.head = head

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
        """Whether to try the next read on the event loop."""
        if self._threaded:
            self._threaded -= 1
            return False
        return True

    def overran(self) -> None:
        self._threaded = THREADED_AFTER_OVERRUN


@dataclass(frozen=True, slots=True)
class Pooling:
    """How a process uses a PostgreSQL server."""

    readers: int = 8
    """The most read connections, and so the most snapshots open at once."""
    writers: int = 4
    """The most write connections."""
    statements: int = 500
    """How many prepared statements a connection keeps. With 0 nothing outlasts a transaction, as a
    pooler between them may want it that gives each transaction another connection."""


class Database(ABC):
    """An open database. Open one with opening.opened().

    Every read and write names its workspace. None stands for all workspaces; only the operator's
    commands and the lookup of a key use it.
    """

    is_shared: ClassVar[bool]
    """Whether other hosts may use it, too."""

    def __init__(self, url: URL, clock: Callable[[], Instant], watch: Watch) -> None:
        self.url = url
        self.clock = clock
        self.watch = watch

    @abstractmethod
    async def open(
        self,
        *,
        migrate: bool = True,
        on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    ) -> None:
        """Connect, and update the schema. Raises Unavailable or Damaged, saying what to do.

        *on_progress* is told how many rows of a long update are done, and of how many.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""

    @abstractmethod
    def read(self, workspace_id: int | None = None) -> AbstractAsyncContextManager[Snapshot]:
        """One read-only snapshot for the length of the block: keep it short."""

    @abstractmethod
    async def run(
        self,
        work: Callable[[Snapshot], Coroutine[Any, Any, T]],
        pace: Pace,
        workspace_id: int | None = None,
    ) -> T:
        """Run *work* in one snapshot.

        *work* must await nothing but its rows, and may run twice. The caller keeps one *pace* for
        each kind of work. Raises TimedOut, Unavailable, Damaged, and any error of *work*.
        """

    @abstractmethod
    async def head(self, workspace_id: int) -> str | None:
        """The hash at the end of the workspace's timeline: the same hash means the same state.

        It is read before the state that it is to tell of. None if it cannot be told: a read will
        say why. Raises TimedOut, Unavailable, Damaged.
        """

    @abstractmethod
    async def heads(self, workspace_ids: Sequence[int]) -> dict[int, str]:
        """What head() tells of each, always of the latest state; those without a timeline are left
        out. Raises TimedOut, Unavailable, Damaged."""

    @abstractmethod
    async def woken(self, seconds: float) -> None:
        """Wait until somebody may have committed, in whatever process; at most for so long.

        One task at a time waits. A wake-up can be lost, and come for nothing.
        """

    @abstractmethod
    def write(self, workspace_id: int | None = None) -> AbstractAsyncContextManager[Transaction]:
        """One transaction: committed durably when the block ends, rolled back if it raises.

        Writes to one workspace run one at a time.
        """

    @abstractmethod
    async def note(self, wanted: Fetch) -> list[Row]:
        """The rows of a statement that keeps something for a moment, and no workspace's.

        It is a transaction of its own, may run twice, and a crash may lose what it did.
        Raises TimedOut, Unavailable, Damaged.
        """

    @abstractmethod
    async def analyze(self) -> None:
        """Gather statistics for the query planner, after many rows were written.

        SQLite's plans depend on none. PostgreSQL gathers its own, but only after a while.
        """

    @abstractmethod
    async def backup(
        self,
        target: Path,
        *,
        overwrite: bool = False,
        on_progress: Callable[[int, int], object] = lambda _done, _total: None,
        told: Fetch | None = None,
    ) -> list[Row]:
        """Copy the database to the file *target* while it is in use.

        The rows of *told* are of the state that is copied. *on_progress* receives the pages copied
        and the total. Raises Invalid if *target* exists and may not be overwritten, or if the
        database has its own tools for this; Unavailable if the copy cannot be written, and Damaged
        if the database cannot be read.
        """

    @abstractmethod
    async def damage(self) -> list[tuple[str, str]]:
        """The problems that the database itself reports: a place and a sentence for each."""

    @abstractmethod
    async def rewrite(self, on_wait: Callable[[str], object] = lambda _what: None) -> None:
        """Release the space of erased data, so that as little as possible of it remains.

        *on_wait* is told, in a sentence, what this waits for. Raises Unavailable if others read an
        older state of the database for too long, which keeps what was erased.
        """

    @abstractmethod
    def load(self) -> Load:
        """What it is doing in this process."""

    @abstractmethod
    async def sizes(self) -> dict[str, int]:
        """The bytes that it takes on its disk, by what they are for.

        Raises TimedOut, Unavailable.
        """

    def lost(self, error: BaseException | None) -> bool:
        """Whether what raised *error* may succeed when it is done again, on another connection."""
        return False

    async def grant(self, role: str) -> None:
        """Let a role of the database serve that does not own the tables, and can do no more.

        Raises Invalid for a role that there is not or that may do more, and where there are none.
        """
        raise invalid("SQLite has no roles.", "app_role")

    async def is_owner(self) -> bool:
        """Whether its role may do what commands do, and not only serve."""
        return True

    async def require_bound(self) -> None:
        """Raise Unavailable if the schema's policies, where it has any, do not bind its role."""
        return

    @abstractmethod
    async def ready(self) -> None:
        """Raise a DomainError unless a read works.

        Writes are not tested, because reads still work on a full disk.
        """


def prepared(statement: Statement) -> Prepared:
    return statement if isinstance(statement, Prepared) else Prepared(statement)
