"""Reading one's own writes, where some reads go to a standby that lags behind.

A position is the number of an event in the caller's timeline, which has no gaps. Every write tells
its position; a read that brings one is answered from a state that has it. A key that has written
in the last minute through this process is held to its own position without bringing it.
"""

import time

from domain.errors import invalid
from domain.storage.turns import LATEST, READING

HEADER = "X-Casegraph-Position"
OWN_SECONDS = 60.0
_KEYS = 10_000
_MOST_DIGITS = 18


def read_latest() -> None:
    """Let this task read nothing but the latest state, as whoever writes has to."""
    if (reading := READING.get()) is not None:
        reading.position = LATEST


class Positions:
    """The positions that the keys of this process have written."""

    def __init__(self) -> None:
        self._own: dict[str, tuple[float, int]] = {}

    def begin(self, key_id: str, given: str | None) -> None:
        """Hold what this task reads to the position that the request brings, or the key's own.

        Raises Invalid.
        """
        reading = READING.get()
        if given is not None and not (
            given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS
        ):
            raise invalid(f"{HEADER} must be a whole number.", HEADER)
        if reading is None:
            return
        until, own = self._own.get(key_id, (0.0, 0))
        if given is not None:
            reading.position = int(given)
        elif time.monotonic() < until:
            reading.position = own

    def written(self, key_id: str) -> int | None:
        """The position that this task has written; None if it has written nothing."""
        reading = READING.get()
        if reading is None or reading.written is None:
            return None
        self._own.pop(key_id, None)  # the last ones come last
        self._own[key_id] = time.monotonic() + OWN_SECONDS, reading.written
        if len(self._own) > _KEYS:
            del self._own[next(iter(self._own))]
        return reading.written
