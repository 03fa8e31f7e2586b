"""Merging parties, deleting parties and staff, and restoring cases."""

import pytest

from domain.errors import (
    CaseNotFound,
    FileNumberTaken,
    InsufficientScope,
    Invalid,
    PartyInUse,
    PartyNotFound,
    StaffInUse,
    StaffNotFound,
    VersionConflict,
)
from domain.inputs import CaseFilter, NewParty, NewStaff, PartyFilter, PartyRole, StaffRole
from domain.reading import lists, lookups, objects, relations
from domain.reading.paging import Paging
from domain.transfer.importing import dumped, import_cases
from domain.upkeep.verifying import verify
from domain.writing import cases, links, merging, register, roles


@pytest.fixture
async def twice(database, clerk, given_case, given_party):
    """One and the same person under two ids: in one case both, in another the second alone."""
    keep, gone = await given_party("Jörg Müller"), await given_party("J. Mueller")
    both = await given_case(
        "Both",
        parties=[
            PartyRole(keep.id, "client", "R-1"),
            PartyRole(gone.id, "client", "R-2"),
            PartyRole(gone.id, "witness"),
        ],
    )
    alone = await given_case("Alone", parties=[PartyRole(gone.id, "opponent", "X")])
    return keep, gone, both, alone


async def sound(database):
    assert [str(one) for one in (await verify(database)).findings] == []


@pytest.fixture
def parties_of(database, clerk):
    async def read(case_id):
        async with database.read() as db:
            pages = await objects.related(clerk, db, relations.CASE_PARTIES, [case_id])
        return [(one.party_id, one.role, one.reference, one.number) for one in pages[case_id]]

    return read


async def test_a_merge_moves_every_role_and_joins_those_that_both_have(
    database, clerk, twice, parties_of
):
    keep, gone, both, alone = twice

    merged = await merging.merge_parties(clerk, database, keep.id, gone.id)

    assert (merged.party, merged.cases, merged.moved, merged.joined) == (keep, 2, 2, 1)
    assert await parties_of(both.id) == [
        (keep.id, "client", "R-1; R-2", 1),
        (keep.id, "witness", None, 3),
    ]
    assert await parties_of(alone.id) == [(keep.id, "opponent", "X", 1)]
    async with database.read() as db:
        again = await objects.case(clerk, db, both.id)
        timeline = await objects.related(clerk, db, relations.CASE_TIMELINE, [alone.id])
        assert [one.name for one in await objects.parties(clerk, db)] == ["Jörg Müller"]
    assert again.version == 2
    assert [one.type for one in timeline[alone.id]] == ["parties_merged", "case_created"]
    await sound(database)


async def test_a_dry_run_tells_and_changes_nothing(database, clerk, twice, stored):
    keep, gone, *_ = twice
    before = stored()

    merged = await merging.merge_parties(clerk, database, keep.id, gone.id, dry_run=True)

    assert (merged.cases, merged.moved, merged.joined) == (2, 2, 1)
    assert stored() == before


async def test_the_old_id_leads_to_the_party_that_was_kept(
    database, clerk, twice, given_case, given_party, parties_of
):
    keep, gone, *_ = twice
    last = await given_party("Dr. Jörg Müller")
    await merging.merge_parties(clerk, database, keep.id, gone.id)
    await merging.merge_parties(clerk, database, last.id, keep.id)

    async with database.read() as db:
        ids = [gone.id, keep.id, last.id, "pty_none"]
        found = await objects.by_id(clerk, db, lookups.PARTY, ids)
        one = await objects.by_id(clerk, db, lookups.PARTY, [gone.id])
        wanted = CaseFilter(party=PartyFilter(id=gone.id))
        filtered = [case.name for case in await objects.cases(clerk, db, wanted)]
    assert {id: party.id for id, party in found.items()} == dict.fromkeys(ids[:3], last.id)
    assert {id: party.id for id, party in one.items()} == {gone.id: last.id}
    assert sorted(filtered) == ["Alone", "Both"]
    made = await given_case("Later", parties=[PartyRole(gone.id, "client")])
    assert [one[0] for one in await parties_of(made.id)] == [last.id]
    await roles.add_parties(clerk, database, made.id, [PartyRole(keep.id, "guarantor")])
    await roles.remove_parties(clerk, database, made.id, [gone.id], role="client")
    assert [one[:2] for one in await parties_of(made.id)] == [(last.id, "guarantor")]
    with pytest.raises(Invalid, match="already has this role"):
        await roles.add_parties(clerk, database, made.id, [PartyRole(gone.id, "guarantor")])
    with pytest.raises(Invalid, match="same role twice"):
        await given_case("Twice", parties=[PartyRole(gone.id, "x"), PartyRole(last.id, "x")])
    rejects = []
    line = {"name": "Imported", "parties": [{"id": gone.id, "role": "client"}]}
    report = await import_cases(
        clerk, database, [dumped(line)], source="s", on_reject=rejects.append
    )
    assert (rejects, report.parties) == ([], 0)
    await sound(database)


async def test_an_import_by_the_old_name_finds_the_party_that_was_kept(
    database, clerk, given_party, parties_of
):
    line = {"name": "One", "parties": [{"name": "J. Mueller", "role": "client"}]}
    await import_cases(clerk, database, [dumped(line)], source="s")
    async with database.read() as db:
        [gone] = await objects.parties(clerk, db)
    keep = await given_party("Jörg Müller")
    await merging.merge_parties(clerk, database, keep.id, gone.id)

    report = await import_cases(clerk, database, [dumped(line | {"name": "Two"})], source="s")

    assert report.parties == 0
    async with database.read() as db:
        assert [one.id for one in await objects.parties(clerk, db)] == [keep.id]
    await sound(database)


async def test_a_merge_that_cannot_be_made_changes_nothing(
    database, clerk, twice, given_party, stored
):
    keep, gone, both, _alone = twice
    long = await given_party("Long")
    await roles.add_parties(clerk, database, both.id, [PartyRole(long.id, "client", "x" * 200)])
    before = stored()

    for keep_id, merge_id, error in (
        (keep.id, keep.id, Invalid),
        ("pty_none", gone.id, PartyNotFound),
        (keep.id, "pty_none", PartyNotFound),
        (keep.id, long.id, Invalid),
    ):
        with pytest.raises(error):
            await merging.merge_parties(clerk, database, keep_id, merge_id)
    assert stored() == before


async def test_what_is_in_use_is_not_deleted(database, clerk, twice, given_case, stored):
    _keep, gone, both, alone = twice
    case = await given_case("N", staff=[StaffRole(NewStaff("S"), "clerk")])
    async with database.read() as db:
        [member] = await objects.staff(clerk, db)
    before = stored()

    with pytest.raises(PartyInUse, match="2 cases name it") as refused:
        await register.delete_party(clerk, database, gone.id)
    assert refused.value.existing in (("Case", both.id), ("Case", alone.id))
    with pytest.raises(StaffInUse, match="a case names it") as refused:
        await register.delete_staff(clerk, database, member.id)
    assert refused.value.existing == ("Case", case.id)
    assert stored() == before


async def test_deleted_cases_keep_nobody(database, clerk, given_case):
    case = await given_case(
        "N",
        parties=[PartyRole(NewParty("P"), "client"), PartyRole(NewParty("Q"), "witness")],
        staff=[StaffRole(NewStaff("S"), "clerk")],
    )
    async with database.read() as db:
        party = next(one for one in await objects.parties(clerk, db) if one.name == "P")
        [member] = await objects.staff(clerk, db)
    await cases.delete_case(clerk, database, case.id)

    assert await register.delete_party(clerk, database, party.id, idempotency_key="p") == party
    assert await register.delete_party(clerk, database, party.id, idempotency_key="p") is None
    assert await register.delete_staff(clerk, database, member.id) == member

    with pytest.raises(PartyNotFound):
        await register.delete_party(clerk, database, party.id)
    with pytest.raises(StaffNotFound):
        await register.delete_staff(clerk, database, member.id)
    await cases.restore_case(clerk, database, case.id)
    async with database.read() as db:
        [one] = (await objects.related(clerk, db, relations.CASE_PARTIES, [case.id]))[case.id]
        assert one.party.name == "Q"
    await sound(database)


async def test_a_name_that_was_deleted_is_a_new_party_to_an_import(database, clerk, run_line):
    await run_line("One")
    async with database.read() as db:
        [case] = await objects.cases(clerk, db)
        [party] = await objects.parties(clerk, db)
    await cases.delete_case(clerk, database, case.id)
    await register.delete_party(clerk, database, party.id)

    report = await run_line("Two")

    assert (report.imported, report.parties) == (1, 1)
    await sound(database)


@pytest.fixture
def run_line(database, clerk):
    async def run(name):
        line = {"name": name, "parties": [{"name": "P", "role": "client"}]}
        return await import_cases(clerk, database, [dumped(line)], source="s")

    return run


async def test_a_deleted_case_is_listed_and_comes_back(database, clerk, given_case, clock):
    made = [await given_case(f"N{n}", file_number=f"AZ-{n}") for n in range(3)]
    await links.link_cases(clerk, database, made[0].id, made[1].id, "parent")
    for n, case in enumerate(made):
        clock.now = f"2026-02-0{n + 1}T00:00:00Z"
        await cases.delete_case(clerk, database, case.id)

    async with database.read() as db:
        listed = list(await objects.page(db, lists.deleted_cases(clerk), Paging()))
    assert [(one.name, one.deleted_at) for one in listed] == [
        (f"N{n}", f"2026-02-0{n + 1}T00:00:00Z") for n in (2, 1, 0)
    ]
    back = await cases.restore_case(
        clerk, database, made[0].id, expected_version=listed[2].version, idempotency_key="k"
    )
    assert (back.name, back.file_number, back.version) == ("N0", "AZ-0", listed[2].version + 1)
    assert (
        await cases.restore_case(
            clerk, database, made[0].id, idempotency_key="k", expected_version=listed[2].version
        )
        == back
    )
    async with database.read() as db:
        found = await objects.cases(clerk, db, CaseFilter(search="n0"))
        assert list(found) == [back]
        assert await objects.count(db, lists.deleted_cases(clerk)) == 2
    await sound(database)


async def test_a_case_that_cannot_come_back_stays_deleted(database, clerk, given_case, stored):
    gone, here = await given_case("Gone", file_number="AZ-1"), await given_case("Here")
    await cases.delete_case(clerk, database, gone.id)
    taken = await given_case("Taken", file_number="az–1")
    before = stored()

    with pytest.raises(FileNumberTaken) as refused:
        await cases.restore_case(clerk, database, gone.id)
    assert refused.value.existing == ("Case", taken.id)
    for id in (here.id, "nonsense", "01a21e55-3ad6-7000-a946-000000000001"):
        with pytest.raises(CaseNotFound):
            await cases.restore_case(clerk, database, id)
    with pytest.raises(VersionConflict):
        await cases.restore_case(clerk, database, gone.id, expected_version=99)
    assert stored() == before


async def test_each_needs_its_scopes(database, clerk, twice):
    from dataclasses import replace

    from domain.access.principal import Scope

    keep, gone, both, _alone = twice
    calls = {
        Scope.CASES_DELETE: [
            lambda who: register.delete_party(who, database, gone.id),
            lambda who: register.delete_staff(who, database, "usr_none"),
            lambda who: cases.restore_case(who, database, both.id),
            lambda who: merging.merge_parties(who, database, keep.id, gone.id),
        ],
        Scope.CASES_WRITE: [lambda who: merging.merge_parties(who, database, keep.id, gone.id)],
    }
    for scope, each in calls.items():
        who = replace(clerk, scopes=clerk.scopes - {scope})
        for call in each:
            with pytest.raises(InsufficientScope):
                await call(who)
    for scope in (Scope.CASES_READ, Scope.CASES_DELETE):
        with pytest.raises(InsufficientScope):
            lists.deleted_cases(replace(clerk, scopes=clerk.scopes - {scope}))
