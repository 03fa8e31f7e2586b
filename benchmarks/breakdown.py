"""Where the time of one request goes: python -m benchmarks.breakdown, from a checkout.

In one process, without a socket: each step is done again and again by itself, and the median taken.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from graphql import parse
from rich.console import Console
from rich.table import Table

from benchmarks import data, works
from benchmarks.__main__ import FOLDER
from benchmarks.works import Call, Sample, Work
from domain.access.principal import Principal
from domain.storage.database import Row, Snapshot
from domain.storage.sqlite.readers import InlineReader
from domain.storage.statements import SQLITE, Fetch
from gateway.app import create_app
from gateway.execution.documents import Documents, Remembered
from gateway.execution.operations import Operation
from gateway.http.pipeline import operation_of
from gateway.limits.measured import measured
from gateway.schema.assembled import schema
from gateway.settings import Settings

CASES = 10_000
TIMES = 2_000


class _Remembered(Snapshot):
    """Answers with rows that were read before, to see what the rest costs."""

    def __init__(self, rows: list[list[list[Row]]]) -> None:
        self._rows = iter(rows)

    async def fetch(self, wanted: Fetch) -> list[Row]:
        [rows] = await self.fetch_each([wanted])
        return rows

    async def fetch_each(self, wanted: Any) -> list[list[Row]]:
        return [list(rows) for rows in next(self._rows)]


class _Noting(Snapshot):
    """Reads, and notes what was asked for and what came."""

    def __init__(self, reader: InlineReader) -> None:
        self._reader = reader
        self.asked: list[Fetch] = []
        self.rows: list[list[list[Row]]] = []

    async def fetch(self, wanted: Fetch) -> list[Row]:
        [rows] = await self.fetch_each([wanted])
        return rows

    async def fetch_each(self, wanted: Any) -> list[list[Row]]:
        self.asked += [one for one in wanted if one is not None]
        self.rows.append(await self._reader.fetch_each(wanted))
        return self.rows[-1]


def main() -> None:
    """Print the steps of Q1 and Q2 in microseconds."""
    firm = data.firm(FOLDER, CASES)
    with tempfile.TemporaryDirectory() as folder:
        copy = firm.copied(Path(folder), "breakdown")
        asyncio.run(_measure(copy))


async def _measure(firm: data.Firm) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{firm.path}", rate_limit=10**9))
    sample = Sample.of(firm)
    async with app.router.lifespan_context(app):
        table = Table(title="Microseconds of one request, in process")
        for title in ("step", "Q1", "Q2"):
            table.add_column(title, justify="left" if title == "step" else "right")
        steps = [
            await _steps(app, firm, work, works.calls(work, sample, 0)[0])
            for work in (works.BY_NAME["Q1"], works.BY_NAME["Q2"])
        ]
        for name in steps[0]:
            table.add_row(name, *(f"{one[name]:.0f}" for one in steps))
    Console().print(table)


async def _steps(app: Any, firm: data.Firm, work: Work, call: Call) -> dict[str, float]:
    assert work.document is not None
    services = app.state.services
    who: Principal = await services.keys.authenticate(firm.key)
    body = orjson.dumps({"query": work.document, "variables": call.variables})
    document = parse(work.document)
    operation = Operation(schema._schema, document, None)
    node = operation_of(document, None, "POST")
    measure = measured(schema._schema, document, node, Settings())
    documents = Documents()
    documents.remember(work.document, None, Remembered(operation, measure))
    variables = operation.variables(call.variables)
    assert variables is not None
    reader: InlineReader = services.database._inline

    noting = _Noting(reader)
    planned = await operation.plan_function(noting, who, variables, None)
    # Statement by statement on the driver's connection, parameters bound beforehand.
    bound = [one.statement.bound(SQLITE, one.values) for one in noting.asked]
    connection = reader._connection
    connection.set_progress_handler(None, 0)

    def sql() -> None:
        connection.execute("BEGIN")
        for text, parameters in bound:
            connection.execute(text, parameters).fetchall()
        connection.execute("ROLLBACK")

    async def build() -> None:
        await operation.plan_function(_Remembered(noting.rows), who, variables, None)

    whole = await _median(lambda: _request(app, firm.key, body))
    found = {
        "parse the body": await _median(_plain(lambda: orjson.loads(body))),
        "know the key and its rate": await _median(lambda: _known(services, firm.key)),
        "look up the plan": await _median(_plain(lambda: documents.find(work.document, None))),  # type: ignore[arg-type]
        "coerce the variables": await _median(_plain(lambda: operation.variables(call.variables))),
        "hops to another thread": 0.0,
        "SQL": await _median(_plain(sql)),
        "plan's function, but for SQL": await _median(build),
        "encode": await _median(_plain(lambda: orjson.dumps({"data": planned}))),
    }
    found["the rest: ASGI, headers, request id"] = whole - sum(found.values())
    found["whole, without the server"] = whole
    return found


async def _median(step: Callable[[], Awaitable[Any]]) -> float:
    times = []
    for _ in range(TIMES):
        started = time.perf_counter()
        await step()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def _plain(step: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
    async def done() -> None:
        step()

    return done


async def _known(services: Any, key: str) -> None:
    services.rates.take(await services.keys.authenticate(key))


async def _request(app: Any, key: str, body: bytes) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise AssertionError(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [
            (b"authorization", b"Bearer " + key.encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ],
    }
    await app(scope, receive, send)


if __name__ == "__main__":
    main()
