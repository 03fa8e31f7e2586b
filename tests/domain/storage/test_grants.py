"""The role that serves on PostgreSQL and owns nothing: what it may do, and what it may not.

That both surfaces work as this role, all tests of the surfaces show: they are served by it.
"""

import asyncpg
import pytest
from sqlalchemy import text

from domain.access.keys import KeyRing
from domain.access.principal import Scope
from domain.errors import Invalid, Unavailable
from domain.inputs import CaseFilter
from domain.reading import anchors, objects, search
from domain.storage.opening import opened
from domain.storage.postgresql.grants import TABLES
from domain.storage.tables import metadata
from domain.upkeep import administration
from tests.postgresql import APP_ROLE

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def app(database, postgresql):
    """A connection of the role that serves."""
    await database.grant(APP_ROLE)
    connection = await asyncpg.connect(postgresql.url(database.url.database, APP_ROLE))
    yield connection
    await connection.close()


def test_the_privileges_on_every_table_are_decided():
    more = {"alembic_version", "rate_window"}
    assert set(TABLES) == {table.name for table in metadata.sorted_tables} | more


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE timeline_event SET title = 'x'",
        "DELETE FROM timeline_event",
        "TRUNCATE timeline_event",
        "ALTER TABLE timeline_event DISABLE TRIGGER ALL",
        "ALTER TABLE cases NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE cases DISABLE ROW LEVEL SECURITY",
        "DROP POLICY of_workspace ON cases",
        "DELETE FROM cases",
        "DELETE FROM timeline_head",
        "INSERT INTO workspace (slug, mode, name, created_at, secret, seal) "
        "VALUES ('a', 'live', 'a', 'a', 'a', 'a')",
        "INSERT INTO api_key SELECT * FROM api_key",
        "UPDATE api_key SET scopes = 'all'",
        "UPDATE api_key SET revoked_at = NULL",
        "SELECT * FROM search_gram",
        "SELECT * FROM pg_statistic",
        "COPY cases TO PROGRAM 'cat'",
        "SET ROLE casegraph",
        "SET SESSION AUTHORIZATION casegraph",
        "ALTER FUNCTION casegraph_every_workspace() COST 1",
        "CREATE OR REPLACE FUNCTION casegraph_workspace() RETURNS int LANGUAGE sql AS 'SELECT 2'",
        "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 2'",
        "SELECT casegraph_index_entry()",
        "SET session_replication_role = replica",
        "CREATE TABLE mine (id int)",
    ],
)
async def test_what_the_role_may_not(app, clerk, given_case, statement):
    await given_case()
    await app.execute(f"SET casegraph.workspace = '{clerk.workspace_id}'")

    with pytest.raises(asyncpg.PostgresError, match=r"permission denied|must be owner"):
        await app.execute(statement)


async def test_nobody_but_the_owner_names_all_workspaces(app, database, given_case):
    await given_case("Müller ./. Weiß")
    await app.execute("SET casegraph.workspace = '*'")

    for table in TABLES:
        if table not in ("alembic_version", "rate_window"):
            assert await app.fetch(f"SELECT * FROM {table}") == [], table
    await database.analyze()
    assert await app.fetchval("SELECT count(*) FROM pg_stats WHERE tablename = 'cases'") == 0
    await app.execute("SET row_security = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await app.fetch("SELECT * FROM cases")
    async with database.read() as db:
        assert (await db.first(search._ENTRIES.statement, {"workspace_id": 1}))[0] >= 1


async def test_nobody_searches_in_another_workspace(app, clerk, stranger, given_case):
    await given_case("Müller ./. Weiß")
    scope = search.scope(clerk.workspace_id, "case")
    asked = "SELECT casegraph_candidates(ARRAY[$1::text], ARRAY['muller'])"

    for workspace, found in ((clerk.workspace_id, 1), (stranger.workspace_id, 0), ("*", 0)):
        await app.execute(f"SET casegraph.workspace = '{workspace}'")
        assert len(await app.fetch(asked, scope)) == found, workspace


@pytest.mark.parametrize("name", ["workspace", "alembic_version", "search_gram", "cases"])
async def test_a_table_of_its_own_does_not_let_it_name_all_workspaces(
    app, stranger, given_case, name
):
    await given_case("Müller ./. Weiß")
    await given_case("Others", who=stranger)
    await app.execute(f"CREATE TEMP TABLE {name} (id int, workspace_id int)")
    await app.execute("SET casegraph.workspace = '*'")

    for path in ("public, pg_temp", "pg_temp, public", '"$user", public'):
        await app.execute(f"SET search_path = {path}")
        for table in ("cases", "timeline_event", "api_key", "workspace", "search_entry"):
            assert await app.fetch(f"SELECT * FROM public.{table}") == [], (path, table)


@pytest.mark.parametrize("workspace_id", [1, 1_365, 1_366, 5_592_405, 5_592_406, 2**31 - 1])
async def test_a_scope_is_of_its_own_workspace_however_many_there_are(database, raw, workspace_id):
    scope = search.scope(workspace_id, "party")
    raw.execute("INSERT INTO search_gram VALUES (4711, casegraph_grams(?, 'muller'))", [scope])
    asked = "SELECT casegraph_candidates(ARRAY[?], ARRAY['muller'])"

    for named, found in ((workspace_id, 1), (workspace_id % 4_096 + 7, 0)):
        raw.execute(f"SET casegraph.workspace = '{named}'")
        assert len(raw.execute(asked, [scope]).fetchall()) == found, named


async def test_a_key_and_the_ends_are_found_without_naming_a_workspace(app, database, postgresql):
    raw, _id = await administration.create_key(database, "mine", [Scope.CASES_READ])
    await app.execute("SET casegraph.workspace = ''")

    async with opened(postgresql.url(database.url.database, APP_ROLE), bound=True) as served:
        ring = KeyRing(served)
        assert (await ring.authenticate(raw)).key_name == "mine"
        assert await anchors.heads(served) == await anchors.heads(database) != []
        await ring.settled()
        async with served.read() as db:
            [(workspace,)] = await db.rows(text("SELECT casegraph_workspace()"))
    assert workspace is None


async def test_what_an_owners_function_finds_no_caller_decides(app, clerk, given_case):
    """PostgreSQL, CREATE FUNCTION, "Writing SECURITY DEFINER Functions Safely"."""
    await given_case("Müller ./. Weiß")
    await app.execute(f"SET casegraph.workspace = '{clerk.workspace_id}'")
    await app.execute("CREATE TEMP TABLE search_gram (entry bigint, grams bigint[])")
    await app.execute("CREATE TEMP TABLE timeline_head (workspace_id int, seq int, hash text)")
    await app.execute("SET search_path = pg_temp, public")

    scope = search.scope(clerk.workspace_id, "case")
    found = await app.fetch(
        "SELECT casegraph_candidates(ARRAY[$1::text], ARRAY['muller', 'x'])", scope
    )
    heads = await app.fetch("SELECT * FROM casegraph_heads()")

    assert (len(found), len(heads) > 0) == (1, True)


async def test_a_role_that_cannot_be_bound_is_refused(database, postgresql):
    postgresql.sql("CREATE ROLE strong LOGIN BYPASSRLS")
    postgresql.sql("CREATE ROLE member LOGIN IN ROLE casegraph")
    for role, told in (
        ("nobody_there", "There is no role nobody_there. Create it with: createuser nobody_there"),
        ("strong", "is a superuser or has BYPASSRLS"),
        ("casegraph", "is the owner of the tables"),
        ("member", "is the owner of the tables, or has its rights"),
    ):
        with pytest.raises(Invalid, match=told):
            await database.grant(role)


async def test_a_name_of_any_characters_is_a_role(database, postgresql):
    postgresql.sql('CREATE ROLE "Kanzlei ""A""; x" LOGIN')
    try:
        await database.grant('Kanzlei "A"; x')
    finally:
        postgresql.sql('DROP OWNED BY "Kanzlei ""A""; x"', database.url.database)
        postgresql.sql('DROP ROLE "Kanzlei ""A""; x"')


async def test_an_upgrade_grants_again_and_is_for_the_owner(empty, at_revision):
    owners, raw = empty
    await at_revision(owners, "0012")
    raw.execute(f"GRANT INSERT ON cases TO {APP_ROLE}")
    raw.execute(f"GRANT SELECT ON alembic_version TO {APP_ROLE}")
    url = owners.replace("//casegraph@", f"//{APP_ROLE}@")
    with pytest.raises(Unavailable, match="Run casegraph init as the owner"):
        async with opened(url):
            pass

    async with opened(owners):
        pass

    async with opened(url) as served:
        assert await anchors.heads(served) is not None


async def test_what_a_command_does_the_role_is_told_it_may_not(
    database, postgresql, clerk, given_case
):
    await given_case("Müller ./. Weiß")
    await database.grant(APP_ROLE)
    async with opened(postgresql.url(database.url.database, APP_ROLE)) as served:
        async with served.read(clerk.workspace_id) as db:
            found = await objects.cases(clerk, db, CaseFilter(search="muller"))
            assert len(list(found)) == 1
        with pytest.raises(Unavailable, match="Commands need the owner"):
            await administration.create_workspace(served, "another")
