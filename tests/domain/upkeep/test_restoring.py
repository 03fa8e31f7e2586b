"""Restoring a backup: what comes back, and what is refused without a trace."""

import sqlite3
from contextlib import closing

import pytest

from domain.errors import Invalid, Unavailable
from domain.storage.opening import opened
from domain.upkeep.restoring import restore
from domain.upkeep.verifying import verify

pytestmark = pytest.mark.sqlite


@pytest.fixture
async def backup(database, given_case, tmp_path):
    """A backup with one case, of a database that has two by now."""
    await given_case("Kept")
    target = tmp_path / "backup.db"
    await database.backup(target, overwrite=False)
    await given_case("Later")
    return target


def names(path):
    with closing(sqlite3.connect(path)) as raw:
        return sorted(name for (name,) in raw.execute("SELECT name FROM cases"))


def left(folder):
    return sorted(path.name for path in folder.iterdir() if "partial" in path.name)


async def test_a_backup_becomes_a_new_database(backup, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    before = backup.read_bytes()

    done = await restore(backup, folder / "cases.db", force=False)

    assert (done.cases, done.replaced) == (1, None)
    assert done.events > 0
    assert backup.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["cases.db"]
    assert [path.name for path in tmp_path.glob("backup.db*")] == ["backup.db"]
    assert (folder / "cases.db").stat().st_mode & 0o077 == 0
    async with opened(f"sqlite:///{folder / 'cases.db'}") as restored:
        assert (await verify(restored)).findings == []
    assert names(folder / "cases.db") == ["Kept"]


async def test_what_is_there_is_replaced_on_request_only_and_kept(backup, tmp_path):
    target = tmp_path / "there.db"
    async with opened(f"sqlite:///{target}"):
        pass

    with pytest.raises(Invalid, match="--force"):
        await restore(backup, target, force=False)
    done = await restore(backup, target, force=True)

    assert names(target) == ["Kept"]
    assert done.replaced is not None
    assert names(done.replaced) == []
    assert left(tmp_path) == []


async def test_a_database_that_somebody_has_open_is_not_replaced(backup, database, tmp_path):
    path = tmp_path / "cases.db"

    with pytest.raises(Unavailable, match="Another process has"):
        await restore(backup, path, force=True)

    assert names(path) == ["Kept", "Later"]
    assert left(tmp_path) == []
    assert (await verify(database)).findings == []


@pytest.mark.parametrize("spoil", ["a case", "the file", "another kind", "nothing"])
async def test_a_backup_that_is_not_sound_changes_nothing(backup, tmp_path, spoil):
    target = tmp_path / "there.db"
    if spoil == "a case":
        with closing(sqlite3.connect(backup)) as raw:
            raw.execute("UPDATE cases SET status = 'archived'")
            raw.commit()
    elif spoil == "the file":
        content = bytearray(backup.read_bytes())
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
        backup.write_bytes(content)
    else:
        backup.write_bytes(b"no database" * 1000 if spoil == "another kind" else b"")

    with pytest.raises(Exception) as refused:  # noqa: PT011 - whichever says it best
        await restore(backup, target, force=False)

    assert type(refused.value).__module__ == "domain.errors"
    assert not target.exists()
    assert left(tmp_path) == []


async def test_a_damaged_database_can_be_replaced(backup, tmp_path):
    target = tmp_path / "damaged.db"
    target.write_bytes(b"damaged" * 1000)

    done = await restore(backup, target, force=True)

    assert names(target) == ["Kept"]
    assert done.replaced.read_bytes() == b"damaged" * 1000
