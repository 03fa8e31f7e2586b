"""What is tried of the benchmarks' own programs by default, and what in CI only."""

import os

import pytest

LONG = "CASEGRAPH_BENCHMARKS" in os.environ
"""Whether all of them are tried."""
only_long = pytest.mark.skipif(not LONG, reason="CASEGRAPH_BENCHMARKS=all tries it")
"""Marks what takes ten seconds with several servers and their load."""
