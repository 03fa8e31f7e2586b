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
    server.database.touch(0o600)  # otherwise the mode is warned of, too
    change(server, "CREATE TABLE bookmarks (url TEXT)")

    told = server.command("serve", "--port", "0", status=1)

    assert told == "casegraph: The database belongs to another program. Choose another database.\n"


def test_a_lock_that_stays_ends_a_start_that_has_to_migrate(tmp_path):
    server = Gateway(tmp_path)
    server.database.touch(0o600)
    with contextlib.closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        told = server.command("serve", "--port", "0", status=1)

    assert told == "casegraph: Another program keeps the database locked.\n"


def test_a_lock_that_stays_delays_no_start_on_a_current_schema(tmp_path):
    with gateway(tmp_path) as server:
        server.stop()
        with contextlib.closing(sqlite3.connect(server.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")

            server.start()

            with Surfaces(server) as client:
                assert client.count() == 0
                assert [answer.status_code for answer in client.write()] == [503, 503]
                other.execute("ROLLBACK")
                assert_done(client.write())


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
