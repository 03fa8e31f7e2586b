import json
from dataclasses import replace

import pytest

from domain.access.principal import Scope
from domain.errors import (
    CaseNotFound,
    InsufficientScope,
    Invalid,
    PartyNotFound,
    Several,
    StaffNotFound,
    VersionConflict,
)
from domain.inputs import NewParty, NewStaff, PartyRole, StaffRole
from domain.reading import objects
from domain.reading.relations import CASE_PARTIES, CASE_STAFF
from domain.writing import roles

MISSING = "019bc8f0-0000-7000-8000-000000000000"


@pytest.fixture
def parties_of(database, clerk):
    async def listed(case_id):
        async with database.read() as db:
            pages = await objects.related(clerk, db, CASE_PARTIES, [case_id])
        return [(edge.party.name, edge.role, edge.reference) for edge in pages[case_id]]

    return listed


@pytest.fixture
def staff_of(database, clerk):
    async def listed(case_id):
        async with database.read() as db:
            pages = await objects.related(clerk, db, CASE_STAFF, [case_id])
        return [(edge.staff.name, edge.role, edge.note) for edge in pages[case_id]]

    return listed


@pytest.fixture
async def case(given_case):
    """Jörg is its client, Weiß GmbH its opponent; Anna leads, Ben assists."""
    return await given_case(
        parties=[
            PartyRole(NewParty("Jörg"), "client", "ref 7"),
            PartyRole(NewParty("Weiß GmbH"), "opponent"),
        ],
        staff=[StaffRole(NewStaff("Anna"), "lead_attorney"), StaffRole(NewStaff("Ben"), "clerk")],
    )


@pytest.fixture
async def ids(database, clerk):
    """The ids of everyone by name."""

    class ByName(dict):
        async def read(self):
            async with database.read() as db:
                people = [*await objects.parties(clerk, db), *await objects.staff(clerk, db)]
            self.update({one.name: one.id for one in people})
            return self

    return ByName()


def last_event(raw):
    type, changes = raw.execute(
        "SELECT type, changes FROM timeline_event ORDER BY workspace_id, seq DESC"
    ).fetchone()
    return type, [
        tuple(side and (side["name"], side["role"]) for side in (one["before"], one["after"]))
        for one in json.loads(changes)
        if one["field"] != "parties_order"
    ]


async def test_parties_are_added_behind_the_others(database, clerk, case, given_party, parties_of):
    court = await given_party("Amtsgericht Köln", kind="court")

    written = await roles.add_parties(
        clerk,
        database,
        case.id,
        [PartyRole(court.id, "court", "12 C 34/26"), PartyRole(NewParty("Zeuge"), "witness")],
    )

    assert written.case.version == 2
    assert await parties_of(case.id) == [
        ("Jörg", "client", "ref 7"),
        ("Weiß GmbH", "opponent", None),
        ("Amtsgericht Köln", "court", "12 C 34/26"),
        ("Zeuge", "witness", None),
    ]


async def test_staff_is_assigned_behind_the_others(database, clerk, case, given_staff, staff_of):
    carla = await given_staff("Carla")

    written = await roles.assign_staff(
        clerk, database, case.id, [StaffRole(carla.id, "trainee", "until June")]
    )

    assert written.case.version == 2
    assert await staff_of(case.id) == [
        ("Anna", "lead_attorney", None),
        ("Ben", "clerk", None),
        ("Carla", "trainee", "until June"),
    ]


async def test_one_party_has_two_roles_in_a_case(database, clerk, case, ids, parties_of):
    jorg = (await ids.read())["Jörg"]

    await roles.add_parties(clerk, database, case.id, [PartyRole(jorg, "witness")])

    assert await parties_of(case.id) == [
        ("Jörg", "client", "ref 7"),
        ("Weiß GmbH", "opponent", None),
        ("Jörg", "witness", None),
    ]


async def test_an_addition_tells_of_the_new_only(database, clerk, case, raw):
    await roles.add_parties(clerk, database, case.id, [PartyRole(NewParty("Zeuge"), "witness")])

    assert last_event(raw) == ("parties_added", [(None, ("Zeuge", "witness"))])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], ("parties",)),
        ([PartyRole(NewParty(""), "client")], ("parties", "0", "name")),
        ([PartyRole("pty_1", "Client")], ("parties", "0", "role")),
        ([PartyRole("", "client")], ("parties", "0", "id")),
        ([PartyRole("pty_1", "a"), PartyRole("pty_1", "a")], ("parties", "1", "id")),
    ],
)
async def test_bad_roles_are_not_added(database, clerk, case, stored, given, field):
    before = stored()

    with pytest.raises(Several) as refused:
        await roles.add_parties(clerk, database, case.id, given)

    wrong = [problem for problem in refused.value.problems if not problem.code.endswith("FOUND")]
    assert [problem.field for problem in wrong] == [field]
    assert stored() == before


async def test_a_role_is_given_once(database, clerk, case, ids, stored):
    people = await ids.read()
    before = stored()

    with pytest.raises(Invalid) as adding:
        await roles.add_parties(
            clerk,
            database,
            case.id,
            [PartyRole(NewParty("New"), "client"), PartyRole(people["Jörg"], "client")],
        )
    with pytest.raises(Invalid) as assigning:
        await roles.assign_staff(clerk, database, case.id, [StaffRole(people["Ben"], "clerk")])

    assert [problem.field for problem in adding.value.problems] == [("parties", "1", "role")]
    assert [problem.field for problem in assigning.value.problems] == [("staff", "0", "role")]
    assert stored() == before


async def test_a_case_does_not_grow_beyond_its_limit(database, clerk, given_case, stored):
    many = [StaffRole(NewStaff(f"S{index}"), "clerk") for index in range(200)]
    case = await given_case(staff=many)
    before = stored()

    with pytest.raises(Invalid) as refused:
        await roles.assign_staff(clerk, database, case.id, [StaffRole(NewStaff("Last"), "clerk")])

    assert refused.value.message == "A case may have at most 200 staff."
    assert stored() == before


async def test_an_unknown_party_stops_the_whole_addition(database, clerk, case, stored):
    before = stored()

    with pytest.raises(PartyNotFound) as refused:
        await roles.add_parties(
            clerk,
            database,
            case.id,
            [PartyRole(NewParty("New"), "witness"), PartyRole("pty_0", "witness")],
        )

    assert refused.value.field == ("parties", "1", "id")
    assert stored() == before


async def test_foreign_people_are_not_given_roles(
    database, clerk, stranger, case, given_party, given_staff, stored
):
    party = await given_party("Foreign", who=stranger)
    staff = await given_staff("Foreign", who=stranger)
    before = stored()

    with pytest.raises(PartyNotFound):
        await roles.add_parties(clerk, database, case.id, [PartyRole(party.id, "client")])
    with pytest.raises(PartyNotFound):
        await roles.replace_parties(clerk, database, case.id, [PartyRole(party.id, "client")])
    with pytest.raises(StaffNotFound):
        await roles.assign_staff(clerk, database, case.id, [StaffRole(staff.id, "clerk")])

    assert stored() == before


async def test_replacing_keeps_who_stays_and_since_when(
    database, clerk, clock, case, ids, parties_of, raw
):
    people = await ids.read()
    clock.now = "2026-02-01T12:00:00Z"

    written = await roles.replace_parties(
        clerk,
        database,
        case.id,
        [PartyRole(NewParty("Zeuge"), "witness"), PartyRole(people["Jörg"], "client", "ref 8")],
    )

    assert written.case.version == 2
    assert await parties_of(case.id) == [("Zeuge", "witness", None), ("Jörg", "client", "ref 8")]
    async with database.read() as db:
        pages = await objects.related(clerk, db, CASE_PARTIES, [case.id])
    assert [edge.added_at for edge in pages[case.id]] == [
        "2026-02-01T12:00:00Z",
        "2026-01-15T09:00:00Z",
    ]
    assert last_event(raw) == (
        "parties_replaced",
        [
            (("Jörg", "client"), ("Jörg", "client")),
            (("Weiß GmbH", "opponent"), None),
            (None, ("Zeuge", "witness")),
        ],
    )


async def test_replacing_by_none_empties_the_list(database, clerk, case, parties_of):
    written = await roles.replace_parties(clerk, database, case.id, [])

    assert written.case.version == 2
    assert await parties_of(case.id) == []


async def test_replacing_by_the_same_changes_nothing(database, clerk, case, ids, stored):
    people = await ids.read()
    before = stored()

    written = await roles.replace_parties(
        clerk,
        database,
        case.id,
        [PartyRole(people["Jörg"], "client", "ref 7"), PartyRole(people["Weiß GmbH"], "opponent")],
    )

    assert written.case == case
    assert stored() == before


async def test_another_order_is_a_change(database, clerk, case, ids, parties_of):
    people = await ids.read()

    written = await roles.replace_parties(
        clerk,
        database,
        case.id,
        [PartyRole(people["Weiß GmbH"], "opponent"), PartyRole(people["Jörg"], "client", "ref 7")],
    )

    assert written.case.version == 2
    assert [name for name, _, _ in await parties_of(case.id)] == ["Weiß GmbH", "Jörg"]


async def test_a_removed_party_stays_in_the_register(database, clerk, case, ids, parties_of, raw):
    people = await ids.read()

    changed = await roles.remove_parties(clerk, database, case.id, [people["Jörg"]])

    assert changed.version == 2
    assert await parties_of(case.id) == [("Weiß GmbH", "opponent", None)]
    assert last_event(raw) == ("parties_removed", [(("Jörg", "client"), None)])
    assert "Jörg" in await ids.read()


async def test_a_party_leaves_one_role_and_keeps_the_other(database, clerk, case, ids, parties_of):
    jorg = (await ids.read())["Jörg"]
    await roles.add_parties(clerk, database, case.id, [PartyRole(jorg, "witness")])

    await roles.remove_parties(clerk, database, case.id, [jorg], role="client")

    assert await parties_of(case.id) == [
        ("Weiß GmbH", "opponent", None),
        ("Jörg", "witness", None),
    ]


async def test_without_a_role_a_party_leaves_altogether(database, clerk, case, ids, parties_of):
    jorg = (await ids.read())["Jörg"]
    await roles.add_parties(clerk, database, case.id, [PartyRole(jorg, "witness")])

    await roles.remove_parties(clerk, database, case.id, [jorg])

    assert await parties_of(case.id) == [("Weiß GmbH", "opponent", None)]


async def test_staff_is_taken_off_a_case(database, clerk, case, ids, staff_of, raw):
    people = await ids.read()

    changed = await roles.unassign_staff(clerk, database, case.id, [people["Anna"]])

    assert changed.version == 2
    assert await staff_of(case.id) == [("Ben", "clerk", None)]
    assert last_event(raw) == ("staff_unassigned", [(("Anna", "lead_attorney"), None)])


async def test_who_is_not_in_the_case_stops_a_removal(
    database, clerk, case, ids, given_party, given_staff, stored
):
    party, staff = await given_party("Outsider"), await given_staff("Outsider")
    people = await ids.read()
    before = stored()

    with pytest.raises(PartyNotFound) as removing:
        await roles.remove_parties(clerk, database, case.id, [people["Jörg"], party.id])
    with pytest.raises(PartyNotFound):
        await roles.remove_parties(clerk, database, case.id, [people["Jörg"]], role="opponent")
    with pytest.raises(StaffNotFound) as unassigning:
        await roles.unassign_staff(clerk, database, case.id, [people["Ben"], staff.id])

    assert removing.value.field == ("parties", "1")
    assert unassigning.value.field == ("staff", "1")
    assert stored() == before


async def test_a_removal_names_someone(database, clerk, case, stored):
    before = stored()

    with pytest.raises(Invalid) as removing:
        await roles.remove_parties(clerk, database, case.id, [])
    with pytest.raises(Invalid) as unassigning:
        await roles.unassign_staff(clerk, database, case.id, [])

    assert (removing.value.field, unassigning.value.field) == (("parties",), ("staff",))
    assert stored() == before


async def test_a_position_is_never_used_again(database, clerk, case, ids, raw):
    people = await ids.read()
    await roles.unassign_staff(clerk, database, case.id, [people["Ben"]])

    await roles.assign_staff(clerk, database, case.id, [StaffRole(people["Ben"], "clerk")])

    positions = raw.execute("SELECT position FROM staff_assignment ORDER BY position").fetchall()
    assert positions == [(3,), (5,)]


def _changes(party_id, staff_id):
    """Every way to change the roles of a case."""
    add, drop = PartyRole(NewParty("New"), "witness"), [party_id]
    return {
        "add": lambda *args, **kw: roles.add_parties(*args, [add], **kw),
        "replace": lambda *args, **kw: roles.replace_parties(*args, [add], **kw),
        "remove": lambda *args, **kw: roles.remove_parties(*args, drop, **kw),
        "assign": lambda *args, **kw: roles.assign_staff(
            *args, [StaffRole(NewStaff("New"), "clerk")], **kw
        ),
        "unassign": lambda *args, **kw: roles.unassign_staff(*args, [staff_id], **kw),
    }


@pytest.mark.parametrize("way", ["add", "replace", "remove", "assign", "unassign"])
async def test_another_version_than_expected_stops_a_change(
    database, clerk, case, ids, stored, way
):
    people = await ids.read()
    change = _changes(people["Jörg"], people["Ben"])[way]
    before = stored()

    with pytest.raises(VersionConflict) as refused:
        await change(clerk, database, case.id, expected_version=2)

    assert refused.value.actual == "1"
    assert stored() == before


@pytest.mark.parametrize("way", ["add", "replace", "remove", "assign", "unassign"])
async def test_the_expected_version_lets_a_change_through(database, clerk, case, ids, way):
    people = await ids.read()
    change = _changes(people["Jörg"], people["Ben"])[way]

    changed = await change(clerk, database, case.id, expected_version=1)

    assert getattr(changed, "case", changed).version == 2


@pytest.mark.parametrize("way", ["add", "replace", "remove", "assign", "unassign"])
async def test_a_foreign_case_looks_like_a_missing_one(
    database, clerk, stranger, case, ids, stored, way
):
    people = await ids.read()
    change = _changes(people["Jörg"], people["Ben"])[way]
    before = stored()

    with pytest.raises(CaseNotFound) as foreign:
        await change(stranger, database, case.id)
    with pytest.raises(CaseNotFound) as missing:
        await change(clerk, database, MISSING)
    with pytest.raises(CaseNotFound):
        await change(clerk, database, "half \ud800 a character")

    assert foreign.value.message == missing.value.message.replace(MISSING, case.id)
    assert stored() == before


@pytest.mark.parametrize("way", ["add", "replace", "remove", "assign", "unassign"])
async def test_who_may_only_read_does_not_change_roles(database, clerk, case, ids, stored, way):
    people = await ids.read()
    change = _changes(people["Jörg"], people["Ben"])[way]
    reader = replace(clerk, scopes=frozenset({Scope.CASES_READ}))
    before = stored()

    with pytest.raises(InsufficientScope):
        await change(reader, database, case.id)

    assert stored() == before
