"""Rows that PostgreSQL looks up by their ids, and in no other way, whatever it knows of the tables.

Without statistics it takes any index for as good as the primary key, even one of visible rows only,
and reads all of it. It does not look behind an OFFSET, even of 0, nor into a MATERIALIZED query.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, bindparam, literal_column, select, true

NOTHING: ColumnElement[int] = literal_column("0")


def row_of(table: Any, source: FromClause, id: str, name: str) -> Any:
    """The one row of *table* that the column *id* of *source* refers to, called *name*.

    It has no other condition: what else is wanted of the row is asked outside.
    """
    mine = (table.c.workspace_id == bindparam("workspace_id"), table.c.id == source.c[id])
    return select(table).where(*mine).correlate(source).offset(NOTHING).lateral(name)


def rows_of(table: Any, ids: FromClause) -> Any:
    """The rows of *table* with the ids in the column *value*, which stand for the table itself."""
    one = row_of(table, ids, "value", "one")
    found = select(one).select_from(ids.join(one, true()))
    return found.cte(table.name).prefix_with("MATERIALIZED")


def once(found: Select[Any]) -> Select[Any]:
    """The same rows, for use after IN: found once, and not again for each row that is compared."""
    rows = found.cte(nesting=True).prefix_with("MATERIALIZED", dialect="postgresql")
    return select(*rows.c)
