"""The first schema. It is one file because a revision is one step, and is never edited again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Sorted by code point, as SQLite does by default.
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "workspace",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", TEXT, nullable=False),
        sa.Column("mode", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspace"),
    )
    op.create_index("uq_workspace_slug_mode", "workspace", ["slug", "mode"], unique=True)
    op.create_table(
        "api_key",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("revoked_at", TEXT, nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_api_key_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_api_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("uq_api_key_id", "api_key", ["id"], unique=True)
    op.create_index("uq_api_key_name", "api_key", ["workspace_id", "name"], unique=True)
    op.create_table(
        "cases",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("file_number", TEXT, nullable=True),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=True),
        sa.Column("description", TEXT, nullable=True),
        sa.Column("dezernat", TEXT, nullable=True),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted_at", TEXT, nullable=True),
        sa.Column("name_order", TEXT, nullable=False),
        sa.Column("number_order", TEXT, nullable=False),
        sa.Column("last_position", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'closed', 'archived')", name=op.f("ck_cases_status")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_cases_version")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_cases_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_cases"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_cases_created_at",
        "cases",
        ["workspace_id", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_cases_name_order",
        "cases",
        ["workspace_id", "name_order", "id"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_cases_number_order",
        "cases",
        ["workspace_id", "number_order", "id"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_cases_status",
        "cases",
        ["workspace_id", "status", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "ix_cases_updated_at",
        "cases",
        ["workspace_id", "updated_at", "id"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "uq_cases_file_number",
        "cases",
        ["workspace_id", "file_number"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL AND file_number IS NOT NULL"),
        postgresql_where=sa.text("deleted_at IS NULL AND file_number IS NOT NULL"),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("request", TEXT, nullable=False),
        sa.Column("result_id", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_idempotency_key_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_idempotency_key"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_idempotency_key_created_at", "idempotency_key", ["created_at"], unique=False
    )
    op.create_table(
        "imported",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("object_id", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_imported_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_imported"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "party",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name_order", TEXT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('person', 'organization', 'court')", name=op.f("ck_party_kind")
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_party_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_party"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_party_name_order", "party", ["workspace_id", "name_order", "id"], unique=False
    )
    of_sqlite = op.get_context().dialect.name == "sqlite"
    # SQLite's full-text index needs a number for each entry.
    numbered = [
        sa.Column("entry", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("entry", name="pk_search_entry"),
    ]
    keyed = [sa.PrimaryKeyConstraint("workspace_id", "kind", "id", name="pk_search_entry")]
    op.create_table(
        "search_entry",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("plain", TEXT, nullable=False),
        sa.Column("loose", TEXT, nullable=False),
        sa.Column("number", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_search_entry_workspace_id"
        ),
        *(numbered if of_sqlite else keyed),
    )
    if of_sqlite:
        op.create_index(
            "uq_search_entry", "search_entry", ["workspace_id", "kind", "id"], unique=True
        )
    op.create_table(
        "staff",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("email", TEXT, nullable=True),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("updated_at", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name_order", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_staff_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_staff"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_staff_name_order", "staff", ["workspace_id", "name_order", "id"], unique=False
    )
    op.create_table(
        "timeline_head",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_timeline_head_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", name="pk_timeline_head"),
    )
    op.create_table(
        "case_link",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("linked_case_id", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("created_at", TEXT, nullable=False),
        sa.CheckConstraint("case_id <> linked_case_id", name=op.f("ck_case_link_two_cases")),
        sa.ForeignKeyConstraint(
            ["workspace_id", "case_id"],
            ["cases.workspace_id", "cases.id"],
            name="fk_case_link_workspace_id_case_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "linked_case_id"],
            ["cases.workspace_id", "cases.id"],
            name="fk_case_link_workspace_id_linked_case_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_case_link_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "case_id", "id", name="pk_case_link"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_case_link_id", "case_link", ["workspace_id", "id"], unique=False)
    op.create_index(
        "uq_case_link_pair",
        "case_link",
        ["workspace_id", "case_id", "linked_case_id", "type"],
        unique=True,
    )
    op.create_table(
        "case_party",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("party_id", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("reference", TEXT, nullable=True),
        sa.Column("added_at", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "case_id"],
            ["cases.workspace_id", "cases.id"],
            name="fk_case_party_workspace_id_case_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "party_id"],
            ["party.workspace_id", "party.id"],
            name="fk_case_party_workspace_id_party_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_case_party_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "case_id", "position", name="pk_case_party"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_case_party_role",
        "case_party",
        ["workspace_id", "party_id", "case_id", "role"],
        unique=True,
    )
    op.create_table(
        "staff_assignment",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("case_id", TEXT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("staff_id", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("note", TEXT, nullable=True),
        sa.Column("assigned_at", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "case_id"],
            ["cases.workspace_id", "cases.id"],
            name="fk_staff_assignment_workspace_id_case_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "staff_id"],
            ["staff.workspace_id", "staff.id"],
            name="fk_staff_assignment_workspace_id_staff_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_staff_assignment_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "case_id", "position", name="pk_staff_assignment"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_staff_assignment_role",
        "staff_assignment",
        ["workspace_id", "staff_id", "case_id", "role"],
        unique=True,
    )
    op.create_table(
        "timeline_event",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("case_id", TEXT, nullable=True),
        sa.Column("subject_id", TEXT, nullable=True),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("occurred_at", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=True),
        sa.Column("changes", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "case_id"],
            ["cases.workspace_id", "cases.id"],
            name="fk_timeline_event_workspace_id_case_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_timeline_event_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "seq", name="pk_timeline_event"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_timeline_event_case", "timeline_event", ["workspace_id", "case_id", "seq"], unique=False
    )
    op.create_index("uq_timeline_event_id", "timeline_event", ["workspace_id", "id"], unique=True)

    for statement in SQLITE if of_sqlite else POSTGRESQL:
        op.execute(statement)


SQLITE = (
    """CREATE VIRTUAL TABLE search_index USING fts5(
        scope, plain, loose, number,
        content='search_entry', content_rowid='entry', tokenize='trigram case_sensitive 1')""",
    """CREATE TRIGGER search_entry_added AFTER INSERT ON search_entry BEGIN
        INSERT INTO search_index(rowid, scope, plain, loose, number)
        VALUES (new.entry, new.scope, new.plain, new.loose, new.number);
    END""",
    """CREATE TRIGGER search_entry_removed AFTER DELETE ON search_entry BEGIN
        INSERT INTO search_index(search_index, rowid, scope, plain, loose, number)
        VALUES ('delete', old.entry, old.scope, old.plain, old.loose, old.number);
    END""",
    """CREATE TRIGGER search_entry_changed AFTER UPDATE ON search_entry BEGIN
        INSERT INTO search_index(search_index, rowid, scope, plain, loose, number)
        VALUES ('delete', old.entry, old.scope, old.plain, old.loose, old.number);
        INSERT INTO search_index(rowid, scope, plain, loose, number)
        VALUES (new.entry, new.scope, new.plain, new.loose, new.number);
    END""",
    """CREATE TRIGGER timeline_event_is_final BEFORE UPDATE ON timeline_event BEGIN
        SELECT RAISE(ABORT, 'timeline events are append-only');
    END""",
    # Only purging removes events, and only those of a case that is already deleted.
    """CREATE TRIGGER timeline_event_is_kept BEFORE DELETE ON timeline_event
    WHEN NOT EXISTS (SELECT 1 FROM cases WHERE workspace_id = old.workspace_id
        AND id = old.case_id AND deleted_at IS NOT NULL)
    BEGIN
        SELECT RAISE(ABORT, 'timeline events are append-only');
    END""",
)

# Row-level security hides, from any statement, the rows of every workspace but the one that the
# transaction names; '*' is for the operator. The functions below run once per statement.
# search_entry has no policy, because its index would then go unused; only ids are read from it.
SECURED = (
    "cases",
    "party",
    "staff",
    "case_party",
    "staff_assignment",
    "case_link",
    "timeline_event",
    "timeline_head",
    "idempotency_key",
    "imported",
)
POSTGRESQL = (
    """CREATE FUNCTION casegraph_grams(scope text, VARIADIC texts text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT coalesce(array_agg(DISTINCT scope || substr(one, place, 3) COLLATE "C"), '{}')
        FROM unnest(texts) AS one, generate_series(1, length(one) - 2) AS place
    $$""",
    """ALTER TABLE search_entry ADD COLUMN grams text[] COLLATE "C"
    GENERATED ALWAYS AS (casegraph_grams(scope, plain, loose, number)) STORED""",
    "CREATE INDEX ix_search_entry_grams ON search_entry USING gin (grams)",
    """CREATE FUNCTION casegraph_workspace() RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT nullif(nullif(current_setting('casegraph.workspace', true), '*'), '')::integer
    $$""",
    """CREATE FUNCTION casegraph_every_workspace() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT coalesce(current_setting('casegraph.workspace', true) = '*', false)
    $$""",
    *(
        statement.format(table)
        for table in SECURED
        for statement in (
            "ALTER TABLE {} ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE {} FORCE ROW LEVEL SECURITY",
            """CREATE POLICY of_workspace ON {} USING (
                workspace_id = (SELECT casegraph_workspace())
                OR (SELECT casegraph_every_workspace())
            )""",
        )
    ),
    """CREATE FUNCTION casegraph_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'timeline events are append-only';
    END $$""",
    """CREATE FUNCTION casegraph_keep_events() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT EXISTS (SELECT 1 FROM cases WHERE workspace_id = old.workspace_id
            AND id = old.case_id AND deleted_at IS NOT NULL)
        THEN
            RAISE EXCEPTION 'timeline events are append-only';
        END IF;
        RETURN old;
    END $$""",
    """CREATE TRIGGER timeline_event_is_final BEFORE UPDATE ON timeline_event
    FOR EACH ROW EXECUTE FUNCTION casegraph_append_only()""",
    """CREATE TRIGGER timeline_event_is_kept BEFORE DELETE ON timeline_event
    FOR EACH ROW EXECUTE FUNCTION casegraph_keep_events()""",
)
