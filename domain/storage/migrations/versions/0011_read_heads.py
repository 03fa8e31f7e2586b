"""Tell states of a workspace apart by the end of its timeline, and count its writes no more."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION casegraph_writes(integer)")
        op.execute(HEAD)
    op.drop_column("timeline_head", "writes")


# Names the workspace, as the policies want it, and reads its end: in one trip to the server.
HEAD = """CREATE FUNCTION casegraph_head(workspace integer) RETURNS text
LANGUAGE plpgsql STRICT AS $$
BEGIN
    PERFORM set_config('casegraph.workspace', workspace::text, true);
    RETURN (SELECT hash FROM timeline_head WHERE workspace_id = workspace);
END $$"""
