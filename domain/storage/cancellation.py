"""What must not stop halfway goes on when its task is cancelled."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def in_full(
    future: asyncio.Future[Any], hurry: Callable[[], object] = lambda: None
) -> asyncio.CancelledError | None:
    """Wait until *future* is done, even if the caller is cancelled: the cancellation, or None.

    *hurry* is called then, if there is a way to make the end come sooner.
    """
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
            hurry()
    return cancelled


async def finished(future: asyncio.Future[T], hurry: Callable[[], object] = lambda: None) -> T:
    """Its result, once it is done; if the caller is cancelled, it is only cancelled then."""
    if (cancelled := await in_full(future, hurry)) is not None:
        if not future.cancelled():
            future.exception()  # nobody else looks at it
        raise cancelled
    return future.result()


async def in_thread(
    work: Callable[..., T], *arguments: Any, hurry: Callable[[], object] = lambda: None
) -> T:
    """Run *work* in a thread, to its end even if the caller is cancelled.

    An asyncio.to_thread() that is cancelled goes on with what its caller closes or deletes then.
    """
    return await finished(asyncio.get_running_loop().run_in_executor(None, work, *arguments), hurry)
