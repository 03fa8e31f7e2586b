"""Databases of earlier schemas, and connections as users make them."""

import sqlite3
from contextlib import closing

import pytest
from alembic import command

from domain.storage import revisions
from domain.storage.opening import opened
from tests.postgresql import Raw


@pytest.fixture(autouse=True)
def as_by_itself(monkeypatch):
    """A connection to PostgreSQL asks for TLS first: what breaks one is a subject here."""
    monkeypatch.setenv("PGSSLMODE", "prefer")


@pytest.fixture
def empty(database_kind, tmp_path, request):
    """The URL of a database without a schema, and a connection past the program."""
    if database_kind == "sqlite":
        with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as raw:
            yield f"sqlite:///{tmp_path / 'old.db'}", raw
        return
    server = request.getfixturevalue("postgresql")
    server.past.execute("CREATE DATABASE old_schema OWNER casegraph")
    with closing(Raw(server.url("old_schema"))) as raw:
        yield server.url("old_schema", "casegraph"), raw
    server.past.execute("DROP DATABASE old_schema WITH (FORCE)")


@pytest.fixture
def at_revision(monkeypatch):
    """Brings the database of a URL to an earlier revision of the schema."""

    async def bring(url, revision):
        upgrade = command.upgrade
        with monkeypatch.context() as patched:
            patched.setattr(revisions, "head", lambda: revision)
            patched.setattr(command, "upgrade", lambda config, _head: upgrade(config, revision))
            async with opened(url):
                pass

    return bring
