"""What the table *imported* remembers: lines, names and links, and what became of them."""

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
    """The key under which *imported* remembers something."""
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


async def present(
    db: Transaction,
    who: Principal,
    column: Any,
    values: Sequence[str],
    *more: Any,
    where: Sequence[Any] = (),
) -> list[tuple[Any, ...]]:
    """Those of *values* that *column* has in the workspace, with *more* columns beside."""
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
    """Note what became of lines and names."""
    rows = [
        {"workspace_id": who.workspace_id, "id": mark, "object_id": object_id}
        for mark, object_id in marks.items()
    ]
    await db.run(insert(imported), rows)
