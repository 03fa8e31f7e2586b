"""casegraph keys: creates, lists and revokes API keys, which the API itself cannot do."""

from typing import Annotated

import typer
from rich.table import Column, Table

from domain.access.principal import Scope
from domain.models import ApiKey, Mode
from domain.storage.opening import opened
from domain.upkeep import administration
from gateway.commands import terminal
from gateway.commands.terminal import WORKSPACE, DatabaseUrl, Workspace, err, out

app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The key's name; the timeline shows it.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            "--scope", help="A scope of the key; repeat for several. All scopes if absent."
        ),
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="Create a key for the sandbox only.")
    ] = False,
    workspace: Workspace = WORKSPACE,
    database: DatabaseUrl = None,
) -> None:
    """Create a key and print it. It is shown only once; the database keeps only its hash.

    Examples:

        casegraph keys create "web app"

        casegraph keys create reporting --scope cases:read

        casegraph keys create "integration tests" --test
    """
    raw = terminal.run(
        _create(terminal.chosen(database).database_url, name, scope, test, workspace)
    )
    err.print("Keep this key safe: it will not be shown again.")
    out.print(raw)


@app.command("list")
def list_(database: DatabaseUrl = None) -> None:
    """List the keys, including revoked ones. The keys themselves are not stored."""
    table = Table(Column("Id", no_wrap=True, min_width=12), "Name", "Workspace", "Mode", "Scopes")
    table.add_column("Created", no_wrap=True, min_width=20)
    table.add_column("Revoked")
    for key in terminal.run(_list(terminal.chosen(database).database_url)):
        scopes = " ".join(sorted(key.scopes))
        row = (key.id, key.name, key.workspace, key.mode, scopes, key.created_at)
        table.add_row(*row, key.revoked_at or "")
    out.print(table)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id (see keys list), or the key itself.")],
    database: DatabaseUrl = None,
) -> None:
    """Revoke a key. Running gateways reject it within a second."""
    revoked = terminal.run(_revoke(terminal.chosen(database).database_url, key))
    out.print(f"The key {revoked.id} ({revoked.name}) is revoked.")


async def _create(
    url: str, name: str, scopes: list[Scope] | None, test: bool, workspace: str
) -> str:
    async with opened(url) as database:
        if workspace == WORKSPACE:
            await administration.create_workspace(database, workspace)
        mode = Mode.TEST if test else Mode.LIVE
        raw, _entry = await administration.create_key(
            database, name, scopes or list(Scope), slug=workspace, mode=mode
        )
        return raw


async def _list(url: str) -> list[ApiKey]:
    async with opened(url, migrate=False) as database:
        return await administration.list_keys(database)


async def _revoke(url: str, key: str) -> ApiKey:
    async with opened(url, migrate=False) as database:
        return await administration.revoke_key(database, key)
