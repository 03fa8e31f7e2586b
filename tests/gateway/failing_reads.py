"""Reads that fail, to see what becomes of the answer."""

from domain import postgresql, reading
from domain.prepared import POSTGRESQL, SQLITE

_KINDS = {
    reading.InlineReader: SQLITE,
    reading._ThreadSnapshot: SQLITE,
    postgresql._Snapshot: POSTGRESQL,
}


def fail_on(monkeypatch, table: str) -> None:
    """From now on every statement that reads *table* raises."""
    for kind, dialect in _KINDS.items():
        plain = kind.fetch

        async def fetch(self, wanted, plain=plain, dialect=dialect):
            if f"FROM {table}" in wanted.statement.sql(dialect):
                raise RuntimeError("lost")
            return await plain(self, wanted)

        monkeypatch.setattr(kind, "fetch", fetch)
    monkeypatch.setattr(reading.InlineReader, "fetch_each", reading.Snapshot.fetch_each)
