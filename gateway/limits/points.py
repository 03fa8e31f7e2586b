"""What a request costs of its key's rate limit, in points."""

from domain.access.rates import Allowance, RateLimiter

POINT_ROWS = 1_000
"""How many rows an operation may read for one point."""

REFUSED_POINTS = 10
"""What a refused document costs: looking at it takes longer than answering a small one."""


def points(rows: int) -> int:
    """What an operation costs that may read so many rows."""
    return max(1, -(-rows // POINT_ROWS))


class Meter:
    """Counts one request: a point when it comes in, and more once it is known what it may read."""

    def __init__(self, rates: RateLimiter, key_id: str) -> None:
        """Raises RateLimited."""
        self._rates = rates
        self._key_id = key_id
        self.allowance: Allowance = rates.take(key_id)

    def admit(self, rows: int) -> None:
        """Count an operation that may read so many rows. Raises RateLimited."""
        self.allowance = self._rates.take_more(self._key_id, points(rows) - 1)

    def refuse(self) -> None:
        """Count a document that was refused, or failed as a whole."""
        self.allowance = self._rates.spend(self._key_id, REFUSED_POINTS - 1)
