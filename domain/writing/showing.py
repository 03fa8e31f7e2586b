"""Reading what an answer shows of a change that is stored already."""

import contextlib
from collections.abc import Iterator

from domain.errors import Damaged, DomainError, Stored, TimedOut, Unavailable


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """Around the reading. Raises Stored where it fails: the caller must not write again."""
    try:
        yield
    except DomainError as error:
        if (stored := of_stored(error)) is error:
            raise
        raise stored from error


def of_stored(error: DomainError) -> DomainError:
    """What to tell of an error in reading what was stored."""
    return Stored() if isinstance(error, TimedOut | Unavailable | Damaged) else error
