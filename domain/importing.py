"""Bringing cases in, one JSON object a line: batches of lines, each in its own transaction.

Running a file again is safe: the table imported remembers every line that went in, and which
person a name in a source stands for. What a line may hold is in import_lines.py, how a batch is
written in import_batch.py, and links, made when all their cases are there, in import_links.py.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from domain import import_links
from domain.auth import Principal, Scope
from domain.database import Database
from domain.errors import Invalid, invalid
from domain.import_batch import Batch, OnConflict, Outcome, Tally
from domain.import_lines import CaseLine, RegisterLine, read_line, reason_of
from domain.import_links import LinkedLine

__all__ = ["OnConflict", "Progress", "Rejected", "Report", "dumped", "import_cases"]

BATCH = 200  # lines a transaction
_BATCH_BYTES = 8_000_000
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has come: lines and bytes read, and what became of the lines."""

    lines: int
    bytes_read: int
    imported: int
    updated: int
    skipped: int
    unchanged: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that did not go in, or whose links did not: its number from 1, as it was read."""

    line_number: int
    reason: str
    line: bytes


@dataclass(slots=True)
class Report(Tally):
    """What an import did. Lines with parties and staff only count in these, not as imported."""

    rejected: int = 0


@dataclass(frozen=True, slots=True)
class _Read:
    number: int
    raw: bytes
    content: CaseLine | RegisterLine | Invalid


async def import_cases(
    who: Principal,
    database: Database,
    lines: Iterable[str | bytes],
    *,
    source: str,
    on_conflict: OnConflict = OnConflict.REJECT,
    batch: int = BATCH,
    on_progress: Callable[[Progress], None] | None = None,
    on_reject: Callable[[Rejected], None] | None = None,
) -> Report:
    """Bring *lines* in, *batch* lines a transaction; bad ones are rejected, the rest goes in.

    Within one *source* the same name is the same person. *on_conflict* decides about a line whose
    case id or file number is taken. *on_reject* and *on_progress* are called after each commit; a
    line whose links alone failed is reported at the end, and counts as rejected, too.
    Raises InsufficientScope; Unavailable, after which what was committed stays, and running the
    same import again goes on from there.
    """
    who.require(Scope.CASES_WRITE)
    report = Report()
    pending: list[LinkedLine] = []
    made: dict[str, bool] = {}
    last, size = 0, 0

    def tell(rejected: list[Rejected]) -> None:
        report.rejected += len(rejected)
        for one in rejected:
            if on_reject:
                on_reject(one)
        if on_progress:
            numbers = asdict(report)
            counts = {name: numbers[name] for name in Progress.__slots__[2:]}
            on_progress(Progress(last, size, **counts))

    for last, size, read in _batches(lines, batch):
        rejected = [
            Rejected(one.number, reason_of(one.content), one.raw)
            for one in read
            if isinstance(one.content, Invalid)
        ]
        sound = [(one, one.content) for one in read if not isinstance(one.content, Invalid)]
        if sound:
            async with database.write() as db:
                writing = Batch(db, who, source, on_conflict)
                outcomes = await writing.write([content for _one, content in sound])
            report.add(writing.tally)
            made |= writing.made
            for (one, content), outcome in zip(sound, outcomes, strict=True):
                if outcome.reason is not None:
                    rejected.append(Rejected(one.number, outcome.reason, one.raw))
                elif isinstance(content, CaseLine) and outcome.links:
                    pending.append(_linked(one, outcome))
        tell(sorted(rejected, key=lambda one: one.line_number))

    failed = []
    for start in range(0, len(pending), batch):
        async with database.write() as db:
            linking = import_links.Linking(db, who, made)
            reasons = await linking.write(chunk := pending[start : start + batch])
        report.add(linking.tally)
        failed += [
            Rejected(line.number, reason, line.raw)
            for line, reason in zip(chunk, reasons, strict=True)
            if reason is not None
        ]
    if failed:
        tell(failed)
    return report


def dumped(content: dict[str, Any]) -> bytes:
    """A JSON object as a line to import, without the line break."""
    return orjson.dumps(content)


def _linked(read: _Read, outcome: Outcome) -> LinkedLine:
    assert outcome.case_id is not None
    return LinkedLine(read.number, read.raw, outcome.case_id, outcome.links)


def _batches(
    lines: Iterable[str | bytes], most: int
) -> Iterator[tuple[int, int, list[_Read]]]:
    """Lines in batches, with the number of lines and bytes read so far; blank ones left out."""
    read: list[_Read] = []
    number = size = held = 0
    for number, line in enumerate(lines, 1):
        raw = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
        size += len(raw)
        text = (raw.removeprefix(_BOM) if number == 1 else raw).strip()
        if not text:
            continue
        read.append(_Read(number, raw, _content(text)))
        held += len(raw)
        if len(read) >= most or held >= _BATCH_BYTES:
            yield number, size, read
            read, held = [], 0
    yield number, size, read


def _content(text: bytes) -> CaseLine | RegisterLine | Invalid:
    try:
        return read_line(text)
    except Invalid as error:
        return error
    except RecursionError:
        return invalid("The line is nested too deeply.")
