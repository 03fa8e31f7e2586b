"""What is set when it is looked at: the use of the database, memory, kept answers."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from importlib.metadata import version

from domain.errors import DomainError
from domain.services import Services
from domain.storage.watch import Load
from gateway.telemetry import metrics

EVERY_SECONDS = 1.0
"""How old what another worker's scrape tells of this one may be."""
SIZE_SECONDS = 1.0
"""How long a scrape waits for the size of the database, which may not be reachable."""
_VERSION = version("casegraph")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@contextlib.asynccontextmanager
async def sampled(services: Services, *, always: bool) -> AsyncIterator[None]:
    """Tell that this worker runs, for the length of the block; if *always*, sample it, too."""
    backend = services.database.url.get_backend_name()
    metrics.BUILD.labels(_VERSION, backend).set(1)
    metrics.WORKERS.set(1)
    sample(services)
    task = asyncio.create_task(_sample(services)) if always else None
    try:
        yield
    finally:
        metrics.flush()  # others tell of this worker when it is gone
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _sample(services: Services) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        sample(services)


def sample(services: Services) -> None:
    """Count what waits to be counted, and set the gauges of this process."""
    metrics.flush()
    metrics.MEMORY.set(_resident())
    metrics.KEPT_BYTES.set(services.kept.bytes)
    _set(services.database.load())


async def measure(services: Services) -> None:
    """Set what all processes share: the sizes of the database, if it tells them in time."""
    try:
        async with asyncio.timeout(SIZE_SECONDS):
            sizes = await services.database.sizes()
    except (DomainError, TimeoutError):
        return
    for part, size in sizes.items():
        metrics.BYTES.labels(part).set(size)


def _set(load: Load) -> None:
    for work, use in (("read", load.reads), ("write", load.writes)):
        metrics.BUSY.labels(work).set(use.busy)
        metrics.WAITING.labels(work).set(use.waiting)
        metrics.MOST.labels(work).set(use.most)
    metrics.POOL.set(load.connections)
    if load.lag is not None:
        metrics.LAG.labels("standby").set(load.lag)


def _resident() -> int:
    """The bytes of memory that this process takes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
