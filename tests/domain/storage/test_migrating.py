import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from domain.errors import Damaged, Unavailable
from domain.inputs import NewCase
from domain.storage import migrating, revisions
from domain.storage.opening import opened
from domain.storage.tables import metadata
from domain.upkeep import administration
from domain.writing import cases
from tests.databases import EMPTY, copied

KEYED_OTHERWISE = {
    "workspace": ["id"],
    "timeline_head": ["workspace_id"],
    "search_entry": ["entry"],
}
"""The workspace itself, one row a workspace, and what the full-text index numbers."""

UNDECLARED = ("alembic_version", "rate_window")
"""What is no part of the data."""


@pytest.fixture
def url(request):
    """A database that was just migrated, and is closed."""
    with copied("sqlite", request, EMPTY) as (url, _made):
        yield url


@pytest.fixture
def migrated(url):
    engine = create_engine(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def declared(tmp_path):
    """A database made from tables.py, without the migrations."""
    engine = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _is_declared(name, type_, _parents):
    return type_ != "table" or not (name.startswith("search_index") or name in UNDECLARED)


def sql_of(connection, kind):
    """The SQL of indexes or tables by name; what SQLite keeps for itself has none."""
    rows = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL", (kind,)
    )
    return {name: " ".join(sql.split()) for name, sql in rows}


def test_the_migrations_make_the_tables_that_are_declared(migrated):
    context = MigrationContext.configure(
        migrated, opts={"compare_type": True, "include_name": _is_declared}
    )

    assert compare_metadata(context, metadata) == []


def test_the_migrations_make_the_indexes_that_are_declared(migrated, declared):
    assert sql_of(migrated, "index") == sql_of(declared, "index")


@pytest.mark.parametrize("table", [table.name for table in metadata.sorted_tables])
def test_the_migrations_make_the_checks_that_are_declared(migrated, declared, table):
    def checks(connection):
        found = inspect(connection).get_check_constraints(table)
        return sorted((check["name"], check["sqltext"]) for check in found)

    assert checks(migrated) == checks(declared)


@pytest.mark.parametrize("table", [table.name for table in metadata.sorted_tables])
def test_the_workspace_leads_every_key(migrated, table):
    key = inspect(migrated).get_pk_constraint(table)["constrained_columns"]

    if table in KEYED_OTHERWISE:
        assert key == KEYED_OTHERWISE[table]
    else:
        assert key[0] == "workspace_id"
        assert len(key) > 1


@pytest.mark.parametrize("table", [table.name for table in metadata.sorted_tables])
def test_every_reference_stays_in_its_workspace(migrated, table):
    for reference in inspect(migrated).get_foreign_keys(table):
        assert reference["constrained_columns"][0] == "workspace_id"
        if reference["referred_table"] == "workspace":
            assert reference["referred_columns"] == ["id"]
        else:
            assert reference["referred_columns"] == ["workspace_id", "id"]


@pytest.mark.parametrize(
    "table", [table.name for table in metadata.sorted_tables if table.name not in KEYED_OTHERWISE]
)
def test_rows_lie_in_key_order(migrated, table):
    assert sql_of(migrated, "table")[table].endswith("WITHOUT ROWID")


def test_the_database_itself_refuses_a_reference_to_another_workspace(url, migrated):
    with closing(sqlite3.connect(migrated.engine.url.database, isolation_level=None)) as raw:
        raw.execute("PRAGMA foreign_keys=ON")
        for id in (1, 2):
            raw.execute(
                f"INSERT INTO workspace VALUES ({id}, 'w{id}', 'live', 'W', '2026', '', '')"
            )
        raw.execute("INSERT INTO party VALUES (2, 'pty_1', 'person', 'P', '', '', 1, 'p')")
        raw.execute(
            "INSERT INTO cases VALUES"
            " (1, 'c', 'C', NULL, 'active', NULL, NULL, NULL, '', '', 1, NULL, 'c', '~', 0, NULL)"
        )

        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            raw.execute("INSERT INTO case_party VALUES (1, 'c', 1, 'pty_1', 'client', NULL, '', 1)")


async def test_opening_again_keeps_what_is_stored(url):
    async with opened(url) as database:
        from_before = await _revision(database)
    async with opened(url, migrate=False) as database:
        assert await _revision(database) == from_before == revisions.head()


async def test_opening_makes_a_database_that_takes_cases(tmp_path):
    url = f"sqlite:///{tmp_path / 'new.db'}"
    async with opened(url) as database:
        await administration.create_workspace(database, "default")
        who = await administration.operator(database)
        case = await cases.create_case(who, database, NewCase("N"))

    assert case.version == 1


async def _revision(database):
    async with database.write() as db:
        [[revision]] = await db.rows(text("SELECT version_num FROM alembic_version"))
        return revision


def dump(url):
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw:
        return list(raw.iterdump())


def stamp(url, revision):
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw:
        raw.execute("UPDATE alembic_version SET version_num = ?", [revision])
        raw.commit()


@pytest.mark.parametrize("migrate", [True, False])
async def test_a_database_of_a_newer_version_is_refused(url, migrate):
    stamp(url, "9999")
    before = dump(url)

    with pytest.raises(Unavailable) as refused:
        async with opened(url, migrate=migrate):
            pass

    assert refused.value.message == (
        "The database was written by a newer casegraph. Install that version."
    )
    assert dump(url) == before


async def test_serving_refuses_a_database_that_was_never_made(tmp_path):
    with pytest.raises(Unavailable) as refused:
        async with opened(f"sqlite:///{tmp_path / 'none.db'}", migrate=False):
            pass

    assert refused.value.message.endswith("none.db. Run: casegraph init")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("migrate", [True, False])
async def test_a_database_in_a_folder_that_is_not_there_is_refused(tmp_path, migrate):
    with pytest.raises(Unavailable) as refused:
        async with opened(f"sqlite:///{tmp_path / 'typo' / 'cases.db'}", migrate=migrate):
            pass

    assert refused.value.message == f"There is no folder {tmp_path / 'typo'}."


async def test_serving_refuses_an_empty_database(tmp_path):
    path = tmp_path / "empty.db"
    path.touch()

    with pytest.raises(Unavailable) as refused:
        async with opened(f"sqlite:///{path}", migrate=False):
            pass

    assert refused.value.message == "The database is empty. Run: casegraph init"


@pytest.mark.parametrize("migrate", [True, False])
async def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path, migrate):
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE bookmarks (url TEXT)")
    before = dump(f"sqlite:///{path}")

    with pytest.raises(Unavailable, match="belongs to another program"):
        async with opened(f"sqlite:///{path}", migrate=migrate):
            pass

    assert dump(f"sqlite:///{path}") == before


async def test_a_schema_that_lacks_a_migration_is_told_of_where_none_is_run(url):
    stamp(url, "0001")
    before = dump(url)

    with pytest.raises(Unavailable) as refused:
        async with opened(url, migrate=False):
            pass

    assert refused.value.message == "The database has an older schema. Run: casegraph init"
    assert dump(url) == before


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "letter.db"
    path.write_text("Dear Sir or Madam, " * 100)

    with pytest.raises(Damaged, match="not a database"):
        async with opened(f"sqlite:///{path}"):
            pass

    assert path.read_text() == "Dear Sir or Madam, " * 100


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "://", ""],
)
async def test_only_files_of_sqlite_and_postgresql_are_opened(url):
    with pytest.raises(Unavailable) as refused:
        async with opened(url):
            pass

    assert refused.value.message == (
        "The database URL must be like sqlite:///casegraph.db (a file) or "
        "postgresql://user:password@host/database."
    )


def test_the_name_of_a_migration_begins_with_its_revision():
    scripts = migrating._scripts()

    assert revisions.head() == scripts.get_current_head()
    for script in scripts.walk_revisions():
        assert Path(script.path).name.startswith(f"{script.revision}_")


def test_nobody_loads_alembic_who_does_not_migrate():
    modules = ("sqlite.file", "postgresql.server", "postgresql.standby", "opening")
    loaded = "; ".join(f"import domain.storage.{name}" for name in modules)
    code = f"import sys; {loaded}; sys.exit('alembic' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
