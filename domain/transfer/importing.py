"""Importing cases: lines in, batches of rows out, each batch one transaction.

An import can be repeated, or resumed after an interruption: the table *imported* records each line
and each name of a source, and the object it became. A bad line is rejected on its own.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice

from domain.access.principal import Principal, Scope
from domain.storage.database import Database
from domain.transfer.batches import Batch, OnConflict, Report
from domain.transfer.formats import BOM, is_anchor, require_json_lines
from domain.transfer.lines import BadLine, Line, dumped, read_line
from domain.transfer.links import Begin, import_links

__all__ = ["OnConflict", "Progress", "Rejected", "Report", "dumped", "import_cases"]

BATCH = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """The lines processed so far, and those rejected."""

    lines: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that was not imported, or one of whose links was not."""

    line_number: int
    reason: str
    line: bytes


async def import_cases(
    who: Principal,
    database: Database,
    lines: Iterable[bytes],
    *,
    source: str,
    on_conflict: OnConflict = OnConflict.REJECT,
    on_progress: Callable[[Progress], object] = lambda _progress: None,
    on_reject: Callable[[Rejected], object] = lambda _rejected: None,
    dry_run: bool = False,
) -> Report:
    """Import lines, each a JSON case object; the same name within *source* is the same person.

    *on_reject* takes each rejected line as it was read. If only a link is wrong, the case stays.
    With *dry_run*, all of it is one transaction that is rolled back: the report is the same, and
    others who write to the workspace wait meanwhile.
    Raises Invalid if the first line shows that this is another kind of file.
    """
    who.require(Scope.CASES_WRITE)
    if not dry_run:
        begin = partial(database.write, who.workspace_id)
        report = await _import(who, begin, lines, source, on_conflict, on_progress, on_reject)
        await database.analyze()
        return report
    try:
        async with database.write(who.workspace_id) as db:
            begin = partial(nullcontext, db)
            report = await _import(who, begin, lines, source, on_conflict, on_progress, on_reject)
            raise _Undone
    except _Undone:
        return report


class _Undone(Exception):
    """Rolls back what was only tried."""


async def _import(
    who: Principal,
    begin: Begin,
    lines: Iterable[bytes],
    source: str,
    on_conflict: OnConflict,
    on_progress: Callable[[Progress], object],
    on_reject: Callable[[Rejected], object],
) -> Report:
    report = Report()

    def reject(line: Line, reason: str) -> None:
        report.rejected += 1
        on_reject(Rejected(line.number, reason, line.raw))

    linked: list[tuple[Line, str]] = []
    numbered = enumerate(_checked(lines), start=1)
    done = 0
    while block := list(islice(numbered, BATCH)):
        good: list[Line] = []
        for number, raw in block:
            text = raw.removeprefix(BOM if number == 1 else b"").strip()
            if not text or is_anchor(text):
                continue
            try:
                good.append(read_line(number, raw))
            except BadLine as bad:
                reject(Line(number, raw, "", is_case=False), str(bad))
        if good:
            async with begin() as db:
                batch = Batch(who, db, source, on_conflict, report, reject)
                await batch.load(good)
                for line in good:
                    await batch.take(line)
                await batch.flush()
            linked += batch.linked
        done += len(block)
        on_progress(Progress(done, report.rejected))
    report.links = await import_links(who, begin, linked, reject)
    return report


def _checked(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, if the first that is not blank begins JSON Lines."""
    begun = False
    for line in lines:
        if not begun and line.removeprefix(BOM).strip():
            require_json_lines(line)
            begun = True
        yield line
