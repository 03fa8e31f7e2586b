"""On PostgreSQL, let a role serve that owns nothing: see postgresql/grants.py.

What it reads of all workspaces, one key and the ends of the timelines, the owner's functions read
for it. To name all workspaces is for the owner, who alone may add one.
"""

from alembic import op
from sqlalchemy import text

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OWNERS = (
    "casegraph_candidates(text, text[])",
    "casegraph_index_entry()",
    "casegraph_key(text, text)",
    "casegraph_heads()",
)
"""The functions that run with their owner's rights."""


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    schema = op.get_bind().execute(text("SELECT quote_ident(current_schema())")).scalar_one()
    # Not whatever a caller calls a workspace: a temporary table is found before all others.
    table = f"{schema}.workspace".replace("'", "''")
    for statement in POSTGRESQL:
        op.execute(statement.replace("@workspace@", table))
    # A caller's search_path must not decide what an owner's function finds (PostgreSQL, CREATE
    # FUNCTION, "Writing SECURITY DEFINER Functions Safely").
    for function in OWNERS:
        op.execute(
            f"ALTER FUNCTION {function} SECURITY DEFINER SET search_path = {schema}, pg_temp"
        )
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")


POSTGRESQL = (
    """CREATE OR REPLACE FUNCTION casegraph_every_workspace() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT coalesce(current_setting('casegraph.workspace', true) = '*', false)
            AND has_table_privilege('@workspace@', 'INSERT')
    $$""",
    # The scope tells of the workspace: see domain/reading/search.py.
    """CREATE OR REPLACE FUNCTION casegraph_candidates(scope text, VARIADIC terms text[])
    RETURNS SETOF bigint LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 500
    SET enable_seqscan = off SET enable_indexscan = off AS $$
        SELECT entry FROM search_gram
        WHERE (grams @> casegraph_grams(scope, terms[1])
            OR grams @> casegraph_grams(scope, terms[2])
            OR grams @> casegraph_grams(scope, terms[3]))
            AND (
                casegraph_workspace() = (
                    (ascii(substr(scope, 1, 1)) - 57344) * 16777216::bigint
                    + (ascii(substr(scope, 2, 1)) - 57344) * 4096
                    + (ascii(substr(scope, 3, 1)) - 57344)
                ) / 3
                OR current_setting('casegraph.workspace', true) = '*'
                    AND has_table_privilege(session_user, '@workspace@', 'INSERT')
            )
    $$""",
    """CREATE FUNCTION casegraph_key(wanted text, moment text) RETURNS TABLE (
        digest text, name text, scopes text, workspace_id integer, slug text, workspace_name text,
        mode text, secret text, last_used_on text
    ) LANGUAGE plpgsql STRICT AS $$
    DECLARE
        before text := current_setting('casegraph.workspace', true);
    BEGIN
        PERFORM set_config('casegraph.workspace', '*', true);
        RETURN QUERY
            SELECT k.digest, k.name, k.scopes, w.id, w.slug, w.name, w.mode, w.secret,
                k.last_used_on
            FROM api_key AS k JOIN workspace AS w ON w.id = k.workspace_id
            WHERE k.id = wanted AND k.revoked_at IS NULL
                AND (k.expires_at IS NULL OR k.expires_at > moment);
        PERFORM set_config('casegraph.workspace', coalesce(before, ''), true);
    END $$""",
    """CREATE FUNCTION casegraph_heads() RETURNS TABLE (slug text, mode text, seq bigint, hash text)
    LANGUAGE plpgsql AS $$
    DECLARE
        before text := current_setting('casegraph.workspace', true);
    BEGIN
        PERFORM set_config('casegraph.workspace', '*', true);
        RETURN QUERY
            SELECT w.slug, w.mode, h.seq, h.hash
            FROM timeline_head AS h JOIN workspace AS w ON w.id = h.workspace_id
            WHERE h.seq > 0 ORDER BY w.slug, w.mode;
        PERFORM set_config('casegraph.workspace', coalesce(before, ''), true);
    END $$""",
)
