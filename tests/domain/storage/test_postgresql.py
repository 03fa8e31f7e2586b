"""What PostgreSQL does otherwise than SQLite: policies, turns, lost connections."""

import asyncio

import pytest
from sqlalchemy import text

from domain.errors import FileNumberTaken, TimedOut, Unavailable
from domain.inputs import CaseChanges, CaseFilter, NewCase
from domain.reading import objects
from domain.storage.database import Pace
from domain.storage.opening import opened, without_password
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import metadata
from domain.transfer.importing import dumped, import_cases
from domain.upkeep import administration
from domain.upkeep.verifying import verify
from domain.writing import cases

pytestmark = pytest.mark.postgresql


def everything(table):
    own = "id" if table == "workspace" else "workspace_id"
    return Fetch(Prepared(text(f"SELECT {own} FROM {table}")), {})


SECURED = [table.name for table in metadata.sorted_tables]


async def test_a_statement_that_forgets_the_workspace_finds_no_foreign_row(
    database, clerk, stranger, given_case
):
    for who in (clerk, stranger):
        await given_case(who=who)

    for who in (clerk, stranger):
        async with database.read(who.workspace_id) as db:
            for table in SECURED:
                found = {workspace_id for (workspace_id,) in await db.fetch(everything(table))}
                assert found <= {who.workspace_id}
            for table in ("cases", "search_entry", "api_key", "workspace"):
                assert await db.fetch(everything(table)), table


async def test_a_role_that_the_policies_do_not_bind_is_refused(database, postgresql):
    name = str(database.url.database)
    free = postgresql.url(name)  # a superuser's
    postgresql.sql("CREATE ROLE rover LOGIN BYPASSRLS IN ROLE casegraph")

    for url in (free, postgresql.url(name, "rover")):
        with pytest.raises(Unavailable, match="superuser or has BYPASSRLS"):
            async with opened(url, migrate=False, bound=True):
                pass
    async with opened(free, migrate=False) as allowed:
        assert (await verify(allowed)).findings == []
    async with opened(postgresql.url(name, "casegraph"), migrate=False, bound=True):
        pass


async def test_a_search_under_the_policies_is_read_off_its_index(database, clerk, raw, given_case):
    await given_case("Müller ./. Weiß")
    lines = [dumped({"name": f"Case {n} of somebody else"}) for n in range(300)]
    await import_cases(clerk, database, lines, source="test")
    raw.execute("SELECT pg_stat_force_next_flush()")
    before = index_scans(raw)

    async with database.read(clerk.workspace_id) as db:
        found = await objects.cases(clerk, db, CaseFilter(search="müller"))
        assert [case.name for case in found] == ["Müller ./. Weiß"]
        await db.rows(text("SELECT pg_stat_force_next_flush()"))
    await database.close()

    assert index_scans(raw) > before


def index_scans(raw):
    raw.execute("SELECT pg_stat_clear_snapshot()")
    [[scans]] = raw.execute(
        "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'ix_search_gram_grams'"
    )
    return scans


async def test_an_index_that_does_not_fit_its_entries_is_found(database, clerk, raw, given_case):
    await given_case("Müller")
    assert (await verify(database)).findings == []
    for damage in (
        "UPDATE search_gram SET grams = '{1}'",
        "DELETE FROM search_gram",
        "INSERT INTO search_gram VALUES (4711, '{1}')",
    ):
        raw.execute("DELETE FROM search_gram")
        raw.execute(
            "INSERT INTO search_gram"
            " SELECT entry, casegraph_grams(scope, name, code) FROM search_entry"
        )
        raw.execute(damage)
        found = [str(one) for one in (await verify(database)).findings]
        assert found == ["database: search index: it does not match the search entries."], damage


async def test_a_forgotten_workspace_cannot_be_written(database, clerk, stranger, given_case):
    theirs = await given_case(who=stranger)

    async with database.write(clerk.workspace_id) as db:
        await db.run(text("UPDATE cases SET name = 'taken'"))
        await db.run(text("DELETE FROM case_party"))

    async with database.read(stranger.workspace_id) as db:
        assert (await objects.case(stranger, db, theirs.id)).name == theirs.name


async def test_a_connection_that_says_nothing_sees_nothing(database, given_case):
    await given_case()
    connection = await database._connect()
    try:
        assert await connection.fetch("SELECT * FROM cases") == []
        await connection.execute("SET casegraph.workspace = ''")
        assert await connection.fetch("SELECT * FROM cases") == []
    finally:
        await connection.close()


async def test_writers_of_one_workspace_in_several_processes_take_turns(
    database, clerk, given_case, raw
):
    case = await given_case()
    async with opened(database.url.render_as_string(hide_password=False)) as other:
        changes = [
            cases.update_case(clerk, one, case.id, CaseChanges(description=f"{name} {n}"))
            for n in range(20)
            for name, one in (("one", database), ("other", other))
        ]
        creations = [
            cases.create_case(clerk, one, NewCase("N", file_number="AZ-1"))
            for one in (database, other) * 5
        ]
        found = await asyncio.gather(*changes, *creations, return_exceptions=True)

    assert [kind for kind in map(type, found) if issubclass(kind, Exception)] == (
        [FileNumberTaken] * 9
    )
    rows = raw.execute(
        "SELECT seq FROM timeline_event WHERE workspace_id = ? ORDER BY seq", [clerk.workspace_id]
    ).fetchall()
    assert [seq for (seq,) in rows] == list(range(1, len(rows) + 1))
    async with database.read(clerk.workspace_id) as db:
        assert (await objects.case(clerk, db, case.id)).version == 41


async def test_a_long_read_is_stopped_by_the_server(database_url):
    async with opened(database_url, read_seconds=1) as database:
        with pytest.raises(TimedOut):
            await database.run(
                lambda db: db.fetch(Fetch(Prepared(text("SELECT pg_sleep(60)")), {})), Pace()
            )


async def test_reads_and_writes_go_on_after_all_connections_were_lost(
    database, clerk, given_case, raw
):
    case = await given_case("Before")
    raw.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'casegraph' AND datname = current_database()"
    )

    found = await database.run(
        lambda db: objects.case(clerk, db, case.id), Pace(), clerk.workspace_id
    )

    assert found == case
    assert (await given_case("After")).version == 1


async def test_a_cancelled_write_leaves_nothing_behind(database, clerk, given_case, stored):
    await given_case()
    before = stored()

    async def write():
        async with database.write(clerk.workspace_id) as db:
            await db.run(text("UPDATE cases SET name = 'half'"))
            await asyncio.sleep(60)

    task = asyncio.create_task(write())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert stored() == before
    assert (await given_case("Next")).version == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"database": "nowhere"}, "does not exist"),
        ({"port": 1}, "cannot be reached"),
        ({"username": "nobody_there"}, "rejects the user or the password"),
        ({"query": {"foo": "1"}}, "a parameter that is not known"),
        ({"query": {"statement_timeout": "soon"}}, "a parameter that is not known"),
        ({"query": {"sslmode": "maybe"}}, "a parameter that is not known"),
        ({"query": {"sslmode": "require"}}, "does not offer TLS"),
        ({"query": {"sslmode": "verify-full"}}, "TLS|trusted|not known"),
    ],
)
async def test_what_is_wrong_with_the_url_is_told(database, change, told):
    url = database.url.set(drivername="postgresql", password="s3cret", **change)

    with pytest.raises(Unavailable, match=told) as refused:
        async with opened(url.render_as_string(hide_password=False)):
            pass
    assert "s3cret" not in str(refused.value)


async def test_of_several_hosts_the_first_that_takes_writes_is_used(database, clerk, given_case):
    await given_case("Here")
    one = f"127.0.0.1:{database.url.port}"
    for hosts in (f"{one},127.0.0.1:1", f"127.0.0.1:1,{one}", f"127.0.0.1:1,{one},{one}"):
        url = f"postgresql://casegraph@{hosts}/{database.url.database}"
        async with opened(url, migrate=False, bound=True) as there, there.read() as db:
            assert await db.fetch(everything("workspace"))
            assert without_password(url) == url
            assert without_password(url.replace("@", ":s3cret@")) == url.replace("@", ":***@")


async def test_a_database_that_cannot_hold_every_text_is_refused(postgresql):
    for encoding in ("SQL_ASCII", "LATIN1"):
        postgresql.sql(
            f"CREATE DATABASE narrow OWNER casegraph ENCODING '{encoding}'"
            " LOCALE 'C' TEMPLATE template0"
        )
        try:
            with pytest.raises(Unavailable, match=f"is {encoding}; it must be UTF8"):
                async with opened(postgresql.url("narrow", "casegraph")):
                    pass
        finally:
            postgresql.sql("DROP DATABASE narrow")


async def test_a_role_that_may_not_create_tables_is_told_so(postgresql):
    postgresql.sql("CREATE ROLE reader LOGIN")
    postgresql.sql("CREATE DATABASE barred")
    postgresql.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", "barred")
    try:
        with pytest.raises(Unavailable, match="CREATE on the schema"):
            async with opened(postgresql.url("barred", "reader")):
                pass
    finally:
        postgresql.sql("DROP DATABASE barred")
        postgresql.sql("DROP ROLE reader")


async def test_a_database_of_another_program_is_not_touched(postgresql):
    postgresql.sql("CREATE DATABASE foreign_one OWNER casegraph")
    postgresql.sql("CREATE TABLE theirs (id int)", "foreign_one")
    try:
        with pytest.raises(Unavailable, match="another program"):
            async with opened(postgresql.url("foreign_one", "casegraph")):
                pass
        assert (
            postgresql.sql(
                "SELECT count(*) FROM pg_tables WHERE tableowner = 'casegraph'", "foreign_one"
            )
            == "0"
        )
    finally:
        postgresql.sql("DROP DATABASE foreign_one WITH (FORCE)")


async def test_several_processes_may_start_at_once_on_an_empty_database(postgresql):
    postgresql.sql("CREATE DATABASE empty_one OWNER casegraph")
    url = postgresql.url("empty_one", "casegraph")

    async def start(number):
        async with opened(url) as database:
            await administration.create_workspace(database, f"firm-{number}")

    try:
        await asyncio.gather(*(start(number) for number in range(5)))
        async with opened(url, migrate=False) as database:
            assert len(await administration.workspaces(database)) == 10
    finally:
        postgresql.sql("DROP DATABASE empty_one WITH (FORCE)")
