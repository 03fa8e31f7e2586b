"""The rate limits of all processes together: what each may count by itself, from one table.

A process takes a part of a window's points at a time, so that few calls wait for the table. Windows
begin and end by the database server's clock. The table is no part of the record: a crash may empty
it, which begins all windows anew.
"""

import time

from sqlalchemy import text

from domain.access.rates import WINDOW_SECONDS, Lease
from domain.storage.database import Database
from domain.storage.statements import Fetch, Prepared

TIDY_EVERY = 500
"""After so many leases of this process, windows that have ended are deleted."""

_NOW = {"sqlite": ":now", "postgresql": "extract(epoch FROM clock_timestamp())::float8"}
_LEAST = {"sqlite": "min", "postgresql": "least"}


def _leasing(dialect: str) -> str:
    now, least = _NOW[dialect], _LEAST[dialect]
    ended = f"(excluded.began - rate_window.began NOT BETWEEN 0 AND {WINDOW_SECONDS})"
    left = f"{least}(excluded.given, CAST(:most AS integer) - rate_window.taken)"
    return f"""
        INSERT INTO rate_window (name, began, taken, given)
        VALUES (:name, {now}, {least}(:points, :most), {least}(:points, :most))
        ON CONFLICT (name) DO UPDATE SET
            given = CASE WHEN {ended} THEN excluded.given ELSE {left} END,
            taken = CASE WHEN {ended} THEN excluded.taken ELSE rate_window.taken + {left} END,
            began = CASE WHEN {ended} THEN excluded.began ELSE rate_window.began END
        RETURNING given, taken, began, {now} - began"""  # noqa: S608 (nothing of a caller's)


def _tidying(dialect: str) -> str:
    now = _NOW[dialect]
    return f"DELETE FROM rate_window WHERE {now} - began NOT BETWEEN 0 AND {2 * WINDOW_SECONDS}"  # noqa: S608


def _prepared(leasing: str, postgresql: str) -> Prepared:
    casts = (":name", "text"), (":points", "integer"), (":most", "integer")
    for parameter, type in casts:
        cast = f"CAST({parameter} AS {type})"
        postgresql = postgresql.replace(cast, parameter).replace(parameter, cast)
    return Prepared(text(leasing), postgresql=text(postgresql))


_LEASE = _prepared(_leasing("sqlite"), _leasing("postgresql"))
_TIDY = _prepared(_tidying("sqlite"), _tidying("postgresql"))


class Leases:
    """The ledger of a database: see rates.Ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._given = 0

    async def lease(self, name: str, points: int, limit: int) -> Lease:
        """Give up to so many of the *limit* points of a name's window.

        Raises Unavailable, TimedOut.
        """
        self._given += 1
        if self._given % TIDY_EVERY == 0:
            await self._database.note(Fetch(_TIDY, {"now": time.time()}))
        values = {"name": name, "points": points, "most": limit, "now": time.time()}
        [(given, taken, began, age)] = await self._database.note(Fetch(_LEASE, values))
        return Lease(given, taken, str(began), age)
