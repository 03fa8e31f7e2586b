"""What an operator would look at first when something is wrong, or before it is.

Each check tells what it found and, unless all is well, what to do. `casegraph verify` looks at
every row instead; this takes a second.
"""

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy import select

from domain import instants, words
from domain.access.principal import Principal
from domain.inputs import CaseFilter
from domain.models import ApiKey, Webhook, WebhookState
from domain.reading import lists, objects
from domain.reading.paging import Paging
from domain.storage.database import Database
from domain.storage.tables import timeline_event
from domain.upkeep import administration
from domain.webhooks import listing

ENOUGH = 1 << 30
"""Bytes that should be free beside the database's own size: a backup and a purge need as much."""
LITTLE = 100 << 20
"""Bytes that must be free: writes are about to be refused."""
UNUSED_DAYS = 90
SLOW_READ, SLOW_DISK = 0.05, 0.05
"""Seconds for a page of cases, and for the disk to store four KiB."""
NAMED = 5
"""How many keys or webhooks a sentence names."""


class State(StrEnum):
    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and what to do about it."""

    about: str
    state: State
    found: str
    advice: str = ""


def sqlite_version(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> Check:
    """Whether SQLite has its WAL-reset bug (sqlite.org/wal.html, "The WAL-Reset Bug").

    It was fixed in 3.51.3, 3.50.7 and 3.44.6. Several connections that write, or checkpoint, at
    the same time can damage the file; casegraph has one at a time, under a lock of its own.
    """
    fixed = version >= (3, 51, 3) or any(
        version[:2] == one[:2] and version >= one for one in ((3, 50, 7), (3, 44, 6))
    )
    told = f"SQLite {'.'.join(map(str, version))}"
    if fixed:
        return Check("SQLite", State.OK, told)
    return Check(
        "SQLite",
        State.NOTE,
        f"{told}, which can damage a file to which several programs write at once.",
        "casegraph keeps its own processes apart. Let no other program write to the file, or use "
        "SQLite 3.51.3 or newer.",
    )


def file_mode(path: Path) -> Check:
    """Whether others on the machine may read the database or what belongs to it."""
    open_to_others = [
        file.name
        for file in (path, *sorted(path.parent.glob(f"{path.name}-*")))
        if stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    if not open_to_others:
        return Check("file", State.OK, f"{path} is its owner's only")
    return Check(
        "file",
        State.PROBLEM,
        f"Others on this machine may use {', '.join(open_to_others)}.",
        f"Run: chmod 600 {path}*",
    )


def free_disk(path: Path) -> Check:
    """Whether there is room for a backup and a purge, or for writing at all."""
    free = shutil.disk_usage(path.parent).free
    size = path.stat().st_size
    told = f"{_mib(free)} free beside a database of {_mib(size)}"
    if free < LITTLE:
        return Check("disk", State.PROBLEM, told, "Make room: soon no write can be stored.")
    if free < size + ENOUGH:
        return Check(
            "disk", State.NOTE, told, "A backup or a purge needs the database's size again."
        )
    return Check("disk", State.OK, told)


def disk_speed(path: Path) -> Check:
    """How long the database's disk takes to store four KiB durably, at best of five."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".casegraph-doctor-") as file:

        def store() -> None:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())

        seconds = _best_of(store)
    told = f"the disk stores 4 KiB in {seconds * 1000:.1f} ms"
    if seconds < SLOW_DISK:
        return Check("write", State.OK, told)
    return Check("write", State.NOTE, told, "Each write waits that long: use a local disk.")


async def clock(who: Principal, database: Database, now: str) -> Check:
    """Whether the clock is behind the last event, which it must not be for times to make sense."""
    mine = timeline_event.c.workspace_id == who.workspace_id
    newest = select(timeline_event.c.at).where(mine).order_by(timeline_event.c.seq.desc()).limit(1)
    async with database.read(who.workspace_id) as db:
        row = await db.first(newest)
    last = row[0] if row else None
    if last is None or last <= now:
        return Check("clock", State.OK, f"it is {now}")
    return Check(
        "clock",
        State.PROBLEM,
        f"The clock says {now}, and the last event is of {last}.",
        "Set the clock, with NTP: new events would seem older than old ones.",
    )


async def search_index(who: Principal, database: Database) -> Check:
    """Whether the newest case is found by a word of its name."""
    async with database.read(who.workspace_id) as db:
        newest = list(await objects.page(db, lists.cases(who), Paging(1)))
        found = [one.plain for case in newest for one in words.words(case.name)]
        if not found:
            return Check("search", State.OK, "there is nothing to search for")
        # The newest first, it comes before all others that have the word.
        wanted = CaseFilter(search=max(found, key=len))
        hits = list(await objects.page(db, lists.cases(who, wanted), Paging(1)))
    if hits == newest:
        return Check("search", State.OK, "the newest case is found by its name")
    return Check(
        "search",
        State.PROBLEM,
        "The newest case is not found by its name.",
        "Run: casegraph verify, and restore a backup if it finds more.",
    )


async def read_speed(who: Principal, database: Database) -> Check:
    """How long a page of 50 cases takes, at best of five."""
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        async with database.read(who.workspace_id) as db:
            await objects.page(db, lists.cases(who), Paging(50))
        seconds.append(time.perf_counter() - begun)
    told = f"a page of cases takes {min(seconds) * 1000:.1f} ms"
    if min(seconds) < SLOW_READ:
        return Check("read", State.OK, told)
    return Check(
        "read",
        State.NOTE,
        told,
        "The machine is busy, its memory small, or the database server far away.",
    )


def keys(listed: list[ApiKey], today: date) -> Iterator[Check]:
    """Keys that never end, and keys that nobody uses any more."""
    live = [one for one in listed if one.revoked_at is None]
    live = [one for one in live if one.expires_at is None or one.expires_at[:10] > str(today)]
    endless = [one.name for one in live if one.expires_at is None]
    since = str(today - timedelta(days=UNUSED_DAYS))
    unused = [
        one.name for one in live if (one.last_used_on or instants.day(one.created_at)) < since
    ]
    if not live:
        yield Check("keys", State.NOTE, "There is no key.", "Run: casegraph keys create NAME")
    if endless:
        yield Check(
            "keys",
            State.NOTE,
            f"{len(endless)} of {len(live)} keys never end: {_some(endless)}.",
            "Give new ones an end: casegraph keys create NAME --expires DATE",
        )
    if unused:
        yield Check(
            "keys",
            State.NOTE,
            f"{len(unused)} keys have not been used for {UNUSED_DAYS} days: {_some(unused)}.",
            "If nobody needs them, run: casegraph keys revoke ID",
        )
    if live and not endless and not unused:
        yield Check("keys", State.OK, f"{len(live)}, all of them used and with an end")


def webhooks(listed: list[Webhook]) -> Iterator[Check]:
    """Webhooks that are paused, and such whose deliveries fail."""
    paused = [one.id for one in listed if one.state is WebhookState.PAUSED]
    failing = [one.id for one in listed if one.failing_since and one.id not in paused]
    if paused:
        yield Check(
            "webhooks",
            State.NOTE,
            f"{len(paused)} of {len(listed)} webhooks are paused: {_some(paused)}.",
            "Their reason says why; updateWebhook has them go on, and nothing is lost.",
        )
    if failing:
        yield Check(
            "webhooks",
            State.NOTE,
            f"{len(failing)} of {len(listed)} webhooks fail: {_some(failing)}.",
            "Their deliveries say why. They are tried again for three days, and then paused.",
        )
    if listed and not paused and not failing:
        yield Check("webhooks", State.OK, f"{len(listed)}, and their deliveries arrive")


async def of_database(database: Database) -> AsyncIterator[Check]:
    """All checks of an open database; of its rows, those of the first workspace."""
    now = database.clock()
    if database.url.get_backend_name() == "sqlite":
        path = Path(database.url.database or "")
        yield sqlite_version()
        yield file_mode(path)
        yield free_disk(path)
    yield Check("schema", State.OK, "it is the one that this version expects")
    workspaces = await administration.workspaces(database)
    if not workspaces:
        yield Check("workspace", State.PROBLEM, "There is no workspace.", "Run: casegraph init")
        return
    slug = workspaces[0].slug
    who = await administration.operator(database, slug)
    yield await clock(who, database, now)
    yield await search_index(who, database)
    yield await read_speed(who, database)
    if database.url.get_backend_name() == "sqlite":
        yield disk_speed(path)
    for check in keys(await administration.list_keys(database), date.fromisoformat(now[:10])):
        yield check
    hooks: list[Webhook] = []
    for one in workspaces:
        who = await administration.operator(database, one.slug, one.mode)
        async with database.read(who.workspace_id) as db:
            hooks += await listing.webhooks(who, db)
    for check in webhooks(hooks):
        yield check


def _best_of(work: Callable[[], object], times: int = 5) -> float:
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _mib(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB"
