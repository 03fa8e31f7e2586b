from dataclasses import replace

import pytest

from domain.errors import CaseNotFound, FileNumberTaken, IdempotencyKeyReused, Invalid
from domain.inputs import (
    CaseChanges,
    NewCase,
    NewParty,
    NewStaff,
    PartyChanges,
    PartyRole,
    StaffRole,
)
from domain.reading import objects
from domain.writing import cases, links, register, roles


@pytest.fixture
async def pair(given_case):
    return await given_case("First"), await given_case("Second")


def _requests(case, linked):
    """Every operation that takes an idempotency key: the same, and with another content."""
    return {
        "create_case": (
            lambda who, db, key: cases.create_case(who, db, NewCase("N"), idempotency_key=key),
            lambda who, db, key: cases.create_case(who, db, NewCase("M"), idempotency_key=key),
        ),
        "create_party": (
            lambda who, db, key: register.create_party(who, db, NewParty("N"), idempotency_key=key),
            lambda who, db, key: register.create_party(
                who, db, NewParty("N", "court"), idempotency_key=key
            ),
        ),
        "create_staff": (
            lambda who, db, key: register.create_staff(who, db, NewStaff("N"), idempotency_key=key),
            lambda who, db, key: register.create_staff(
                who, db, NewStaff("N", "a@example.org"), idempotency_key=key
            ),
        ),
        "add_parties": (
            lambda who, db, key: roles.add_parties(
                who, db, case.id, [PartyRole(NewParty("N"), "client")], idempotency_key=key
            ),
            lambda who, db, key: roles.add_parties(
                who, db, linked.id, [PartyRole(NewParty("N"), "client")], idempotency_key=key
            ),
        ),
        "assign_staff": (
            lambda who, db, key: roles.assign_staff(
                who, db, case.id, [StaffRole(NewStaff("N"), "clerk")], idempotency_key=key
            ),
            lambda who, db, key: roles.assign_staff(
                who, db, case.id, [StaffRole(NewStaff("N"), "clerk", "note")], idempotency_key=key
            ),
        ),
        "link_cases": (
            lambda who, db, key: links.link_cases(
                who, db, case.id, linked.id, "parent", idempotency_key=key
            ),
            lambda who, db, key: links.link_cases(
                who, db, case.id, linked.id, "child", idempotency_key=key
            ),
        ),
    }


OPERATIONS = list(_requests(None, None))


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_retry_finds_what_the_first_request_made(database, clerk, pair, stored, operation):
    request, _ = _requests(*pair)[operation]
    first = await request(clerk, database, "key-1")
    before = stored()

    again = await request(clerk, database, "key-1")

    assert getattr(again, "case", again) == getattr(first, "case", first)
    assert getattr(again, "link", None) == getattr(first, "link", None)
    assert stored() == before


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_key_is_not_used_for_another_request(database, clerk, pair, stored, operation):
    request, other = _requests(*pair)[operation]
    await request(clerk, database, "key-1")
    before = stored()

    with pytest.raises(IdempotencyKeyReused) as refused:
        await other(clerk, database, "key-1")

    assert refused.value.field == ("idempotency_key",)
    assert stored() == before


async def test_a_key_is_not_used_for_another_operation(database, clerk, stored):
    await register.create_party(clerk, database, NewParty("N"), idempotency_key="key-1")
    before = stored()

    with pytest.raises(IdempotencyKeyReused):
        await register.create_staff(clerk, database, NewStaff("N"), idempotency_key="key-1")

    assert stored() == before


async def test_without_a_key_the_same_request_makes_two(database, clerk):
    one = await cases.create_case(clerk, database, NewCase("N"))
    other = await cases.create_case(clerk, database, NewCase("N"), idempotency_key="")

    assert one.id != other.id


async def test_other_keys_make_other_cases(database, clerk):
    one = await cases.create_case(clerk, database, NewCase("N"), idempotency_key="key-1")
    other = await cases.create_case(clerk, database, NewCase("N"), idempotency_key="key-2")

    assert one.id != other.id


async def test_keys_of_two_callers_do_not_meet(database, clerk, stranger):
    colleague = replace(clerk, key_id="0000000000AB", key_name="colleague")

    made = [
        await cases.create_case(who, database, NewCase("N"), idempotency_key="key-1")
        for who in (clerk, colleague, stranger)
    ]

    assert len({case.id for case in made}) == 3


async def test_a_retry_answers_with_the_object_as_it_is_now(database, clerk):
    party = await register.create_party(clerk, database, NewParty("Old"), idempotency_key="p")
    case = await cases.create_case(clerk, database, NewCase("Old"), idempotency_key="c")
    renamed = await register.update_party(clerk, database, party.id, PartyChanges("New"))
    changed = await cases.update_case(clerk, database, case.id, CaseChanges("New"))

    same_party = await register.create_party(clerk, database, NewParty("Old"), idempotency_key="p")
    same_case = await cases.create_case(clerk, database, NewCase("Old"), idempotency_key="c")

    assert (same_party, same_case) == (renamed, changed)


async def test_a_retry_passes_although_the_version_moved_on(database, clerk, given_case):
    case = await given_case()

    async def add():
        return await roles.add_parties(
            clerk,
            database,
            case.id,
            [PartyRole(NewParty("N"), "client")],
            expected_version=1,
            idempotency_key="key-1",
        )

    first = await add()
    again = await add()

    assert first.case.version == again.case.version == 2


async def test_a_retry_does_not_bring_back_a_deleted_case(database, clerk, stored):
    case = await cases.create_case(clerk, database, NewCase("N"), idempotency_key="key-1")
    await cases.delete_case(clerk, database, case.id)
    before = stored()

    with pytest.raises(CaseNotFound):
        await cases.create_case(clerk, database, NewCase("N"), idempotency_key="key-1")

    assert stored() == before


async def test_a_refused_request_does_not_use_up_its_key(database, clerk, given_case):
    taken = await given_case(file_number="AZ-1")
    new = NewCase("N", file_number="AZ-1")
    with pytest.raises(FileNumberTaken):
        await cases.create_case(clerk, database, new, idempotency_key="key-1")
    await cases.delete_case(clerk, database, taken.id)

    case = await cases.create_case(clerk, database, new, idempotency_key="key-1")

    async with database.read() as db:
        assert await objects.case_by_file_number(clerk, db, "AZ-1") == case


async def test_a_key_is_forgotten_after_a_day(database, clerk, clock, raw):
    async def create():
        return await cases.create_case(clerk, database, NewCase("N"), idempotency_key="key-1")

    first = await create()
    clock.now = "2026-01-16T09:00:00Z"

    later = await create()

    assert later.id != first.id
    assert raw.execute("SELECT result_id FROM idempotency_key").fetchall() == [(later.id,)]


async def test_a_key_is_remembered_for_almost_a_day(database, clerk, clock):
    async def create():
        return await cases.create_case(clerk, database, NewCase("N"), idempotency_key="key-1")

    first = await create()
    clock.now = "2026-01-16T08:59:59Z"

    assert await create() == first


@pytest.mark.parametrize("key", ["x" * 256, "NUL \0", "two\nlines", "\ud800"])
async def test_a_bad_key_is_refused(database, clerk, stored, key):
    before = stored()

    with pytest.raises(Invalid) as refused:
        await cases.create_case(clerk, database, NewCase("N"), idempotency_key=key)

    assert refused.value.field == ("idempotency_key",)
    assert stored() == before
