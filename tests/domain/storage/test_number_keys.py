"""A database of the first schema, with the keys of that time, becomes a current one."""

import pytest

from domain.errors import FileNumberTaken
from domain.inputs import CaseChanges, CaseFilter, NewCase
from domain.reading import objects
from domain.storage.opening import opened
from domain.upkeep import administration
from domain.upkeep.verifying import shared_numbers, verify
from domain.writing import cases

FIRST, SECOND, THIRD = (f"01a21e55-3ad6-7000-a946-00000000000{n}" for n in (1, 2, 3))
ROWS = [
    "INSERT INTO workspace (id, slug, mode, name, created_at)"
    " VALUES (1, 'default', 'live', 'W', '')",
    "INSERT INTO timeline_head (workspace_id, seq, hash) VALUES (1, 0, '')",
    *(
        "INSERT INTO cases (workspace_id, id, name, file_number, status, created_at, updated_at,"
        " version, name_order, number_order, last_position) VALUES (1,"
        f" '{id}', '{name}', {number}, 'active', '2026-01-01', '2026-01-01', 1, 'old', 'old', 0)"
        for id, name, number in (
            (FIRST, "Mül\u00adler", "'AZ-1'"),
            (SECOND, "O’Neill", "'az\u20131'"),
            (THIRD, "Weiß", "NULL"),
        )
    ),
    *(
        "INSERT INTO search_entry (workspace_id, kind, id, scope, plain, loose, number)"
        f" VALUES (1, 'case', '{id}', '\ue000\ue000\ue003', 'old', 'old', 'old')"
        for id in (FIRST, SECOND, THIRD)
    ),
]


@pytest.fixture
async def old(empty, at_revision):
    """The URL of a database at the first revision with three cases, two of one number."""
    url, raw = empty
    await at_revision(url, "0001")
    for row in ROWS:
        raw.execute(row)
    return url


async def test_stored_keys_are_folded_again(old):
    async with opened(old) as database:
        who = await administration.operator(database)
        async with database.read() as db:
            for search in ("müller", "o'neill", "az1"):
                assert list(await objects.cases(who, db, CaseFilter(search=search))), search
            found = await objects.cases(who, db, CaseFilter(file_number="Az\u22121"))
            assert {case.id for case in found} == {FIRST, SECOND}
            for spelled, id in (("AZ-1", FIRST), ("az\u20131", SECOND), ("aZ-1", FIRST)):
                case = await objects.case_by_file_number(who, db, spelled)
                assert case is not None
                assert case.id == id


async def test_numbers_that_have_become_one_are_kept_and_told_with_both_cases(old):
    async with opened(old) as database:
        told = [str(one) for one in await shared_numbers(database)]
        verified = [str(one) for one in (await verify(database)).findings]

    assert told == [
        f"default: file number AZ-1: case {FIRST} (Müller) has AZ-1"
        f" and case {SECOND} (O’Neill) has az\u20131."
    ]
    assert [one for one in verified if "timeline" not in one] == told


async def test_a_number_that_two_have_is_refused_to_a_third(old):
    async with opened(old) as database:
        who = await administration.operator(database)
        with pytest.raises(FileNumberTaken):
            await cases.create_case(who, database, NewCase("N", file_number="AZ\u20101"))
        with pytest.raises(FileNumberTaken):
            await cases.update_case(who, database, THIRD, CaseChanges(file_number="az-1"))
        renamed = await cases.update_case(
            who, database, SECOND, CaseChanges(name="New", file_number="az\u20131")
        )
        moved = await cases.update_case(who, database, SECOND, CaseChanges(file_number="AZ-2"))
        again = await cases.update_case(who, database, FIRST, CaseChanges(file_number="az - 1"))

        assert (renamed.name, moved.file_number, again.file_number) == ("New", "AZ-2", "az - 1")
        assert await shared_numbers(database) == []
