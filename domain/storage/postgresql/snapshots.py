"""Statements on one connection to a PostgreSQL server, in a snapshot or in a transaction."""

import asyncio
import logging
import time
from collections.abc import Sequence

from domain.instants import Instant
from domain.storage.database import Row, Snapshot, Statement, Transaction, Values, prepared
from domain.storage.postgresql.sessions import Session
from domain.storage.statements import POSTGRESQL, Fetch
from domain.storage.turns import READING

log = logging.getLogger("casegraph.sql")

LONG_SECONDS = 0.05
"""A statement that takes longer is charged by its time."""
ROWS_A_SECOND = 500_000
"""About how many rows or index entries the server visits in a second."""


class ServerSnapshot(Snapshot):
    def __init__(self, session: Session) -> None:
        self.session = session
        # Concurrent reads may share a snapshot, but a connection runs one statement at a time.
        self._turn = asyncio.Lock()

    async def fetch(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(POSTGRESQL, wanted.values)
        log.debug("%s", sql)
        rows: list[Row] = []
        begun = time.perf_counter()
        try:
            async with self._turn:
                begun = time.perf_counter()
                rows = await self.session.fetch(sql, parameters)
            return rows
        finally:
            _count(time.perf_counter() - begun, len(rows))


def _count(seconds: float, rows: int) -> None:
    """Count what a statement has visited: only the time tells how much that was."""
    if (reading := READING.get()) is not None:
        long = seconds if seconds > LONG_SECONDS else 0
        reading.visited += max(int(long * ROWS_A_SECOND), 2 * rows + 1)


class ServerTransaction(Transaction):
    def __init__(self, session: Session, now: Instant, head: tuple[int, str] | None) -> None:
        super().__init__(now, head)
        self.session = session

    async def fetch(self, wanted: Fetch) -> list[Row]:
        sql, parameters = wanted.statement.bound(POSTGRESQL, wanted.values)
        log.debug("%s", sql)
        return await self.session.fetch(sql, parameters)

    async def run(
        self, statement: Statement, values: Values | Sequence[Values] | None = None
    ) -> None:
        compiled = prepared(statement)
        if not isinstance(values, Sequence):
            await self.rows(compiled, values)
        elif len(values) == 1:
            await self.rows(compiled, values[0])
        elif values:
            sql = compiled.sql(POSTGRESQL)
            log.debug("%s", sql)
            rows = [compiled.bound(POSTGRESQL, row)[1] for row in values]
            await self.session.fetch_many(sql, rows)
