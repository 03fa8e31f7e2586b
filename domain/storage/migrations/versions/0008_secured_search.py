"""On PostgreSQL, put the search entries under the policies that keep the workspaces apart.

An index that compares arrays goes unused under a policy, since its operator might tell of rows that
the policy hides. So the trigrams move to a table of numbers, in which nothing can be read.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        for statement in POSTGRESQL:
            op.execute(statement)


POSTGRESQL = (
    "ALTER TABLE search_entry DROP COLUMN grams",
    "DROP FUNCTION casegraph_grams(text, text[])",
    "ALTER TABLE search_entry ADD COLUMN entry bigint GENERATED ALWAYS AS IDENTITY",
    "CREATE UNIQUE INDEX uq_search_entry_entry ON search_entry (entry)",
    # The scope is one trigram for the workspace and the kind: the index itself keeps them apart.
    """CREATE FUNCTION casegraph_grams(scope text, VARIADIC texts text[]) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT coalesce(
            array_agg(DISTINCT hashtextextended(scope || substr(one, place, 3), 0)), '{}')
        FROM unnest(texts) AS one, generate_series(1, length(one) - 2) AS place
    $$""",
    "CREATE TABLE search_gram (entry bigint PRIMARY KEY, grams bigint[] NOT NULL)",
    """INSERT INTO search_gram
    SELECT entry, casegraph_grams(scope, plain, loose, number) FROM search_entry""",
    "CREATE INDEX ix_search_gram_grams ON search_gram USING gin (grams)",
    # The planner cannot know how few entries a term has, and would rather read all of them.
    """CREATE FUNCTION casegraph_candidates(scope text, VARIADIC terms text[]) RETURNS SETOF bigint
    LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 500
    SET enable_seqscan = off SET enable_indexscan = off AS $$
        SELECT entry FROM search_gram
        WHERE grams @> casegraph_grams(scope, terms[1])
            OR grams @> casegraph_grams(scope, terms[2])
            OR grams @> casegraph_grams(scope, terms[3])
    $$""",
    """CREATE FUNCTION casegraph_index_entry() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            DELETE FROM search_gram WHERE entry = old.entry;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            INSERT INTO search_gram
            VALUES (new.entry, casegraph_grams(new.scope, new.plain, new.loose, new.number));
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE TRIGGER search_entry_is_indexed AFTER INSERT OR UPDATE OR DELETE ON search_entry
    FOR EACH ROW EXECUTE FUNCTION casegraph_index_entry()""",
    "ALTER TABLE search_entry ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE search_entry FORCE ROW LEVEL SECURITY",
    """CREATE POLICY of_workspace ON search_entry USING (
        workspace_id = (SELECT casegraph_workspace())
        OR (SELECT casegraph_every_workspace())
    )""",
)
