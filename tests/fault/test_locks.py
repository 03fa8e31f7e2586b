"""Others that keep the database for themselves: writes wait for a while, reads not at all."""

import contextlib
import fcntl
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.storage.database import BUSY_SECONDS
from domain.storage.sqlite.errors import LOCKED
from domain.storage.sqlite.lock import HELD
from domain.storage.sqlite.writer import MOVED
from tests.fault.servers import gateway
from tests.fault.surfaces import Surfaces, assert_done, assert_unavailable


@contextlib.contextmanager
def a_transaction(database):
    """Another program writes, and takes no turn."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextlib.contextmanager
def a_turn(database):
    """Another process has its turn, and hangs."""
    with open(f"{database}-lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("locks")) as server:
        yield server


@pytest.mark.parametrize(("held", "sentence"), [(a_transaction, LOCKED), (a_turn, HELD)])
def test_writes_wait_together_and_are_refused_while_reads_go_on(server, held, sentence):
    with Surfaces(server) as client, ThreadPoolExecutor(6) as pool:
        ways = [client.rest_write, client.graphql_write]
        case = client.given_case()
        before = client.count()
        with held(server.database):
            started = time.monotonic()
            writes = [[pool.submit(way) for way in ways] for _ in range(3)]
            time.sleep(0.5)
            assert_done(client.read(case))
            assert client.ready().status_code == 200
            assert not any(write.done() for pair in writes for write in pair)
            for pair in writes:
                assert_unavailable([write.result() for write in pair], sentence)
            # All six waited at the same time, not one after the other.
            assert BUSY_SECONDS < time.monotonic() - started < 3 * BUSY_SECONDS
            assert client.count() == before

        assert_done(client.write())
        assert client.count() == before + 2
    assert "Traceback" not in server.logged()


def test_a_lock_that_is_let_go_of_in_time_is_waited_for(server):
    with Surfaces(server) as client, ThreadPoolExecutor(1) as pool:
        with a_transaction(server.database):
            write = pool.submit(client.write)
            time.sleep(0.5)
            assert not write.done()

        assert_done(write.result())


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_no_longer_in_its_place_is_not_written(tmp_path, replaced):
    with gateway(tmp_path) as server, Surfaces(server) as client:
        case = client.given_case()
        aside = tmp_path / "aside.db"
        server.database.rename(aside)
        if replaced:
            shutil.copy(aside, server.database)

        assert_unavailable(client.write(), MOVED)
        ready = client.ready()
        assert (ready.status_code, ready.json()["reason"]) == (503, MOVED)
        assert_done(client.read(case))

        aside.replace(server.database)
        assert_done(client.write())
        assert client.ready().status_code == 200
        server.command("verify")
