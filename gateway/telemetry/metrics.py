"""What is counted and measured, for Prometheus: its families, and how a request is counted.

With several workers, prometheus-client keeps the values of all of them in files that they share:
see gateway.server.process. Labels have few values, whatever clients send: see Names.
"""

import math
import os
from bisect import bisect_left
from pathlib import Path
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    mmap_dict,
)

from domain.storage.watch import Watch

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable for where prometheus-client keeps the values of several workers; only they have it.
It must be set, or not be there, before anything of the client is imported."""
FILE_BYTES = 1 << 20
"""The size of each file with values: room for some 5,000 of them."""
if SHARED in os.environ:
    mmap_dict._INITIAL_MMAP_SIZE = FILE_BYTES
MOST_NAMES = 100
"""How many operation names that clients chose have figures of their own."""

SECOND_BOUNDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    math.inf,
)
ROW_BOUNDS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, math.inf)

REQUESTS = Counter(
    "casegraph_requests",
    "Requests that were answered. The code is the first error's, if there is one.",
    ["surface", "operation", "status", "code"],
    registry=REGISTRY,
)
ERRORS = Counter(
    "casegraph_errors",
    "Answers that told of an error with this code, or of such a one among a mutation's userErrors.",
    ["surface", "code"],
    registry=REGISTRY,
)
SECONDS = Histogram(
    "casegraph_request_seconds",
    "How long requests took, from their head to the end of their answer.",
    ["surface", "operation"],
    buckets=SECOND_BOUNDS,
    registry=REGISTRY,
)
ROWS = Histogram(
    "casegraph_request_rows",
    "Approximate number of rows and index entries that requests visited.",
    ["surface"],
    buckets=ROW_BOUNDS,
    registry=REGISTRY,
)
POINTS = Counter(
    "casegraph_points", "Points that were charged to keys.", ["surface"], registry=REGISTRY
)
SENT = Counter(
    "casegraph_sent_bytes", "Bytes of the bodies of answers.", ["surface"], registry=REGISTRY
)
KEPT = Counter(
    "casegraph_kept_answers",
    "Lookups of kept answers: hit if there was one, miss if not.",
    ["result"],
    registry=REGISTRY,
)
PLANS = Counter(
    "casegraph_plans",
    "Plans of GraphQL operations: compiled; run; not_covered, so that graphql-core executed the "
    "operation; and given_up, so that it did after all.",
    ["outcome"],
    registry=REGISTRY,
)
CHANGES = Counter(
    "casegraph_changes_sent", "Changes that subscribers were told of.", registry=REGISTRY
)
DELIVERIES = Counter(
    "casegraph_webhook_deliveries",
    "Attempts to deliver to webhooks, by outcome: delivered or failed.",
    ["outcome"],
    registry=REGISTRY,
)
DELIVERY_SECONDS = Histogram(
    "casegraph_webhook_delivery_seconds",
    "How long attempts to deliver to webhooks took.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, math.inf),
    registry=REGISTRY,
)
OVERRUNS = Counter(
    "casegraph_read_overruns",
    "Reads of a SQLite file that were begun on the event loop and proved too long for it.",
    registry=REGISTRY,
)
COMMIT_SECONDS = Histogram(
    "casegraph_commit_seconds",
    "How long commits took; one may be of several transactions.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
    registry=REGISTRY,
)
TRANSACTIONS = Counter(
    "casegraph_transactions", "Transactions that were committed.", registry=REGISTRY
)


def gauge(name: str, text: str, *labels: str, of: str = "livesum") -> Gauge:
    """A gauge of all live workers, whose values are added unless *of* says otherwise."""
    return Gauge(f"casegraph_{name}", text, labels, registry=REGISTRY, multiprocess_mode=of)  # type: ignore[arg-type]


WORKERS = gauge("workers", "Server processes that run.")
BUILD = gauge("build_info", "The version that runs.", "version", "database", of="livemax")
CONNECTIONS = gauge("connections", "Open connections of clients.")
IN_PROGRESS = gauge("requests_in_progress", "Requests that are being answered.")
MEMORY = gauge("resident_memory_bytes", "Memory of the server processes.")
KEPT_BYTES = gauge("kept_answers_bytes", "Bytes that kept answers take.")
SUBSCRIPTIONS = gauge("subscriptions", "Subscriptions that are open.")
BUSY = gauge("database_busy", "Reads, or writes, that the database does now.", "work")
WAITING = gauge("database_waiting", "Reads, or writes, that wait for their turn.", "work")
MOST = gauge("database_most", "Reads, or writes, that it does at most at once.", "work")
POOL = gauge("database_connections", "Open connections to the database.")
LAG = gauge(
    "database_lag_seconds",
    "How far the server that is read is behind; +Inf if it does not answer.",
    "server",
    of="livemax",
)
# Each worker that is scraped looks anew.
BYTES = gauge("database_bytes", "Disk space used by the database.", "part", of="livemostrecent")


class Names:
    """The operation names that have figures of their own: known ones, and the first so many."""

    OTHER = "(other)"
    ANONYMOUS = "(anonymous)"
    NONE = "(none)"

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self._seen = 0
        self._names = {"": self.ANONYMOUS}

    def label(self, name: str | None, *, known: bool, executed: bool) -> str:
        """The label for an operation: *known* if it is of a trusted document.

        Names of what was not executed are not remembered, or junk would take up the room.
        None: there is no operation.
        """
        if name is None:
            return self.NONE
        if (label := self._names.get(name)) is not None:
            return label
        if not executed or (self._seen >= self._most and not known):
            return self.OTHER
        self._seen += not known
        self._names[name] = name
        return name


NAMES = Names()


class _Tally:
    """What is counted of requests of one kind until the next flush().

    prometheus-client takes some microseconds for each of seven figures, with locks, or in files
    that workers share: one in ten of what a server takes for a short answer.
    """

    __slots__ = (
        "charged",
        "children",
        "count",
        "hits",
        "latency",
        "misses",
        "rows",
        "seconds",
        "sent",
        "visited",
    )

    def __init__(self, surface: str, operation: str, status: int, codes: tuple[str, ...]) -> None:
        self.children = (
            REQUESTS.labels(surface, operation, str(status), codes[0] if codes else ""),
            [ERRORS.labels(surface, code) for code in codes],
            SECONDS.labels(surface, operation),
            ROWS.labels(surface),
            SENT.labels(surface),
            POINTS.labels(surface),
        )
        self.clear()

    def clear(self) -> None:
        self.count = self.sent = self.charged = self.hits = self.misses = 0
        self.seconds = self.visited = 0.0
        self.latency = [0] * len(SECOND_BOUNDS)
        self.rows = [0] * len(ROW_BOUNDS)

    def flush(self) -> None:
        """Hand on what is counted."""
        requests, errors, latency, rows, sent, points = self.children
        requests.inc(self.count)
        for error in errors:
            error.inc(self.count)
        _observe(latency, self.latency, self.seconds)
        _observe(rows, self.rows, self.visited)
        sent.inc(self.sent)
        points.inc(self.charged)
        _KEPT[True].inc(self.hits)
        _KEPT[False].inc(self.misses)
        self.clear()


def _observe(histogram: Histogram, counts: list[int], total: float) -> None:
    """What observe() would do for each value."""
    for bucket, count in zip(histogram._buckets, counts, strict=True):
        if count:
            bucket.inc(count)
    histogram._sum.inc(total)


_tallies: dict[tuple[str, str, int, tuple[str, ...]], _Tally] = {}
_MOST_TALLIES = 2_000


def request(
    surface: str,
    operation: str,
    status: int,
    seconds: float,
    sent: int,
    state: dict[str, Any],
) -> None:
    """Count a request that was answered, with the facts about it that its *state* has.

    *sent* is the bytes of the answer's body. Facts: codes, rows, points, kept.
    """
    key = surface, operation, status, state.get("codes") or ()
    tally = _tallies.get(key)
    if tally is None:
        if len(_tallies) >= _MOST_TALLIES:
            flush()
            _tallies.clear()
        tally = _tallies[key] = _Tally(*key)
    tally.count += 1
    tally.sent += sent
    tally.charged += state.get("points", 0)
    if "events" not in state:  # a stream ends when its client wants it to
        tally.seconds += seconds
        tally.latency[bisect_left(SECOND_BOUNDS, seconds)] += 1
    if (visited := state.get("rows")) is not None:
        tally.visited += visited
        tally.rows[bisect_left(ROW_BOUNDS, visited)] += 1
    if (kept := state.get("kept")) is not None:
        if kept:
            tally.hits += 1
        else:
            tally.misses += 1


def flush() -> None:
    """Hand on what was counted since the last time: before a scrape, and once a second if there are
    several workers."""
    for tally in _tallies.values():
        if tally.count:
            tally.flush()


def refused(status: int, code: str) -> None:
    """Count what was refused before there was a request."""
    REQUESTS.labels("server", Names.NONE, str(status), code).inc()
    ERRORS.labels("server", code).inc()


# From the beginning, so that the first one is seen to be one more.
for _surface in ("graphql", "rest", "other"):
    for _code in ("INTERNAL_ERROR", "DATABASE_DAMAGED"):
        ERRORS.labels(_surface, _code)


def reserve() -> None:
    """Take the room for this worker's values now: a full disk would end it when they are written.

    Raises OSError if there is too little.
    """
    for path in Path(os.environ[SHARED]).glob(f"*_{os.getpid()}.db"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, FILE_BYTES)


_KEPT = {True: KEPT.labels("hit"), False: KEPT.labels("miss")}
PLAN_COMPILED = PLANS.labels("compiled")
PLAN_RUN = PLANS.labels("run")
PLAN_NOT_COVERED = PLANS.labels("not_covered")
PLAN_GIVEN_UP = PLANS.labels("given_up")
DELIVERED = DELIVERIES.labels("delivered")
UNDELIVERED = DELIVERIES.labels("failed")


class Counting(Watch):
    """Counts what the database does."""

    def overran(self) -> None:
        OVERRUNS.inc()

    def committed(self, seconds: float, transactions: int) -> None:
        COMMIT_SECONDS.observe(seconds)
        TRANSACTIONS.inc(transactions)
