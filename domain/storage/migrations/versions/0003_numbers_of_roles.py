"""Give each role of a case a number, which stays when the list of roles is replaced."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("case_party", "staff_assignment"):
        # SQLite adds a column without a copy of the table only if it has a default.
        column = sa.Column("number", sa.Integer(), nullable=False, server_default="0")
        op.add_column(table, column)
        op.execute(f"UPDATE {table} SET number = position")  # noqa: S608
