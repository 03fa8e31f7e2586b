"""How streams share the event loop with writes."""

import asyncio
import time
from collections.abc import Callable

SHARE = 0.2
"""How much of the event loop's time all streams together take while somebody writes."""
YIELD_SECONDS = 0.05
"""How long a stream waits before it looks again whether somebody writes."""
_LONGEST_TURN = 0.01


class Pacing:
    """Lets writes go first: what is streamed can wait, and is read many at a time then."""

    def __init__(self, is_written: Callable[[], bool]) -> None:
        """*is_written* says whether somebody writes at this moment."""
        self._is_written = is_written
        self._free_at = 0.0
        self._turn_seconds = 0.001  # of a batch, read and sent, about

    async def turn(self) -> None:
        """Wait for a turn. While somebody writes, streams have their share of the time only."""
        while (wait := self._free_at - time.monotonic()) > 0:
            if not self._is_written():
                return
            await asyncio.sleep(min(wait, YIELD_SECONDS))
        # Noted before the turn: others look in the meantime.
        self._free_at = time.monotonic() + self._turn_seconds / SHARE

    def took(self, seconds: float) -> None:
        """Note how long a turn has taken; if its client was slow, that was not the turn."""
        self._turn_seconds += (min(seconds, _LONGEST_TURN) - self._turn_seconds) / 8
