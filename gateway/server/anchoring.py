"""Writes the ends of all timelines to the log, on every start and once an hour.

The log is out of reach of who edits the database: `casegraph verify --anchor` compares the two.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from domain.errors import DomainError
from domain.reading import anchors
from domain.storage.database import Database

log = structlog.get_logger("casegraph.timeline")

EVERY_SECONDS = 3_600


@contextlib.asynccontextmanager
async def anchored(database: Database) -> AsyncIterator[None]:
    """Log the ends now and every hour, for the length of the block."""
    await _log(database)
    task = asyncio.create_task(_hourly(database))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _hourly(database: Database) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await _log(database)


async def _log(database: Database) -> None:
    try:
        heads = await anchors.heads(database)
    except DomainError as error:
        log.error("timeline_head_unread", reason=error.message)
        return
    for head in heads:
        log.info(
            "timeline_head",
            workspace=head.workspace,
            mode=str(head.mode),
            anchor=str(head.anchor),
        )
