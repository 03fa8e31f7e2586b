"""Remember which party a merged one became, and read the deleted cases off an index."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Sorted by code point, as SQLite does by default.
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
IS_DELETED = sa.text("deleted_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "party_alias",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("party_id", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "party_id"],
            ["party.workspace_id", "party.id"],
            name="fk_party_alias_workspace_id_party_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_party_alias_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_party_alias"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_party_alias_party", "party_alias", ["workspace_id", "party_id"], unique=False
    )
    op.create_index(
        "ix_cases_deleted_at",
        "cases",
        ["workspace_id", "deleted_at", "id"],
        unique=False,
        sqlite_where=IS_DELETED,
        postgresql_where=IS_DELETED,
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE party_alias ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE party_alias FORCE ROW LEVEL SECURITY")
        op.execute(
            """CREATE POLICY of_workspace ON party_alias USING (
                workspace_id = (SELECT casegraph_workspace())
                OR (SELECT casegraph_every_workspace())
            )"""
        )
