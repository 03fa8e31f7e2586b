"""casegraph doctor: what to look at first when something is wrong."""

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Annotated

import typer
from rich.table import Column, Table

from domain.errors import DomainError
from domain.upkeep import diagnosing
from domain.upkeep.diagnosing import Check, State
from gateway.commands import terminal
from gateway.commands.terminal import AsJson, DatabaseUrl, hinted
from gateway.settings import BadSetting, Settings

PACKAGES = ("casegraph", "strawberry-graphql", "graphql-core", "sqlalchemy", "uvicorn")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - looked for, not bound
MANY = 100_000


def doctor(
    as_json: AsJson = False,
    database: DatabaseUrl = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show only what needs attention.")] = False,
) -> None:
    """Look at versions, files, disk, clock, schema, search, keys, webhooks, settings, and the time
    of a read and a write; tell what to do about each.

    A note is worth knowing, a problem is to be solved. Exit status: 0 no problem, 1 a problem.

    Examples:

        casegraph doctor

        casegraph doctor --quiet --database sqlite:////var/lib/casegraph/cases.db

        casegraph doctor --json
    """
    checks = [versions(), *_of_settings(database)]
    checks += terminal.run(_of_database(database))
    shown = [one for one in checks if not quiet or one.state is not State.OK]
    table = Table(
        Column("", no_wrap=True), Column("", no_wrap=True), "", box=None, show_header=False
    )
    for one in shown:
        told = f"{one.found}\n{hinted(one.advice)}" if one.advice else one.found
        table.add_row(str(one.state), one.about, told)
    terminal.listed(shown, table, as_json=as_json)
    if any(one.state is State.PROBLEM for one in checks):
        raise typer.Exit(1)


def versions() -> Check:
    told = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return Check("versions", State.OK, f"Python {platform.python_version()}, {told}")


def unusual(settings: Settings) -> Iterator[Check]:
    """Settings that are wanted now and then, but not by most who have them."""

    def note(name: str, found: str, advice: str) -> Check:
        return Check("settings", State.NOTE, f"CASEGRAPH_{name.upper()}: {found}", advice)

    open_to_all = settings.host in EVERYWHERE
    if "*" in settings.cors_origins:
        yield note("cors_origins", "pages of any origin may call the API.", "Name your pages' own.")
    if "*" in settings.trusted_proxies:
        yield note(
            "trusted_proxies",
            "anyone's X-Forwarded-For is believed.",
            "Name the proxy: else limits on wrong keys can be evaded.",
        )
    if settings.bypass_policies:
        yield note(
            "bypass_policies",
            "row-level policies do not bind this role.",
            "Serve as a role of its own: casegraph init --app-role",
        )
    if settings.demo_key:
        yield note(
            "demo_key",
            "anyone who opens GraphiQL has this key.",
            "Unset it, but for demonstrations.",
        )
    if settings.rate_limit >= MANY:
        yield note(
            "rate_limit",
            f"a key may spend {settings.rate_limit:,} points a minute.",
            "One program in a loop can keep the server busy: 6,000 is the default.",
        )
    if settings.log_level == "debug":
        yield note("log_level", "every SQL statement is logged.", "Use info: debug is slow.")
    if open_to_all and settings.introspection and not settings.documents_only:
        yield note(
            "introspection",
            "anyone with a key can read the schema from outside this machine.",
            "Set it to false, unless others are to explore it.",
        )


def _of_settings(database: str | None) -> list[Check]:
    misnamed = [Check("settings", State.NOTE, one) for one in terminal.misnamed()]
    try:
        found = misnamed + list(unusual(terminal.chosen(database)))
    except BadSetting as error:
        wrong = [Check("settings", State.PROBLEM, one, "Correct it.") for one in error.problems]
        return misnamed + wrong
    return found or [Check("settings", State.OK, "nothing unusual")]


async def _of_database(url: str | None) -> list[Check]:
    try:
        async with terminal.opened(url, migrate=False) as database:
            return [one async for one in diagnosing.of_database(database)]
    except BadSetting:
        return []  # told of already
    except DomainError as error:
        return [Check("database", State.PROBLEM, error.message)]
    except OSError as error:
        return [Check("database", State.PROBLEM, error.strerror or str(error), "Look at its path.")]
