"""A run at one size: servers on copies of one database, checked, then timed in turns.

Servers take turns within each round, so that what the machine does meanwhile hits all of them.
Works that write come after all that read: what they add would change what is read.
"""

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks import checking, load, works
from benchmarks.data import Firm
from benchmarks.databases import Databases, in_files, on_postgresql
from benchmarks.load import Cell
from benchmarks.servers import BenchmarkError, Running, Server, running
from benchmarks.works import Sample, Work
from domain.storage.opening import opened
from domain.upkeep.verifying import verify

WRITE_SECONDS = 1.0
Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run at each size."""

    servers: Sequence[Server]
    works: Sequence[Work]
    connections: Sequence[int]
    rounds: int
    seconds: int
    postgresql: bool = False


@dataclass(slots=True)
class Figures:
    """What came out at one size. Cells: one a round, by work, number of connections and server."""

    cases: int
    deep_page: int
    postgresql: bool = False
    cells: dict[tuple[str, int, str], list[Cell]] = field(default_factory=dict)
    bytes: dict[str, dict[str, int]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    database_bytes: int = 0

    def rate(self, work: str, connections: int, server: str) -> float | None:
        """The median of the rounds, in requests a second; None if it was not measured."""
        cells = self.cells.get((work, connections, server))
        return median(cell.rate for cell in cells) if cells else None

    def latency(self, work: str, connections: int, server: str) -> tuple[float, float] | None:
        """The medians of p50 and p99, in milliseconds."""
        cells = self.cells.get((work, connections, server))
        if not cells:
            return None
        return median(cell.p50 for cell in cells), median(cell.p99 for cell in cells)

    def database_ms(self, work: str, connections: int, server: str) -> float | None:
        """The median of the database server's processor time for each request, in milliseconds."""
        cells = self.cells.get((work, connections, server), ())
        found = [cell.database_ms for cell in cells if cell.database_ms is not None]
        return median(found) if found else None

    def ratio(
        self, work: str, connections: int, other: str, *, server: str = "casegraph"
    ) -> float | None:
        """How many times faster *server* is than *other*: the median of the rounds' ratios."""
        mine = self.cells.get((work, connections, server))
        others = self.cells.get((work, connections, other))
        if not mine or not others:
            return None
        return median(one.rate / two.rate for one, two in zip(mine, others, strict=True))


def run(firm: Firm, plan: Plan, tell: Tell, *, timed: bool = True, calls: int = 5) -> Figures:
    """Check every work on every server, and time them if *timed*. Raises BenchmarkError."""
    sample = Sample.of(firm)
    figures = Figures(firm.cases, sample.deep_page, plan.postgresql)
    cells = count(1)
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="logs-")))
        made = on_postgresql(firm, tell) if plan.postgresql else in_files(firm)
        databases = stack.enter_context(made)
        figures.database_bytes = databases.bytes
        started = [
            stack.enter_context(running(server, databases.copied(server.name), logs))
            for server in plan.servers
        ]
        for writes in (False, True):
            chosen = [work for work in plan.works if work.writes == writes]
            for work in chosen:
                tell(f"{firm.cases:,} cases: checking {work.name}")
                figures.bytes[work.name] = checking.check(work, started, sample, 0, calls)
            for cell in _cells(plan, chosen, started) if timed else ():
                tell(f"{firm.cases:,} cases, {cell}")
                calls_of_cell = works.calls(cell.work, sample, next(cells))
                measured = _measured(cell, calls_of_cell, plan.seconds, databases)
                key = (cell.work.name, cell.connections, cell.running.server.name)
                figures.cells.setdefault(key, []).append(measured)
        for one in started:
            figures.memory[one.server.name] = one.peak_memory()
        if any(work.writes for work in plan.works):
            tell(f"{firm.cases:,} cases: verifying what was written")
            for one in started:
                asyncio.run(_verify(one))
    return figures


@dataclass(frozen=True, slots=True)
class _Planned:
    round: int
    work: Work
    connections: int
    running: Running

    def __str__(self) -> str:
        return (
            f"round {self.round}: {self.work.name} at {self.connections} connections, "
            f"{self.running.server.name}"
        )


def _cells(plan: Plan, chosen: Sequence[Work], started: Sequence[Running]) -> Iterator[_Planned]:
    for round in range(1, plan.rounds + 1):
        for work in chosen:
            for connections in plan.connections:
                for one in started:
                    if one.server.knows(work):
                        yield _Planned(round, work, connections, one)


def _measured(
    cell: _Planned, calls: Sequence[works.Call], seconds: int, databases: Databases
) -> Cell:
    one, work = cell.running, cell.work
    taken = databases.seconds()
    counted = work.writes and one.server.name != "finished"
    before = load.written(one.firm) if counted else 0
    with _written(one) if one.server.written else nullcontext():
        measured = load.measure(one, work, calls, cell.connections, seconds)
    if taken is not None and (now := databases.seconds()) is not None:
        measured = replace(measured, database_ms=(now - taken) * 1000 / measured.sent)
    if counted:
        # wrk does not look into answers: each that it counted must have written its event.
        events = load.written(one.firm) - before
        if events < measured.requests:
            raise BenchmarkError(
                f"{cell}: {measured.requests} were answered, but {events} were written."
            )
    return measured


@contextmanager
def _written(one: Running) -> Iterator[None]:
    """A write a second, while the block lasts."""
    over = threading.Event()

    def write() -> None:
        while not over.wait(WRITE_SECONDS):
            one.ask(works.BY_NAME["M1"], works.Call({"input": {"name": "Written meanwhile"}}))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


async def _verify(one: Running) -> None:
    async with opened(one.firm.url) as database:
        found = (await verify(database)).findings
    if found:
        raise BenchmarkError(f"{one.server.name}: casegraph verify finds: {found[0]}")
