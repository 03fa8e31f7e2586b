"""Keep the instant of each workspace's last write, before which no later one is written."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from domain import instants

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("timeline_head", sa.Column("at", TEXT, nullable=False, server_default=""))
    # An imported event may claim an instant to come.
    last = sa.text(
        "UPDATE timeline_head SET at = coalesce((SELECT e.at FROM timeline_event e"
        " WHERE e.workspace_id = timeline_head.workspace_id AND e.seq = timeline_head.seq"
        " AND e.at <= :now), '')"
    )
    op.get_bind().execute(last, {"now": instants.now()})
