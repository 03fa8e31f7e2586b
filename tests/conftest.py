"""How the tests run: on which databases, in which order, divided among workers, in memory."""

import gc
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests import cells

pytest.register_assert_rewrite("tests.fixtures")  # before other files import it
DATABASES = os.environ.get("CASEGRAPH_TEST_DATABASES", "sqlite,postgresql").split(",")
"""What the tests run on. A test of one of them alone is marked with its name."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        kinds = ("sqlite", "postgresql")
        only = {name for name in kinds if metafunc.definition.get_closest_marker(name)}
        metafunc.parametrize("database_kind", [one for one in DATABASES if one in (only or kinds)])


SLOW = {"fault", "commands", "benchmarks", "execution", "clients", "storage", "telemetry"}
"""Folders whose tests start processes, wait, or make very many requests."""
EARLY = 0.6
"""The share of a run in which these begin."""
IN_MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that must be free there."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=cells.leave_out(items))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, float]:
    """When a test runs, so that workers neither compute nor wait all at the same time.

    The browser comes first. The others are mixed, but nothing that takes long begins so late that
    the other workers would have to wait for it. One process alone keeps the order of the files.
    """
    unit = unit_of(item.nodeid)
    share = crc32(unit.encode()) / (1 << 32)
    is_slow = unit in SHARING or not SLOW.isdisjoint(item.path.parts)
    return unit != BROWSER, share * EARLY if is_slow else share


def pytest_collection_finish() -> None:
    """What was collected stays: the collector need not look through it again and again."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(100_000, 50, 50)


def pytest_sessionfinish() -> None:
    """What is left at the end need not be looked through either, five times, by pytest itself."""
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the databases of tests in memory: most of their time went into copying and fsync.

    What is killed loses nothing by it: only a machine that stops would. The tests also start
    hundreds of processes, which must not each compile the same files anew.
    """
    gc.disable()  # until the tests are collected
    cells.choose(config)
    # A shell that starts the tests in the background lets them, and all they start, ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Reading the machine's certificates takes 20 ms for each client of HTTP: those that tests trust
    # are their own. Most connections to PostgreSQL need not ask for TLS, which the tests' has not.
    os.environ |= {"SSL_CERT_FILE": "", "SSL_CERT_DIR": str(ROOT / "tests")}
    os.environ.setdefault("PGSSLMODE", "disable")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)
    # Who only divides the tests among workers need not load the program.
    if hasattr(config, "workerinput") or config.option.dist == "no":
        config.pluginmanager.import_plugin("tests.fixtures")


class Scheduling(LoadScopeScheduling):
    """Units run in one worker each, in order."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def unit_of(nodeid: str) -> str:
    """What runs in one worker: tests that share a server or a database of their module, and those
    that share a browser; of the others, each function."""
    file, _, test = nodeid.partition("::")
    if file.startswith(BROWSER):
        return BROWSER
    return file if file in SHARING else f"{file}::{test.partition('[')[0]}"


ROOT = Path(__file__).parents[1]
BROWSER = "tests/browser"
SHARING = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "tests").rglob("test_*.py")
    if any(
        'scope="module"' in file.read_text(encoding="utf-8")
        for file in (path, path.with_name("conftest.py"))
        if file.exists() and file != Path(__file__)
    )
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many workers as there are cores: many tests wait for a server or a deadline."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)
