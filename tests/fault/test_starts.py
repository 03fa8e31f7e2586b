"""What a start finds in the place of its database: it starts, or says in one line why not."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.fault.servers import Gateway, gateway
from tests.fault.surfaces import Surfaces, assert_done

NEWER = "casegraph: The database was written by a newer casegraph. Install that version.\n"


@pytest.fixture
def stopped(tmp_path):
    server = Gateway(tmp_path)
    server.command("init")
    return server


def change(server, sql):
    with contextlib.closing(sqlite3.connect(server.database)) as raw:
        raw.executescript(sql)


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("export",), ("verify",)])
def test_a_database_of_a_newer_version_is_told_of(stopped, command):
    change(stopped, "UPDATE alembic_version SET version_num = '9999'")

    assert stopped.command(*command, status=1) == NEWER


def test_a_database_of_another_program_is_told_of(tmp_path):
    server = Gateway(tmp_path)
    change(server, "CREATE TABLE bookmarks (url TEXT)")

    told = server.command("serve", "--port", "0", status=1)

    assert told == "casegraph: The database belongs to another program. Choose another database.\n"


def test_a_lock_that_stays_ends_the_start(stopped):
    with contextlib.closing(sqlite3.connect(stopped.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        told = stopped.command("serve", "--port", "0", status=1)

    assert told == "casegraph: Another program keeps the database locked.\n"


def noise(log):
    with log.open("rb+") as file:
        file.seek(log.stat().st_size // 2)
        file.write(b"\xa5" * 5_000)


@pytest.mark.parametrize("spoil", [Path.unlink, noise])
def test_with_a_log_that_was_spoiled_after_a_crash_it_starts_from_what_is_sound(tmp_path, spoil):
    with gateway(tmp_path) as server:
        with Surfaces(server) as client:
            made = [client.given_case() for _ in range(20)]
        server.kill()
        spoil(server.database.with_name("cases.db-wal"))

        server.start()

        with Surfaces(server) as client:
            assert client.count() <= len(made)
            assert_done(client.write())
        server.command("verify")
