"""Rate limits per minute, for a key and for an address that sends wrong keys."""

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from domain.errors import DomainError, RateLimited

log = logging.getLogger("casegraph.rates")

WINDOW_SECONDS = 60
_WINDOWS = 50_000
_NETWORK_BITS = 64
SHARE = 20
"""A process takes a twentieth of a window's points at a time from those that all processes share.

So that many, for each other process, may be left over where they were not used.
"""
LEASE_SECONDS = 1.0
"""How long a request waits for points that are shared. Then its process counts for itself."""


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


class Lease(NamedTuple):
    """Points that a process may count by itself.

    *points* were given now; *taken* is what all processes have taken in the window, which began
    *age* seconds ago and is told from others by *window*.
    """

    points: int
    taken: int
    window: str
    age: float


class Ledger(Protocol):
    """Where processes share what they count: the database."""

    async def lease(self, name: str, points: int, limit: int) -> Lease:
        """Give up to so many of the *limit* points of a name's window, by the ledger's own clock.

        A window lasts WINDOW_SECONDS, and begins when the first points are taken. Raises
        DomainError.
        """


@dataclass(slots=True)
class _Window:
    """What one name has used in this process, of what it may."""

    start: float
    granted: int
    used: int = 0
    taken: int = 0
    """By all processes, as of the last lease."""
    name: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class RateLimiter:
    """Counts points by name in fixed one-minute windows.

    With a *ledger*, all processes that have the same one count together; without, this one alone.
    A call to a REST route costs one point, and so does a GraphQL operation that reads little.
    """

    def __init__(
        self,
        limit: int,
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit
        self._ledger = ledger
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    async def take(self, name: str, points: int = 1) -> Allowance:
        """Count *points*. Raises RateLimited when fewer are left in the window."""
        window, now = self._window(name)
        if self._ledger is not None and window.used + points > window.granted:
            window, now = await self._leased(self._ledger, name, points)
        if window.used + points > window.granted:
            raise RateLimited(_seconds_left(window.start, now))
        window.used += points
        return self._allowance(window, now)

    async def take_more(self, name: str, points: int) -> Allowance:
        """Count *points* on top of the one already taken.

        A cost that exceeds a whole window counts as the whole window. Raises RateLimited.
        """
        return await self.take(name, min(points, self.limit - 1))

    def spend(self, name: str, points: int) -> Allowance:
        """Count *points* for work already done, or as many as are left if that is fewer."""
        window, now = self._window(name)
        window.used = min(window.used + points, self.limit)
        return self._allowance(window, now)

    def give_back(self, name: str, points: int) -> Allowance:
        """Take *points* off again, which were counted for work that took less."""
        window, now = self._window(name)
        window.used = max(0, window.used - points)
        return self._allowance(window, now)

    def used_up(self, refusal: RateLimited) -> Allowance:
        """The allowance of a caller refused by *refusal*."""
        return Allowance(self.limit, 0, refusal.retry_after)

    def _window(self, name: str) -> tuple[_Window, float]:
        now = self._clock()
        window = self._windows.get(name)
        if window is None or now - window.start >= WINDOW_SECONDS:
            if window is None and len(self._windows) >= _WINDOWS:
                self._windows.pop(next(iter(self._windows)))  # the oldest entry
            granted = 0 if self._ledger is not None else self.limit
            window = self._windows[name] = _Window(now, granted)
        return window, now

    async def _leased(self, ledger: Ledger, name: str, points: int) -> tuple[_Window, float]:
        """The window, with as many points more as are needed and left."""
        window, _now = self._window(name)
        async with window.turn:
            window, now = self._window(name)  # of now: it may have ended meanwhile
            short = window.used + points - window.granted
            if short <= 0 or window.taken >= self.limit:
                return window, now
            wanted = max(short, self.limit // SHARE)
            try:
                async with asyncio.timeout(LEASE_SECONDS):
                    lease = await ledger.lease(name, wanted, self.limit)
            except (DomainError, TimeoutError) as error:
                log.warning("rates are counted by this process alone: %s", type(error).__name__)
                window.granted = window.taken = self.limit
                return window, now
            now = self._clock()
            if window.name not in ("", lease.window):
                # The others' window has ended before this one's.
                window.used = window.granted = 0
            window.name, window.start = lease.window, now - lease.age
            window.granted += lease.points
            window.taken = lease.taken
            return window, now

    def _allowance(self, window: _Window, now: float) -> Allowance:
        others = max(0, window.taken - window.granted) if self._ledger is not None else 0
        remaining = max(0, self.limit - others - window.used)
        return Allowance(self.limit, remaining, _seconds_left(window.start, now))


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
