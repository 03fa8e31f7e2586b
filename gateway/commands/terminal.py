"""Shared by the commands: options, settings, consoles and progress bars."""

import asyncio
import dataclasses
import json
import os
import re
from collections.abc import Coroutine, Sequence
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
from rich.table import Table
from rich.text import Text

from domain.storage import opening
from domain.storage.database import Database
from domain.upkeep.administration import DEFAULT_SLUG
from gateway import settings
from gateway.settings import DESCRIPTIONS, Settings

T = TypeVar("T")

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C ended, as shells have it."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_told: set[str] = set()
"""The environment's variables that were looked at already."""
_given: list[str] = []
"""The database that the flag of this command named, as it may be shown."""


def _remember(database: str | None) -> str | None:
    _given[:] = [] if database is None else [opening.without_password(database)]
    return database


DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        callback=_remember,
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
AsJson = Annotated[
    bool, typer.Option("--json", help="Print a JSON array, for programs, and no table.")
]
WORKSPACE = DEFAULT_SLUG

_HINT = re.compile(
    r"\bcasegraph (?:init|verify|purge|import|keys list|keys create|keys revoke)\b(?! --database)"
)


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
    for sentence in misnamed():
        err.print(f"Warning: {sentence}", markup=False)
    overrides = {name: value for name, value in flags.items() if value is not None}
    if database is not None:
        overrides["database_url"] = database
    return settings.from_environment().but(**overrides)


def misnamed() -> list[str]:
    """A sentence for each variable that looks like a setting and is none, the first time only."""
    new = set(os.environ) - _told
    _told.update(new)
    return settings.unknown(new)


def hinted(text: str) -> str:
    """The text, in which commands to run name the database that was given to this one."""
    if not _given or "--database" in text:
        return text
    return _HINT.sub(lambda found: f"{found[0]} --database {_given[0]}", text)


def listed(rows: Sequence[Any], table: Table, *, as_json: bool) -> None:
    """Print a listing: the table, or the *rows*, dataclasses or dicts, as a JSON array."""
    if as_json:
        out.print(json.dumps(rows, default=_plain, ensure_ascii=False, indent=2), markup=False)
    else:
        out.print(table)


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else dataclasses.asdict(value)


def opened(url: str | None, **options: Any) -> AbstractAsyncContextManager[Database]:
    """The database that the flag or the environment names; see domain.storage.opening.opened().

    A role that may only serve is refused: it would see nothing of what commands are about.
    """
    found = chosen(url)
    return opening.opened(found.database_url, pooling=found.pooling, **{"owner": True, **options})


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
