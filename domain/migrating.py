"""Bringing a database's schema up to date with Alembic's one history."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from domain.errors import Unavailable


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing, within the caller's transaction."""
    if current(connection) == head():
        return
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Unavailable(_NEWER) from error


def check(connection: Connection) -> None:
    """Raise Unavailable unless the schema is the one this version of the program expects."""
    revision = current(connection)
    if revision is None:
        raise Unavailable("The database is empty. Run: casegraph init")
    if revision != head():
        known = {script.revision for script in _scripts().walk_revisions()}
        raise Unavailable(_OLDER if revision in known else _NEWER)


def current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    revision = _scripts().get_current_head()
    assert revision is not None
    return revision


_OLDER = "The database has an older schema. Run: casegraph init"
_NEWER = "The database was written by a newer casegraph. Install that version."


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "domain:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
