"""Whoever asks a command to stop is heard at every moment, and nothing is left behind."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
import weakref

import pytest

from gateway import stopping
from tests import forking, processes


@pytest.fixture
def environment(tmp_path):
    return {
        **{name: text for name, text in os.environ.items() if "CASEGRAPH" not in name},
        "PYTHONPATH": str(forking.ROOT),
        "TMPDIR": str(tmp_path),
    }


@pytest.fixture
def launch(tmp_path, environment):
    """Starts a command, of which all that it prints can be read."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return functools.partial(forking.launch, cwd=tmp_path, env=environment, **pipes)


class Thing:
    pass


def test_what_is_asked_where_python_drops_it_is_noted():
    thing = Thing()
    seen = weakref.ref(thing, lambda _ref: signal.raise_signal(signal.SIGINT))

    with stopping.noted() as asked:
        del thing

    assert seen() is None
    assert asked == [signal.SIGINT]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_while_a_command_is_loaded_ends_it_without_a_traceback(tmp_path, environment):
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "gateway", "serve"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = threading.Timer(60, process.kill)
    limit.start()
    told = ""
    for line in process.stderr:
        if line.split("|")[-1].strip() == "typer":
            process.send_signal(signal.SIGINT)
        told += line
    limit.cancel()

    assert process.wait(20) == -signal.SIGINT
    assert "Traceback" not in told
    assert "gateway.commands.serve" not in told


def filling(process, folder):
    while not [*folder.glob("casegraph-demo-*/demo.db")]:
        assert process.poll() is None
        time.sleep(0.01)


def shown(process, _folder):
    assert any(line.startswith("Press Ctrl-C") for line in process.stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", [filling, shown])
def test_a_demo_that_is_stopped_leaves_nothing_behind(tmp_path, launch, moment, number):
    cases = 2_000 if moment is filling else 3
    with launch(["demo", "--cases", cases, "--port", "0"]) as process:
        moment(process, tmp_path)
        process.send_signal(number)
        status = process.wait(40)

        assert status == (0 if moment is shown else 130)
        assert "Traceback" not in process.stderr.read()
    assert not [*tmp_path.glob("casegraph-demo-*")]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_that_has_just_told_its_address_stops(tmp_path, launch, workers, number):
    with launch(["serve", "--port", "0", "--workers", workers]) as process:
        assert "casegraph on" in process.stdout.readline()
        process.send_signal(number)

        assert process.wait(40) == (0 if number == signal.SIGINT else -number)
    assert not [*tmp_path.glob("casegraph-metrics-*")]


def test_ctrl_c_in_a_terminal_ends_workers_that_load_without_a_traceback(launch):
    with launch(
        ["serve", "--port", "0", "--workers", 2],
        start_new_session=True,
    ) as process:
        while len(begun := processes.workers(process.pid)) < 2:
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)

        assert process.wait(40) == 0
        assert "Traceback" not in process.stderr.read()
    until = time.monotonic() + 10
    while any(map(processes.is_running, begun)):
        assert time.monotonic() < until
        time.sleep(0.02)
