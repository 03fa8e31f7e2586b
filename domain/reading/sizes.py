"""How much a workspace holds, remembered for a while: an estimate needs no exact figure."""

import time

from domain.access.principal import Principal
from domain.reading import search
from domain.storage.database import Database, Pace

KEPT_SECONDS = 60.0
_WORKSPACES = 10_000


class Sizes:
    """The sizes of workspaces, counted when they are asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pace = Pace()
        self._entries: dict[int, tuple[float, int]] = {}

    async def entries(self, who: Principal) -> int:
        """The search entries of the caller's workspace, as of the last minute."""
        until, count = self._entries.get(who.workspace_id, (0.0, 0))
        if time.monotonic() < until:
            return count
        count = await self._database.run(
            lambda db: search.count_entries(who.workspace_id, db), self._pace, who.workspace_id
        )
        if len(self._entries) >= _WORKSPACES:
            self._entries.clear()
        self._entries[who.workspace_id] = time.monotonic() + KEPT_SECONDS, count
        return count
