"""Backups of a PostgreSQL database with the server's own tools, as README recommends."""

import pytest

from domain.access.keys import KeyRing
from domain.access.principal import Scope
from domain.inputs import CaseFilter
from domain.reading import anchors, objects
from domain.storage.opening import opened
from domain.upkeep import administration
from domain.upkeep.verifying import verify
from tests.postgresql import APP_ROLE

pytestmark = pytest.mark.postgresql
BACKUP_ROLE = "casegraph_backup"


@pytest.fixture
def restored(database, postgresql, tmp_path_factory):
    """A function that dumps the database as the role for backups, and restores it elsewhere."""
    postgresql.sql(f"CREATE ROLE {BACKUP_ROLE} LOGIN BYPASSRLS IN ROLE pg_read_all_data")
    name = database.url.database
    file = postgresql.folder / "cases.dump"

    def dump_and_restore():
        at = ("-h", "127.0.0.1", "-p", postgresql.port)
        postgresql.program("pg_dump", *at, "-U", BACKUP_ROLE, "-Fc", "-f", file, "-d", name)
        postgresql.sql("CREATE DATABASE restored OWNER casegraph")
        postgresql.program("pg_restore", *at, "-U", "casegraph_admin", "-d", "restored", file)
        return postgresql.url("restored", "casegraph")

    yield dump_and_restore
    postgresql.sql("DROP DATABASE IF EXISTS restored WITH (FORCE)")
    postgresql.sql(f"DROP ROLE {BACKUP_ROLE}")


async def test_a_dump_that_is_restored_is_the_same_and_is_served(
    database, postgresql, clerk, given_case, restored
):
    await database.grant(APP_ROLE)
    await given_case("Müller ./. Weiß")
    raw, _id = await administration.create_key(database, "kept", list(Scope))
    before = await anchors.heads(database)

    url = restored()

    async with opened(url) as copy:
        assert await anchors.heads(copy) == before
        verified = await verify(copy, anchors={head.anchor for head in before})
        assert (verified.findings, verified.cases) == ([], 1)
        assert len(verified.anchored) == len(before)
    async with opened(postgresql.url("restored", APP_ROLE), bound=True) as served:
        who = await KeyRing(served).authenticate(raw)
        async with served.read(who.workspace_id) as db:
            found = await objects.cases(who, db, CaseFilter(search="muller"))
            assert [case.name for case in found] == ["Müller ./. Weiß"]
