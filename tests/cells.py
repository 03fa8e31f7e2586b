"""Which cells of a table run: what a test tries, by the database that it is tried on.

In a run of all tests, a table tries every other row on the one database and the rest on the other;
and so do the surfaces with their tests that have no other parameters, since what differs between
the databases is in the domain. CI tries the other half, too. Whoever names files or tests gets all
of them.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from zlib import crc32

import pytest

VARIABLE = "CASEGRAPH_CELLS"
"""An environment variable: all, half, or the other half."""
ALL, HALF, OTHER = "all", "half", "other"
DATABASE = "database_kind"
_SURFACES = {"contract", "gateway", "rest_compat"}
"""Folders whose tests ask the surfaces."""


def choose(config: pytest.Config) -> None:
    """Say which cells run, unless the environment does; to be called before workers start."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    os.environ.setdefault(VARIABLE, ALL if named else HALF)


def leave_out(items: list[pytest.Item]) -> list[pytest.Item]:
    """Take those out of *items* that are not to run, and return them."""
    wanted = os.environ[VARIABLE]
    if wanted == ALL:
        return []
    half = _half(items)
    out = [item for item in items if (item.nodeid in half) is (wanted == OTHER)]
    gone = {item.nodeid for item in out}
    items[:] = [item for item in items if item.nodeid not in gone]
    return out


def _half(items: Sequence[pytest.Item]) -> set[str]:
    """The ids of the tests that run in half a run."""
    tables: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        tried = item.callspec.id.split("-") if hasattr(item, "callspec") else []
        if tried and (database := item.callspec.params.get(DATABASE)):
            tried.remove(database)
        table = item.nodeid.partition("[")[0]
        row = "-".join(tried) or (table if _SURFACES.intersection(item.path.parts) else item.nodeid)
        tables[table if tried else table.partition("::")[0]][row].append(item.nodeid)
    half = set()
    for rows in tables.values():
        # In an order that has nothing to do with what the rows try.
        for number, row in enumerate(sorted(rows, key=lambda row: crc32(row.encode()))):
            half.add(rows[row][number % len(rows[row])])
    return half
