"""Copying a database to another one, of whichever kind, as it is: every row, with every hash.

Unlike an export, it takes deleted objects, keys, marks of imports and idempotency keys along. It is
one transaction of the target: whatever ends it early, the target is empty, and it can begin again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Table, bindparam, func, insert, select, text, tuple_

from domain.errors import Refused, Unavailable, invalid
from domain.storage.database import Database, Row, Transaction
from domain.storage.statements import Prepared
from domain.storage.tables import metadata, search_entry, timeline_head
from domain.upkeep import verifying

BATCH = 500
"""Rows that are read, and written, at a time."""
NUL = "\x00"
"""What PostgreSQL holds in no text (PostgreSQL, 8.3)."""

_TABLES = sorted(metadata.sorted_tables, key=lambda table: table is timeline_head)
"""In an order that foreign keys allow; the ends of the timelines come last."""
_HOLD = Prepared(select(timeline_head.c.workspace_id).with_for_update())
"""Waits for the writers of every workspace, and keeps them waiting."""
_NEXT_WORKSPACE = Prepared(
    text("SELECT 1"),
    postgresql=text(
        "SELECT setval(pg_get_serial_sequence('workspace', 'id'), max(id)) FROM workspace"
    ),
)


_NOT_EMPTY = (
    "The target is not empty: copy to a database of its own. A copy that was ended while it was "
    "being verified is whole: check it with casegraph verify."
)


@dataclass(frozen=True, slots=True)
class Copied:
    """How many rows were copied of each table, and what is wrong with the copy."""

    rows: dict[str, int]
    findings: Sequence[verifying.Finding]


async def copy(
    source: Database,
    target: Database,
    *,
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    on_verify: Callable[[int, int | None], object] = lambda _done, _total: None,
) -> Copied:
    """Copy all that *source* holds to *target*, which has the schema and nothing else.

    Meanwhile nobody writes to *source*: others wait, or are refused, and nothing that was
    acknowledged is missing. *on_progress* and *on_verify* take what is done and its total, in rows
    and events. Raises Invalid for a target that holds anything, Refused for what the target cannot
    hold, Unavailable, Damaged.
    """
    async with source.write() as there, target.write() as here:
        await there.rows(_HOLD)
        for table in _TABLES:
            if await here.first(select(table.c[0]).limit(1)) is not None:
                raise invalid(_NOT_EMPTY, "target")
        counts = {table.name: await _count(there, table) for table in _TABLES}
        total, done = sum(counts.values()), 0
        on_progress(0, total)
        narrow = target.url.get_backend_name() == "postgresql"
        for table in _TABLES:
            columns = _columns(table)
            statement = Prepared(insert(table).values({one: bindparam(one) for one in columns}))
            last: Row | None = None
            while rows := await _batch(there, table, last):
                if narrow:
                    _require_narrow(table, rows)
                last = tuple(rows[-1][table.c.keys().index(key.name)] for key in table.primary_key)
                values = [dict(zip(table.c.keys(), row, strict=True)) for row in rows]
                await here.run(statement, [{one: row[one] for one in columns} for row in values])
                done += len(rows)
                on_progress(done, total)
        await here.rows(_NEXT_WORKSPACE)
        found = {table.name: await _count(here, table) for table in _TABLES}
        if found != counts:
            raise Unavailable("The target did not take every row. Nothing was copied.")
    await target.analyze()
    checked = await verifying.verify(target, on_progress=on_verify)
    return Copied(counts, checked.findings)


def _columns(table: Table) -> list[str]:
    """The columns to be written: each database numbers the entries of its search by itself."""
    return [one.name for one in table.c if one is not search_entry.c.entry]


async def _count(db: Transaction, table: Table) -> int:
    [(count,)] = await db.rows(select(func.count()).select_from(table))
    return int(count)


async def _batch(db: Transaction, table: Table, last: Row | None) -> list[Row]:
    """The next rows after the primary key *last*, in its order."""
    key = list(table.primary_key)
    statement = select(table).order_by(*key).limit(BATCH)
    if last is not None:
        bounds = [bindparam(f"last_{n}", type_=one.type) for n, one in enumerate(key)]
        statement = statement.where(tuple_(*key) > tuple_(*bounds))
    values = {f"last_{n}": part for n, part in enumerate(last or ())}
    return await db.rows(_PAGES.setdefault((table, last is None), Prepared(statement)), values)


_PAGES: dict[tuple[Table, bool], Prepared] = {}


def _require_narrow(table: Table, rows: Sequence[Row]) -> None:
    """Raise Refused for a text that PostgreSQL cannot hold."""
    for row in rows:
        for column, value in zip(table.c, row, strict=True):
            if isinstance(value, str) and NUL in value:
                whose = dict(zip(table.c.keys(), row, strict=True)).get("id", row[0])
                raise Refused(
                    f"{table.name} {whose}: {column.name} contains the character U+0000, which "
                    "PostgreSQL cannot hold. Change it first, then copy again."
                )
