"""casegraph settings: what is set, and what can be."""

import os
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from domain.storage.opening import without_password
from gateway.commands import terminal
from gateway.commands.terminal import AsJson, out
from gateway.settings import DESCRIPTIONS, PREFIX, SECRET, Settings

HIDDEN = "(hidden)"


def settings(
    as_json: AsJson = False,
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Print the table of all settings for the documentation."),
    ] = False,
) -> None:
    """Show every setting: its value, and whether that is the default or from the environment.

    Keys, tokens and passwords are not shown. With --json, each comes with its default and what it
    means.

    Examples:

        casegraph settings

        casegraph settings --json
    """
    if markdown:
        out.print(documented(), markup=False)
        return
    found = terminal.chosen()
    defaults = Settings()
    given = {name.upper() for name in os.environ}
    rows = [
        {
            "name": variable(name),
            "value": _shown(name, getattr(found, name)),
            "default": getattr(defaults, name),
            "from": "environment" if variable(name) in given else "default",
            "description": text,
        }
        for name, text in DESCRIPTIONS.items()
    ]
    table = Table(
        Column("setting", no_wrap=True), Column("value", overflow="fold"), "from", box=None
    )
    for row in rows:
        table.add_row(row["name"], in_words(row["value"]), row["from"])
    terminal.listed(rows, table, as_json=as_json)


def documented() -> str:
    """The table in docs/operating.md, in Markdown."""
    defaults = Settings()
    lines = ["| variable | default | |", "|---|---|---|"]
    for name, text in DESCRIPTIONS.items():
        default = in_words(getattr(defaults, name))
        cells = [f"`{variable(name)}`", f"`{default}`" if default else "", text]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def in_words(value: Any) -> str:
    """A value as the environment would have it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple | list) else str(value)


def _shown(name: str, value: Any) -> Any:
    if name.endswith("_url"):
        return without_password(value)
    return HIDDEN if name in SECRET and value else value
