"""The casegraph command."""

import sys
from importlib.metadata import version
from typing import Annotated

from gateway import stopping
from gateway.loading import uncollected

with stopping.at_once(), uncollected():
    import typer

    from domain.errors import DomainError
    from gateway.commands import (
        cases,
        completion,
        copying,
        database,
        doctor,
        explain,
        keys,
        records,
        schema,
        serve,
        settings,
    )
    from gateway.commands.terminal import INTERRUPTED, err, hinted, out
    from gateway.settings import BadSetting

app = typer.Typer(
    name="casegraph",
    help="A GraphQL gateway over a law firm's cases, with the documented REST routes beside it.",
    epilog="Settings are read from CASEGRAPH_* environment variables; flags override them. "
    "Start with: casegraph demo",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"casegraph {version('casegraph')}")
        raise typer.Exit


@app.callback()
def _whole(
    _shown: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


app.command()(serve.demo)
app.command()(serve.serve)
app.command()(database.init)
app.add_typer(keys.app, name="keys")
app.add_typer(records.cases, name="cases")
app.add_typer(records.parties, name="parties")
app.add_typer(records.staff, name="staff")
app.command("import")(cases.import_)
app.command()(cases.export)
app.command()(database.verify)
app.command()(doctor.doctor)
app.command()(settings.settings)
app.command()(database.purge)
app.command()(database.backup)
app.command()(database.restore)
app.command()(copying.copy)
app.command()(schema.schema)
app.command()(explain.explain)


def main() -> None:
    """Run a command. A refusal by the domain prints one line per problem and exits with status 1,
    as does a file that cannot be read or written.

    A bad setting exits with status 2, as a bad flag does.
    """
    completion.mend()
    try:
        app()
    except DomainError as error:
        for problem in error.problems:
            err.print(f"casegraph: {hinted(problem.message)}", markup=False)
        sys.exit(1)
    except OSError as error:
        # A file of the user's: it is not there, may not be written, or its disk is full.
        about = f"{error.filename}: " if error.filename else ""
        err.print(f"casegraph: {about}{error.strerror or error}.", markup=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BadSetting as error:
        for sentence in error.problems:
            err.print(f"casegraph: {sentence}", markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
