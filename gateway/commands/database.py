"""casegraph init, verify, purge, backup and restore: maintaining a database."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from domain import instants
from domain.errors import invalid
from domain.models import Mode
from domain.reading import anchors
from domain.reading.anchors import Anchor
from domain.storage.opening import parse_url, without_password
from domain.upkeep import administration, forgetting, purging, restoring, verifying
from gateway.commands import terminal
from gateway.commands.terminal import (
    WORKSPACE,
    DatabaseUrl,
    Sandbox,
    Workspace,
    err,
    out,
    progress,
)

SHOWN = 10
"""How many ids a sentence names."""


def init(
    workspace: Workspace = WORKSPACE,
    name: Annotated[
        str | None, typer.Option(help="The firm's name, for display.", show_default=False)
    ] = None,
    app_role: Annotated[
        str | None,
        typer.Option(
            metavar="ROLE",
            help="On PostgreSQL, let this role serve: it can neither change the schema, nor see "
            "several workspaces at once, nor edit a timeline.",
            show_default=False,
        ),
    ] = None,
    database: DatabaseUrl = None,
) -> None:
    """Create a database and a workspace with its sandbox; bring an older schema up to date.

    Running it again changes nothing. File numbers that several cases have since an older version
    told them apart are kept and reported.

    Examples:

        casegraph init

        casegraph init --workspace brandt --name "Kanzlei Brandt"

        casegraph init --app-role casegraph_app --database postgresql://owner@db.internal/cases
    """
    url = terminal.chosen(database).database_url

    async def work() -> list[verifying.Finding]:
        async with contextlib.AsyncExitStack() as stack:
            with progress() as bar:
                task = bar.add_task("Updating", total=None, visible=False)
                open_database = await stack.enter_async_context(
                    terminal.opened(
                        url,
                        on_progress=lambda done, total: bar.update(
                            task, completed=done, total=total, visible=True
                        ),
                    )
                )
            await administration.create_workspace(open_database, workspace, name)
            if app_role is not None:
                await open_database.grant(app_role)
            return await verifying.shared_numbers(open_database)

    for finding in terminal.run(work()):
        err.print(str(finding), markup=False)
    out.print(f"{without_password(url)} is ready and has the workspace {workspace}.")
    if app_role is not None:
        out.print(f"Serve it as the role {app_role}.", markup=False)


def verify(
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SEQ:HASH",
            help="An end that a timeline had, or a file with some: a log, an export, the output of "
            "a backup. Repeatable.",
        ),
    ] = None,
    database: DatabaseUrl = None,
) -> None:
    """Check that the database is as its own record tells, and that the record is whole.

    Checked are the timeline's hash chain, every case, party, staff member, link, role and key
    against the events that led to it, the seals of all other rows, search, and the file itself.
    An anchor from outside the database also finds a timeline that was written anew.

    Exit status: 0 no findings, 1 findings, printed one per line.

    Examples:

        casegraph verify

        casegraph verify --anchor /var/log/casegraph.log

        casegraph verify --database sqlite:///backup.db --anchor 4711:5f0c…
    """
    url = terminal.chosen(database).database_url
    wanted = {one for text in anchor or () for one in _anchors(text)}

    async def work() -> verifying.Verification:
        async with terminal.opened(url, migrate=False) as open_database:
            with progress() as bar:
                task = bar.add_task("Verifying", total=None)
                return await verifying.verify(
                    open_database,
                    anchors=wanted,
                    on_progress=lambda done, total: bar.update(task, completed=done, total=total),
                )

    result = terminal.run(work())
    for finding in result.findings:
        out.print(str(finding), markup=False)
    out.print(f"{result.events:,} events and {result.cases:,} cases checked.")
    if wanted:
        out.print(f"{len(result.anchored):,} of {len(wanted):,} anchors found.")
    if result.findings:
        err.print(f"{len(result.findings):,} findings.")
        raise typer.Exit(1)
    out.print("All is well.")


def purge(
    before: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Only cases and parties deleted before this date.",
            show_default="all deleted",
        ),
    ] = None,
    party: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Erase this party and nothing else, even if cases name it, or it was deleted or "
            "merged before.",
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="With --party: another name of the party, or how it is misspelled; once for each. "
            "A party that was erased before has no name of its own any more."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be erased; erase nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    workspace: Workspace = WORKSPACE,
    test: Sandbox = False,
    database: DatabaseUrl = None,
) -> None:
    """Permanently erase what was deleted, or one party. This cannot be undone.

    A deleted case goes with its roles, links and the content of its events, and with the parties
    whom no other case names. Of a party go the name in every spelling, its references and what the
    record tells of it; a case that still names it calls it "erased". The timeline keeps that
    something happened, and its chain holds. Names that still stand in the texts of cases, other
    parties, staff, keys or webhooks are listed: change these, and purge again with --name.

    The command waits until nobody reads an older state of the file any more. Exit status: 0 all is
    erased, 1 something is left; run it again.

    Examples:

        casegraph purge --dry-run

        casegraph purge --before 2025-01-01 --yes

        casegraph purge --party pty_06H23Z20T406VW09K5N0QD59C2

        casegraph purge --party pty_06H23Z20T406VW09K5N0QD59C2 --name "Erika Mustermann"
    """
    url = terminal.chosen(database).database_url
    if party is not None and (before is not None or dry_run):
        raise invalid("--party goes with neither --before nor --dry-run.", "party")
    if name and party is None:
        raise invalid("--name goes with --party only.", "name")
    try:
        limit = None if before is None else instants.parse(before)
    except ValueError as error:
        raise invalid(f"--before: {error}", "before") from error
    if not (dry_run or yes):
        what = "deleted cases and parties" if party is None else f"the party {party}"
        typer.confirm(f"Permanently erase {what}?", abort=True)
    mode = Mode.TEST if test else Mode.LIVE
    if party is not None:
        _tell(party, terminal.run(_forget(url, party, name or [], workspace, mode)))
        return

    async def work() -> purging.Purged:
        async with terminal.opened(url, migrate=False) as open_database:
            who = await administration.operator(open_database, workspace, mode)
            with progress() as bar:
                task = bar.add_task("Purging", total=None)
                return await purging.purge(
                    who,
                    open_database,
                    before=limit,
                    dry_run=dry_run,
                    on_progress=lambda done, total: bar.update(task, completed=done, total=total),
                    on_wait=err.print,
                )

    purged = terminal.run(work())
    verb = "would be erased" if dry_run else "erased"
    out.print(
        f"{purged.cases:,} cases with {purged.events:,} events, and {purged.parties:,} parties "
        f"{verb}."
    )


async def _forget(
    url: str, party: str, names: list[str], workspace: str, mode: Mode
) -> forgetting.Forgotten:
    async with terminal.opened(url, migrate=False) as open_database:
        who = await administration.operator(open_database, workspace, mode)
        forgotten = await forgetting.forget_party(who, open_database, party, names)
        await open_database.rewrite(err.print)
        return forgotten


def _tell(party: str, forgotten: forgetting.Forgotten) -> None:
    out.print(f"The party {party} is erased, with {forgotten.events:,} events.", markup=False)
    if forgotten.cases:
        out.print(f'{forgotten.cases:,} cases name it, as "erased".')
    if forgotten.mentions:
        err.print(
            f"The name still stands in texts of {len(forgotten.mentions):,} cases, people, keys or "
            "webhooks: "
            f"{', '.join(forgotten.mentions[:SHOWN])}"
            f"{' and more' if len(forgotten.mentions) > SHOWN else ''}. Change them, and purge the "
            "party again with --name and its name."
        )


def backup(
    target: Annotated[
        Path, typer.Argument(metavar="FILE", dir_okay=False, help="The file for the copy.")
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE if it exists.")
    ] = False,
    database: DatabaseUrl = None,
) -> None:
    """Copy the database while it is in use; the copy is complete and consistent.

    Examples:

        casegraph backup cases-2026-11-23.db
    """
    url = terminal.chosen(database).database_url

    async def work() -> list[anchors.Head]:
        async with terminal.opened(url, migrate=False) as open_database:
            with progress() as bar:
                task = bar.add_task("Copying pages", total=None)
                rows = await open_database.backup(
                    target,
                    overwrite=overwrite,
                    on_progress=lambda done, total: bar.update(task, completed=done, total=total),
                    told=anchors.all_heads(),
                )
        return anchors.heads_of(rows)

    heads = terminal.run(work())
    out.print(f"{target} is complete. Check it with: casegraph verify --database {target}")
    for head in heads:
        out.print(f"The timeline of {head.workspace} ({head.mode}) ends with {head.anchor}")


def restore(
    backup: Annotated[
        Path,
        typer.Argument(
            metavar="BACKUP", exists=True, dir_okay=False, help="What casegraph backup has written."
        ),
    ],
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace the database that is there; it is kept beside it."),
    ] = False,
    database: DatabaseUrl = None,
) -> None:
    """Put a backup in the place of a SQLite database. The gateway must be stopped.

    The backup is copied, brought up to date and verified first; the backup itself is not changed.
    If anything is wrong with it, or somebody has the database open, nothing is done. Of a
    PostgreSQL database use pg_restore.

    Examples:

        casegraph restore cases-2026-11-23.db --database sqlite:////var/lib/casegraph/cases.db

        casegraph restore cases-2026-11-23.db --force
    """
    url = parse_url(terminal.chosen(database).database_url)
    if url.get_backend_name() != "sqlite":
        raise invalid("restore is for SQLite. Use pg_restore for PostgreSQL.", "database")
    target = Path(url.database or "")
    with progress() as bar:
        task = bar.add_task("Verifying", total=None)
        done = terminal.run(
            restoring.restore(
                backup,
                target,
                force=force,
                on_progress=lambda now, total: bar.update(task, completed=now, total=total),
            )
        )
    out.print(f"{target} is restored: {done.cases:,} cases and {done.events:,} events.")
    if done.replaced is not None:
        out.print(f"What was there is in {done.replaced}. Delete it when you are sure.")


def _anchors(text: str) -> list[Anchor]:
    """The anchors in a file of that name, or the one that the text is."""
    if not Path(text).is_file():
        return [anchors.parsed(text)]
    with Path(text).open(encoding="utf-8", errors="replace") as lines:
        found = [one for line in lines for one in anchors.found_in(line)]
    if not found:
        raise invalid(f"There is no anchor in {text}.", "anchor")
    return found
