"""casegraph schema: the GraphQL schema as a file."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.terminal import err, out


def schema(
    target: Annotated[Path, typer.Argument(help="The schema file.")] = Path("schema.graphql"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; show any difference and fail.")
    ] = False,
) -> None:
    """Write the sorted GraphQL schema to a file, for clients and reviews.

    Examples:

        casegraph schema

        casegraph schema --check
    """
    # Imported here so that other commands need not load GraphQL.
    from gateway.schema.assembled import sdl

    current = sdl()
    if not check:
        target.write_text(current, encoding="utf-8")
        out.print(f"Wrote {target}.")
        return
    committed = target.read_text(encoding="utf-8") if target.exists() else ""
    if committed == current:
        out.print(f"{target} is current.")
        return
    lines = difflib.unified_diff(
        committed.splitlines(), current.splitlines(), str(target), "the code", lineterm=""
    )
    for line in lines:
        err.print(line, markup=False)
    raise typer.Exit(1)
