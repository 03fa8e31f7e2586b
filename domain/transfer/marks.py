"""The table *imported*: lines, names and links of imports, and the objects they became.

A mark is a hash of what was read. It is stored keyed with the workspace's secret, since a bare hash
of a name would tell the name to who guesses it.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select

from domain.access.principal import Principal
from domain.storage import seals
from domain.storage.database import Transaction
from domain.storage.spellings import each
from domain.storage.tables import imported


def mark_of(*parts: str) -> str:
    """The mark of a line, a name or a link."""
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


async def known(db: Transaction, who: Principal, marks: Sequence[str]) -> dict[str, str]:
    """The objects that those of *marks* became which earlier imports read."""
    keyed = {_keyed(who, mark): mark for mark in marks}
    rows = await present(db, who, imported.c.id, list(keyed), imported.c.object_id)
    return {keyed[id]: object_id for id, object_id in rows}


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
        {"workspace_id": who.workspace_id, "id": _keyed(who, mark), "object_id": object_id}
        for mark, object_id in marks.items()
    ]
    await db.run(insert(imported), [seals.sealed(who.secret, imported, row) for row in rows])


def _keyed(who: Principal, mark: str) -> str:
    """The id of a mark's row."""
    return hmac.digest(bytes.fromhex(who.secret), mark.encode(), "sha256").hex()
