"""Rate limits per minute, for a key and for an address that sends wrong keys."""

import ipaddress
import time
from collections.abc import Callable
from typing import NamedTuple

from domain.errors import RateLimited

WINDOW_SECONDS = 60
_WINDOWS = 50_000
_NETWORK_BITS = 64


POINT_ROWS = 1_000
"""How many rows or index entries a call may visit for one point."""


def points_of(rows: int) -> int:
    """The points of a call that visits so many rows and index entries."""
    return max(1, -(-rows // POINT_ROWS))


class Allowance(NamedTuple):
    """The points that remain in this window, and the seconds until the next one starts."""

    limit: int
    remaining: int
    reset: int


class RateLimiter:
    """Counts points by name in fixed one-minute windows, within this process.

    A call to a REST route costs one point, and so does a GraphQL operation that reads little.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, name: str, points: int = 1) -> Allowance:
        """Count *points*. Raises RateLimited when fewer are left in the window."""
        start, used, now = self._window(name)
        if used + points > self.limit:
            raise RateLimited(_seconds_left(start, now))
        return self._count(name, start, used + points, now)

    def take_more(self, name: str, points: int) -> Allowance:
        """Count *points* on top of the one already taken.

        A cost that exceeds a whole window counts as the whole window. Raises RateLimited.
        """
        return self.take(name, min(points, self.limit - 1))

    def spend(self, name: str, points: int) -> Allowance:
        """Count *points* for work already done, or as many as are left if that is fewer."""
        start, used, now = self._window(name)
        return self._count(name, start, min(used + points, self.limit), now)

    def give_back(self, name: str, points: int) -> Allowance:
        """Take *points* off again, which were counted for work that took less."""
        start, used, now = self._window(name)
        return self._count(name, start, max(0, used - points), now)

    def used_up(self, refusal: RateLimited) -> Allowance:
        """The allowance of a caller refused by *refusal*."""
        return Allowance(self.limit, 0, refusal.retry_after)

    def _window(self, name: str) -> tuple[float, int, float]:
        now = self._clock()
        start, used = self._windows.get(name, (now, 0))
        if now - start >= WINDOW_SECONDS:
            start, used = now, 0
        return start, used, now

    def _count(self, name: str, start: float, used: int, now: float) -> Allowance:
        if name not in self._windows and len(self._windows) >= _WINDOWS:
            self._windows.pop(next(iter(self._windows)))  # the oldest entry
        self._windows[name] = start, used
        return Allowance(self.limit, self.limit - used, _seconds_left(start, now))


def network(address: str) -> str:
    """The network that a client at *address* has to itself: for IPv6, the first 64 bits.

    RFC 6177 gives every site at least that much. Text that is not an address is its own network.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def _seconds_left(start: float, now: float) -> int:
    return max(1, int(start + WINDOW_SECONDS - now + 0.999))
