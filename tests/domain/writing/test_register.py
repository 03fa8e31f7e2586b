from dataclasses import replace

import pytest

from domain.errors import Invalid, PartyNotFound, StaffNotFound, VersionConflict
from domain.inputs import NewParty, NewStaff, PartyChanges, StaffChanges
from domain.models import Party, Staff
from domain.reading import lookups, objects
from domain.writing import register


def events(raw):
    rows = raw.execute("SELECT type, subject_id, case_id, changes FROM timeline_event ORDER BY seq")
    return rows.fetchall()


async def test_a_party_is_entered_as_given(database, clerk, given_party):
    party = await given_party("Weiß GmbH", kind="organization")

    async with database.read() as db:
        assert await objects.by_id(clerk, db, lookups.PARTY, [party.id]) == {party.id: party}
    assert replace(party, id="") == Party(
        "", "organization", "Weiß GmbH", "2026-01-15T09:00:00Z", "2026-01-15T09:00:00Z", 1
    )


async def test_a_staff_member_is_entered_as_given(database, clerk, given_staff):
    staff = await given_staff("Ben Ott", email="ben@example.org")

    async with database.read() as db:
        assert await objects.by_id(clerk, db, lookups.STAFF, [staff.id]) == {staff.id: staff}
    assert replace(staff, id="") == Staff(
        "", "Ben Ott", "ben@example.org", "2026-01-15T09:00:00Z", "2026-01-15T09:00:00Z", 1
    )


async def test_entering_someone_is_told(given_party, given_staff, raw):
    party = await given_party("Jörg Müller")
    staff = await given_staff("Ben Ott", email="ben@example.org")

    assert events(raw)[-2:] == [
        (
            "party_created",
            party.id,
            None,
            '[{"field":"name","before":null,"after":"Jörg Müller"},'
            '{"field":"kind","before":null,"after":"person"}]',
        ),
        (
            "staff_created",
            staff.id,
            None,
            '[{"field":"name","before":null,"after":"Ben Ott"},'
            '{"field":"email","before":null,"after":"ben@example.org"}]',
        ),
    ]


async def test_namesakes_are_two_parties(given_party):
    one, other = await given_party("Jörg Müller"), await given_party("Jörg Müller")

    assert one.id != other.id


async def test_a_party_changes_in_what_is_mentioned(database, clerk, clock, given_party, raw):
    party = await given_party("Old", kind="court")
    clock.now = "2026-02-01T12:00:00Z"

    changed = await register.update_party(clerk, database, party.id, PartyChanges(name="New"))

    async with database.read() as db:
        assert await objects.by_id(clerk, db, lookups.PARTY, [party.id]) == {party.id: changed}
    assert changed == replace(party, name="New", updated_at="2026-02-01T12:00:00Z", version=2)
    assert events(raw)[-1] == (
        "party_updated",
        party.id,
        None,
        '[{"field":"name","before":"Old","after":"New"}]',
    )


async def test_null_clears_an_email(database, clerk, given_staff, raw):
    staff = await given_staff("Ben Ott", email="ben@example.org")

    changed = await register.update_staff(clerk, database, staff.id, StaffChanges(email=None))

    async with database.read() as db:
        assert await objects.by_id(clerk, db, lookups.STAFF, [staff.id]) == {staff.id: changed}
    assert changed == replace(staff, email=None, version=2)
    assert events(raw)[-1] == (
        "staff_updated",
        staff.id,
        None,
        '[{"field":"email","before":"ben@example.org","after":null}]',
    )


async def test_a_change_to_the_same_is_none(
    database, clerk, clock, given_party, given_staff, stored
):
    party, staff = await given_party("Same"), await given_staff("Same", email="a@example.org")
    before = stored()
    clock.now = "2026-02-01T12:00:00Z"

    same_party = await register.update_party(clerk, database, party.id, PartyChanges("Same"))
    same_staff = await register.update_staff(
        clerk, database, staff.id, StaffChanges("Same", "a@example.org")
    )

    assert (same_party, same_staff) == (party, staff)
    assert stored() == before


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewParty(""), ("name",)),
        (NewParty("x" * 501), ("name",)),
        (NewParty("NUL \0"), ("name",)),
        (NewParty("N", "robot"), ("kind",)),
        (NewParty("N", None), ("kind",)),
    ],
)
async def test_a_bad_party_is_not_entered(database, clerk, stored, new, field):
    before = stored()

    with pytest.raises(Invalid) as refused:
        await register.create_party(clerk, database, new)

    assert [problem.field for problem in refused.value.problems] == [field]
    assert stored() == before


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewStaff(""), ("name",)),
        (NewStaff("N", "nobody"), ("email",)),
        (NewStaff("N", "a@b@c"), ("email",)),
        (NewStaff("N", "a" * 250 + "@b.de"), ("email",)),
    ],
)
async def test_a_bad_staff_member_is_not_entered(database, clerk, stored, new, field):
    before = stored()

    with pytest.raises(Invalid) as refused:
        await register.create_staff(clerk, database, new)

    assert [problem.field for problem in refused.value.problems] == [field]
    assert stored() == before


@pytest.mark.parametrize("changes", [PartyChanges(name=None), PartyChanges(kind=None)])
async def test_a_party_keeps_its_name_and_kind(database, clerk, given_party, stored, changes):
    party = await given_party()
    before = stored()

    with pytest.raises(Invalid):
        await register.update_party(clerk, database, party.id, changes)

    assert stored() == before


async def test_another_version_than_expected_stops_a_change(
    database, clerk, given_party, given_staff, stored
):
    party, staff = await given_party(), await given_staff()
    before = stored()

    with pytest.raises(VersionConflict):
        await register.update_party(
            clerk, database, party.id, PartyChanges("New"), expected_version=2
        )
    with pytest.raises(VersionConflict):
        await register.update_staff(
            clerk, database, staff.id, StaffChanges("New"), expected_version=2
        )

    assert stored() == before


@pytest.mark.parametrize("id", ["", "pty_0", "NUL \0", "\ud800", "x" * 100_000])
async def test_nobody_with_such_an_id_is_changed(database, clerk, stored, id):
    before = stored()

    with pytest.raises(PartyNotFound):
        await register.update_party(clerk, database, id, PartyChanges("New"))
    with pytest.raises(StaffNotFound):
        await register.update_staff(clerk, database, id, StaffChanges("New"))

    assert stored() == before


async def test_foreign_people_look_like_missing_ones(
    database, clerk, stranger, given_party, given_staff, stored
):
    party, staff = await given_party(), await given_staff()
    before = stored()

    with pytest.raises(PartyNotFound):
        await register.update_party(stranger, database, party.id, PartyChanges("New"))
    with pytest.raises(StaffNotFound):
        await register.update_staff(stranger, database, staff.id, StaffChanges("New"))

    async with database.read() as db:
        assert await objects.by_id(stranger, db, lookups.PARTY, [party.id]) == {}
        assert await objects.by_id(stranger, db, lookups.STAFF, [staff.id]) == {}
    assert stored() == before
