"""What a request costs its key's rate limit, in points."""

from domain.access.rates import Allowance, RateLimiter

POINT_ROWS = 1_000
"""How many rows an operation may read for one point."""

REFUSED_POINTS = 10
"""The cost of a refused document: checking it takes longer than answering a small one."""


def points(rows: int, writes: int = 0) -> int:
    """The points of an operation that may read this many rows and make this many writes.

    A mutation costs at least what it would over REST: a point.
    """
    return max(1, writes, -(-rows // POINT_ROWS))


class Meter:
    """Charges one request: a point when it arrives, and more once its cost is known."""

    def __init__(self, rates: RateLimiter, key_id: str) -> None:
        """Charge the first point. Raises RateLimited."""
        self._rates = rates
        self._key_id = key_id
        self.allowance: Allowance = rates.take(key_id)

    def admit(self, rows: int, writes: int) -> None:
        """Charge an operation that may read and write so much. Raises RateLimited."""
        self.allowance = self._rates.take_more(self._key_id, points(rows, writes) - 1)

    def refuse(self) -> None:
        """Charge a document that was refused, or failed as a whole."""
        self.allowance = self._rates.spend(self._key_id, REFUSED_POINTS - 1)
