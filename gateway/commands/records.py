"""casegraph cases, parties and staff: what was deleted, and what is to be deleted or merged."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.table import Column, Table

from domain import instants
from domain.access.principal import Principal
from domain.models import DeletedCase, Mode
from domain.reading import lists, objects
from domain.reading.paging import MAX_LIMIT, Paging
from domain.storage.database import Database
from domain.upkeep import administration
from domain.writing import cases as writing
from domain.writing import merging, register
from gateway.commands import terminal
from gateway.commands.terminal import WORKSPACE, AsJson, DatabaseUrl, Sandbox, Workspace, out

T = TypeVar("T")

cases = typer.Typer(help="Deleted cases: list, restore.", no_args_is_help=True)
parties = typer.Typer(help="Parties: delete, merge.", no_args_is_help=True)
staff = typer.Typer(help="Staff: delete.", no_args_is_help=True)


@cases.command()
def deleted(
    as_json: AsJson = False,
    workspace: Workspace = WORKSPACE,
    test: Sandbox = False,
    database: DatabaseUrl = None,
) -> None:
    """List the deleted cases, the last one first. See also: casegraph purge.

    Examples:

        casegraph cases deleted

        casegraph cases deleted --json
    """
    table = Table(Column("Id", no_wrap=True), box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Deleted", no_wrap=True)
    table.add_column("File number", overflow="fold")
    table.add_column("Name", overflow="fold")
    found = _run(database, workspace, test, _deleted)
    for one in found:
        table.add_row(one.id, instants.day(one.deleted_at), one.file_number or "", one.name)
    terminal.listed(found, table, as_json=as_json)


@cases.command()
def restore(
    case: Annotated[str, typer.Argument(metavar="ID", help="The case's id: see cases deleted.")],
    workspace: Workspace = WORKSPACE,
    test: Sandbox = False,
    database: DatabaseUrl = None,
) -> None:
    """Show a deleted case again, with its parties and staff; its links are gone.

    Examples:

        casegraph cases restore 019bc8f0-4c00-7000-8000-0123456789ab
    """
    restored = _run(database, workspace, test, lambda who, db: writing.restore_case(who, db, case))
    out.print(f"The case {restored.id} is restored: {restored.name}", markup=False)


@parties.command("delete")
def delete_party(
    party: Annotated[str, typer.Argument(metavar="ID", help="The party's id.")],
    workspace: Workspace = WORKSPACE,
    test: Sandbox = False,
    database: DatabaseUrl = None,
) -> None:
    """Delete a party that no case names. Its name stays in the timeline until it is purged.

    Examples:

        casegraph parties delete pty_06H23Z20T406VW09K5N0QD59C2
    """
    _run(database, workspace, test, lambda who, db: register.delete_party(who, db, party))
    told = f"The party {party} is deleted. Erase it for good with: casegraph purge"
    out.print(terminal.hinted(told), markup=False)


@parties.command()
def merge(
    keep: Annotated[str, typer.Argument(metavar="KEEP", help="The id of the party to keep.")],
    gone: Annotated[str, typer.Argument(metavar="MERGE", help="The id of the party that goes.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done; change nothing.")
    ] = False,
    workspace: Workspace = WORKSPACE,
    test: Sandbox = False,
    database: DatabaseUrl = None,
) -> None:
    """Merge two parties that are one and the same: the first takes over the second's roles.

    A role that both have in a case becomes one, and their references are joined. The second id
    leads to the first party from then on.

    Examples:

        casegraph parties merge pty_06H23Z20T406VW09K5N0QD59C2 pty_06H23… --dry-run
    """
    merged = _run(
        database,
        workspace,
        test,
        lambda who, db: merging.merge_parties(who, db, keep, gone, dry_run=dry_run),
    )
    verb = "would move" if dry_run else "moved"
    out.print(
        f"{merged.moved:,} roles in {merged.cases:,} cases {verb} to {merged.party.name}, and "
        f"{merged.joined:,} were joined.",
        markup=False,
    )


@staff.command("delete")
def delete_staff(
    member: Annotated[str, typer.Argument(metavar="ID", help="The staff member's id.")],
    workspace: Workspace = WORKSPACE,
    test: Sandbox = False,
    database: DatabaseUrl = None,
) -> None:
    """Delete a staff member whom no case names. Their name stays in the timeline.

    Examples:

        casegraph staff delete usr_06H23Z20T406VW09K5N0QD59C2
    """
    _run(database, workspace, test, lambda who, db: register.delete_staff(who, db, member))
    out.print(f"The staff member {member} is deleted.")


async def _deleted(who: Principal, database: Database) -> list[DeletedCase]:
    asked = lists.deleted_cases(who)
    found: list[DeletedCase] = []
    paging: Paging | None = Paging(MAX_LIMIT)
    async with database.read(who.workspace_id) as db:
        while paging is not None:
            page = await objects.page(db, asked, paging)
            found += page
            paging = Paging(MAX_LIMIT, after=page.end_cursor) if page.has_next else None
    return found


def _run(
    url: str | None,
    workspace: str,
    test: bool,
    work: Callable[[Principal, Database], Awaitable[T]],
) -> T:
    async def run() -> T:
        async with terminal.opened(url, migrate=False) as database:
            mode = Mode.TEST if test else Mode.LIVE
            return await work(await administration.operator(database, workspace, mode), database)

    return terminal.run(run())
