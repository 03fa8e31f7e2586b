"""Rate limits: how many calls a key may make in a minute, counted for both surfaces together."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from domain.auth import Principal
from domain.errors import RateLimited

WINDOW_SECONDS = 60
_WINDOWS = 50_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may still do: calls in this window, and seconds until it starts anew."""

    limit: int
    remaining: int
    reset: int


class RateLimiter:
    """Counts calls by key in fixed windows of a minute, in this process."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, who: Principal, cost: int = 1) -> Allowance:
        """Count a call. Raises RateLimited when the window is used up."""
        now = self._clock()
        start, used = self._windows.get(who.key_id, (now, 0))
        if now - start >= WINDOW_SECONDS:
            start, used = now, 0
        if used + cost > self.limit:
            raise RateLimited(_seconds_left(start, now))
        if len(self._windows) >= _WINDOWS:
            self._windows.clear()
        self._windows[who.key_id] = start, used + cost
        return Allowance(self.limit, self.limit - used - cost, _seconds_left(start, now))

    def untouched(self) -> Allowance:
        """The allowance of a caller who is not known, for the headers of a refusal."""
        return Allowance(self.limit, self.limit, WINDOW_SECONDS)


def _seconds_left(start: float, now: float) -> int:
    return max(1, int(start + WINDOW_SECONDS - now + 0.999))
