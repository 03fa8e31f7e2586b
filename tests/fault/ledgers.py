"""What a client was told of its writes, to be compared with what a database holds."""

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class State(NamedTuple):
    """A case as far as the load changes it; each version must have its event."""

    status: str = "active"
    version: int = 1
    deleted: bool = False
    parties: int = 0
    staff: int = 0
    links: int = 0


class Request(NamedTuple):
    """What is sent; one with a key may be sent again."""

    method: str
    path: str
    body: bytes
    key: str | None = None


@dataclass(frozen=True)
class Attempt:
    """A write that was sent: the cases it changes, by id, or the one it makes, by name."""

    request: Request
    before: dict[str, State] = field(default_factory=dict)
    after: dict[str, State] = field(default_factory=dict)
    made: tuple[str, State] | None = None


@dataclass
class Ledger:
    """The writes of one client. Nobody else writes to its cases."""

    known: dict[str, State] = field(default_factory=dict)
    links: dict[str, tuple[str, str]] = field(default_factory=dict)
    doubts: list[Attempt] = field(default_factory=list)
    acknowledged: int = 0

    def doubtful(self) -> set[str]:
        """Cases that are left alone until it is known what became of them."""
        return {id for attempt in self.doubts for id in attempt.before}


@dataclass
class Outcome:
    """What a comparison found."""

    problems: list[str] = field(default_factory=list)
    there: int = 0
    absent: int = 0
    """Writes that were not acknowledged, and were done all the same, or were not."""


_STORED = """
SELECT c.id, c.name, c.status, c.version, c.deleted_at IS NOT NULL,
  (SELECT count(*) FROM case_party r WHERE r.workspace_id = c.workspace_id AND r.case_id = c.id),
  (SELECT count(*) FROM staff_assignment r
    WHERE r.workspace_id = c.workspace_id AND r.case_id = c.id),
  (SELECT count(*) FROM case_link r WHERE r.workspace_id = c.workspace_id AND r.case_id = c.id),
  (SELECT count(*) FROM timeline_event e
    WHERE e.workspace_id = c.workspace_id AND e.case_id = c.id)
FROM cases c
"""


def compare(database: Path, ledgers: Iterable[Ledger]) -> Outcome:
    """What the database has lost, or has only in part. Doubts that are cleared up are dropped."""
    outcome = Outcome()
    stored: dict[str, State] = {}
    ids: dict[str, str] = {}
    with contextlib.closing(sqlite3.connect(database)) as raw:
        for id, name, status, version, deleted, parties, staff, links, events in raw.execute(
            _STORED
        ):
            stored[id] = State(status, version, bool(deleted), parties, staff, links)
            if events != version:
                outcome.problems.append(f"{name}: version {version} has {events} events")
            if name in ids:
                outcome.problems.append(f"{name}: it was made twice")
            ids[name] = id
    asked_for: set[str] = set()
    for ledger in ledgers:
        asked_for.update(ledger.known)
        doubtful = ledger.doubtful()
        for id, state in ledger.known.items():
            if id not in doubtful and stored.get(id) != state:
                outcome.problems.append(f"{id}: {stored.get(id)}, but acknowledged was {state}")
        for attempt in list(ledger.doubts):
            _settle(ledger, attempt, stored, ids, outcome)
            if attempt.made and (id := ids.get(attempt.made[0])):
                asked_for.add(id)
    outcome.problems += [f"{id}: nobody asked for it" for id in stored if id not in asked_for]
    return outcome


def _settle(
    ledger: Ledger,
    attempt: Attempt,
    stored: dict[str, State],
    ids: dict[str, str],
    outcome: Outcome,
) -> None:
    if attempt.made:
        name, state = attempt.made
        id = ids.get(name)
        there = id is not None
        if id is not None and stored[id] != state:
            outcome.problems.append(f"{name}: half made: {stored[id]}, not {state}")
    else:
        now = {id: stored.get(id) for id in attempt.before}
        there = now == attempt.after
        if now not in (attempt.before, attempt.after):
            outcome.problems.append(f"half done: {now}, not {attempt}")
    outcome.there += there
    outcome.absent += not there
    if attempt.request.key is None:
        ledger.doubts.remove(attempt)
        if attempt.made and there:
            ledger.known[ids[attempt.made[0]]] = attempt.made[1]
        elif there:
            ledger.known.update(attempt.after)
