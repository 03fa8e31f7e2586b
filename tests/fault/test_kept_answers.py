"""Two processes write at random and read right after each acknowledged write: nothing is stale.

CASEGRAPH_READS is how many reads there are (600 unless it is set), CASEGRAPH_SEED repeats a run
as far as that goes.
"""

import contextlib
import itertools
import json
import os
import random
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from domain.access.principal import Scope
from tests.databases import fresh_database
from tests.fault.exchanges import Line, Request
from tests.fault.pairs import two_gateways
from tests.fault.servers import Gateway

READS = int(os.environ.get("CASEGRAPH_READS", "400"))
SEED = int(os.environ.get("CASEGRAPH_SEED", "20261128"))
WRITERS = 4
KILLS = 5

LIST = "{ cases(first: 100, orderBy: {field: CREATED_AT, direction: ASC}) { nodes { uuid name } } }"
ONE = "query($id: ID!) { case(id: $id) { uuid name parties { nodes { party { name } } } } }"
CREATE = "mutation($n: String!) { createCase(input: {name: $n}) { case { id uuid } } }"
UPDATE = (
    "mutation($id: ID!, $n: String!) {"
    " updateCase(input: {id: $id, name: $n}) { case { name } userErrors { code } } }"
)


@pytest.fixture
def gateways(database_kind, tmp_path, request):
    if database_kind == "sqlite":
        with two_gateways(tmp_path) as both:
            yield both
        return
    with fresh_database(request.getfixturevalue("postgresql")) as url:
        one, another = (Gateway(tmp_path, database_url=url) for _ in range(2))
        one.command("init")
        scopes = [part for scope in Scope for part in ("--scope", scope)]
        one.key = another.key = one.make_key(*scopes)
        one.start()
        another.start()
        try:
            yield one, another
            one.command("verify")
        finally:
            one.stop()
            another.stop()


class Client:
    """Connections to both processes, and everything that can be asked."""

    def __init__(self, gateways):
        self._lines = [Line(one.url) for one in gateways]
        self._bearer = [(b"Authorization", b"Bearer " + gateways[0].key.encode())]

    def ask(self, process, method, path, body=None):
        headers = [*self._bearer, (b"Content-Type", b"application/json")]
        content = None if body is None else json.dumps(body).encode()
        answer = self._lines[process].ask(Request(method, path.encode(), headers, content))
        assert answer.status < 300, answer
        return answer.json()

    def graphql(self, process, query, **variables):
        body = {"query": query, "variables": variables}
        answer = self.ask(process, b"POST", "/graphql", body)
        assert "errors" not in answer, answer
        return answer["data"]

    def by_get(self, process, query, **variables):
        asked = {"query": query, "variables": json.dumps(variables)}
        return self.ask(process, b"GET", f"/graphql?{urllib.parse.urlencode(asked)}")["data"]


def readings(client, process, own):
    """Ways to read, each of which finds names by the ids of cases."""

    def named(nodes, key):
        return {one[key]: one["name"] for one in nodes}

    def rest(path):
        return client.ask(process, b"GET", f"/api/v1{path}")

    return [
        lambda: named(client.graphql(process, LIST)["cases"]["nodes"], "uuid"),
        lambda: named(client.by_get(process, LIST)["cases"]["nodes"], "uuid"),
        lambda: named([client.graphql(process, ONE, id=own)["case"]], "uuid"),
        lambda: named(rest("/cases?limit=100")["data"], "id"),
        lambda: named([rest(f"/cases/{own}")], "id"),
    ]


def writings(client, process, own):
    return [
        lambda name: client.graphql(process, UPDATE, id=own, n=name),
        lambda name: client.ask(process, b"PUT", f"/api/v1/cases/{own}", {"name": name}),
    ]


def test_nothing_that_is_read_after_a_write_is_from_before_it(gateways):
    made = Client(gateways)
    cases = [made.graphql(0, CREATE, n=f"{n} 0")["createCase"]["case"] for n in range(WRITERS)]
    # What was written of each case and acknowledged: one writer each, so numbers only grow.
    written = {case["uuid"]: 0 for case in cases}
    reads = itertools.count()
    over = threading.Event()

    def work(number, own):
        client, chance = Client(gateways), random.Random(f"{SEED} {number}")
        while not over.is_set():
            process = chance.randrange(2)
            name = f"{number} {written[own] + 1}"
            chance.choice(writings(client, process, own))(name)
            written[own] += 1
            # Enough of them that some are kept ones.
            for _ in range(chance.choice((1, 1, 2, 8))):
                before = dict(written)
                found = chance.choice(readings(client, chance.randrange(2), own))()
                assert found[own] == f"{number} {written[own]}"
                for id, shown in found.items():
                    assert int(shown.split()[1]) >= before[id], (id, shown, before[id])
                if next(reads) >= READS:
                    over.set()

    with ThreadPoolExecutor(WRITERS) as pool:
        tasks = [pool.submit(work, n, case["uuid"]) for n, case in enumerate(cases)]
        for task in as_completed(tasks):
            over.set()
            task.result()


@pytest.mark.sqlite
def test_a_process_that_is_killed_while_it_writes_leaves_nothing_stale(gateways):
    killed, survivor = gateways
    client = Client((survivor, survivor))
    own = client.graphql(0, CREATE, n="0")["createCase"]["case"]["uuid"]
    chance = random.Random(SEED)

    for _ in range(KILLS):
        victim = Client((killed, killed))
        writing = threading.Thread(target=write_until_killed, args=(victim, own))
        writing.start()
        for _ in range(chance.randrange(5, 40)):
            same = (
                client.graphql(0, ONE, id=own),
                fresh(client, own),
                client.graphql(0, ONE, id=own),
            )
            # A write may come in between, but nothing goes back.
            numbers = [int(one["case"]["name"]) for one in same]
            assert numbers == sorted(numbers)
        killed.kill()
        writing.join(30)

        for _ in range(4):
            assert client.graphql(0, ONE, id=own) == fresh(client, own)
        killed.start()


def write_until_killed(client, own):
    with contextlib.suppress(OSError, EOFError):
        for number in itertools.count(int(client.graphql(0, ONE, id=own)["case"]["name"]) + 1):
            client.graphql(0, UPDATE, id=own, n=str(number))


def fresh(client, own):
    """The same answer, but never a kept one."""
    body = {"query": ONE, "variables": {"id": own}, "extensions": {"cost": True}}
    return client.ask(0, b"POST", "/graphql", body)["data"]
