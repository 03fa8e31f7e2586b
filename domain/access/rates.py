"""Rate limits: how much may be done in a minute by a key, or by an address with wrong keys."""

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass

from domain.errors import RateLimited

WINDOW_SECONDS = 60
_WINDOWS = 50_000
_NETWORK_BITS = 64


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may still be done: points in this window, and seconds until it starts anew."""

    limit: int
    remaining: int
    reset: int


class RateLimiter:
    """Counts points by name in fixed windows of a minute, in this process.

    One call of the REST routes is a point, and so is a GraphQL operation that reads little.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, name: str, points: int = 1) -> Allowance:
        """Count *points*. Raises RateLimited when there are not so many left in the window."""
        start, used, now = self._window(name)
        if used + points > self.limit:
            raise RateLimited(_seconds_left(start, now))
        return self._count(name, start, used + points, now)

    def take_more(self, name: str, points: int) -> Allowance:
        """Count *points* beside the one that was taken first.

        What costs more than a whole window takes it all. Raises RateLimited.
        """
        return self.take(name, min(points, self.limit - 1))

    def spend(self, name: str, points: int) -> Allowance:
        """Count *points* for what was done already: as many as are left, if they are fewer."""
        start, used, now = self._window(name)
        return self._count(name, start, min(used + points, self.limit), now)

    def wait(self, name: str) -> int:
        """Seconds until there is a point left: 0 if there is one now."""
        start, used, now = self._window(name)
        return _seconds_left(start, now) if used >= self.limit else 0

    def untouched(self) -> Allowance:
        """The allowance of a caller who is not known, for the headers of a refusal."""
        return Allowance(self.limit, self.limit, WINDOW_SECONDS)

    def used_up(self, refusal: RateLimited) -> Allowance:
        """The allowance of a caller who was refused."""
        return Allowance(self.limit, 0, refusal.retry_after)

    def _window(self, name: str) -> tuple[float, int, float]:
        now = self._clock()
        start, used = self._windows.get(name, (now, 0))
        if now - start >= WINDOW_SECONDS:
            start, used = now, 0
        return start, used, now

    def _count(self, name: str, start: float, used: int, now: float) -> Allowance:
        if name not in self._windows and len(self._windows) >= _WINDOWS:
            self._windows.pop(next(iter(self._windows)))  # the one that was opened first
        self._windows[name] = start, used
        return Allowance(self.limit, self.limit - used, _seconds_left(start, now))


def network(address: str) -> str:
    """The network that one client of *address* has for itself: of IPv6 the first 64 bits.

    RFC 6177 gives every site at least so much. A text that is no address is its own network.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)


def _seconds_left(start: float, now: float) -> int:
    return max(1, int(start + WINDOW_SECONDS - now + 0.999))
