"""Turns at the connections for reading, so that no key keeps the others from theirs.

What one key asks for at once may take half of them and, while other keys ask for something, too, no
more than half of the processor's cores. Who waits is served by how little their key holds, then in
order.
"""

import asyncio
import contextlib
import math
import os
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass

from domain.errors import Unavailable
from domain.storage.watch import Use

STEPS_A_ROW = 12
"""Instructions of SQLite's virtual machine for each row or index entry that it visits, about."""


@dataclass(slots=True)
class Reading:
    """What one request reads: the key it comes from, and the rows and index entries visited.

    *visited* is an estimate: SQLite tells of every 2,000 instructions, PostgreSQL only the time.
    *least* is what is known to be visited without being told.
    """

    key_id: str
    visited: int = 0
    least: int = 0
    turns: int = 0
    """The turns that the request holds."""
    position: int = 0
    """The event of the timeline that what it reads must tell of, at least."""
    written: int | None = None
    """The last event that it has written, or found to be the last one when it wrote nothing."""

    @property
    def total(self) -> int:
        return max(self.visited, self.least)

    def wrote(self, position: int) -> None:
        """Note a write that is stored: what is read from here on tells of it."""
        self.written = position
        self.position = max(self.position, position)


LATEST = 2**63 - 1
"""The position of whoever must read the latest state."""
READING: ContextVar[Reading | None] = ContextVar("reading", default=None)
"""The request that this task answers; None for the operator's commands."""


def visited() -> int:
    """The rows and index entries that this task's request has visited."""
    return 0 if (reading := READING.get()) is None else reading.visited


def met(rows: int, before: int) -> None:
    """Count rows that were found, and not returned, since the request had visited *before*.

    What was told of them already is not counted twice.
    """
    if (reading := READING.get()) is not None:
        reading.visited = max(reading.visited, before + 2 * rows + 1)


class Crowd:
    """Whether several keys have asked for something in the last second."""

    SECONDS = 1.0

    def __init__(self) -> None:
        self._last, self._last_at = "", -math.inf
        self._other_at = -math.inf

    def saw(self, key_id: str) -> None:
        """Note a request with a key."""
        now = time.monotonic()
        if key_id != self._last:
            self._last, self._other_at = key_id, self._last_at
        self._last_at = now

    def __bool__(self) -> bool:
        return time.monotonic() - self._other_at < self.SECONDS


def begin(key_id: str) -> None:
    """Let this task answer a request with a key."""
    READING.set(Reading(key_id))
    CROWD.saw(key_id)


CROWD = Crowd()


class Turns:
    """*most* turns at a time, and half of them for any one key."""

    def __init__(self, most: int) -> None:
        self.most = self._free = most
        self._alone = max(1, most // 2)
        self._crowded = max(1, min(most // 2, (os.cpu_count() or 1) // 2))
        self._held: Counter[str] = Counter()
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

    def use(self) -> Use:
        """How many turns are taken and waited for."""
        return Use(self.most, self.most - self._free, len(self._waiting))

    @contextlib.asynccontextmanager
    async def turn(self, seconds: float | None) -> AsyncIterator[None]:
        """A turn for the length of the block. Raises Unavailable after waiting for *seconds*."""
        reading = READING.get()
        # Who has a turn already must not wait for another one that only its own key holds.
        key_id = reading.key_id if reading is not None and not reading.turns else ""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key_id, future))
        self._hand_out()
        try:
            if not future.done():
                async with asyncio.timeout(seconds):
                    await asyncio.shield(future)
        except BaseException as error:
            if future.done():
                self._give_back(key_id)
            else:
                self._waiting.remove((key_id, future))
            if isinstance(error, TimeoutError):
                raise Unavailable("Too many reads are in progress right now.") from None
            raise
        if reading is not None:
            reading.turns += 1
        try:
            yield
        finally:
            if reading is not None:
                reading.turns -= 1
            self._give_back(key_id)

    def _give_back(self, key_id: str) -> None:
        self._free += 1
        self._held[key_id] -= 1
        if not self._held[key_id]:
            del self._held[key_id]
        self._hand_out()

    def _hand_out(self) -> None:
        share = self._crowded if CROWD else self._alone
        while self._free:
            allowed = [one for one in self._waiting if not one[0] or self._held[one[0]] < share]
            if not allowed:
                return
            key_id, future = next_ = min(allowed, key=lambda one: self._held[one[0]])
            self._waiting.remove(next_)
            self._free -= 1
            self._held[key_id] += 1
            future.set_result(None)
