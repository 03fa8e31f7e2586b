"""The table *imported*: lines, names and links of imports, and the objects they became."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select

from domain.access.principal import Principal
from domain.storage.database import Transaction
from domain.storage.spellings import each
from domain.storage.tables import imported


def mark_of(*parts: str) -> str:
    """The id of a row in *imported*."""
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


async def present(
    db: Transaction,
    who: Principal,
    column: Any,
    values: Sequence[str],
    *more: Any,
    where: Sequence[Any] = (),
) -> list[tuple[Any, ...]]:
    """The workspace's rows whose *column* is one of *values*: that column, then *more*."""
    if not values:
        return []
    listed = select(each.value(bindparam("listed")).c.value)
    mine = column.table.c.workspace_id == who.workspace_id
    rows = await db.rows(
        select(column, *more).where(mine, column.in_(listed), *where),
        {"listed": json.dumps(list(values))},
    )
    return [tuple(row) for row in rows]


async def remember(db: Transaction, who: Principal, marks: dict[str, str]) -> None:
    """Record the objects that lines, names and links became."""
    rows = [
        {"workspace_id": who.workspace_id, "id": mark, "object_id": object_id}
        for mark, object_id in marks.items()
    ]
    await db.run(insert(imported), rows)
