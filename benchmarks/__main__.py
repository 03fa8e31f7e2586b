"""The command: python -m benchmarks, from a checkout."""

import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import orjson
import typer
from rich.console import Console

from benchmarks import data, load, report, runs, works
from benchmarks.runs import Plan
from benchmarks.servers import ON_POSTGRESQL, SERVERS, BenchmarkError, pinned

TINY, LEAST = 200, 100  # cases
TINY_CALLS = 20
FOLDER = Path.home() / ".cache" / "casegraph-benchmarks"
out, err = Console(), Console(stderr=True)


class Database(StrEnum):
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def main(
    cases: Annotated[
        list[int] | None,
        typer.Option(min=LEAST, help="How many cases; repeatable.", show_default="10000"),
    ] = None,
    seconds: Annotated[int, typer.Option(min=1, help="How long each cell is measured.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="How often; medians are taken.")] = 3,
    only: Annotated[str, typer.Option(metavar="Q1,Q2", help="Which works.")] = ",".join(
        works.BY_NAME
    ),
    servers: Annotated[str, typer.Option(metavar="NAMES", help="Which servers.")] = ",".join(
        SERVERS
    ),
    connections: Annotated[str, typer.Option(metavar="1,8", help="How many at a time.")] = "1,8",
    folder: Annotated[
        Path, typer.Option(help="Where generated databases are kept for the next time.")
    ] = FOLDER,
    database: Annotated[
        Database, typer.Option(help="Where the cases are; a PostgreSQL server is started for it.")
    ] = Database.SQLITE,
    firms: Annotated[
        int, typer.Option(min=1, help="How many firms have so many cases; the first is asked.")
    ] = 1,
    tiny: Annotated[
        bool, typer.Option("--tiny", help=f"{TINY} cases, and only whether answers are right.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the figures here.")
    ] = None,
) -> None:
    """Measure casegraph against floors and a stock Strawberry server, side by side.

    Examples:

        python -m benchmarks --tiny

        python -m benchmarks --cases 10000 --cases 100000 --json figures.json

        python -m benchmarks --database postgresql --only Q1,R1 --firms 1000 --cases 100
    """
    postgresql = database is Database.POSTGRESQL
    known = ON_POSTGRESQL if postgresql else SERVERS
    plan = Plan(
        [known[name] for name in _chosen(servers, list(SERVERS), "--servers") if name in known],
        [works.BY_NAME[name] for name in _chosen(only, list(works.BY_NAME), "--only")],
        [_number(part) for part in connections.split(",")],
        rounds,
        seconds,
        postgresql,
    )
    # Ended in order, servers first, also when somebody else ends us.
    signal.signal(signal.SIGTERM, _end)
    folder = folder.absolute()
    if tiny:
        with err.status("Starting") as status:
            firm = data.firm(folder, TINY, firms=firms)
            runs.run(firm, plan, status.update, timed=False, calls=TINY_CALLS)
        out.print(f"All answers of {len(plan.works)} works by {len(plan.servers)} servers agree.")
        return
    load.require_wrk()
    if not pinned(0):
        err.print("There is no taskset, or one core only: servers and wrk share what there is.")
    sizes = []
    for size in cases or [report.SMALL]:
        with err.status("Starting") as status:
            firm = data.firm(folder, size, status.update, firms=firms)
            sizes.append(runs.run(firm, plan, status.update))
        report.show(out, sizes[-1], plan)
    report.show_goals(out, report.goals(sizes))
    if json is not None:
        json.write_bytes(orjson.dumps(report.as_json(sizes, plan), option=orjson.OPT_INDENT_2))


def _chosen(text: str, known: list[str], option: str) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(f"{unknown[0]} is none of {', '.join(known)}.", param_hint=option)
    return [name for name in known if name in names]


def _number(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise typer.BadParameter("Numbers with commas between.", param_hint="--connections")
    return int(text)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        typer.run(main)
    except BenchmarkError as error:
        err.print(f"benchmarks: {error}", markup=False)
        sys.exit(1)
