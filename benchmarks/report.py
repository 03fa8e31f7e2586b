"""The figures as tables, and the goals: what was aimed at and whether it was reached."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import works
from benchmarks.runs import Figures, Plan
from benchmarks.servers import SERVERS

MEGABYTE = 1 << 20
CONNECTIONS = 8
"""At which the goals are stated."""
SMALL, LARGE = 10_000, 100_000  # cases


def show(console: Console, figures: Figures, plan: Plan) -> None:
    """One table for a size."""
    names = [server.name for server in plan.servers]
    table = Table(
        title=f"{figures.cases:,} cases: requests/s, and p50 / p99 in ms"
        + ", PostgreSQL's processor time in brackets" * figures.postgresql,
        caption=f"Medians of {plan.rounds} round{'s' * (plan.rounds > 1)} of {plan.seconds} s. "
        f"Q1p is page {figures.deep_page:,}.",
    )
    table.add_column("work")
    table.add_column("conn.", justify="right")
    for name in names:
        table.add_column(SERVERS[name].title, justify="right")
    compared = [name for name in ("floor", "stock") if name in names and "casegraph" in names]
    for name in compared:
        table.add_column(f"casegraph / {name}", justify="right")
    table.add_column("KB", justify="right")
    for work in plan.works:
        for connections in plan.connections:
            table.add_row(
                f"{work.name} {work.title}" if connections == plan.connections[0] else "",
                str(connections),
                *(_cell(figures, work.name, connections, name) for name in names),
                *(_times(figures.ratio(work.name, connections, name)) for name in compared),
                f"{max(figures.bytes[work.name].values(), default=0) / 1000:.1f}",
            )
    console.print(table)
    memory = (f"{name} {size / MEGABYTE:.0f} MB" for name, size in figures.memory.items())
    console.print(f"Peak memory: {', '.join(memory)}")
    console.print(f"Database: {figures.database_bytes / MEGABYTE:,.0f} MB\n")


def _cell(figures: Figures, work: str, connections: int, server: str) -> str:
    rate = figures.rate(work, connections, server)
    latency = figures.latency(work, connections, server)
    if rate is None or latency is None:
        return ""
    shown = f"{rate:,.0f}  {latency[0]:.1f} / {latency[1]:.1f}"
    database = figures.database_ms(work, connections, server)
    return shown if database is None else f"{shown} ({database:.2f})"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


@dataclass(frozen=True, slots=True)
class Goal:
    """Something to reach: *least* or *most* is needed, *aim* is hoped for."""

    what: str
    needed: float
    aim: float
    value: float | None
    is_most: bool = False
    unit: str = ""

    @property
    def reached(self) -> str:
        if self.value is None:
            return "not measured"
        for limit, word in ((self.aim, "aim reached"), (self.needed, "reached")):
            if self.value <= limit if self.is_most else self.value >= limit:
                return word
        return "not reached"


_AGAINST_FLOOR = {
    "Q1": (0.9, 1.0),
    "R1": (0.9, 1.0),
    "Q4": (0.9, 1.0),
    "Q3": (0.8, 0.9),
    "Q5": (0.8, 1.0),
    "Q6": (0.8, 1.0),
    "Q7": (0.8, 1.0),
    "Q2": (0.75, 0.85),
    "R2": (0.75, 0.85),
    "M1": (0.9, 1.5),
    "M2": (0.9, 1.5),
}
_ON_POSTGRESQL = {
    "Q1": (0.75, 0.9),
    "Q3": (0.75, 0.9),
    "Q4": (0.75, 0.9),
    "Q2": (0.65, 0.8),
    "Q5": (0.8, 1.0),
    "Q6": (0.8, 1.0),
    "Q7": (0.8, 1.0),
}
_KEPT = ("Q1", "Q2", "Q4", "R1")
_ALONE = (0.6, 0.7)
"""The same works at one connection."""


def goals(sizes: Sequence[Figures]) -> list[Goal]:
    """All goals, with what was measured for them."""
    found = []
    for figures in sizes:
        at = f"at {figures.cases:,} cases"
        if figures.postgresql:
            for work, (needed, aim) in _ON_POSTGRESQL.items():
                ratio = figures.ratio(work, CONNECTIONS, "floor")
                found.append(Goal(f"{work} / floor (a) on PostgreSQL {at}", needed, aim, ratio))
            continue
        for work, (needed, aim) in _AGAINST_FLOOR.items():
            ratio = figures.ratio(work, CONNECTIONS, "floor")
            found.append(Goal(f"{work} / floor (a) {at}", needed, aim, ratio))
            alone = figures.ratio(work, 1, "floor")
            found.append(Goal(f"{work} / floor (a) {at}, 1 connection", *_ALONE, alone))
        stock = figures.ratio("Q1", CONNECTIONS, "stock")
        found.append(Goal(f"Q1 / stock {at}", 25, 40, stock))
        for work in _KEPT:
            ratio = figures.ratio(work, CONNECTIONS, "finished", server="again")
            found.append(Goal(f"{work}, asked again / floor (b) {at}", 0.5, 0.7, ratio))
            ratio = figures.ratio(work, CONNECTIONS, "again", server="written")
            title = f"{work}, a write a second / asked again {at}"
            found.append(Goal(title, 0.7, 0.9, ratio))
        logged = figures.ratio("Q2", CONNECTIONS, "casegraph", server="unlogged")
        found.append(Goal(f"The access log's price on Q2 {at}", 1.05, 1.02, logged, is_most=True))
        deep = _slower(figures, "Q1", figures, "Q1p")
        title = f"Q1 at page {figures.deep_page:,} against page 1 {at}, times slower"
        found.append(Goal(title, 1.2, 1.05, deep, is_most=True))
    by_size = {figures.cases: figures for figures in sizes if not figures.postgresql}
    if not by_size:
        return found
    small, large = by_size.get(SMALL), by_size.get(LARGE)
    slower = None if small is None or large is None else _slower(small, "Q1", large, "Q1")
    title = f"Q1 at {LARGE:,} cases against {SMALL:,}, times slower"
    found.append(Goal(title, 1.2, 1.05, slower, is_most=True))
    memory = large.memory.get("casegraph") if large else None
    title = f"Peak memory at {LARGE:,} cases"
    used = None if memory is None else memory / MEGABYTE
    found.append(Goal(title, 200, 150, used, is_most=True, unit=" MB"))
    return found


def _slower(fast: Figures, work: str, slow: Figures, other: str) -> float | None:
    one = fast.rate(work, CONNECTIONS, "casegraph")
    two = slow.rate(other, CONNECTIONS, "casegraph")
    return None if one is None or two is None else one / two


def show_goals(console: Console, found: Iterable[Goal]) -> None:
    table = Table(title=f"Goals, at {CONNECTIONS} connections")
    for heading in ("goal", "needed", "aim", "measured", ""):
        table.add_column(heading, justify="left" if heading in ("goal", "") else "right")
    colours = {"not reached": "red", "not measured": "dim"}
    for goal in found:
        sign = "≤" if goal.is_most else "≥"
        measured = "" if goal.value is None else f"{goal.value:.2f}{goal.unit}"
        table.add_row(
            goal.what,
            f"{sign} {goal.needed:g}{goal.unit}",
            f"{goal.aim:g}{goal.unit}",
            measured,
            goal.reached,
            style=colours.get(goal.reached, "green"),
        )
    console.print(table)


def as_json(sizes: Sequence[Figures], plan: Plan) -> dict[str, Any]:
    """Everything that was measured: rates of every round, too."""
    return {
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "works": {work.name: work.title for work in works.WORKS},
        "sizes": [_figures(figures) for figures in sizes],
        "goals": [
            {
                "goal": goal.what,
                "needed": goal.needed,
                "aim": goal.aim,
                "measured": goal.value,
                "reached": goal.reached,
            }
            for goal in goals(sizes)
        ],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    def rounded(value: Callable[[str, int, str], float | None], *key: Any) -> float | None:
        found = value(*key)
        return None if found is None else round(found, 3)

    return {
        "cases": figures.cases,
        "postgresql": figures.postgresql,
        "deep_page": figures.deep_page,
        "peak_memory_bytes": figures.memory,
        "database_bytes": figures.database_bytes,
        "answer_bytes": figures.bytes,
        "cells": [
            {
                "work": work,
                "connections": connections,
                "server": server,
                "rate": rounded(figures.rate, work, connections, server),
                "rates": [round(cell.rate, 1) for cell in cells],
                "p50_ms": [cell.p50 for cell in cells],
                "p99_ms": [cell.p99 for cell in cells],
                "database_ms": [cell.database_ms for cell in cells],
            }
            for (work, connections, server), cells in figures.cells.items()
        ],
    }
