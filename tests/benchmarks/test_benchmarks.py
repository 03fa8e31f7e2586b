"""The benchmark answers rightly; how fast anything is, is not for a test to say."""

import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest

from benchmarks import checking, data
from benchmarks.data import Firm
from benchmarks.floor import Floor
from benchmarks.load import Cell
from benchmarks.report import goals
from benchmarks.runs import Figures
from benchmarks.servers import SERVERS, BenchmarkError, Server
from benchmarks.works import WORKS, Call, Sample, Work
from domain.storage.opening import opened
from domain.upkeep.verifying import verify
from tests.benchmarks.variants import LONG, only_long

ROOT = Path(__file__).parent.parent.parent
BY_HAND = [work for work in WORKS if SERVERS["floor"].knows(work)]


@dataclass
class InProcess:
    """Floor (a) as the checks see a running server, telling the truth or not."""

    floor: Floor
    firm: Firm
    spoil: bool = False
    server: Server = SERVERS["floor"]

    def ask(self, work: Work, call: Call) -> bytes:
        path = (call.path or f"/{work.name}").partition("?")[0]
        answer = orjson.loads(orjson.dumps(self.floor.answer(path, call.variables or {})))
        if self.spoil:
            spoil(answer)
        return orjson.dumps(answer)


def spoil(answer):
    """Take the last item out of the last list, or give out another version."""
    found = list(parts(answer))
    lists = [part for part in found if isinstance(part, list) and part]
    if lists:
        lists[-1].pop()
    else:
        next(part for part in found if "version" in part)["version"] += 1


def parts(value):
    if isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from parts(part)


@pytest.fixture(scope="module")
def firm(tmp_path_factory):
    return data.firm(tmp_path_factory.mktemp("databases"), 200)


@pytest.fixture
def copy(firm, tmp_path):
    return firm.copied(tmp_path, "floor")


@pytest.fixture
def floor(copy):
    with closing(Floor(copy.path, copy.workspace_id, copy.seal)) as floor:
        yield floor


@pytest.mark.parametrize(
    ("options", "servers"),
    [
        pytest.param(
            () if LONG else ("--servers", "casegraph,floor,stock"), 7 if LONG else 3, id="files"
        ),
        pytest.param(
            ("--database", "postgresql", "--firms", "2", "--servers", "casegraph,floor"),
            2,
            id="postgresql",
            marks=only_long,
        ),
    ],
)
def test_all_servers_give_the_right_answers_to_all_works(tmp_path, options, servers):
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--tiny", "--folder", tmp_path, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (ended.returncode, ended.stderr.strip()) == (0, "")
    assert f"All answers of 12 works by {servers} servers agree." in ended.stdout
    assert not list(tmp_path.glob("run-*"))


@pytest.mark.parametrize("work", BY_HAND, ids=lambda work: work.name)
def test_a_right_answer_passes(firm, copy, floor, work):
    sizes = checking.check(work, [InProcess(floor, copy)], Sample.of(firm), 0)

    assert sizes["floor"] > 0


@pytest.mark.parametrize("work", BY_HAND, ids=lambda work: work.name)
def test_a_wrong_answer_is_noticed(firm, copy, floor, work):
    with pytest.raises(BenchmarkError, match=f"floor answered {work.name} wrongly"):
        checking.check(work, [InProcess(floor, copy, spoil=True)], Sample.of(firm), 0)


def test_two_servers_that_differ_are_noticed(firm, copy, floor, monkeypatch):
    other = InProcess(floor, copy, spoil=True, server=replace(SERVERS["floor"], name="casegraph"))
    monkeypatch.setattr(checking, "_check_by_sql", lambda *_: None)

    with pytest.raises(BenchmarkError, match="casegraph and floor answer Q1 differently"):
        checking.check(WORKS[0], [InProcess(floor, copy), other], Sample.of(firm), 0)


async def test_what_is_generated_and_what_the_floor_writes_is_verified(firm, copy, floor):
    for work in BY_HAND:
        checking.check(work, [InProcess(floor, copy)], Sample.of(firm), 0)

    async with opened(f"sqlite:///{copy.path}") as database:
        found = await verify(database)
    assert (found.findings, found.cases) == ([], 201)


def test_a_database_is_made_once(firm):
    again = data.firm(firm.path.parent, 200, lambda _line: pytest.fail("it was made again"))

    assert again == firm


def test_half_of_the_cases_are_linked_and_each_has_five_events(floor):
    linked = floor.reader.execute("SELECT count(DISTINCT case_id) FROM case_link").fetchall()
    events = floor.reader.execute(
        "SELECT DISTINCT count(*) FROM timeline_event WHERE case_id NOT NULL GROUP BY case_id"
    ).fetchall()

    assert (linked, events) == ([(100,)], [(5,)])


def test_a_goal_is_judged_by_the_median_of_the_rounds_ratios():
    figures = Figures(10_000, 199)
    for server, rates in (("casegraph", (95, 10, 97)), ("floor", (100, 100, 100))):
        cells = [Cell(rate, 1.0, 1.0, 1.0) for rate in rates]
        figures.cells["Q1", 8, server] = cells

    judged = {goal.what: (goal.value, goal.reached) for goal in goals([figures])}

    assert judged["Q1 / floor (a) at 10,000 cases"] == (0.95, "reached")
    assert judged["Q1 / floor (a) at 10,000 cases, 1 connection"] == (None, "not measured")
    assert judged["Q3 / floor (a) at 10,000 cases"] == (None, "not measured")
