"""What hostile requests cost everybody else: python -m benchmarks.attack, from a checkout.

One gateway process on one core, the client on another. Every document is a new one, so that nothing
that was remembered of an earlier one helps.
"""

import asyncio
import contextlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import data, load, works
from benchmarks.__main__ import FOLDER, TINY
from benchmarks.servers import SERVERS, BenchmarkError, Running, running
from tests.gateway.limits.abuse import Abuse, abuses

REFUSED_P99_MS, REFUSED_WORST_MS, STALL_MS, SLOWER, GROWN_MB = 15.0, 50.0, 100.0, 2.0, 100.0
RATE = 100  # legitimate requests a second
HOSTILE_SHARE = 0.2
PROBE_SECONDS = 0.005
SETTLING_SECONDS = 10.0
out, err = Console(), Console(stderr=True)
_numbers = itertools.count()

Request = tuple[str, bytes]
"""Method with path, and body."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and what it must not pass."""

    name: str
    figure: float
    most: float
    unit: str

    @property
    def met(self) -> bool:
        return self.figure <= self.most


class Client:
    """One connection that is kept open."""

    def __init__(self, running: Running, **headers: str) -> None:
        """*headers* are sent, too, or instead of those that a client of *running* sends."""
        self._running = running
        sent = running.headers | headers
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self._head = f"Host: 127.0.0.1\r\n{head}".encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Request) -> tuple[int, bytes]:
        """Status and body of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._running.port)
        reader, writer = self._streams
        line, body = request
        writer.write(
            f"{line} HTTP/1.1\r\nContent-Length: {len(body)}\r\n".encode() + self._head + b"\r\n"
        )
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        headers = head.lower().split(b"\r\n")
        length = next(int(one[15:]) for one in headers if one.startswith(b"content-length:"))
        answer = await reader.readexactly(length)
        if b"connection: close" in headers:
            self.close()
        return int(head[9:12]), answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@contextlib.asynccontextmanager
async def clients(one: Running, count: int) -> AsyncIterator[list[Client]]:
    made = [Client(one) for _ in range(count)]
    try:
        yield made
    finally:
        for client in made:
            client.close()


def hostile(abuse: Abuse) -> Request:
    """The abuse as a request, unlike all others if it has a document."""
    body = abuse.body
    if isinstance(body, dict):
        body = body | {"query": f"#{next(_numbers)}\n{body['query']}"}
    return "POST /graphql", json.dumps(body).encode()  # orjson will not nest so deep


def legitimate(one: Running) -> Iterator[Request]:
    """What an application asks: a list, a page of names, the list over REST."""
    chosen = [works.BY_NAME[name] for name in ("Q1", "Q3", "R1")]
    with_calls = [(work, works.calls(work, works.Sample.of(one.firm), 1)) for work in chosen]
    for turn in itertools.count():
        work, known = with_calls[turn % len(with_calls)]
        asked = one.request(work, known[turn // len(with_calls) % len(known)])
        asked = load.unlike_others(asked, str(next(_numbers)))  # or the answer would be a kept one
        yield f"{asked.method} {asked.path}", asked.body or b""


async def refusals(one: Running, times: int) -> list[float]:
    """Milliseconds that the server took for each refusal, one at a time, by its access log.

    Raises BenchmarkError for a wrong answer.
    """
    before = one.log.stat().st_size
    async with clients(one, 1) as [client]:
        for _ in range(times):
            for abuse in abuses():
                status, answer = await client.ask(hostile(abuse))
                if status >= 500 or abuse.code.encode() not in answer:
                    raise BenchmarkError(f"{abuse.name} was answered {status}: {answer[:300]!r}")
        await client.ask(("GET /healthz", b""))  # when that is answered, all lines are written
    with one.log.open("rb") as log:
        log.seek(before)
        return [line["ms"] for line in map(json.loads, log) if line.get("path") == "/graphql"]


async def at_rate(
    one: Running, requests: Iterator[Request], rate: float, seconds: float, connections: int
) -> list[float]:
    """Milliseconds from when each request was due: a late answer makes the next ones late, too."""
    found: list[float] = []
    started = time.perf_counter()
    due = itertools.count()

    async def work(client: Client) -> None:
        while (at := next(due) / rate) < seconds:
            await asyncio.sleep(max(0.0, started + at - time.perf_counter()))
            status, answer = await client.ask(next(requests))
            if status >= 500:
                raise BenchmarkError(f"answered {status}: {answer[:300]!r}")
            found.append((time.perf_counter() - started - at) * 1000)

    async with clients(one, connections) as made:
        await asyncio.gather(*map(work, made))
    return found


async def attacked(one: Running, rate: float, seconds: float) -> list[float]:
    """The corpus over and over."""
    corpus = itertools.cycle(list(abuses()))
    return await at_rate(one, map(hostile, corpus), rate, seconds, 4)


async def probed(one: Running, work: Awaitable[Any]) -> float:
    """The longest that /healthz took during *work*, in milliseconds: how long the loop stood."""
    longest = 0.0
    done = asyncio.ensure_future(work)
    async with clients(one, 1) as [client]:
        while not done.done():
            started = time.perf_counter()
            await client.ask(("GET /healthz", b""))
            longest = max(longest, (time.perf_counter() - started) * 1000)
            await asyncio.sleep(PROBE_SECONDS)
    await done
    return longest


async def slowed(one: Running, seconds: float, rounds: int) -> tuple[float, float]:
    """p99 of legitimate requests alone, and with one request in five hostile: medians of rounds."""
    hostile_rate = RATE * HOSTILE_SHARE / (1 - HOSTILE_SHARE)
    clean, mixed = [], []
    for _ in range(rounds):
        clean.append(p99(await at_rate(one, legitimate(one), RATE, seconds, 8)))
        both = await asyncio.gather(
            at_rate(one, legitimate(one), RATE, seconds, 8), attacked(one, hostile_rate, seconds)
        )
        mixed.append(p99(both[0]))
    return statistics.median(clean), statistics.median(mixed)


async def grown(one: Running, seconds: float) -> tuple[float, float, float]:
    """MB over the baseline at the worst; the same over the middle, and over the first half's worst.

    Garbage piles up until the collector comes by, so that the second may be large without a leak.
    """
    before = one.memory()
    seen: list[int] = []

    async def watch() -> None:
        while True:
            seen.append(one.memory())
            await asyncio.sleep(seconds / 200)

    watching = asyncio.ensure_future(watch())
    try:
        await attacked(one, RATE, seconds)
    finally:
        watching.cancel()
    early, half = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    over = (before, half[0], max(early))
    worst, late, peaks = (
        (max(part) - base) / 1e6 for part, base in zip((seen, half, half), over, strict=True)
    )
    return worst, late, peaks


def p99(found: Sequence[float]) -> float:
    return sorted(found)[int(len(found) * 0.99)]


async def attack(
    one: Running, times: int, seconds: float, rounds: int, tell: Callable[[str], object]
) -> list[Goal]:
    tell("Warming up")
    await refusals(one, 1)
    await at_rate(one, legitimate(one), RATE, min(seconds, 2.0), 8)
    tell("Refusals, one at a time")
    refused = await refusals(one, times)
    tell("Clean, and with one request in five hostile")
    clean, mixed = await slowed(one, seconds, rounds)
    tell("The event loop")
    stall = await probed(one, attacked(one, RATE * HOSTILE_SHARE, seconds))
    return [
        Goal("refusal, p99", p99(refused), REFUSED_P99_MS, "ms"),
        Goal("refusal, worst", max(refused), REFUSED_WORST_MS, "ms"),
        Goal("event loop, longest wait", stall, STALL_MS, "ms"),
        Goal(f"legitimate p99, of {clean:.1f} ms clean", mixed / clean, SLOWER, "times"),
    ]


async def memory(one: Running, seconds: float) -> list[Goal]:
    await attacked(one, RATE, min(SETTLING_SECONDS, seconds))
    worst, late, peaks = await grown(one, seconds)
    return [
        Goal("memory, over the baseline", worst, GROWN_MB, "MB"),
        Goal("memory, in the second half", late, GROWN_MB / 10, "MB"),
        Goal("memory, second half's peak over the first's", peaks, GROWN_MB / 10, "MB"),
    ]


def main(
    cases: Annotated[int, typer.Option(min=TINY, help="How many cases there are.")] = 10_000,
    times: Annotated[int, typer.Option(min=1, help="How often each document is sent.")] = 40,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each part takes.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often; medians are taken.")] = 5,
    memory_minutes: Annotated[float, typer.Option(min=0, help="How long memory is watched.")] = 10,
    check: Annotated[bool, typer.Option("--check", help="Fail if a goal is missed.")] = False,
    folder: Annotated[Path, typer.Option(help="Where generated databases are kept.")] = FOLDER,
) -> None:
    """Attack a gateway of one process with the corpus, and see what others notice.

    Examples:

        python -m benchmarks.attack

        python -m benchmarks.attack --memory-minutes 1 --check
    """
    with err.status("Starting") as status, tempfile.TemporaryDirectory() as logs:
        firm = data.firm(folder.absolute(), cases, status.update)
        with running(SERVERS["casegraph"], firm, Path(logs)) as one:
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})  # not the server's
            found = asyncio.run(attack(one, times, seconds, rounds, status.update))
            if memory_minutes:
                status.update("Memory")
                found += asyncio.run(memory(one, memory_minutes * 60))
    table = Table("figure", "measured", "at most", "")
    for goal in found:
        table.add_row(
            goal.name,
            f"{goal.figure:.1f} {goal.unit}",
            f"{goal.most:g} {goal.unit}",
            "" if goal.met else "missed",
        )
    out.print(table)
    if check and not all(goal.met for goal in found):
        raise typer.Exit(1)


if __name__ == "__main__":
    try:
        typer.run(main)
    except BenchmarkError as error:
        err.print(f"benchmarks: {error}", markup=False)
        sys.exit(1)
