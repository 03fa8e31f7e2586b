"""casegraph import and casegraph export: cases as JSON lines."""

import contextlib
import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from domain.errors import Unavailable, invalid
from domain.models import Mode
from domain.transfer import exporting, importing
from domain.transfer.formats import TOO_LONG, lines_of
from domain.transfer.importing import OnConflict, Progress, Rejected, Report
from domain.upkeep import administration
from gateway.commands import terminal
from gateway.commands.terminal import WORKSPACE, DatabaseUrl, Sandbox, Workspace, err, progress

REJECTED_STATUS = 3
SHOWN_REJECTS = 20
GZIP = b"\x1f\x8b"


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.jsonl",
            help="The file to import, with one case per line; it may be compressed with gzip. - is "
            "standard input.",
        ),
    ],
    on_conflict: Annotated[
        OnConflict,
        typer.Option(help="How to treat a line whose file number or id is already taken."),
    ] = OnConflict.REJECT,
    source: Annotated[
        str | None,
        typer.Option(
            help="The source of the names: within one source, the same name is the same person.",
            show_default="the file's name",
        ),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            help="The file for rejected lines; one that is there is kept, and a number added.",
            show_default="FILE.rejects.jsonl, beside FILE",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Report what would be imported and rejected; change nothing. Who writes to the "
            "workspace waits meanwhile.",
        ),
    ] = False,
    workspace: Workspace = WORKSPACE,
    test: Sandbox = False,
    database: DatabaseUrl = None,
) -> None:
    """Import cases, one JSON object per line, in the shape of the REST case object.

    Name parties and staff by id or by name; timeline, links, created_at and updated_at are
    optional. Importing a file again duplicates nothing. Rejected lines are reported and written
    to a file; all other lines are imported. Exit status: 0 all lines were imported, 3 some lines
    were rejected, 1 the import failed.

    Examples:

        casegraph import cases.jsonl --dry-run

        casegraph import cases.jsonl

        casegraph import cases.rejects.jsonl --source cases.jsonl

        casegraph import cases.jsonl --on-conflict update

        zcat cases-*.jsonl.gz | casegraph import - --source cases
    """
    if source is None and (str(file) == "-" or file.is_fifo()):
        raise invalid("Standard input has no name: give its lines a --source.", "source")
    stem = Path(file.name.removesuffix(".gz")).stem if file.is_file() else str(source)
    target = rejects or (file.parent if file.is_file() else Path()) / f"{stem}.rejects.jsonl"
    if target.resolve() == file.resolve():
        raise Unavailable("The rejects must not be written to the imported file.")
    url = terminal.chosen(database).database_url
    mode = Mode.TEST if test else Mode.LIVE
    done = Progress(0, 0)

    def on_progress(now: Progress) -> None:
        nonlocal done
        done = now

    with _Rejects(None if dry_run else target) as rejected:
        work = _import(
            url,
            file,
            source or file.name,
            on_conflict,
            workspace,
            mode,
            rejected.add,
            on_progress,
            dry_run=dry_run,
        )
        try:
            report = terminal.run(work)
        except KeyboardInterrupt:
            there = (
                f"of the first {done.lines:,} lines all is in that was not rejected. Run the same "
                "command again to go on: nothing is imported twice."
            )
            err.print(f"Interrupted: {'nothing was changed.' if dry_run else there}")
            raise typer.Exit(terminal.INTERRUPTED) from None
    if dry_run:
        err.print("Nothing was changed. It would be:")
    err.print(
        f"{report.imported:,} cases imported, {report.updated:,} updated, "
        f"{report.skipped:,} skipped, {report.unchanged:,} unchanged, "
        f"{report.rejected:,} lines rejected."
    )
    if report.guessed:
        err.print(
            f"The kind of {report.guessed:,} of {report.parties:,} new parties was guessed from "
            'the name, like "GmbH" or "Supreme Court"; give "kind" to be sure.'
        )
    if report.rejected:
        if rejected.file is not None:
            again = f"casegraph import {rejected.file} --source {source or file.name}"
            told = f"The rejected lines are in {rejected.file}. Correct them and run: {again}"
            err.print(terminal.hinted(told), markup=False)
        raise typer.Exit(REJECTED_STATUS)


def export(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE.jsonl",
            dir_okay=False,
            help="The file to write; standard output if absent.",
        ),
    ] = None,
    workspace: Workspace = WORKSPACE,
    test: Sandbox = False,
    database: DatabaseUrl = None,
) -> None:
    """Export all cases, one JSON object per line, with parties, staff, timeline and links.

    A new database that imports the file gives the same answers. Deleted cases are left out.

    Examples:

        casegraph export cases.jsonl

        casegraph export | gzip > cases.jsonl.gz
    """
    url = terminal.chosen(database).database_url
    mode = Mode.TEST if test else Mode.LIVE
    with _target(file) as stream:
        count = terminal.run(_export(url, stream, workspace, mode))
    err.print(f"{count:,} cases exported.")


class _Rejects:
    """Shows the first rejects and writes all of them to a new file, made for the first one."""

    def __init__(self, target: Path | None) -> None:
        """Without a *target* they are only shown."""
        self._target = target
        self._stream: BinaryIO | None = None
        self._count = 0
        self.file: Path | None = None

    def __enter__(self) -> "_Rejects":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def add(self, rejected: Rejected) -> None:
        self._count += 1
        if self._count <= SHOWN_REJECTS:
            err.print(f"line {rejected.line_number}: {rejected.reason}", markup=False)
        elif self._count == SHOWN_REJECTS + 1:
            err.print("… and more.")
        if self._target is None:
            return
        if rejected.line is TOO_LONG:
            return  # told by its number; it was never in memory as a whole
        if self._stream is None:
            self.file, self._stream = _new(self._target)
        self._stream.write(rejected.line.rstrip(b"\r\n") + b"\n")


def _new(target: Path) -> tuple[Path, BinaryIO]:
    """A new file of this name, or of one with a number if it is taken: by corrections, say."""
    stem, dot, suffix = target.name.partition(".")
    for number in count(1):
        path = target if number == 1 else target.with_name(f"{stem}-{number}{dot}{suffix}")
        try:
            # It holds clients' names: only the user who imports may read it.
            return path, open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        except FileExistsError:
            continue
    raise AssertionError


async def _import(
    url: str,
    file: Path,
    source: str,
    on_conflict: OnConflict,
    workspace: str,
    mode: Mode,
    on_reject: Callable[[Rejected], object],
    on_progress: Callable[[Progress], object],
    *,
    dry_run: bool,
) -> Report:
    async with terminal.opened(url, migrate=not dry_run) as database:
        if workspace == WORKSPACE and not dry_run:
            await administration.create_workspace(database, workspace)
        who = await administration.operator(database, workspace, mode)
        with _opened(file) as stream, progress() as bar:
            task = bar.add_task("Importing", total=_count_lines(file))

            def shown(now: Progress) -> None:
                on_progress(now)
                bar.update(task, completed=now.lines)

            return await importing.import_cases(
                who,
                database,
                lines_of(stream),
                source=source,
                on_conflict=on_conflict,
                on_progress=shown,
                on_reject=on_reject,
                dry_run=dry_run,
            )


async def _export(url: str, stream: BinaryIO, workspace: str, mode: Mode) -> int:
    async with terminal.opened(url, migrate=False) as database:
        who = await administration.operator(database, workspace, mode)
        with progress() as bar:
            task = bar.add_task("Exporting", total=None)
            return await exporting.export_cases(
                who,
                database,
                stream.write,
                on_progress=lambda done, total: bar.update(task, completed=done, total=total),
            )


@contextlib.contextmanager
def _target(file: Path | None) -> Iterator[BinaryIO]:
    """Standard output, a device or pipe, or a file that appears only once it is complete."""
    if file is None:
        yield sys.stdout.buffer
        return
    if file.exists() and not file.is_file():
        with file.open("wb") as stream:
            yield stream
        return
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)  # of an export that was killed, or a link that leads elsewhere
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """The file or standard input, decompressed if it is compressed with gzip."""
    with contextlib.ExitStack() as stack:
        if str(file) == "-":
            stream: Any = sys.stdin.buffer
        else:
            stream = stack.enter_context(file.open("rb"))
        if stream.peek(2)[:2] == GZIP:
            stream = stack.enter_context(gzip.GzipFile(fileobj=stream))
        try:
            yield stream
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise Unavailable(f"The file cannot be decompressed: {error}.") from None


def _count_lines(file: Path) -> int | None:
    """The lines of a plain file. A pipe would be empty afterwards."""
    if not file.is_file():
        return None
    with file.open("rb") as lines:
        if lines.peek(2)[:2] == GZIP:
            return None
        return sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
