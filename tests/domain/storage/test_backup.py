"""A backup is a whole database, made while the original is in use."""

import asyncio
import stat

import pytest

from domain.errors import Invalid, Unavailable
from domain.reading import anchors
from domain.storage.opening import opened
from domain.upkeep.verifying import verify

pytestmark = pytest.mark.sqlite


async def test_a_backup_made_while_writing_is_sound(database, given_case, tmp_path):
    for _ in range(20):
        await given_case()
    target = tmp_path / "copy.db"

    async def write():
        for _ in range(30):
            await given_case()

    writing = asyncio.create_task(write())
    told = await database.backup(target, told=anchors.all_heads())
    await writing

    assert list(tmp_path.glob("copy.db*")) == [target]  # nobody has opened it
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    async with opened(f"sqlite:///{target}", migrate=False) as copy:
        checked = await verify(copy)
        assert anchors.heads_of(told) == await anchors.heads(copy)
    assert checked.findings == []
    assert 20 <= checked.cases <= 50


async def test_a_file_that_exists_is_kept_unless_it_may_be_overwritten(database, tmp_path):
    target = tmp_path / "copy.db"
    target.write_text("precious")

    with pytest.raises(Invalid):
        await database.backup(target)
    assert target.read_text() == "precious"

    await database.backup(target, overwrite=True)
    assert target.read_bytes().startswith(b"SQLite format 3")


async def test_the_database_is_not_overwritten_with_itself(database, given_case):
    await given_case()

    with pytest.raises(Invalid):
        await database.backup(database.path, overwrite=True)


async def test_a_folder_that_is_not_there_is_told_of(database, tmp_path):
    with pytest.raises(Unavailable, match="could not be made"):
        await database.backup(tmp_path / "nowhere" / "copy.db")

    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


async def test_a_copy_whose_reader_was_killed_says_what_to_do(database, tmp_path):
    target = tmp_path / "copy.db"
    await database.backup(target)
    (tmp_path / "copy.db-wal").touch()  # as a killed process leaves it

    with pytest.raises(Invalid, match=f"casegraph verify --database {target}"):
        await database.backup(target, overwrite=True)

    async with opened(f"sqlite:///{target}", migrate=False) as copy:
        assert (await verify(copy)).findings == []
    await database.backup(target, overwrite=True)
