"""What subscriptions cost: python -m benchmarks.live, from a checkout.

One gateway process on one core; the subscribers and the writers are in one process on another. The
time from a change to its subscribers is compared with that of a bare WebSocket server, which sends
the same text to as many clients, in the same run.
"""

import asyncio
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import broadcast, serve

from benchmarks import data
from benchmarks.__main__ import FOLDER, TINY
from benchmarks.attack import Client
from benchmarks.servers import SERVER_CORE, SERVERS, BenchmarkError, Running, pinned, running

IDLE, SUBSCRIBERS, WRITERS = 500, 100, 8
IDLE_MB, P99_MS, WRITE_SHARE = 60.0, 50.0, 0.7
LIVE = """subscription Live { caseChanges {
  cursor node { seq type case { id name status version } changes { field before after } } } }"""
CREATE = "mutation New($name: String!) { createCase(input: {name: $name}) { case { id } } }"
out, err = Console(), Console(stderr=True)
_numbers = itertools.count()


async def subscribed(one: Running) -> ClientConnection:
    """A subscriber that is acknowledged."""
    url = f"ws://127.0.0.1:{one.port}/graphql"
    socket = await connect(
        url, subprotocols=["graphql-transport-ws"], compression=None, max_queue=None
    )
    await socket.send(json.dumps({"type": "connection_init", "payload": {"key": one.firm.key}}))
    await socket.recv()
    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": LIVE}}))
    return socket


@contextlib.asynccontextmanager
async def subscribers(one: Running, count: int) -> AsyncIterator[list[ClientConnection]]:
    sockets = [await subscribed(one) for _ in range(count)]
    await asyncio.sleep(1)
    try:
        yield sockets
    finally:
        await asyncio.gather(*(socket.close() for socket in sockets))


async def idle(one: Running) -> float:
    """MB more for so many subscriptions that are told of nothing."""
    await asyncio.sleep(1)
    before = one.memory()
    async with subscribers(one, IDLE):
        return (one.memory() - before) / 1e6


async def create(client: Client) -> str:
    name = f"Live {next(_numbers)}"
    body = json.dumps({"query": CREATE, "variables": {"name": name}}).encode()
    status, answer = await client.ask(("POST /graphql", body))
    if status != 200 or b'"case":{' not in answer:
        raise BenchmarkError(f"answered {status}: {answer[:300]!r}")
    return name


async def delays(one: Running, seconds: float, rate: float) -> list[float]:
    """Milliseconds from sending a write until each subscriber has its change."""
    sent: dict[str, float] = {}
    found: list[float] = []

    async def hear(socket: ClientConnection) -> None:
        async for text in socket:
            now = time.perf_counter()
            name = json.loads(text)["payload"]["data"]["caseChanges"]["node"]["case"]["name"]
            found.append((now - sent[name]) * 1000)

    client = Client(one)
    async with subscribers(one, SUBSCRIBERS) as sockets:
        tasks = [asyncio.ensure_future(hear(socket)) for socket in sockets]
        for _ in range(int(seconds * rate)):
            began = time.perf_counter()
            sent[f"Live {_peek()}"] = began
            await create(client)
            await asyncio.sleep(max(0.0, 1 / rate - (time.perf_counter() - began)))
        await _until(lambda: len(found) >= len(sent) * SUBSCRIBERS)
        for task in tasks:
            task.cancel()
    client.close()
    return found


def _peek() -> int:
    """The number of the next case."""
    global _numbers
    number = next(_numbers)
    _numbers = itertools.chain([number], _numbers)  # type: ignore[assignment]
    return number


async def echoed(port: int, text: str, times: int, rate: float) -> list[float]:
    """The same from a bare server that sends what it gets to all its clients."""
    found: list[float] = []
    began = 0.0

    async def hear(socket: ClientConnection) -> None:
        nonlocal began
        async for answer in socket:
            json.loads(answer)
            found.append((time.perf_counter() - began) * 1000)

    url = f"ws://127.0.0.1:{port}"
    sockets = [await connect(url, compression=None, max_queue=None) for _ in range(SUBSCRIBERS)]
    tasks = [asyncio.ensure_future(hear(socket)) for socket in sockets]
    for n in range(times):
        began = time.perf_counter()
        await sockets[0].send(text)
        await _until(lambda n=n: len(found) >= (n + 1) * SUBSCRIBERS)
        await asyncio.sleep(max(0.0, 1 / rate - (time.perf_counter() - began)))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*(socket.close() for socket in sockets))
    return found


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110 - what it waits for is counted
            await asyncio.sleep(0.001)


async def rate_of_writes(one: Running, seconds: float, count: int) -> tuple[float, float]:
    """Writes a second with so many subscribers; changes a second that each of them was told of."""
    told = 0

    async def hear(socket: ClientConnection) -> None:
        nonlocal told
        async for _text in socket:
            told += 1

    clients = [Client(one) for _ in range(WRITERS)]
    written = 0

    async def write(client: Client, until: float) -> None:
        nonlocal written
        while time.perf_counter() < until:
            await create(client)
            written += 1

    async with subscribers(one, count) as sockets:
        tasks = [asyncio.ensure_future(hear(socket)) for socket in sockets]
        until = time.perf_counter() + seconds
        await asyncio.gather(*(write(client, until) for client in clients))
        in_time = told / max(count, 1) / seconds
        await _until(lambda: told >= written * count)
        for task in tasks:
            task.cancel()
    for client in clients:
        client.close()
    return written / seconds, in_time


def p99(found: Sequence[float]) -> float:
    return sorted(found)[int(len(found) * 0.99)]


async def measured(one: Running, seconds: float, tell: Callable[[str], object]) -> list[Any]:
    rows: list[Any] = []
    tell("Idle subscriptions")
    mb = await idle(one)
    rows.append(
        (f"memory of {IDLE} idle subscriptions", f"{mb:.1f} MB", f"{IDLE_MB:g} MB", mb <= IDLE_MB)
    )
    tell("From a change to its subscribers")
    rate = 10.0
    found = await delays(one, seconds, rate)
    tell("The same from a bare server")
    with echo_server() as port:
        text = json.dumps({"id": "1", "type": "next", "payload": "x" * 400})
        bare = await echoed(port, text, int(seconds * rate), rate)
    told = f"p50 {statistics.median(found):.1f}, p99 {p99(found):.1f} ms"
    rows.append(
        (f"change to {SUBSCRIBERS} clients", told, f"p99 {P99_MS:g} ms", p99(found) <= P99_MS)
    )
    share = f"{p99(found) / p99(bare):.1f} times ({p99(bare):.1f} ms)"
    rows.append(("p99 of that, of a bare WebSocket server's", share, "", True))
    tell("Writes")
    shares, rates, heard = [], [], 0.0
    for _ in range(3):
        alone, _none = await rate_of_writes(one, seconds / 2, 0)
        among, heard = await rate_of_writes(one, seconds / 2, SUBSCRIBERS)
        shares.append(among / alone)
        rates.append(alone)
    told = f"{statistics.median(shares):.2f} (of {statistics.median(rates):,.0f} a second; "
    told += f"each is told of {heard:,.0f} a second meanwhile)"
    rows.append(
        (
            f"writes with {SUBSCRIBERS} subscribers, of those without",
            told,
            f"{WRITE_SHARE:g}",
            statistics.median(shares) >= WRITE_SHARE,
        )
    )
    return rows


@contextlib.contextmanager
def echo_server() -> Any:
    """A bare WebSocket server on the core of the others; its port."""
    process = subprocess.Popen(  # noqa: S603 (our own server)
        [*pinned(SERVER_CORE), sys.executable, "-m", "benchmarks.live", "--echo"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)


async def echo() -> None:
    """Send what comes to everybody who is connected."""
    there: set[Any] = set()

    async def handle(socket: Any) -> None:
        there.add(socket)
        async for text in socket:
            broadcast(there, text)

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


def main(
    cases: Annotated[int, typer.Option(min=TINY, help="How many cases there are.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=0.2, help="How long each part takes.")] = 10.0,
    folder: Annotated[Path, typer.Option(help="Where generated databases are kept.")] = FOLDER,
    check: Annotated[bool, typer.Option("--check", help="Fail if a goal is missed.")] = False,
    as_echo: Annotated[bool, typer.Option("--echo", hidden=True)] = False,
) -> None:
    """Measure what subscriptions cost a gateway of one process.

    Examples:

        python -m benchmarks.live

        python -m benchmarks.live --seconds 2 --cases 1000
    """
    if as_echo:
        asyncio.run(echo())
        return
    server = replace(SERVERS["casegraph"], settings={"CASEGRAPH_SUBSCRIPTIONS": "2000"})
    with err.status("Starting") as status, tempfile.TemporaryDirectory() as logs:
        firm = data.firm(folder.absolute(), cases, status.update)
        with running(server, firm, Path(logs)) as one:
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})  # not the server's
            rows = asyncio.run(measured(one, seconds, status.update))
    table = Table("figure", "measured", "goal", "")
    for name, told, goal, met in rows:
        table.add_row(name, told, goal, "" if met else "missed")
    out.print(table)
    if check and not all(met for *_row, met in rows):
        raise typer.Exit(1)


if __name__ == "__main__":
    try:
        typer.run(main)
    except BenchmarkError as error:
        err.print(f"benchmarks: {error}", markup=False)
        sys.exit(1)
