"""Reads that fail, to see what becomes of the answer."""

from domain import reading


def fail_on(monkeypatch, table: str) -> None:
    """From now on every statement that reads *table* raises."""
    for kind in (reading.InlineReader, reading._ThreadSnapshot):
        plain = kind.fetch

        async def fetch(self, wanted, plain=plain):
            if f"FROM {table}" in wanted.statement.sql(self._dialect):
                raise RuntimeError("lost")
            return await plain(self, wanted)

        monkeypatch.setattr(kind, "fetch", fetch)
    monkeypatch.setattr(reading.InlineReader, "fetch_each", reading.Snapshot.fetch_each)
