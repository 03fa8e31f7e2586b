"""On PostgreSQL, read the end of a workspace's timeline in one trip to the server."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(POSTGRESQL)


# Names the workspace, as the policies want it.
POSTGRESQL = """CREATE FUNCTION casegraph_head(workspace integer) RETURNS text
LANGUAGE plpgsql STRICT AS $$
BEGIN
    PERFORM set_config('casegraph.workspace', workspace::text, true);
    RETURN (SELECT hash FROM timeline_head WHERE workspace_id = workspace);
END $$"""
