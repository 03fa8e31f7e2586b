"""The databases of a run: a copy of one generated file for each server, in files or on PostgreSQL.

The PostgreSQL server is started for the run, with its own defaults: what is written is durable.
"""

import asyncio
import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.data import Firm
from domain.storage.opening import opened
from domain.upkeep.copying import copy
from tests.postgresql import Raw, Server, server

ROLE, ORIGINAL = "casegraph", "original"
_TICKS = os.sysconf("SC_CLK_TCK")
_TIMES = slice(11, 15)
"""In /proc/PID/stat, behind the name: a process's own time, and that of its children that ended."""


@dataclass(frozen=True, slots=True)
class Databases:
    """A copy for each server, by its name; *postgresql* is the server that they are on, if any."""

    copied: Callable[[str], Firm]
    bytes: int
    """The size of one copy, as it is made."""
    postgresql: Server | None = None

    def seconds(self) -> float | None:
        """The processor time that the database's server has taken; None without a server."""
        if self.postgresql is None:
            return None
        return sum(map(_seconds_of, self.postgresql.processes()))


@contextlib.contextmanager
def in_files(firm: Firm) -> Iterator[Databases]:
    """Copies of the file."""
    with tempfile.TemporaryDirectory(prefix="run-", dir=firm.path.parent) as folder:
        yield Databases(lambda name: firm.copied(Path(folder), name), firm.path.stat().st_size)


@contextlib.contextmanager
def on_postgresql(firm: Firm, tell: Callable[[str], object]) -> Iterator[Databases]:
    """Databases on a PostgreSQL server, with statistics, owned by a role that policies bind."""
    with server(fsync="on") as started, in_files(firm) as files:
        tell(f"Copying {firm.path.name} to PostgreSQL")
        started.sql(f"CREATE ROLE {ROLE} LOGIN")
        started.sql(f"CREATE DATABASE {ORIGINAL} OWNER {ROLE}")
        asyncio.run(_copy(firm.url, started.url(ORIGINAL, ROLE)))
        started.sql("VACUUM (ANALYZE)", ORIGINAL)

        def copied(name: str) -> Firm:
            if name == "finished":  # whose bytes are made from a file
                return files.copied(name)
            started.sql(f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {ORIGINAL}")
            return replace(firm, server_url=started.url(name, ROLE))

        size = started.sql(f"SELECT pg_database_size('{ORIGINAL}')")
        yield Databases(copied, int(size), started)


@contextlib.contextmanager
def raw(firm: Firm) -> Iterator[Any]:
    """A connection to a copy, past casegraph: execute() takes ? for parameters."""
    if firm.server_url is None:
        with closing(sqlite3.connect(f"{firm.path.as_uri()}?mode=ro", uri=True)) as file:
            yield file
        return
    with closing(Raw(firm.server_url)) as connection:
        connection.execute(f"SET casegraph.workspace = '{firm.workspace_id}'")
        yield connection


async def _copy(source: str, target: str) -> None:
    async with opened(source, migrate=False) as there, opened(target) as here:
        await copy(there, here)


def _seconds_of(process: int) -> float:
    """A connection's process has no children; those of the server itself are connections."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:  # it has ended
        return 0.0
    return sum(map(int, stat.rpartition(")")[2].split()[_TIMES])) / _TICKS
