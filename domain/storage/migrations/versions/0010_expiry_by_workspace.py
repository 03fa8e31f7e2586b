"""Find the expired idempotency keys of one workspace without those of all others."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEX = "ix_idempotency_key_created_at"


def upgrade() -> None:
    op.drop_index(INDEX, "idempotency_key")
    op.create_index(INDEX, "idempotency_key", ["workspace_id", "created_at"])
