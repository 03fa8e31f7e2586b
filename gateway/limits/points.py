"""What a request costs its key's rate limit, in points."""

from domain.access.rates import Allowance, RateLimiter, points_of

REFUSED_POINTS = 10
"""The cost of a refused document: checking it takes longer than answering a small one."""


def points(rows: int, writes: int = 0) -> int:
    """The points of an operation that reads this many rows and makes this many writes.

    A mutation costs at least what it would over REST: a point.
    """
    return max(points_of(rows), writes)


async def metered(rates: RateLimiter, key_id: str) -> "Meter":
    """Charge the first point of a request. Raises RateLimited."""
    return Meter(rates, key_id, await rates.take(key_id))


class Meter:
    """Charges one request: a point when it arrives, what it may cost before it is executed, and
    what it has cost in the end."""

    def __init__(self, rates: RateLimiter, key_id: str, allowance: Allowance) -> None:
        """*allowance* is what the key has left after the first point: see metered()."""
        self._rates = rates
        self._key_id = key_id
        self._charged = 1
        self._least = 1
        self.allowance = allowance

    async def admit(self, rows: int, writes: int) -> None:
        """Charge an operation that may read and write so much. Raises RateLimited."""
        wanted = min(points(rows, writes), self._rates.limit)
        if wanted > 1:
            self.allowance = await self._rates.take_more(self._key_id, wanted - 1)
        self._charged = wanted
        self._least = max(1, writes)

    @property
    def charged(self) -> int:
        """The points that are charged."""
        return self._charged

    def refuse(self) -> None:
        """Charge a document that was refused, or failed as a whole."""
        self._least = max(self._least, REFUSED_POINTS)

    def waive(self) -> None:
        """Charge nothing: nothing was asked for, and next to nothing visited."""
        self.allowance = self._rates.give_back(self._key_id, self._charged)
        self._charged = 0

    def settle(self, visited: int) -> None:
        """Charge what the request has visited, in rows and index entries, and no more than that."""
        owed = max(self._least, points(visited))
        if owed > self._charged:
            self.allowance = self._rates.spend(self._key_id, owed - self._charged)
        elif owed < self._charged:
            self.allowance = self._rates.give_back(self._key_id, self._charged - owed)
        self._charged = owed
