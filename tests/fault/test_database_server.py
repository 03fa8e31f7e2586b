"""The database server restarts, loses connections or hangs under load: no answer is a lie.

CASEGRAPH_RESTARTS and CASEGRAPH_BACKEND_KILLS say how often; CASEGRAPH_SEED repeats a run.
"""

import json
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from domain.access.principal import Scope
from domain.storage.postgresql.server import ABANDONED_SECONDS
from tests.fault.exchanges import Hang, Line, Request
from tests.fault.servers import Gateway
from tests.postgresql import server as own_server
from tests.proxies import proxy

pytestmark = pytest.mark.postgresql

RESTARTS = int(os.environ.get("CASEGRAPH_RESTARTS", "2"))
KILLS = int(os.environ.get("CASEGRAPH_BACKEND_KILLS", "6"))
SEED = int(os.environ.get("CASEGRAPH_SEED", "20261128"))
WRITERS = 6
LONGEST = 2 * ABANDONED_SECONDS + 1
"""Seconds in which a frozen gateway may hold up writers: one of its writes has the turn,
another may get it just before it would have waited too long, and the server ends each."""
QUERY_SECONDS = 3
PAUSE = 0.01
"""Seconds that a writer waits when it was refused; without end to that, nobody else would run."""
MAY_BE_STORED = ("may or may not be stored", "is stored, but")
CREATE = "mutation($n: String!) { createCase(input: {name: $n}) { case { name } } }"


@pytest.fixture(scope="module")
def machine():
    """A server of its own, whose commits reach the operating system."""
    with own_server(autovacuum="off") as made:
        made.sql("CREATE ROLE casegraph LOGIN CREATEDB")
        yield made


@pytest.fixture
def url(machine):
    machine.sql("CREATE DATABASE cases OWNER casegraph")
    yield machine.url("cases", "casegraph")
    machine.sql("DROP DATABASE cases WITH (FORCE)")


def prepared(folder, url, **settings):
    """A gateway that was not started, over a new schema, with a key for all scopes."""
    one = Gateway(folder, database_url=url, query_seconds=QUERY_SECONDS, **settings)
    one.command("init")
    one.key = one.make_key(*(part for scope in Scope for part in ("--scope", scope)))
    return one


@pytest.fixture
def gateway(tmp_path, url):
    one = prepared(tmp_path, url)
    one.start()
    try:
        yield one
    finally:
        if one.process is not None:
            one.kill()


@dataclass
class Told:
    """What the answers said of the cases to be made, by name, and when one was made last."""

    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    made_at: list[float] = field(default_factory=list)


class Writer:
    """Makes cases by one surface until it is told to end."""

    def __init__(self, gateway, number, told):
        self._line = Line(gateway.url)
        self._headers = [
            (b"Authorization", b"Bearer " + gateway.key.encode()),
            (b"Content-Type", b"application/json"),
        ]
        self._number = number
        self._told = told

    def run(self, over, *, may_hang=False):
        count = 0
        while not over.is_set():
            count += 1
            name = f"{self._number} {count}"
            try:
                self.create(name)
            except Hang:
                assert may_hang
                self._told.doubtful.add(name)

    def create(self, name):
        rest = self._number % 2
        if rest:
            path, body = b"/api/v1/cases", {"name": name}
        else:
            path, body = b"/graphql", {"query": CREATE, "variables": {"n": name}}
        answer = self._line.ask(Request(b"POST", path, self._headers, json.dumps(body).encode()))
        said = answer.json()
        told = self._told
        errors = [said["error"]] if "error" in said else said.get("errors", [])
        if not errors and answer.status in (200, 201):
            told.acknowledged.add(name)
            told.made_at.append(time.monotonic())
        elif any(words in error["message"] for error in errors for words in MAY_BE_STORED):
            told.doubtful.add(name)
            if answer.all("retry-after"):
                told.wrong.append(f"{answer}: it asks to try again")
        elif answer.status == 503 or {one.get("extensions", one)["code"] for one in errors} == {
            "SERVICE_UNAVAILABLE"
        }:
            told.refused.add(name)
            time.sleep(PAUSE)
        else:
            told.wrong.append(str(answer))


def compare(gateway, told, machine, url, *, least=20):
    """Each answer with the table; *least* were acknowledged."""
    assert told.wrong == []
    listed = machine.sql("SELECT name FROM cases", url.rpartition("/")[2]).splitlines()
    stored = set(listed)
    assert len(listed) == len(stored)
    assert told.acknowledged - stored == set()
    assert told.refused & stored == set()
    assert stored <= told.acknowledged | told.doubtful
    assert len(told.acknowledged) >= least
    gateway.command("verify")
    print(
        f"{len(told.acknowledged)} acknowledged, {len(told.refused)} refused,"
        f" {len(told.doubtful & stored)} of {len(told.doubtful)} doubtful ones stored"
    )


def under_load(gateway, work):
    """What writers were told while *work* was done."""
    told, over = Told(), threading.Event()
    with ThreadPoolExecutor(WRITERS) as pool:
        tasks = [pool.submit(Writer(gateway, n, told).run, over) for n in range(WRITERS)]
        try:
            work(told)
        finally:
            over.set()
        for task in tasks:
            task.result()
    return told


def test_restarts_of_the_database_server_lose_nothing_acknowledged(gateway, machine, url):
    chance = random.Random(SEED)

    def restart(told):
        for number in range(RESTARTS):
            time.sleep(chance.uniform(0.3, 1.0))
            machine.stop(signal.SIGQUIT if number % 2 else signal.SIGINT)
            time.sleep(chance.uniform(0.0, 0.5))
            machine.start()
            back = time.monotonic()
            while not told.made_at or told.made_at[-1] < back:
                assert time.monotonic() - back < 5, gateway.logged()[-3000:]
                time.sleep(0.01)

    told = under_load(gateway, restart)

    compare(gateway, told, machine, url)


def test_killed_connections_lose_nothing_acknowledged(gateway, machine, url):
    chance = random.Random(SEED)

    def kill(told):
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.3))
            machine.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'casegraph' AND state <> 'idle'"
            )

    told = under_load(gateway, kill)

    compare(gateway, told, machine, url)


@pytest.mark.parametrize("fate", ["cut", "lost", "unanswered"])
def test_commits_whose_answer_is_lost_are_told_of(tmp_path, machine, url, fate):
    with proxy(machine.port) as network:
        one = prepared(tmp_path, network.url(url))
        one.start()
        try:

            def spoil(told):
                begun = time.monotonic()
                while len(told.acknowledged) < 20:  # however slow the machine is
                    assert time.monotonic() - begun < 30
                    time.sleep(0.01)
                for _ in range(1 if fate == "unanswered" else 3):
                    time.sleep(0.3)
                    before, network.commits = network.spoiled, fate
                    time.sleep(0.3)
                    until = time.monotonic() + 12
                    while time.monotonic() < until and network.spoiled == before:
                        time.sleep(0.01)
                    network.commits = ""
                    while time.monotonic() < until and not told.doubtful:
                        time.sleep(0.01)

            told = under_load(one, spoil)
            compare(one, told, machine, url)
            assert told.doubtful
        finally:
            one.kill()


def test_a_server_that_hangs_hangs_nobody(gateway, machine, url):
    line = Line(gateway.url)
    bearer = [(b"Authorization", b"Bearer " + gateway.key.encode())]
    list_ = Request(b"GET", b"/api/v1/cases?limit=1", bearer)
    assert line.ask(list_).status == 200

    machine.freeze()
    try:
        ready = line.ask(Request(b"GET", b"/readyz"))
        assert (ready.status, ready.seconds < 2.5) == (503, True), ready
        asked = [
            Request(b"GET", b"/api/v1/cases?limit=2", bearer),
            Request(
                b"POST",
                b"/graphql",
                [*bearer, (b"Content-Type", b"application/json")],
                json.dumps({"query": "{ cases(first: 3) { nodes { name } } }"}).encode(),
            ),
        ]
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda one: Line(gateway.url).ask(one), asked * 10))
        assert {answer.status for answer in answers} == {503}
        assert max(answer.seconds for answer in answers) < QUERY_SECONDS + 1
    finally:
        machine.thaw()

    told = Told()
    Writer(gateway, 1, told).create("after")
    assert told.acknowledged == {"after"}
    assert line.ask(Request(b"GET", b"/readyz")).status == 200


def test_a_gateway_that_freezes_in_a_write_keeps_nobody_else_from_writing(
    gateway, tmp_path, machine, url
):
    other = Gateway(tmp_path / "other", database_url=url, query_seconds=QUERY_SECONDS)
    (tmp_path / "other").mkdir()
    other.key = gateway.key
    other.start()
    told, others, over = Told(), Told(), threading.Event()
    try:
        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [Writer(gateway, n, told) for n in range(WRITERS)]
            tasks = [pool.submit(writer.run, over, may_hang=True) for writer in writers]
            try:
                freeze_in_a_write(gateway, machine)
                frozen = time.monotonic()
                writer = Writer(other, 101, others)
                while not others.acknowledged:
                    writer.create(f"other {time.monotonic()}")
                    assert time.monotonic() - frozen < LONGEST
            finally:
                over.set()
                gateway.process.send_signal(signal.SIGCONT)
            for task in tasks:
                task.result()
    finally:
        other.kill()

    told.acknowledged |= others.acknowledged
    told.refused |= others.refused
    compare(gateway, told, machine, url, least=1)


def freeze_in_a_write(gateway, machine):
    """Freeze it while a transaction of its is open that holds the workspace's turn."""
    for _ in range(200):
        time.sleep(0.05)
        gateway.process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)  # until what it had sent is done
        held = machine.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'casegraph'"
            " AND state = 'idle in transaction' AND query NOT LIKE '%READ ONLY%'"
        )
        if held != "0":
            return
        gateway.process.send_signal(signal.SIGCONT)
    raise AssertionError("It is never in a write.")
