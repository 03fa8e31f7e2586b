"""After trouble with the file or a connection the next transaction is as good as the first."""

import asyncio
import shutil
import sqlite3
import time

import pytest
from sqlalchemy import text

from domain.errors import Damaged, TimedOut, Unavailable
from domain.storage.database import Pace
from domain.storage.opening import opened
from domain.storage.sqlite import readers
from domain.storage.sqlite.errors import DISK_FULL, LOCKED, UNWRITABLE, translation
from domain.storage.sqlite.lock import HELD, FileLock
from domain.storage.statements import Fetch, Prepared
from domain.upkeep import administration
from domain.upkeep.verifying import verify

pytestmark = pytest.mark.sqlite

SEVEN = Fetch(Prepared(text("SELECT 7")), {})
ENDLESS = Fetch(
    Prepared(
        text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n")
    ),
    {},
)


async def read_by_all(database):
    """One read by each of the threads, at the same time."""
    snapshots = [database.read() for _ in range(readers.READERS)]
    found = [await (await one.__aenter__()).fetch(SEVEN) for one in snapshots]
    for one in snapshots:
        await one.__aexit__(None, None, None)
    return found


ALL = [[(7,)]] * readers.READERS


async def test_a_commit_that_fails_leaves_nothing_behind(database, given_case, stored):
    before = stored()

    async def write():
        async with database.write() as db:
            await db.run(text("PRAGMA defer_foreign_keys=ON"))
            await db.run(text("INSERT INTO timeline_head VALUES (99, 0, 'x', '')"))

    with pytest.raises(sqlite3.IntegrityError):
        await write()

    assert stored() == before
    assert (await given_case("Next")).version == 1


async def test_a_full_disk_changes_nothing_and_passes(database, given_case, stored):
    await given_case("First")
    before = stored()
    connection = database._writer._connection
    [[pages]] = connection.execute("PRAGMA page_count")
    connection.execute(f"PRAGMA max_page_count={pages}")

    refused = None
    for _ in range(50):
        try:
            await given_case("More", description="x" * 9_000)
        except Unavailable as error:
            refused = error
            break
        before = stored()

    assert refused is not None
    assert refused.message == DISK_FULL
    assert stored() == before
    assert (await given_case("Next", description="x" * 9_000)).version == 1


async def test_a_writer_that_lost_its_connection_gets_another(database, given_case):
    database._writer._connection.close()

    with pytest.raises(sqlite3.ProgrammingError):
        await given_case("Lost")

    assert (await given_case("Next")).version == 1


async def test_readers_that_lost_their_connections_get_others(database):
    for reader in database._readers._readers:
        await (await reader.connection()).close()
    for _ in range(readers.READERS):
        with pytest.raises(Unavailable):
            await read_by_all(database)

    assert await read_by_all(database) == ALL


async def test_a_reader_on_the_event_loop_that_lost_its_connection_gets_another(database):
    database._inline._connection.close()
    with pytest.raises(sqlite3.ProgrammingError):
        await database.run(lambda db: db.fetch(SEVEN), Pace())

    assert await database.run(lambda db: db.fetch(SEVEN), Pace()) == [(7,)]


async def test_a_transaction_left_open_on_the_event_loop_is_ended(database):
    lost = database._inline._connection

    async def close_in_the_middle(db):
        lost.close()
        return 7

    assert await database.run(close_in_the_middle, Pace()) == 7
    assert await database.run(lambda db: db.fetch(SEVEN), Pace()) == [(7,)]


async def test_a_cancelled_read_gives_back_a_reader_that_is_as_good_as_before(database):
    async def read():
        async with database.read() as db:
            await db.fetch(SEVEN)
            await db.fetch(ENDLESS)

    for delay in (0, 0, 0.0001, 0.0002, 0.0005, 0.001, 0.01, 0.02):
        tasks = [asyncio.create_task(read()) for _ in range(readers.READERS)]
        await asyncio.sleep(delay)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=5)
        assert all(task.cancelled() for task in tasks)

    async with asyncio.timeout(5):
        assert await read_by_all(database) == ALL


async def test_what_is_locked_is_not_waited_for_on_the_event_loop(database):
    kinds = []

    async def work(db):
        kinds.append(type(db).__name__)
        if len(kinds) == 1:
            raise trouble(sqlite3.SQLITE_BUSY)
        return 7

    assert await database.run(work, Pace()) == 7
    assert kinds == ["InlineReader", "_ThreadSnapshot"]


def trouble(code, text="an SQL text"):
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Unavailable),
        (sqlite3.SQLITE_FULL, Unavailable),
        (sqlite3.SQLITE_IOERR_WRITE, Unavailable),
        (sqlite3.SQLITE_IOERR_READ, Unavailable),
        (sqlite3.SQLITE_READONLY_DIRECTORY, Unavailable),
        (sqlite3.SQLITE_CANTOPEN, Unavailable),
        (sqlite3.SQLITE_CORRUPT, Damaged),
        (sqlite3.SQLITE_CORRUPT_VTAB, Damaged),
        (sqlite3.SQLITE_CORRUPT_INDEX, Damaged),
        (sqlite3.SQLITE_NOTADB, Damaged),
        (sqlite3.SQLITE_INTERRUPT, TimedOut),
    ],
)
def test_trouble_has_its_own_refusal_without_a_word_of_sql(code, kind):
    found = translation(trouble(code))

    assert type(found) is kind
    assert "SQL" not in found.message


@pytest.mark.parametrize("code", [sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT_UNIQUE])
def test_a_defect_is_not_taken_for_trouble(code):
    error = trouble(code)

    assert translation(error) is error


def test_a_text_that_cannot_be_decoded_is_damage_and_is_not_logged(caplog):
    error = sqlite3.OperationalError("Could not decode to UTF-8 column 'name' with text 'Müller'")

    assert type(translation(error)) is Damaged
    assert "Müller" not in caplog.text


def test_a_disk_over_its_quota_is_not_called_full():
    assert translation(OSError(27, "File too large")).message == UNWRITABLE


async def test_a_lock_that_is_not_given_back_is_not_waited_for_for_ever(tmp_path):
    mine, theirs = (FileLock(tmp_path / "lock") for _ in range(2))
    await theirs.acquire(0)

    started = time.monotonic()
    with pytest.raises(Unavailable) as refused:
        await mine.acquire(started + 0.1)

    assert refused.value.message == HELD
    assert 0.1 <= time.monotonic() - started < 2
    theirs.close()
    await mine.acquire(0)
    mine.close()


async def test_a_lock_file_that_was_deleted_keeps_nobody_apart_and_is_made_anew(tmp_path):
    mine, theirs = (FileLock(tmp_path / "lock") for _ in range(2))
    await mine.acquire(0)
    mine.release()
    (tmp_path / "lock").unlink()
    await theirs.acquire(0)

    with pytest.raises(Unavailable):
        await mine.acquire(0)

    theirs.close()
    await mine.acquire(0)
    mine.close()


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr("domain.storage.sqlite.file.BUSY_SECONDS", 0.2)


async def test_writes_that_wait_in_vain_do_not_wait_one_after_the_other(tmp_path, hurried):
    async with opened(f"sqlite:///{tmp_path}/cases.db", read_seconds=9) as database:
        other = sqlite3.connect(database.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writes = [administration.create_workspace(database, f"w{n}") for n in range(20)]

        started = time.monotonic()
        refused = await asyncio.gather(*writes, return_exceptions=True)

        assert {error.message for error in refused} == {LOCKED}
        assert time.monotonic() - started < 2
        other.close()
        await administration.create_workspace(database, "next")


async def test_closing_does_not_wait_for_ever_for_a_process_that_hangs(tmp_path, hurried):
    hanging = FileLock(tmp_path / "cases.db-lock")
    async with asyncio.timeout(5):
        async with opened(f"sqlite:///{tmp_path}/cases.db", read_seconds=9):
            await hanging.acquire(0)
    hanging.close()


def _unlink(log):
    log.unlink()


def _cut(log):
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 3])


def _noise(log):
    data = bytearray(log.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 5_000] = b"\xa5" * 5_000
    log.write_bytes(data)


def _no_header(log):
    log.write_bytes(b"\xa5" * 32 + log.read_bytes()[32:])


def _zeros(log):
    log.write_bytes(bytes(log.stat().st_size))


@pytest.mark.parametrize("spoil", [_unlink, _cut, _noise, _no_header, _zeros])
async def test_of_a_log_that_was_spoiled_what_is_sound_is_taken(
    database, given_case, tmp_path, spoil
):
    for number in range(20):
        await given_case(f"case {number}", description="x" * 3_000)
    crashed = tmp_path / "crashed.db"
    for suffix in ("", "-wal"):
        shutil.copy(f"{database.path}{suffix}", f"{crashed}{suffix}")
    spoil(tmp_path / "crashed.db-wal")

    async with opened(f"sqlite:///{crashed}") as found:
        checked = await verify(found)

    assert checked.findings == []
    assert checked.cases <= 20
