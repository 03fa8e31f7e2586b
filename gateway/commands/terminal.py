"""Shared by the commands: options, settings, consoles and progress bars."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from domain.storage import opening
from domain.storage.database import Database
from domain.upkeep.administration import DEFAULT_SLUG
from gateway import settings
from gateway.settings import DESCRIPTIONS, Settings

T = TypeVar("T")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help=DESCRIPTIONS["database_url"] + " [env: CASEGRAPH_DATABASE_URL]",
        show_default=Settings().database_url,
    ),
]
Workspace = Annotated[
    str, typer.Option("--workspace", metavar="NAME", help="The workspace (law firm).")
]
Sandbox = Annotated[
    bool, typer.Option("--test", help="Use the workspace's sandbox instead of its live data.")
]
WORKSPACE = DEFAULT_SLUG


class Rate(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


def progress() -> Progress:
    """A progress bar on standard error; hidden where that is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )


def chosen(database: str | None = None, **flags: Any) -> Settings:
    """The settings from the environment, overridden by the flags that were given."""
    overrides = {name: value for name, value in flags.items() if value is not None}
    if database is not None:
        overrides["database_url"] = database
    return settings.from_environment().but(**overrides)


def opened(url: str | None, **options: Any) -> AbstractAsyncContextManager[Database]:
    """The database that the flag or the environment names; see domain.storage.opening.opened().

    A role that may only serve is refused: it would see nothing of what commands are about.
    """
    found = chosen(url)
    return opening.opened(found.database_url, pooling=found.pooling, **{"owner": True, **options})


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
