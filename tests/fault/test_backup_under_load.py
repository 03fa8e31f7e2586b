"""casegraph backup while clients write: a sound copy of one moment, or none at all."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import time

import pytest

from tests import forking
from tests.fault.ledgers import Ledger
from tests.fault.loads import Load
from tests.fault.servers import gateway

CLIENTS = 3
BALLAST_BYTES = 40_000_000
"""So that copying takes a while."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with gateway(tmp_path_factory.mktemp("backups")) as server:
        with contextlib.closing(sqlite3.connect(server.database)) as raw:
            raw.execute("CREATE TABLE ballast (weight BLOB)")
            for _ in range(BALLAST_BYTES // 100_000):
                raw.execute("INSERT INTO ballast VALUES (randomblob(100000))")
            raw.commit()
        yield server


@pytest.fixture
def writers(server, request):
    """Clients that write; they end with the test."""
    loads = [Load(server, Ledger(), f"{request.node.name}.{n}") for n in range(CLIENTS)]
    for load in loads:
        load.start()
    time.sleep(0.2)
    yield loads
    for load in loads:
        load.end()
    assert [load.surprises for load in loads if load.surprises] == []


def acknowledged(writers):
    return sum(load.ledger.acknowledged for load in writers)


def rows(database, sql):
    with contextlib.closing(sqlite3.connect(database)) as raw:
        return raw.execute(sql).fetchall()


def test_a_copy_made_under_load_is_sound_and_of_one_moment(server, writers, tmp_path):
    for number in range(2):
        target = tmp_path / f"copy-{number}.db"
        known = {id for load in writers for id in list(load.ledger.known)}
        before = acknowledged(writers)

        told = server.command("backup", target)

        assert acknowledged(writers) > before
        assert "is complete" in told
        assert "All is well." in server.command("verify", "--database", target)
        assert known <= {id for (id,) in rows(target, "SELECT id FROM cases")}
        timeline = "SELECT workspace_id, seq, hash FROM timeline_event WHERE workspace_id = 1"
        copied = rows(target, f"{timeline} ORDER BY seq")
        assert [seq for _, seq, _ in copied] == [*range(1, len(copied) + 1)]
        assert copied == rows(server.database, f"{timeline} AND seq <= {len(copied)} ORDER BY seq")
    server.command("verify")


def test_a_copy_that_is_killed_is_not_there_and_the_next_one_is_whole(server, writers, tmp_path):
    target = tmp_path / "copy.db"
    killed = 0
    for extra in (0, 0.005, 0.01, 0.02):
        process = forking.launch(
            ["backup", target], env=server.environment, stdout=subprocess.DEVNULL
        )
        partial = tmp_path / f".copy.db.{process.pid}.partial"
        while not partial.exists() and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(extra)
        process.kill()
        if process.wait(60) == 0:
            target.unlink()
            continue
        killed += 1
        assert not target.exists()

    assert killed > 0
    left = tmp_path / f".copy.db.{process.pid}.partial"
    left.write_bytes(b"of a client")  # as if it had been killed later
    of_another = tmp_path / f".other.db.{os.getpid()}.partial"
    of_another.touch()
    server.command("backup", target)
    assert [*tmp_path.glob(".*.partial")] == [of_another]
    server.command("verify", "--database", target)


def test_an_older_copy_stays_until_the_new_one_is_whole(server, tmp_path):
    target = tmp_path / "copy.db"
    target.write_bytes(b"precious")
    process = forking.launch(["backup", "--overwrite", target], env=server.environment)
    partial = tmp_path / f".copy.db.{process.pid}.partial"
    while not partial.exists():
        assert process.poll() is None
        time.sleep(0.0005)
    process.kill()
    process.wait(60)

    assert target.read_bytes() == b"precious"


def test_a_copy_onto_a_full_disk_is_refused_and_leaves_nothing(server, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a disk can only be mounted by root")
    try:
        told = server.command("backup", disk / "copy.db", status=1)
        left = [*disk.iterdir()]
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)

    assert told == "casegraph: The copy could not be made: database or disk is full.\n"
    assert left == []
