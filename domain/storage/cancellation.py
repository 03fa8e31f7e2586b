"""What must not stop halfway goes on when its task is cancelled."""

import asyncio
from typing import Any


async def in_full(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Wait until *future* is done, even if the caller is cancelled: the cancellation, or None."""
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled
