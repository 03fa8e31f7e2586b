"""The real cases, which may be beside the checkout: all of them, or one of so many."""

import os
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "shared" / "data" / "supreme-court-cases.jsonl"
EVERY = int(os.environ.get("CASEGRAPH_REAL", "10"))
"""One of how many is tried where each takes a while; 1 for all of them."""
needed = pytest.mark.skipif(not FILE.exists(), reason="the real cases are not beside this checkout")


def lines() -> list[bytes]:
    return FILE.read_bytes().splitlines()


def some() -> list[bytes]:
    return lines()[::EVERY]
