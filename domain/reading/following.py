"""Following workspaces: who waits for what is committed next is woken when something is.

A wake-up says only that something may be there; what it is, the feed itself tells (changes.py). So
one that is lost costs a moment, and never a change.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping

from domain.storage.database import Database

log = logging.getLogger("casegraph.following")

EVERY_SECONDS = 1.0
"""How long a wake-up may take that was lost, or that nobody sent."""


class Follower:
    """One who reads a workspace's feed up to its end, and then waits for more.

    note() comes before each read. Then moved() ends as soon as there may be anything that this read
    did not see.
    """

    def __init__(self, following: "Following", workspace_id: int) -> None:
        self._following = following
        self._workspace_id = workspace_id
        self._noted: str | None = None

    def note(self) -> str | None:
        """The end of the timeline as it is known now; what is read next is of this or later."""
        self._noted = self._following.heads.get(self._workspace_id)
        return self._noted

    async def moved(self, seconds: float) -> bool:
        """Wait until the end is another one than was noted; False after so many seconds."""
        self._following.watch()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._following.heads.get(self._workspace_id) == self._noted:
                    await self._following.next()
        return self._following.heads.get(self._workspace_id) != self._noted


class Following:
    """Looks after the workspaces of one database that somebody in this process follows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followed: Counter[int] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._next: asyncio.Future[None] | None = None
        self.heads: dict[int, str] = {}
        """The ends of the followed timelines, as far as they are known."""

    @contextlib.contextmanager
    def follow(self, workspace_id: int) -> Iterator[Follower]:
        """Follow a workspace for the length of the block."""
        self._followed[workspace_id] += 1
        self.watch()
        try:
            yield Follower(self, workspace_id)
        finally:
            self._followed[workspace_id] -= 1
            if not self._followed[workspace_id]:
                del self._followed[workspace_id]
                self.heads.pop(workspace_id, None)

    def watch(self) -> None:
        """Look after those who follow, unless that is done already."""
        if self._task is None and self._followed:
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Wake nobody any more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def next(self) -> None:
        """Wait until any followed workspace has moved."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._next)

    async def _watch(self) -> None:
        try:
            while self._followed:
                try:
                    self._tell(await self._database.heads(list(self._followed)))
                    await self._database.woken(EVERY_SECONDS)
                except Exception as error:
                    # Whatever it is: nobody would be woken any more. What happens meanwhile is
                    # seen afterwards, by another end of the timeline.
                    log.warning("changes are not seen: %s", type(error).__name__)
                    await asyncio.sleep(EVERY_SECONDS)
        finally:
            self._task = None

    def _tell(self, heads: Mapping[int, str]) -> None:
        """Note the ends as they are now, and wake everybody if one has moved."""
        before = {id: self.heads.get(id) for id in self._followed}
        self.heads = {id: heads[id] for id in self._followed if id in heads}
        if self._next is not None and any(self.heads.get(id) != before[id] for id in before):
            self._next.set_result(None)
            self._next = None
