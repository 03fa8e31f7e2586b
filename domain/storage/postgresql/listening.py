"""Being told by the server that somebody has committed (PostgreSQL, LISTEN and NOTIFY).

It takes a connection of its own, which a pooler of transactions cannot give. Without one, who waits
looks for themselves after a while.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from domain.errors import Unavailable
from domain.storage.postgresql.errors import DRIVER

CHANNEL = "casegraph"
NOTIFY = f"NOTIFY {CHANNEL}"
"""Sent with a COMMIT: the server tells those who listen when, and if, it is done."""


class Listener:
    """Listens for as long as somebody waits again and again."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]] | None) -> None:
        """*connect* makes a connection for it alone; None if there can be none."""
        self._connect = connect
        self._connection: asyncpg.Connection | None = None
        self._told = asyncio.Event()

    async def woken(self, seconds: float) -> None:
        """Wait until somebody has committed since the last time, at most for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._listen()
                await self._told.wait()
        except TimeoutError:
            pass
        except (*DRIVER, Unavailable):
            self.close()
            await asyncio.sleep(seconds)
        self._told.clear()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _listen(self) -> None:
        if self._connect is None or (
            self._connection is not None and not self._connection.is_closed()
        ):
            return
        connection = await self._connect()
        try:
            await connection.add_listener(CHANNEL, self._tell)
            connection.add_termination_listener(self._tell)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        self._told.set()  # what was committed before it listened

    def _tell(self, *_about: Any) -> None:
        self._told.set()
