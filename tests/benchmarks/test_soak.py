"""A tiny soak: that what /metrics counts is what was asked, and that a difference is seen."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import soak
from tests.benchmarks.variants import only_long


@only_long
def test_what_metrics_tell_is_what_was_asked(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.soak", "--cases", "200", "--minutes", "0.03"),
            *("--workers", "2", "--folder", str(tmp_path)),
        ],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "AUTH_INVALID_KEY" in done.stdout


def test_what_was_counted_is_read_from_the_samples():
    labels = {"surface": "rest", "status": "404", "code": "CASE_NOT_FOUND"}
    samples = {
        ("casegraph_requests_total", frozenset({**labels, "operation": name}.items())): 2.0
        for name in ("GET a", "GET b")
    }

    assert soak.counted(samples) == Counter({("rest", "404", "CASE_NOT_FOUND"): 4})


@pytest.mark.parametrize(
    ("surface", "answer", "code"),
    [
        ("rest", {"error": {"code": "NOT_FOUND"}}, "NOT_FOUND"),
        ("rest", {"data": []}, ""),
        ("graphql", {"errors": [{"extensions": {"code": "A"}}], "data": None}, "A"),
        ("graphql", {"data": {"createCase": {"userErrors": [{"code": "B"}]}}}, "B"),
        ("graphql", {"data": {"createCase": {"userErrors": []}}}, ""),
    ],
)
def test_the_code_is_that_of_the_first_error(surface, answer, code):
    assert soak.code_of(surface, answer) == code


def test_a_line_that_is_no_request_is_a_complaint(tmp_path):
    log = tmp_path / "log"
    log.write_text('casegraph on http://x\n{"level": "info"}\n{"level": "error"}\nTraceback\n')

    assert soak.complaints(log) == ['{"level": "error"}', "Traceback"]
