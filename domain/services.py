"""The objects that both surfaces share: the open database, its keys, and the rate limits."""

from dataclasses import dataclass

from domain.access.keys import KeyRing
from domain.access.positions import Positions
from domain.access.rates import RateLimiter
from domain.reading.kept import KeptAnswers
from domain.reading.sizes import Sizes
from domain.storage.database import Database
from domain.webhooks.registering import Terms


@dataclass(frozen=True, slots=True)
class Services:
    """Created once by the composition root; requests find it in the application's state."""

    database: Database
    keys: KeyRing
    rates: RateLimiter
    sizes: Sizes
    kept: KeptAnswers
    positions: Positions
    webhooks: Terms
