"""casegraph keys: creates, lists and revokes API keys, which the API itself cannot do."""

from typing import Annotated

import typer
from rich.table import Column, Table

from domain import instants
from domain.access.principal import Scope
from domain.models import ApiKey, Mode
from domain.upkeep import administration
from gateway.commands import terminal
from gateway.commands.terminal import WORKSPACE, AsJson, DatabaseUrl, Workspace, err, out

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
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="From this date or instant on, the key opens nothing.",
            show_default="never",
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

        casegraph keys create reporting --scope cases:read --expires 2027-01-01

        casegraph keys create "integration tests" --test
    """
    raw = terminal.run(
        _create(terminal.chosen(database).database_url, name, scope, test, workspace, expires)
    )
    err.print("Keep this key safe: it will not be shown again.")
    out.print(raw)


@app.command("list")
def list_(as_json: AsJson = False, database: DatabaseUrl = None) -> None:
    """List the keys, including revoked and expired ones. The keys themselves are not stored.

    Dates are in UTC. Used is the day on which a gateway last accepted the key.

    Examples:

        casegraph keys list

        casegraph keys list --json
    """
    # Narrow enough for a terminal of 80 columns.
    table = Table(Column("Id", no_wrap=True), box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, width in (("Name", 6), ("Workspace", 7), ("Scopes", 12)):
        table.add_column(heading, overflow="fold", min_width=width)
    for heading in ("Created", "Used", "Ends"):
        table.add_column(heading, no_wrap=True)
    keys = terminal.run(_list(terminal.chosen(database).database_url))
    for key in keys:
        workspace = f"{key.workspace} (test)" if key.mode is Mode.TEST else key.workspace
        table.add_row(
            key.id,
            key.name,
            workspace,
            "\n".join(sorted(key.scopes)),
            instants.day(key.created_at),
            key.last_used_on or "",
            _end(key),
        )
    terminal.listed(keys, table, as_json=as_json)


def _end(key: ApiKey) -> str:
    """When a key ended or will end, if that is known."""
    if key.revoked_at is not None:
        return f"{instants.day(key.revoked_at)}\n(revoked)"
    return "" if key.expires_at is None else instants.day(key.expires_at)


@app.command()
def revoke(
    key: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The key's id: see keys list, or the 12 characters after cg_live_ or cg_test_.",
        ),
    ],
    database: DatabaseUrl = None,
) -> None:
    """Revoke a key. Running gateways reject it within a second.

    Examples:

        casegraph keys revoke RGWWQB7VTSFD
    """
    revoked = terminal.run(_revoke(terminal.chosen(database).database_url, key))
    out.print(f"The key {revoked.id} ({revoked.name}) is revoked.")


async def _create(
    url: str,
    name: str,
    scopes: list[Scope] | None,
    test: bool,
    workspace: str,
    expires_at: str | None,
) -> str:
    async with terminal.opened(url) as database:
        if workspace == WORKSPACE:
            await administration.create_workspace(database, workspace)
        mode = Mode.TEST if test else Mode.LIVE
        raw, _entry = await administration.create_key(
            database,
            name,
            scopes or list(Scope),
            slug=workspace,
            mode=mode,
            expires_at=expires_at,
        )
        return raw


async def _list(url: str) -> list[ApiKey]:
    async with terminal.opened(url, migrate=False) as database:
        return await administration.list_keys(database)


async def _revoke(url: str, key: str) -> ApiKey:
    async with terminal.opened(url, migrate=False) as database:
        return await administration.revoke_key(database, key)
