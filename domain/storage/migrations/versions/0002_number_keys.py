"""File numbers get a key to be unique by, and every stored key is folded again.

Numbers that are one by the new key were two before, so the index cannot be unique; `casegraph init`
and `verify` name them. The keys are those of the running program: a later revision that changes
the folding folds again, so only the keys after the last one count.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from domain import folding

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Sorted by code point, as SQLite does by default.
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
BLOCK = 1_000
"""Rows in memory at a time."""
ORDER_MAX = 200
ENTRY = ("plain", "loose", "number")
HAS_KEY = sa.text("deleted_at IS NULL AND number_key IS NOT NULL")


def upgrade() -> None:
    op.drop_index("uq_cases_file_number", table_name="cases")
    op.add_column("cases", sa.Column("number_key", TEXT, nullable=True))
    fold("case", "cases", ("name", "file_number"), case_keys)
    fold("party", "party", ("name",), person_keys)
    fold("staff", "staff", ("name", "email"), person_keys)
    # Made last: to fill it row by row takes longer.
    op.create_index(
        "ix_cases_number_key",
        "cases",
        ["workspace_id", "number_key", "id"],
        unique=False,
        sqlite_where=HAS_KEY,
        postgresql_where=HAS_KEY,
    )


def case_keys(name: str, file_number: str | None) -> dict[str, str | None]:
    return {
        "name_order": folding.plain(name)[:ORDER_MAX],
        "number_order": folding.number_order(file_number)[:ORDER_MAX],
        "number_key": folding.number_key(file_number),
        **entry_keys(name, file_number, number=file_number),
    }


def person_keys(name: str, *more: str | None) -> dict[str, str | None]:
    return {"name_order": folding.plain(name)[:ORDER_MAX], **entry_keys(name, *more)}


def entry_keys(*texts: str | None, number: str | None = None) -> dict[str, str | None]:
    plain = "\n".join(folding.plain(text) for text in texts if text)
    key = folding.number(number) if number else ""
    return {"plain": plain, "loose": folding.loose(plain), "number": key}


Keys = Callable[..., dict[str, str | None]]


def fold(kind: str, table: str, texts: tuple[str, ...], keys_of: Keys) -> None:
    """Fold the texts of a table again, and write those keys that differ."""
    own = tuple(name for name in keys_of("", None) if name not in ENTRY)
    changes: dict[str, list[Mapping[str, Any]]] = {table: [], "search_entry": []}
    columns = {table: own, "search_entry": ENTRY}
    for row in rows(kind, table, texts, own):
        keys = keys_of(*(row[text] for text in texts))
        for changed, names in columns.items():
            # A deleted case has no entry.
            absent = changed == "search_entry" and row["plain"] is None
            if not absent and any(row[name] != keys[name] for name in names):
                key = {"mine_workspace": row["workspace_id"], "mine_id": row["id"]}
                changes[changed].append(key | {f"new_{name}": keys[name] for name in names})
                if len(changes[changed]) == BLOCK:
                    write(kind, changed, names, changes[changed])
    for changed, names in columns.items():
        write(kind, changed, names, changes[changed])


def rows(
    kind: str, table: str, texts: tuple[str, ...], own: tuple[str, ...]
) -> Iterator[Mapping[str, Any]]:
    """Every row of a table with its search entry, in the order of its key."""
    one = sa.table(table, *map(sa.column, ("workspace_id", "id", *texts, *own)))
    entry = sa.table("search_entry", *map(sa.column, ("workspace_id", "kind", "id", *ENTRY)))
    same = [entry.c[name] == one.c[name] for name in ("workspace_id", "id")]
    found = sa.and_(*same, entry.c.kind == kind)
    key = sa.tuple_(one.c.workspace_id, one.c.id)
    page = (
        sa.select(*one.c, *(entry.c[name] for name in ENTRY))
        .select_from(one.outerjoin(entry, found))
        .where(key > sa.tuple_(sa.bindparam("workspace"), sa.bindparam("after")))
        .order_by(one.c.workspace_id, one.c.id)
        .limit(BLOCK)
    )
    place: dict[str, Any] = {"workspace": 0, "after": ""}
    while block := op.get_bind().execute(page, place).mappings().all():
        yield from block
        place = {"workspace": block[-1]["workspace_id"], "after": block[-1]["id"]}


def write(kind: str, table: str, names: tuple[str, ...], changes: list[Mapping[str, Any]]) -> None:
    """Write changed keys, and forget them. Triggers and generated columns follow."""
    if not changes:
        return
    one = sa.table(table, *map(sa.column, ("workspace_id", "kind", "id", *names)))
    mine = [
        one.c.workspace_id == sa.bindparam("mine_workspace"),
        one.c.id == sa.bindparam("mine_id"),
    ]
    if table == "search_entry":
        mine.append(one.c.kind == kind)
    values = {name: sa.bindparam(f"new_{name}") for name in names}
    op.get_bind().execute(sa.update(one).where(*mine).values(values), changes)
    changes.clear()
