"""A forked command is as one that was started anew."""

import os
import signal
import subprocess

import pytest

from tests import forking


@pytest.fixture
def started(tmp_path):
    """Runs a command both ways; status, output and errors of each."""
    environment = {
        **{name: text for name, text in os.environ.items() if "CASEGRAPH" not in name},
        "CASEGRAPH_DATABASE_URL": f"sqlite:///{tmp_path / 'cases.db'}",
        "PYTHONPATH": str(forking.ROOT),
        "COLUMNS": "57",
    }

    def both(*arguments, **variables):
        options = {"cwd": tmp_path, "env": environment | variables}
        anew = subprocess.run(
            [*forking.COMMAND, *arguments], **options, capture_output=True, text=True, timeout=60
        )
        forked = forking.run(arguments, **options)
        return [(one.returncode, one.stdout, one.stderr) for one in (anew, forked)]

    return both


@pytest.mark.parametrize(
    "arguments",
    [("--version",), ("--help",), ("init",), ("settings",), ("keys", "list"), ("verify", "--x")],
)
def test_what_a_command_prints_and_its_status_are_the_same(started, arguments):
    anew, forked = started(*arguments)

    assert anew == forked
    assert any(anew[1:])


def test_its_environment_is_its_own(started):
    anew, forked = started("settings", CASEGRAPH_RATE_LIMIT="many")

    assert anew == forked
    assert anew[0] == 2


def test_it_ends_by_the_signal_it_is_sent(tmp_path):
    reading, writing = os.pipe()
    with open(reading) as never, open(writing, "w"):
        process = forking.launch(["import", "-", "--source", "s"], cwd=tmp_path, stdin=never)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        process.kill()

    assert process.wait(10) == process.poll() == -signal.SIGKILL
