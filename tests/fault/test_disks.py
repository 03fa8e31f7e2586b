"""A disk that is full or read-only: writes are refused, reads go on, and it passes.

What needs a privilege, such as a small disk of one's own, is skipped without it.
"""

import contextlib
import ctypes
import os
import resource
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domain.storage.sqlite.errors import DISK_FULL, READ_ONLY, UNWRITABLE
from tests.fault.servers import Gateway, gateway
from tests.fault.surfaces import Surfaces, assert_done, assert_unavailable

LONG = "x" * 10_000
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
PR_CAPBSET_DROP = 24


def mount(*arguments: object) -> bool:
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    if not shutil.which("mount") or not mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", place):
        pytest.skip("a disk can only be mounted by root")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def written_until_refused(client: Surfaces) -> tuple[list, set[str]]:
    """The answers of the first refusal, and what was acknowledged before."""
    kept = set()
    for _ in range(2_000):
        answers = client.write(description=LONG)
        if answers[0].status_code == 201:
            kept.add(answers[0].json()["id"])
        if answers[1].status_code == 200:
            kept.add(answers[1].json()["data"]["createCase"]["case"]["uuid"])
        if {answer.status_code for answer in answers} == {503}:
            return answers, kept
    raise AssertionError("the disk is never full")


def assert_all_there(client: Surfaces, kept: set[str]) -> None:
    assert client.count() == len(kept)
    for uuid in kept:
        assert_done(client.read(uuid))


def test_a_full_disk_stops_writes_only_until_there_is_room(small_disk):
    with gateway(small_disk) as server, Surfaces(server) as client:
        refused, kept = written_until_refused(client)
        assert_unavailable(refused, DISK_FULL)
        assert_unavailable(client.write(description=LONG), DISK_FULL)
        assert_all_there(client, kept)
        assert client.ready().status_code == 200

        assert mount("-o", "remount,size=20m", small_disk)
        assert_done(client.write(description=LONG))

        assert client.count() == len(kept) + 2
        assert "Traceback" not in server.logged()
        server.command("verify")


def test_a_disk_that_fills_up_under_many_writers_loses_nothing_acknowledged(small_disk):
    with gateway(small_disk) as server:

        def write_until_refused(number):
            kept = set()
            with server.client() as client:
                for n in range(2_000):
                    new = {"name": f"{number} {n}", "description": LONG}
                    answer = client.post("/api/v1/cases", json=new)
                    if answer.status_code == 503:
                        return kept, n
                    assert answer.status_code == 201
                    kept.add(answer.json()["id"])
            raise AssertionError("the disk is never full")

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(write_until_refused, range(8)))

        kept = set().union(*(kept for kept, _ in found))
        refused = {f"{number} {n}" for number, (_, n) in enumerate(found)}
        with Surfaces(server) as client:
            assert_all_there(client, kept)
        with server.client() as client:
            for name in refused:
                answer = client.get("/api/v1/cases", params={"search": name, "limit": 100})
                assert name not in [case["name"] for case in answer.json()["data"]]
        assert "Traceback" not in server.logged()
        assert mount("-o", "remount,size=20m", small_disk)
        server.command("verify")


def test_a_limit_on_the_file_stops_writes_only_until_it_is_raised(tmp_path):
    with gateway(tmp_path) as server, Surfaces(server) as client:
        kept = {client.given_case(description=LONG) for _ in range(20)}
        pid = server.process.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        log = server.database.with_name("cases.db-wal")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
        refused, more = written_until_refused(client)
        assert_unavailable(refused, UNWRITABLE)
        assert_all_there(client, kept | more)

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert_done(client.write(description=LONG))

        assert client.count() == len(kept | more) + 2
        assert "Traceback" not in server.logged()
        server.command("verify")


@contextlib.contextmanager
def immutable(*files):
    """Files that nobody may write, not even who has them open."""
    change = shutil.which("chattr")
    if not change or subprocess.run([change, "+i", *files], capture_output=True).returncode:
        subprocess.run([change or "true", "-i", *files], capture_output=True)
        pytest.skip("files can only be made immutable by root, on some file systems")
    try:
        yield
    finally:
        subprocess.run([change, "-i", *files], check=True)


@pytest.fixture
def disk_path():
    """A folder on a disk: in memory, an immutable file that is open can still be written."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def test_a_file_that_becomes_read_only_stops_writes_only(disk_path):
    with gateway(disk_path) as server, Surfaces(server) as client:
        case = client.given_case()
        with immutable(server.database, f"{server.database}-wal"):
            first = client.write()
            assert [answer.status_code for answer in first] == [503, 503]
            assert_unavailable(client.write(), READ_ONLY)
            assert_done(client.read(case))
            assert client.ready().status_code == 200

        assert_done(client.write())

        assert client.count() == 3
        assert "Traceback" not in server.logged()
        server.command("verify")


def without_privilege() -> None:
    """In a new process, before its program: even root may do only what permissions say."""
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability)


@pytest.fixture
def stopped(tmp_path):
    """A gateway that has run, over a database that nobody has open."""
    server = Gateway(tmp_path)
    server.command("init")
    yield server
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("verify",), ("export",)])
def test_a_read_only_file_is_told_of_at_the_start(stopped, command):
    stopped.database.chmod(0o400)

    told = stopped.command(*command, status=1, preexec_fn=without_privilege)

    assert (
        told == f"casegraph: {stopped.database} cannot be opened for writing: Permission denied.\n"
    )


@pytest.mark.parametrize("lock_there", [True, False])
def test_a_read_only_folder_is_told_of_at_the_start(stopped, lock_there):
    if not lock_there:
        stopped.database.with_name("cases.db-lock").unlink()
    stopped.database.parent.chmod(0o500)

    told = stopped.command("serve", "--port", "0", status=1, preexec_fn=without_privilege)

    assert told.startswith("casegraph: The database")
    assert told.count("\n") == 1


def test_a_folder_in_the_place_of_the_database_is_told_of_at_the_start(tmp_path):
    server = Gateway(tmp_path)
    server.database.mkdir()

    told = server.command("serve", "--port", "0", status=1)

    assert told == f"casegraph: {server.database} cannot be opened for writing: Is a directory.\n"
