"""The real cases, which may be beside the checkout: all of them, or one of so many."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "shared" / "data" / "supreme-court-cases.jsonl"
EVERY = int(os.environ.get("CASEGRAPH_REAL", "25"))
"""One of how many is tried where each takes a while; 1 for all of them."""
needed = pytest.mark.skipif(not FILE.exists(), reason="the real cases are not beside this checkout")


def lines() -> list[bytes]:
    return FILE.read_bytes().splitlines()


def some(*named: str) -> list[bytes]:
    """One of so many; beside them, those that share a file number, and those of the *named* ones.

    *named* are names and file numbers.
    """
    all_of_them = lines()
    cases = [json.loads(line) for line in all_of_them]
    numbers = Counter(case["file_number"] for case in cases)
    return [
        line
        for place, (line, case) in enumerate(zip(all_of_them, cases, strict=True))
        if place % EVERY == 0
        or (case["file_number"] and numbers[case["file_number"]] > 1)
        or {case["name"], case["file_number"]} & {*named}
    ]
