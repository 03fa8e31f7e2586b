"""Search by words: every entry is made anew, and references get entries of their own.

It all happens in one transaction. Readers go on meanwhile with what was there before; if it ends
before its time, nothing has happened, and it begins again with the next start.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from domain import words

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BLOCK = 1_000
"""Rows in memory at a time."""
OWNERS = ("casegraph_candidates(text[], text[])", "casegraph_index_entry()")
"""The functions that run with their owner's rights."""
KINDS = ("case", "party", "staff", "reference")
Row = Mapping[str, Any]


def upgrade() -> None:
    of_sqlite = op.get_context().dialect.name == "sqlite"
    for statement in SQLITE_BEFORE if of_sqlite else POSTGRESQL_BEFORE:
        op.execute(statement)
    _fill("search_entry" if of_sqlite else "search_entry_of_words")
    if of_sqlite:
        for statement in SQLITE_AFTER:
            op.execute(statement)
        return
    schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    # Not whatever a caller calls a workspace: see the migration 0012.
    table = f"{schema}.workspace".replace("'", "''")
    for statement in POSTGRESQL_AFTER:
        op.execute(statement.replace("@workspace@", table))
    for function in OWNERS:
        op.execute(
            f"ALTER FUNCTION {function} SECURITY DEFINER SET search_path = {schema}, pg_temp"
        )
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")


def _fill(table: str) -> None:
    """Write an entry for everything that is found by search."""
    bind = op.get_bind()
    total = sum(bind.execute(sa.text(count)).scalar_one() for count in COUNTS)
    progress: Callable[[int, int], object] = context.config.attributes["progress"]
    names = ("workspace_id", "kind", "id", "scope", "name", "code")
    insert = sa.insert(sa.table(table, *map(sa.column, names)))
    done = 0
    for kind, source, key, columns, texts in SOURCES:
        for block in _blocks(source, key, columns):
            entries = [
                {
                    "workspace_id": row["workspace_id"],
                    "kind": kind,
                    "scope": _scope(row["workspace_id"], kind),
                    **texts(row),
                }
                for row in block
                if not row.get("deleted_at") and row.get("reference") != ""
            ]
            entries = [entry for entry in entries if entry["code"] is not None]
            if entries:
                bind.execute(insert, entries)
            done += len(block)
            progress(done, total)


def _blocks(table: str, key: tuple[str, ...], columns: tuple[str, ...]) -> Iterator[list[Row]]:
    """All rows of a table, in the order of its key."""
    one = sa.table(table, *map(sa.column, ("workspace_id", *key, *columns)))
    place = sa.tuple_(one.c.workspace_id, *(one.c[name] for name in key))
    statement = sa.select(*one.c).order_by(*place).limit(BLOCK)
    rows = op.get_bind().execute(statement).mappings().all()
    while rows:
        yield list(rows)
        last = [sa.literal(rows[-1][name]) for name in ("workspace_id", *key)]
        beyond = statement.where(place > sa.tuple_(*last))
        rows = op.get_bind().execute(beyond).mappings().all()


def _scope(workspace_id: int, kind: str) -> str:
    value = workspace_id * len(KINDS) + KINDS.index(kind)
    return "".join(chr(0xE000 + (value >> shift & 0xFFF)) for shift in (24, 12, 0))


def _case(row: Row) -> Row:
    number = row["file_number"]
    code = words.code(number) if number else ""
    return {"id": row["id"], "name": words.name(row["name"]), "code": code}


def _person(row: Row) -> Row:
    email = row.get("email")
    code = words.name(email) if email else ""
    return {"id": row["id"], "name": words.name(row["name"]), "code": code}


def _reference(row: Row) -> Row:
    reference = row["reference"]
    code = words.code(reference) if reference else None
    return {"id": f"{row['case_id']}/{row['position']}", "name": "", "code": code}


SOURCES: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...], Callable[[Row], Row]], ...] = (
    ("case", "cases", ("id",), ("name", "file_number", "deleted_at"), _case),
    ("party", "party", ("id",), ("name",), _person),
    ("staff", "staff", ("id",), ("name", "email"), _person),
    ("reference", "case_party", ("case_id", "position"), ("reference",), _reference),
)
COUNTS = tuple(f"SELECT count(*) FROM {table}" for _kind, table, *_rest in SOURCES)  # noqa: S608

SQLITE_BEFORE = (
    "DROP TABLE search_index",
    "DROP TABLE search_entry",  # its triggers and indexes, too
    """CREATE TABLE search_entry (
        entry INTEGER NOT NULL,
        workspace_id INTEGER NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        scope TEXT NOT NULL,
        name TEXT NOT NULL,
        code TEXT NOT NULL,
        CONSTRAINT pk_search_entry PRIMARY KEY (entry),
        CONSTRAINT fk_search_entry_workspace_id FOREIGN KEY(workspace_id) REFERENCES workspace (id)
    )""",
)
SQLITE_AFTER = (
    "CREATE UNIQUE INDEX uq_search_entry ON search_entry (workspace_id, kind, id)",
    """CREATE VIRTUAL TABLE search_index USING fts5(
        scope, name, code,
        content='search_entry', content_rowid='entry', tokenize='trigram case_sensitive 1')""",
    "INSERT INTO search_index(search_index) VALUES ('rebuild')",
    """CREATE TRIGGER search_entry_added AFTER INSERT ON search_entry BEGIN
        INSERT INTO search_index(rowid, scope, name, code)
        VALUES (new.entry, new.scope, new.name, new.code);
    END""",
    """CREATE TRIGGER search_entry_removed AFTER DELETE ON search_entry BEGIN
        INSERT INTO search_index(search_index, rowid, scope, name, code)
        VALUES ('delete', old.entry, old.scope, old.name, old.code);
    END""",
    """CREATE TRIGGER search_entry_changed AFTER UPDATE ON search_entry BEGIN
        INSERT INTO search_index(search_index, rowid, scope, name, code)
        VALUES ('delete', old.entry, old.scope, old.name, old.code);
        INSERT INTO search_index(rowid, scope, name, code)
        VALUES (new.entry, new.scope, new.name, new.code);
    END""",
)

POSTGRESQL_BEFORE = (
    # Readers need not wait; whoever writes would write to the table that goes.
    "LOCK TABLE search_entry IN SHARE ROW EXCLUSIVE MODE",
    """CREATE TABLE search_entry_of_words (
        entry bigint GENERATED ALWAYS AS IDENTITY,
        workspace_id integer NOT NULL,
        kind text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        scope text COLLATE "C" NOT NULL,
        name text COLLATE "C" NOT NULL,
        code text COLLATE "C" NOT NULL
    )""",
    "CREATE TABLE search_gram_of_words (entry bigint, grams integer[] NOT NULL)",
    # Half as large as before. What is found is compared, so that two trigrams may have one number.
    "DROP FUNCTION casegraph_grams(text, text[])",
    """CREATE FUNCTION casegraph_grams(scope text, VARIADIC texts text[])
    RETURNS integer[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    BEGIN
        RETURN (
            SELECT coalesce(array_agg(DISTINCT hashtext(scope || substr(one, place, 3))), '{}')
            FROM unnest(texts) AS one, generate_series(1, length(one) - 2) AS place
        );
    END $$""",
)
POSTGRESQL_AFTER = (
    """INSERT INTO search_gram_of_words
    SELECT entry, casegraph_grams(scope, name, code) FROM search_entry_of_words""",
    "CREATE INDEX ix_grams_of_words ON search_gram_of_words USING gin (grams)",
    "CREATE UNIQUE INDEX uq_entry_of_words ON search_entry_of_words (entry)",
    "CREATE UNIQUE INDEX uq_of_words ON search_entry_of_words (workspace_id, kind, id)",
    "CREATE UNIQUE INDEX uq_gram_of_words ON search_gram_of_words (entry)",
    # From here on readers wait, until all is committed.
    "DROP TABLE search_entry",
    "DROP TABLE search_gram",
    "ALTER TABLE search_entry_of_words RENAME TO search_entry",
    "ALTER TABLE search_gram_of_words RENAME TO search_gram",
    "ALTER INDEX ix_grams_of_words RENAME TO ix_search_gram_grams",
    "ALTER INDEX uq_entry_of_words RENAME TO uq_search_entry_entry",
    """ALTER TABLE search_entry
        ADD CONSTRAINT pk_search_entry PRIMARY KEY USING INDEX uq_of_words,
        ADD CONSTRAINT fk_search_entry_workspace_id
            FOREIGN KEY (workspace_id) REFERENCES workspace (id)""",
    """ALTER TABLE search_gram
        ADD CONSTRAINT search_gram_pkey PRIMARY KEY USING INDEX uq_gram_of_words""",
    "DROP FUNCTION casegraph_candidates(text, text[])",
    # The planner cannot know how few entries a term has, and would rather read all of them. In
    # PL/pgSQL it plans once a session, and not with each call. The scopes tell of the workspace:
    # see domain/reading/search.py.
    """CREATE FUNCTION casegraph_candidates(scopes text[], terms text[])
    RETURNS SETOF bigint LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE ROWS 500
    SET enable_seqscan = off SET enable_indexscan = off SET plan_cache_mode = force_generic_plan
    AS $$
    BEGIN
        RETURN QUERY
        SELECT DISTINCT found.entry
        FROM unnest(scopes) AS given(scope),
            (SELECT DISTINCT unnest(terms)) AS sought(term),
            LATERAL (
                SELECT g.entry FROM search_gram AS g WHERE g.grams @> casegraph_grams(scope, term)
            ) AS found
        WHERE length(term) >= 3
            AND (
                casegraph_workspace() = (
                    (ascii(substr(scope, 1, 1)) - 57344) * 16777216::bigint
                    + (ascii(substr(scope, 2, 1)) - 57344) * 4096
                    + (ascii(substr(scope, 3, 1)) - 57344)
                ) / 4
                OR current_setting('casegraph.workspace', true) = '*'
                    AND has_table_privilege(session_user, '@workspace@', 'INSERT')
            );
    END $$""",
    """CREATE OR REPLACE FUNCTION casegraph_index_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            DELETE FROM search_gram WHERE entry = old.entry;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            INSERT INTO search_gram
            VALUES (new.entry, casegraph_grams(new.scope, new.name, new.code));
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER search_entry_is_indexed AFTER INSERT OR UPDATE OR DELETE ON search_entry
    FOR EACH ROW EXECUTE FUNCTION casegraph_index_entry()""",
    "ALTER TABLE search_entry ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE search_entry FORCE ROW LEVEL SECURITY",
    """CREATE POLICY of_workspace ON search_entry USING (
        workspace_id = (SELECT casegraph_workspace())
        OR (SELECT casegraph_every_workspace())
    )""",
)
