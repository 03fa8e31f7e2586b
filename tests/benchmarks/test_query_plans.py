"""How SQLite finds what the benchmark's works ask for: by an index, never by reading a table."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from benchmarks import works
from domain.storage.opening import opened
from gateway.execution.explaining import explain
from gateway.schema.assembled import schema

MAY_BE_SCANNED = {"parent", "each", "search_index", "hits"}
"""What was handed over as JSON, the full-text index, which answers a MATCH by itself, and what it
has found."""
QUERIES = {
    work.name: work.document
    for work in works.WORKS
    if work.document and not work.writes and work.name not in ("Q1p", "Q7")
}

OF_A_SEARCH = ("found_", "met", "told", "page", "CONSTANT")
"""What a search has found is a list, for a moment."""


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    path = tmp_path_factory.mktemp("plans") / "cases.db"

    async def make():
        async with opened(f"sqlite:///{path}"):
            pass

    asyncio.run(make())
    with closing(sqlite3.connect(path)) as made:
        yield made


@pytest.mark.parametrize("document", QUERIES.values(), ids=QUERIES)
def test_no_table_is_read_from_one_end_to_the_other(connection, document):
    variables = {"id": "00000000-0000-7000-8000-000000000000", "term": "müller"}
    steps = explain(schema, document, variables).steps
    statements = [statement for step in steps for statement in step.statements]

    assert statements
    for statement in statements:
        values = [None] * statement.count("?")
        found = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        scanned = {row[3].split()[1] for row in found if row[3].startswith("SCAN ")}
        scanned = {name for name in scanned if not name.startswith(OF_A_SEARCH)}
        assert scanned <= MAY_BE_SCANNED, statement
