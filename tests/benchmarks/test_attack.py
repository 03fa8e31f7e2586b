"""A tiny attack: that each abuse is refused as it should be. Nothing is timed."""

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.variants import only_long


@only_long
def test_every_abuse_is_refused_and_the_others_are_answered(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.attack", "--cases", "200", "--times", "1"),
            *("--seconds", "0.3", "--rounds", "1", "--memory-minutes", "0"),
            *("--folder", str(tmp_path)),
        ],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "legitimate p99" in done.stdout
