"""What is wrong with a database on a server that only the server knows of."""

from functools import cache

from sqlalchemy import text

from domain.storage.database import Snapshot
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import metadata


async def found(db: Snapshot) -> list[tuple[str, str]]:
    """Invalid indexes and dangling references: where, and what."""
    problems: list[tuple[str, str]] = []
    for (name,) in await db.fetch(Fetch(_INVALID_INDEXES, {})):
        problems.append((f"index {name}", "it is not valid. See: REINDEX"))
    if await db.fetch(Fetch(_UNINDEXED, {})):
        problems.append(("search index", "it does not match the search entries."))
    for table, parent, statement in _references():
        if await db.fetch(Fetch(statement, {})):
            problems.append((f"table {table}", f"a row refers to nothing in {parent}."))
    return problems


_UNINDEXED = Prepared(
    text(
        "SELECT 1 FROM search_entry AS e FULL JOIN search_gram AS g ON g.entry = e.entry "
        "WHERE g.grams IS DISTINCT FROM casegraph_grams(e.scope, e.name, e.code) "
        "OR e.entry IS NULL LIMIT 1"
    )
)
_INVALID_INDEXES = Prepared(
    text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1")
)


@cache
def _references() -> list[tuple[str, str, Prepared]]:
    """For each foreign key: its table, the parent table, and a query for a dangling reference."""
    references = []
    for table in metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            parent = key.referred_table.alias("parent")
            pairs = [(element.parent, parent.c[element.column.name]) for element in key.elements]
            there = [mine == theirs for mine, theirs in pairs]
            missing = [mine.is_not(None) for mine, _theirs in pairs]
            nobody = ~parent.select().where(*there).correlate(table).exists()
            statement = table.select().where(*missing, nobody).with_only_columns(pairs[0][0])
            references.append((table.name, key.referred_table.name, Prepared(statement.limit(1))))
    return references
