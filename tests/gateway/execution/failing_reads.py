"""Reads that fail, to see what becomes of the answer."""

from domain.storage.postgresql import snapshots
from domain.storage.sqlite import readers
from domain.storage.statements import POSTGRESQL, SQLITE

_KINDS = {
    readers.InlineReader: SQLITE,
    readers._ThreadSnapshot: SQLITE,
    snapshots.ServerSnapshot: POSTGRESQL,
}


def fail_on(monkeypatch, table: str, error=lambda: RuntimeError("lost")) -> None:
    """From now on every statement that reads *table* raises an *error*."""
    for kind, dialect in _KINDS.items():
        plain = kind.fetch

        async def fetch(self, wanted, plain=plain, dialect=dialect):
            if f"FROM {table}" in wanted.statement.sql(dialect):
                raise error()
            return await plain(self, wanted)

        monkeypatch.setattr(kind, "fetch", fetch)
    monkeypatch.setattr(readers.InlineReader, "fetch_each", readers.Snapshot.fetch_each)
