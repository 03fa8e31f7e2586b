"""Hours of a gateway's life, counted twice: python -m benchmarks.soak, from a checkout.

Reads, writes, hostile requests and wrong keys come at steady rates, and a scrape of /metrics every
five seconds. At the end memory must be flat, the log without an error, and what /metrics has
counted equal to what was counted here.
"""

import asyncio
import contextlib
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from benchmarks import data
from benchmarks.__main__ import FOLDER, TINY
from benchmarks.attack import Client, Request, hostile, legitimate
from benchmarks.servers import SERVERS, BenchmarkError, Running, running
from domain.access.keys import new_key
from domain.models import Mode
from tests.gateway.limits.abuse import abuses

SCRAPE_SECONDS = 5.0
SETTLING_SECONDS = 1.5
"""How long workers take to tell each other what they have counted, at most."""
GROWN_MB = 10.0
"""How much more memory the last sixth may take than the fourth had at its worst."""
RATES = {"reads": 40.0, "writes": 4.0, "attacks": 6.0, "wrong keys": 2.0}
"""Requests a second. Of the wrong keys, as many as the default allows are answered 401."""
CREATE = """mutation Soak($name: String!) {
  createCase(input: {name: $name, parties: [{new: {name: "Jörg Müller"}, role: "client"}]}) {
    case { id } userErrors { code } } }"""
out, err = Console(), Console(stderr=True)


@dataclass
class Book:
    """What was asked and answered: by surface, status and the first error's code."""

    asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    created: int = 0
    memory: list[float] = field(default_factory=list)
    """Bytes, at each scrape."""

    def note(self, request: Request, status: int, body: bytes) -> None:
        surface = "graphql" if "/graphql" in request[0] else "rest"
        self.asked[surface, str(status), code_of(surface, json.loads(body))] += 1


def code_of(surface: str, answer: Any) -> str:
    """The code of the first error of an answer; empty if there is none."""
    if surface == "rest":
        return str(answer["error"]["code"]) if "error" in answer else ""
    if "errors" in answer:
        return str(answer["errors"][0]["extensions"]["code"])
    for payload in (answer.get("data") or {}).values():
        if isinstance(payload, dict) and payload.get("userErrors"):
            return str(payload["userErrors"][0]["code"])
    return ""


def writes() -> Iterator[Request]:
    for n in itertools.count():
        if n % 10 == 9:  # refused: what is sent is not right
            yield "POST /graphql", json.dumps({"query": CREATE, "variables": {"name": ""}}).encode()
        elif n % 3:
            body = {"query": CREATE, "variables": {"name": f"Soak {n}"}}
            yield "POST /graphql", json.dumps(body).encode()
        else:
            yield "POST /api/v1/cases", json.dumps({"name": f"Soak {n}"}).encode()


def wrong() -> Iterator[Request]:
    for n in itertools.count():
        yield ("GET /api/v1/cases", b"") if n % 2 else ("POST /graphql", b'{"query": "{ a }"}')


async def steadily(
    client: Client, requests: Iterator[Request], rate: float, until: float, book: Book
) -> None:
    """Ask at a rate, until a time of the clock; late answers are not made up for."""
    due = time.perf_counter()
    while (now := time.perf_counter()) < until:
        due = max(due + 1 / rate, now)
        await asyncio.sleep(due - now)
        request = next(requests)
        status, body = await client.ask(request)
        book.note(request, status, body)
        if status == 201 or (b'"createCase":{"case":{' in body and status == 200):
            book.created += 1
        if status >= 500:
            raise BenchmarkError(f"answered {status}: {body[:300]!r}")


async def scraped(client: Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    status, page = await client.ask(("GET /metrics", b""))
    if status != 200:
        raise BenchmarkError(f"/metrics was answered {status}: {page[:300]!r}")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def counted(samples: dict[tuple[str, frozenset[tuple[str, str]]], float]) -> Counter[Any]:
    """What /metrics has counted, as a book has it."""
    found: Counter[Any] = Counter()
    for (name, labels), value in samples.items():
        told = dict(labels)
        if name == "casegraph_requests_total" and told["surface"] in ("graphql", "rest"):
            found[told["surface"], told["status"], told["code"]] += int(value)
    return found


async def soaked(
    one: Running, seconds: float, speed: float, tell: Callable[[str], object]
) -> tuple[Book, Any]:
    """Everything at once, and then what /metrics has counted since it began."""
    book = Book()
    scraper = Client(one)
    before = await scraped(scraper)
    until = time.perf_counter() + seconds
    rates = {name: rate * speed for name, rate in RATES.items()}
    corpus = itertools.cycle([abuse for abuse in abuses() if abuse.code != "NOT_JSON"])
    streams = {
        "reads": (Client(one), legitimate(one)),
        "writes": (Client(one), writes()),
        "attacks": (Client(one), map(hostile, corpus)),
        "wrong keys": (Client(one, Authorization=f"Bearer {new_key(Mode.LIVE)[0]}"), wrong()),
    }

    async def scrape() -> None:
        while (left := until - time.perf_counter()) > 0:
            samples = await scraped(scraper)
            book.memory.append(samples["casegraph_resident_memory_bytes", frozenset()])
            tell(f"{left / 60:.0f} minutes left, {book.asked.total():,} answers")
            await asyncio.sleep(min(SCRAPE_SECONDS, max(left, 0)))

    try:
        await asyncio.gather(
            scrape(),
            *(
                steadily(client, requests, rates[name], until, book)
                for name, (client, requests) in streams.items()
            ),
        )
        await asyncio.sleep(SETTLING_SECONDS)
        after = await scraped(scraper)
    finally:
        for client, _requests in streams.values():
            client.close()
    scraper.close()
    grown = counted(after)
    grown.subtract(counted(before))
    transactions = ("casegraph_transactions_total", frozenset[Any]())
    return book, (+grown, after[transactions] - before[transactions])


def complaints(log: Path) -> list[str]:
    """The lines of a log that are neither of the access log nor of a normal run."""
    found = []
    for line in log.read_text(errors="replace").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            if json.loads(line).get("level") in ("info", "debug"):
                continue
        if not line.startswith("casegraph on http"):
            found.append(line)
    return found


def main(
    minutes: Annotated[float, typer.Option(min=0.01, help="How long it takes.")] = 30,
    cases: Annotated[int, typer.Option(min=TINY, help="How many cases there are.")] = 10_000,
    workers: Annotated[int, typer.Option(min=1, help="How many server processes.")] = 1,
    speed: Annotated[float, typer.Option(min=0.1, help="How many times as much is asked.")] = 1,
    folder: Annotated[Path, typer.Option(help="Where generated databases are kept.")] = FOLDER,
) -> None:
    """Soak a gateway, and compare what it tells of itself with what was done to it.

    Exit status: 0 if all is as it must be, else 1.

    Examples:

        python -m benchmarks.soak

        python -m benchmarks.soak --minutes 2 --workers 2
    """
    server = replace(SERVERS["casegraph"], settings={"CASEGRAPH_WORKERS": str(workers)})
    with err.status("Starting") as status, tempfile.TemporaryDirectory() as logs:
        firm = data.firm(folder.absolute(), cases, status.update)
        with running(server, firm, Path(logs)) as one:
            book, (grown, transactions) = asyncio.run(
                soaked(one, minutes * 60, speed, status.update)
            )
            lines = complaints(one.log)
    sixth = max(1, -(-len(book.memory) // 6))
    peaks = [max(book.memory[start : start + sixth]) for start in range(0, len(book.memory), sixth)]
    # Caches fill for a while; then it must be flat.
    grown_mb = (peaks[-1] - peaks[len(peaks) // 2]) / 1e6
    differing = {
        key: (book.asked[key], grown[key])
        for key in sorted({*book.asked, *grown})
        if book.asked[key] != grown[key]
    }
    table = Table("surface", "status", "code", "asked here", "told by /metrics")
    for key in sorted({*book.asked, *grown}):
        table.add_row(*key, f"{book.asked[key]:,}", f"{grown[key]:,}")
    out.print(table)
    out.print(f"Transactions: {transactions:,.0f} for {book.created:,} cases that were created")
    shown = ", ".join(f"{peak / 1e6:.1f}" for peak in peaks)
    out.print(f"Memory, the most in each sixth of the time: {shown} MB")
    out.print(f"Lines of the log that should not be there: {len(lines)}")
    for line in lines[:10]:
        out.print(line, markup=False)
    if differing or lines or grown_mb > GROWN_MB or transactions < book.created:
        out.print("Not as it must be", differing or "", style="bold red")
        raise typer.Exit(1)


if __name__ == "__main__":
    try:
        typer.run(main)
    except BenchmarkError as error:
        err.print(f"benchmarks: {error}", markup=False)
        sys.exit(1)
