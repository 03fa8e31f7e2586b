"""What a database tells of its work, for metrics and traces: no value, and nobody's name."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass


class Watch:
    """Is told what a database does. This one lets it pass; a server gives another one."""

    statement: Callable[[str], AbstractContextManager[object]] | None = None
    """Makes a block around each statement from its text, which holds no values."""

    def overran(self) -> None:
        """A read was not short: what it had read on the event loop is read again in a thread."""

    def committed(self, seconds: float, transactions: int) -> None:
        """So many transactions are stored durably by one commit, which took so long."""


def watched(watch: Watch, sql: str) -> AbstractContextManager[object]:
    """The block that *watch* wants around a statement."""
    return _NOTHING if watch.statement is None else watch.statement(sql)


_NOTHING = nullcontext()


@dataclass(frozen=True, slots=True)
class Use:
    """How many at most may read or write at once, how many do, and how many wait to."""

    most: int
    busy: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a database is doing in this process, at one moment."""

    reads: Use
    writes: Use
    connections: int
    """Open ones, used or not."""
    lag: float | None = None
    """By how many seconds the standby that is read is behind: infinitely many if it does not
    answer. None if there is none."""
