"""Webhooks, and the log of their deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Sorted by code point, as SQLite does by default.
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("url", TEXT, nullable=False),
        sa.Column("events", TEXT),
        sa.Column("query", TEXT, nullable=False),
        sa.Column("key_id", TEXT, nullable=False),
        sa.Column("secret", TEXT, nullable=False),
        sa.Column("old_secret", TEXT),
        sa.Column("old_until", TEXT),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("reason", TEXT),
        sa.Column("created_at", TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", TEXT),
        sa.Column("due_at", TEXT, nullable=False),
        sa.Column("holder", TEXT),
        sa.Column("held_until", TEXT),
        sa.Column("edits", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("seal", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_webhook_workspace_id"),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_webhook"),
        sa.CheckConstraint("state IN ('active', 'paused')", name=op.f("ck_webhook_state")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("webhook_id", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event_id", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("error", TEXT),
        sa.ForeignKeyConstraint(
            ["workspace_id", "webhook_id"],
            ["webhook.workspace_id", "webhook.id"],
            name="fk_webhook_delivery_workspace_id_webhook_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_webhook_delivery_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "webhook_id", "number", name="pk_webhook_delivery"),
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "postgresql":
        for table in ("webhook", "webhook_delivery"):
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(
                f"""CREATE POLICY of_workspace ON {table} USING (
                    workspace_id = (SELECT casegraph_workspace())
                    OR (SELECT casegraph_every_workspace())
                )"""
            )
        schema = op.get_bind().execute(text("SELECT quote_ident(current_schema())")).scalar_one()
        op.execute(ACTIVE.replace("@schema@", schema))
        op.execute("REVOKE ALL ON FUNCTION casegraph_webhooks() FROM PUBLIC")


# The role that serves sees one workspace at a time: see 0012. It delivers for all of them.
ACTIVE = """CREATE FUNCTION casegraph_webhooks() RETURNS TABLE (
        workspace_id integer, id text, seq bigint, last bigint, due_at text, holder text,
        held_until text
    ) LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
    DECLARE
        before text := current_setting('casegraph.workspace', true);
    BEGIN
        PERFORM set_config('casegraph.workspace', '*', true);
        RETURN QUERY
            SELECT w.workspace_id, w.id, w.seq, h.seq, w.due_at, w.holder, w.held_until
            FROM webhook AS w JOIN timeline_head AS h ON h.workspace_id = w.workspace_id
            WHERE w.state = 'active';
        PERFORM set_config('casegraph.workspace', coalesce(before, ''), true);
    END $$"""
