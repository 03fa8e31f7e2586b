"""Work in threads that the end of the process does not wait for.

A process that ends waits for the threads of every executor first, however long they take: for a
name server or a trace collector that does not answer.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def aside(work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
    """What *work* gives or raises, from a thread of its own, which ends with the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(how: Callable[[Any], None], what: object) -> None:
        if not future.done():
            how(what)

    def run() -> None:
        told: tuple[Callable[[Any], None], object]
        try:
            told = future.set_result, work(*arguments)
        except Exception as error:
            told = future.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *told)

    threading.Thread(target=run, daemon=True).start()
    return future
