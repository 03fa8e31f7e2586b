"""One read key that asks for the worst, many times at once, keeps nobody else from answers."""

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2

from domain.demo.firm import demo_cases
from tests.fault.servers import gateway

CASES = 1_000
AT_A_TIME = 16
SECONDS = 4
LETTERS = [a + b for a in "qxzjv" for b in "qxzjvw"]


def asking(aliases, searches):
    """Counts under so many aliases, each of a filter of so many searches of two letters."""
    counts = " ".join(f"a{n}: cases(filter: $f) {{ totalCount }}" for n in range(aliases))
    wanted = {"or": [{"search": pair} for pair in LETTERS[:searches]]}
    return {"query": f"query($f: CaseFilter) {{ {counts} }}", "variables": {"f": wanted}}


WORST = asking(6, 2)
TOO_MUCH = asking(24, 30)


def test_the_others_are_answered_meanwhile(tmp_path):
    with gateway(tmp_path) as server:
        lines = tmp_path / "cases.jsonl"
        lines.write_text("\n".join(json.dumps(case) for case in demo_cases(CASES)))
        server.command("init", "--workspace", "other")
        server.command("import", lines, "--workspace", "other")
        server.command("import", lines)
        key = server.make_key("--scope", "cases:read", "--workspace", "other")
        judge(server, {"Authorization": f"Bearer {key}"})


def judge(server, greedy):
    mine = {"Authorization": f"Bearer {server.key}"}
    refused = httpx2.post(f"{server.url}/graphql", json=TOO_MUCH, headers=greedy)
    assert refused.json()["errors"][0]["extensions"]["code"] == "QUERY_TOO_COSTLY"
    over = threading.Event()
    asked = []
    numbers = itertools.count()

    def attack():
        with httpx2.Client(headers=greedy, timeout=30) as http:
            while not over.is_set():
                # Each unlike the others, or its answer would be a kept one.
                worst = WORST | {"extensions": {"n": next(numbers)}}
                answer = http.post(f"{server.url}/graphql", json=worst)
                asked.append(answer.status_code)

    paths = ("/api/v1/cases", "/api/v1/cases?search=gmbh", "/readyz")
    statuses = {path: [] for path in paths}
    with ThreadPoolExecutor(AT_A_TIME) as attackers:
        for _ in range(AT_A_TIME):
            attackers.submit(attack)
        try:
            until = time.monotonic() + SECONDS
            with httpx2.Client(headers=mine, timeout=30) as http:
                while time.monotonic() < until:
                    for path in paths:
                        unlike = f"{'&' if '?' in path else '?'}n={next(numbers)}"
                        answer = http.get(f"{server.url}{path}{unlike}")
                        statuses[path].append(answer.status_code)
        finally:
            over.set()

    assert len(asked) > AT_A_TIME
    assert {path: set(told) for path, told in statuses.items()} == {path: {200} for path in paths}
    assert all(len(told) > 5 for told in statuses.values())
