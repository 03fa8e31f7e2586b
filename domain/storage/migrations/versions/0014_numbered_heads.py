"""On PostgreSQL, tell of the end of a timeline by its number, too: a standby may be behind it."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(HEAD)


HEAD = """CREATE OR REPLACE FUNCTION casegraph_head(workspace integer) RETURNS text
LANGUAGE plpgsql STRICT AS $$
BEGIN
    PERFORM set_config('casegraph.workspace', workspace::text, true);
    RETURN (SELECT seq || ':' || hash FROM timeline_head WHERE workspace_id = workspace);
END $$"""
