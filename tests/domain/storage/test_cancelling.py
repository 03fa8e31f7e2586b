"""Work in a thread whose caller is cancelled: nothing it uses is closed or deleted beneath it."""

import asyncio
import sqlite3
import threading
from contextlib import closing

import pytest

from domain.storage import cancellation
from domain.storage.opening import opened
from domain.storage.sqlite import backup as copies
from domain.storage.sqlite import file
from domain.upkeep import restoring

pytestmark = pytest.mark.sqlite


class Held:
    """Work that stays in its thread until it is let go."""

    def __init__(self, work=lambda *_: None):
        self.begun = threading.Event()
        self.going_on = threading.Event()
        self.result = None
        self._work = work

    def __call__(self, *arguments):
        self.begun.set()
        assert self.going_on.wait(10)
        try:
            self.result = self._work(*arguments)
        except Exception as error:
            self.result = error
            raise
        return self.result

    async def cancelled(self, task):
        """Cancel *task* while the work is held; let the work go on later."""
        assert await asyncio.to_thread(self.begun.wait, 10)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.02)
        waited = not task.done()
        self.going_on.set()
        assert waited
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_caller_waits_and_the_work_is_told_to_hurry():
    held, told = Held(lambda: 1 / 0), []

    await held.cancelled(
        asyncio.create_task(cancellation.in_thread(held, hurry=lambda: told.append(1)))
    )

    assert told == [1, 1]
    assert isinstance(held.result, ZeroDivisionError)


async def test_a_start_that_is_cancelled_closes_no_connection_in_use(
    database_url, tmp_path, monkeypatch
):
    async with opened(database_url):
        pass
    held = Held(file._has_schema)
    monkeypatch.setattr(file, "_has_schema", held)

    async def start():
        async with opened(database_url):
            pass

    await held.cancelled(asyncio.create_task(start()))

    assert held.result is True


LONG = (
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10000000) "
    "SELECT max(x) FROM n"
)
"""Takes several seconds."""


@pytest.mark.parametrize(
    ("name", "check"),
    [("_damage", "damage"), ("_search_damage", "damage"), ("_rewrite", "rewrite")],
)
async def test_a_long_statement_is_interrupted(database, given_case, monkeypatch, name, check):
    begun, ended = threading.Event(), []

    def work(connection):
        begun.set()
        try:
            ended.append(connection.execute(LONG).fetchall())
        except sqlite3.OperationalError as error:
            ended.append(str(error))
            raise

    monkeypatch.setattr(file, name, work)
    if name == "_search_damage":
        monkeypatch.setattr(file, "_damage", lambda _connection: [])

    task = asyncio.create_task(getattr(database, check)())
    assert await asyncio.to_thread(begun.wait, 10)
    while not (ended or task.done()):  # it may have been told before the statement began
        task.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended == ["interrupted"]
    await given_case()


async def test_a_backup_that_is_cancelled_ends_soon_and_leaves_nothing(
    database, tmp_path, monkeypatch
):
    monkeypatch.setattr(copies, "PAGES", 1)
    loop, steps = asyncio.get_running_loop(), []

    def on_progress(done, total):
        steps.append((done, total))
        if len(steps) == 3:
            asyncio.run_coroutine_threadsafe(cancel(), loop).result(10)

    async def cancel():
        task.cancel()
        await asyncio.sleep(0.01)

    task = asyncio.create_task(database.backup(tmp_path / "copy.db", on_progress=on_progress))
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(steps) == 3 < steps[-1][1]
    assert not [*tmp_path.glob("*copy.db*")]


@pytest.mark.parametrize("in_use", [False, True])
async def test_a_restore_that_is_cancelled_leaves_nothing(
    database, given_case, tmp_path, monkeypatch, in_use
):
    await given_case()
    backup = database.path
    if not in_use:
        backup = tmp_path / "backup.db"
        await database.backup(backup)
    folder = tmp_path / "new"
    folder.mkdir()
    module, name = (copies, "_copy") if in_use else (restoring, "_copy_file")
    held = Held(getattr(module, name))
    monkeypatch.setattr(module, name, held)

    await held.cancelled(
        asyncio.create_task(restoring.restore(backup, folder / "cases.db", force=False))
    )

    assert [*folder.iterdir()] == []
    with closing(sqlite3.connect(backup)) as raw:
        assert raw.execute("SELECT count(*) FROM cases").fetchone() == (1,)
