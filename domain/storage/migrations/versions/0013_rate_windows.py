"""A table in which processes share what they count against rate limits: see access/leases.py."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # It is worth nothing after a crash, and no standby needs it.
    op.create_table(
        "rate_window",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("began", sa.Double, nullable=False),
        sa.Column("taken", sa.Integer, nullable=False),
        sa.Column("given", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
        prefixes=["UNLOGGED"] if op.get_context().dialect.name == "postgresql" else [],
    )
