"""Bringing a database's schema up to date with Alembic's one history."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, NullPool, TextClause, event, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from domain.errors import Unavailable
from domain.storage import revisions

Progress = Callable[[int, int], object]


async def run(url: URL, work: Callable[[Connection], None]) -> None:
    """Run *work*, one of the functions below, in its own transaction."""
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is issued explicitly, below
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        async with engine.begin() as connection:
            await connection.run_sync(work)
    finally:
        await engine.dispose()


async def run_on_server(
    connect: Callable[[], Awaitable[Any]], turn: TextClause, work: Callable[[Connection], None]
) -> None:
    """Like run(), on a PostgreSQL server: the statement *turn* admits one process at a time."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, poolclass=NullPool, hide_parameters=True
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(turn)
            await connection.execute(text("SET LOCAL casegraph.workspace = '*'"))
            # It may think for long between two statements.
            await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            await connection.run_sync(work)
    finally:
        await engine.dispose()


def upgrade(connection: Connection, on_progress: Progress = lambda _done, _total: None) -> None:
    """Run the missing migrations within the caller's transaction.

    *on_progress* is told how many rows of a long one are done, and of how many. Raises Unavailable
    if the database is not casegraph's, or has a newer schema.
    """
    revision = current(connection)
    if revision == revisions.head():
        return
    if revision is None and inspect(connection).get_table_names():
        raise Unavailable(_FOREIGN)
    config = _config()
    config.attributes |= {"connection": connection, "progress": on_progress}
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Unavailable(_NEWER) from error


def work(on_progress: Progress, *, migrate: bool) -> Callable[[Connection], None]:
    """What to run on a database whose schema may be an older one: upgrade(), or else check()."""
    return functools.partial(upgrade, on_progress=on_progress) if migrate else check


def check(connection: Connection) -> None:
    """Raise Unavailable unless the schema is the one that this version expects."""
    revision = current(connection)
    if revision is None:
        raise Unavailable(_FOREIGN if inspect(connection).get_table_names() else _EMPTY)
    if revision != revisions.head():
        known = {script.revision for script in _scripts().walk_revisions()}
        raise Unavailable(_OLDER if revision in known else _NEWER)


def current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


_EMPTY = "The database is empty. Run: casegraph init"
_FOREIGN = "The database belongs to another program. Choose another database."
_OLDER = "The database has an older schema. Run: casegraph init"
_NEWER = "The database was written by a newer casegraph. Install that version."


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "domain.storage:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
