"""Seals of the rows that no event tells of whole: workspaces, keys, webhooks, idempotency keys and
import marks.

A seal has a keyed hash for each column, so that verifying.py can name the column that was edited
from outside. The key is the workspace's secret: this finds edits by hand, not by somebody who reads
the secret and computes the seal anew.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Table

MAC = 16
"""Characters of a seal for each column."""


def sealed(secret: str, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its seal; *secret* is the workspace's, in hexadecimal."""
    return {**row, "seal": seal_of(secret, table, row)}


def seal_of(secret: str, table: Table, row: Mapping[str, Any]) -> str:
    """The seal of a row; columns that it does not mention are null."""
    key = bytes.fromhex(secret)
    names = columns(table)
    place = [str(row[name]) for name in names if name in ("workspace_id", "id")]
    return "".join(_mac(key, [table.name, *place, name, row.get(name)]) for name in names)


def broken(secret: str, table: Table, row: Mapping[str, Any]) -> list[str]:
    """The columns of a stored row that are not as they were sealed."""
    expected = seal_of(secret, table, row)
    stored: str = row["seal"]
    if len(stored) != len(expected):
        return ["seal"]
    names = columns(table)
    places = range(0, len(expected), MAC)
    return [
        name
        for name, at in zip(names, places, strict=True)
        if stored[at : at + MAC] != expected[at : at + MAC]
    ]


def columns(table: Table) -> list[str]:
    """The columns that a seal covers, in its order."""
    return [name for name in table.columns.keys() if name != "seal"]  # noqa: SIM118 - no mapping


def _mac(key: bytes, content: list[Any]) -> str:
    *place, value = content
    content = [*place, None if value is None else str(value)]
    return hashlib.blake2b(orjson.dumps(content), key=key, digest_size=MAC // 2).hexdigest()
