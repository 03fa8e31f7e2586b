"""Index the events of parties and staff as such, by whom they are about."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OF_NO_CASE = sa.text("case_id IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_timeline_event_subject",
        "timeline_event",
        ["workspace_id", "subject_id", "seq"],
        unique=False,
        sqlite_where=OF_NO_CASE,
        postgresql_where=OF_NO_CASE,
    )
