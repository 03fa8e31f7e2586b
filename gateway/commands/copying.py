"""casegraph copy: a whole database to another one."""

from typing import Annotated

import typer

from domain.errors import invalid
from domain.storage.opening import parse_url, without_password
from domain.upkeep.copying import Copied
from domain.upkeep.copying import copy as copy_database
from gateway.commands import terminal
from gateway.commands.terminal import err, out, progress


def copy(
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help="The database to be copied.")
    ],
    target: Annotated[
        str,
        typer.Option("--to", metavar="URL", help="An empty one: a new file or database."),
    ],
) -> None:
    """Copy a database to another one, from SQLite to PostgreSQL or back, and verify the copy.

    Everything comes along, deleted cases, keys, and the whole record with its hashes, too: programs
    need no new key, and a retry still finds what it did. Meanwhile the source can be read, and
    writes to it are refused for a moment (503). A copy that was ended early leaves the target
    empty: run it again.

    Exit status: 0 copied, and no findings; 1 findings, printed one per line.

    Examples:

        casegraph copy --from sqlite:///cases.db --to postgresql://casegraph@db.internal/cases

        casegraph copy --from postgresql://casegraph@db.internal/cases --to sqlite:///copy.db
    """
    if parse_url(source) == parse_url(target):
        raise invalid("The source and the target are the same database.", "to")

    async def work() -> Copied:
        async with (
            terminal.opened(source, migrate=False) as there,
            terminal.opened(target) as here,
        ):
            with progress() as bar:
                copying = bar.add_task("Copying", total=None)
                checking = bar.add_task("Verifying", total=None, visible=False)
                return await copy_database(
                    there,
                    here,
                    on_progress=lambda done, total: bar.update(
                        copying, completed=done, total=total
                    ),
                    on_verify=lambda done, total: bar.update(
                        checking, completed=done, total=total, visible=True
                    ),
                )

    copied = terminal.run(work())
    for finding in copied.findings:
        out.print(str(finding), markup=False)
    rows = sum(copied.rows.values())
    out.print(
        f"{copied.rows['cases']:,} cases, {copied.rows['timeline_event']:,} events, "
        f"{rows:,} rows in all, copied to {without_password(target)}.",
        markup=False,
    )
    if copied.findings:
        err.print(
            f"{len(copied.findings):,} findings. Verify the source: if it has none, do not use the "
            "copy."
        )
        raise typer.Exit(1)
    out.print("The copy is verified.")
