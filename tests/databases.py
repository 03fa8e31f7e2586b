"""New databases on the tests' PostgreSQL server, which are old ones with the template's rows.

To make and to drop a database took most of the time of a test that writes a few rows. One that was
changed in any other way than by its rows, or grew, is dropped.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import asyncpg

from domain.storage.tables import metadata
from tests.postgresql import TEMPLATE, Raw, Server

CATALOGS = (
    "pg_class",
    "pg_attribute",
    "pg_constraint",
    "pg_index",
    "pg_namespace",
    "pg_policy",
    "pg_proc",
    "pg_statistic",
    "pg_trigger",
)
ROOM = 1 << 20
"""Bytes that a database may grow by."""
_TABLES = [*(table.name for table in metadata.sorted_tables), "search_gram", "rate_window"]
_NUMBERS = itertools.count(1)
_IDLE: dict[tuple[Path, str], list["Fresh"]] = {}
"""What may be used again, by the server and the template."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A database with the rows of its template, and a superuser's connection to it."""

    name: str
    past: Raw
    kept: frozenset[str]
    """The tables that have rows in the template."""


@contextlib.contextmanager
def fresh_database(server: Server, template: str = TEMPLATE) -> Iterator[str]:
    """The URL of a database with what is in *template*."""
    idle = _IDLE.setdefault((server.folder, template), [])
    one = idle.pop() if idle else _made(server, template)
    try:
        yield server.url(one.name, "casegraph")
    finally:
        if _restored(one):
            idle.append(one)
        else:
            server.past.execute(f"DROP DATABASE IF EXISTS {one.name} WITH (FORCE)")


def _made(server: Server, template: str) -> Fresh:
    name = f"cases_{next(_NUMBERS)}"
    server.past.execute(
        f"CREATE DATABASE {name} OWNER casegraph TEMPLATE {template} STRATEGY FILE_COPY"
    )
    past = Raw(server.url(name))
    kept = [table for table in _TABLES if past.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall()]
    past.execute("CREATE SCHEMA made")
    for table in kept:
        past.execute(f"CREATE TABLE made.{table} AS TABLE {table}")
    past.execute(f"CREATE TABLE made.state AS {_STATE}")
    # Before, it could not tell of itself.
    past.execute(f"UPDATE made.state SET catalogs = now.catalogs FROM ({_STATE}) AS now")
    return Fresh(name, past, frozenset(kept))


def _restored(one: Fresh) -> bool:
    """Put the rows back that were there; False for a database that is not to be used again."""
    try:
        one.past.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        same = one.past.execute(
            "SELECT FROM made.state AS was, "
            f"({_STATE}) AS now WHERE now.catalogs = was.catalogs AND now.bytes < was.bytes + ?",
            [ROOM],
        ).fetchall()
        if same:
            one.past.execute(_restoring(one.kept))
            return True
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        pass  # a test has stopped the server, or dropped the database
    with contextlib.suppress(OSError):
        one.past.close()
    return False


@cache
def _restoring(kept: frozenset[str]) -> str:
    inserts = (
        f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM made.{table}; "
        for table in _TABLES
        if table in kept
    )
    return (
        "DO $$ BEGIN SET LOCAL session_replication_role = replica; "
        + "".join(f"DELETE FROM {table}; " for table in _TABLES)
        + "".join(inserts)
        + "PERFORM setval(pg_get_serial_sequence('workspace', 'id'), coalesce(max(id), 1), "
        "max(id) IS NOT NULL) FROM workspace; END $$"
    )


_STATE = (
    "SELECT pg_database_size(current_database()) AS bytes, concat("
    + ", ' ', ".join(
        f"(SELECT concat(count(*), ':', sum(xmin::text::bigint)) FROM {catalog})"
        for catalog in CATALOGS
    )
    + ", ' ', (SELECT sum(relpages) FROM pg_class WHERE relkind = 'r')) AS catalogs"
)
