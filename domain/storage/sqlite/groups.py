"""Transactions of one process that are committed together: each commit waits for the disk.

The first in the queue leads: it begins the transaction and does its work, calls those who wait, one
after another, to do theirs in a savepoint each, and commits for all of them. Nobody is told what
came of its work, not even that it was refused, before the commit: it may rest on what another one
has done. If the commit fails, it fails for all, and nothing of any of them is written.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator

from domain.storage.cancellation import in_full

MOST = 32
"""Transactions in a group."""
SECONDS = 0.01
"""How long a leader calls others: so long other processes wait, beside the commit."""


class Group:
    """An open transaction on *connection*, and those who take part in it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.members = 1
        self.lost: BaseException | None = None
        """Why the transaction cannot be committed, whatever its leader has done."""
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outcome.add_done_callback(_looked_at)
        self._turn: asyncio.Future[None] | None = None

    async def call(self, queue: "Queue") -> asyncio.CancelledError | None:
        """Let those who wait in *queue* take part, for a while.

        The cancellation, if the caller is cancelled meanwhile: it has yet to commit.
        """
        until = time.monotonic() + SECONDS
        for _ in range(MOST - 1):
            if self.lost is not None or time.monotonic() > until:
                break
            self._turn = asyncio.get_running_loop().create_future()
            if not queue.call(self):
                break
            if (cancelled := await in_full(self._turn)) is not None:
                return cancelled
        return None

    def pass_on(self) -> None:
        """Give the turn back to the leader."""
        assert self._turn is not None
        if not self._turn.done():
            self._turn.set_result(None)

    def end(self, error: Exception | None) -> None:
        """Tell everybody what came of the commit, unless that is told already."""
        if self._outcome.done():
            return
        if error is None:
            self._outcome.set_result(None)
        else:
            self._outcome.set_exception(error)

    @contextlib.asynccontextmanager
    async def member(self) -> AsyncIterator[None]:
        """A savepoint for the length of the block; then wait for the commit.

        Raises the error of the commit, or else of the block.
        """
        try:
            try:
                self.connection.execute("SAVEPOINT member")
                yield
                self.connection.execute("RELEASE member")
                self.members += 1
            except BaseException as error:
                self._undo(error)
                raise
            finally:
                self.pass_on()
        except Exception:
            await asyncio.shield(self._outcome)
            raise
        await asyncio.shield(self._outcome)

    def _undo(self, error: BaseException) -> None:
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK TO member")
                self.connection.execute("RELEASE member")
                return
        except sqlite3.Error as failure:
            error = failure
        self.lost = error


class Queue:
    """Who waits to write: to be called into a group, or to lead one."""

    def __init__(self) -> None:
        self.led = False
        self._waiting: deque[asyncio.Future[Group | None]] = deque()

    async def admitted(self) -> Group | None:
        """The group to take part in. None: lead one, and call leave() at the end."""
        if not self.led:
            self.led = True
            return None
        called: asyncio.Future[Group | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(called)
        try:
            return await called
        except asyncio.CancelledError:
            if called.done() and not called.cancelled():  # called at the same moment
                group = called.result()
                group.pass_on() if group is not None else self.leave()
            raise

    def call(self, group: Group | None) -> bool:
        """Call the next one into *group*, or to lead; False if nobody waits."""
        while self._waiting:
            called = self._waiting.popleft()
            if not called.done():  # it may be cancelled
                called.set_result(group)
                return True
        return False

    def waiting(self) -> int:
        """How many wait."""
        return sum(not called.done() for called in self._waiting)

    def leave(self) -> None:
        """End leading; the next one leads."""
        self.led = self.call(None)


def _looked_at(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()
