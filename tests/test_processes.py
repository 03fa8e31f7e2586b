"""What is told of another process is told of one that ends meanwhile, too."""

import os
import subprocess
import sys

import pytest

from tests import processes

TOLD = (processes.children, processes.workers, processes.is_running, processes.environment)


@pytest.fixture
def sleeper():
    """A process with a child, and a variable of its own."""
    inner = "import sys; print(1, flush=True); sys.stdin.read()"
    text = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", text],
        env=os.environ | {"MINE": "a=b"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"1\n"
        yield process
        process.kill()


def test_one_that_runs_is_seen_with_its_child(sleeper):
    assert processes.is_running(sleeper.pid)
    [child] = processes.children(sleeper.pid)
    assert processes.is_running(child)
    assert processes.children(child) == processes.workers(sleeper.pid) == []
    assert processes.environment(sleeper.pid)[b"MINE"] == b"a=b"
    sleeper.stdin.close()


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("told", TOLD)
def test_one_that_has_ended_has_nothing(sleeper, told, awaited):
    sleeper.stdin.close()
    how = os.WEXITED | (0 if awaited else os.WNOWAIT)
    os.waitid(os.P_PID, sleeper.pid, how)

    assert not told(sleeper.pid)
