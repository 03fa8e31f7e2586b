"""Count the writes to each workspace: what was read of it holds while the count stands still."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "timeline_head", sa.Column("writes", sa.BigInteger(), nullable=False, server_default="0")
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(COUNTED)


# Names the workspace, as the policies want it, and reads its count: in one trip to the server.
COUNTED = """CREATE FUNCTION casegraph_writes(workspace integer) RETURNS bigint
LANGUAGE plpgsql STRICT AS $$
BEGIN
    PERFORM set_config('casegraph.workspace', workspace::text, true);
    RETURN (SELECT writes FROM timeline_head WHERE workspace_id = workspace);
END $$"""
