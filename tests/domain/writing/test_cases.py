from dataclasses import replace

import pytest

from domain.access.principal import Scope
from domain.errors import (
    CaseNotFound,
    FileNumberTaken,
    InsufficientScope,
    Invalid,
    PartyNotFound,
    Several,
    StaffNotFound,
    VersionConflict,
)
from domain.inputs import (
    CaseChanges,
    NewCase,
    NewParty,
    NewStaff,
    PartyChanges,
    PartyRole,
    StaffRole,
    Unclear,
)
from domain.models import Case
from domain.reading import lookups, objects
from domain.reading.relations import CASE_LINKS, CASE_PARTIES, CASE_STAFF, CASE_TIMELINE
from domain.writing import cases, links, register

MISSING = "019bc8f0-0000-7000-8000-000000000000"


async def seen(who, database, case_id):
    async with database.read() as db:
        return await objects.case(who, db, case_id)


async def told(who, database, case_id):
    """The case's events, oldest first, each as its type and what changed in it."""
    async with database.read() as db:
        pages = await objects.related(who, db, CASE_TIMELINE, [case_id])
    return [
        (event.type, {change.field: (change.before, change.after) for change in event.changes})
        for event in reversed(list(pages[case_id]))
    ]


async def test_a_new_case_is_stored_as_it_was_given(database, clerk):
    new = NewCase(
        "Müller ./. Weiß",
        file_number="AZ-2026-042",
        status="closed",
        type="litigation",
        description="First line.\nSecond line.",
        dezernat="Mietrecht",
    )

    case = await cases.create_case(clerk, database, new)

    assert await seen(clerk, database, case.id) == case
    assert replace(case, id="") == Case(
        id="",
        name="Müller ./. Weiß",
        file_number="AZ-2026-042",
        status="closed",
        type="litigation",
        description="First line.\nSecond line.",
        dezernat="Mietrecht",
        created_at="2026-01-15T09:00:00Z",
        updated_at="2026-01-15T09:00:00Z",
        version=1,
    )


async def test_a_case_is_active_unless_said_otherwise(given_case):
    case = await given_case()

    assert case.status == "active"


async def test_spaces_around_a_name_are_dropped_and_letters_composed(given_case):
    case = await given_case("  Mu\u0308ller  ")

    assert case.name == "Müller"


@pytest.mark.parametrize("blank", ["", "   ", None])
async def test_a_blank_file_number_is_none(given_case, blank):
    case = await given_case(file_number=blank)

    assert case.file_number is None


async def test_a_case_is_opened_with_its_parties_and_staff(
    database, clerk, given_case, given_party, given_staff
):
    known, colleague = await given_party("Jörg Müller"), await given_staff("Dr. Anna Groß")

    case = await given_case(
        parties=[
            PartyRole(known.id, "client", "our ref. 7"),
            PartyRole(NewParty("Weiß GmbH", "organization"), "opponent"),
        ],
        staff=[
            StaffRole(colleague.id, "lead_attorney", "on leave in May"),
            StaffRole(NewStaff("Ben Ott", "ben@example.org"), "assistant"),
        ],
    )

    async with database.read() as db:
        parties = await objects.related(clerk, db, CASE_PARTIES, [case.id])
        staff = await objects.related(clerk, db, CASE_STAFF, [case.id])
    assert [(p.party.name, p.party.kind, p.role, p.reference) for p in parties[case.id]] == [
        ("Jörg Müller", "person", "client", "our ref. 7"),
        ("Weiß GmbH", "organization", "opponent", None),
    ]
    assert [(s.staff.name, s.staff.email, s.role, s.note) for s in staff[case.id]] == [
        ("Dr. Anna Groß", None, "lead_attorney", "on leave in May"),
        ("Ben Ott", "ben@example.org", "assistant", None),
    ]


async def test_opening_a_case_tells_what_it_was_opened_with(
    database, clerk, given_case, given_party
):
    known = await given_party("Jörg Müller")

    case = await given_case("Müller ./. Weiß", parties=[PartyRole(known.id, "client")])

    client = {
        "id": known.id,
        "name": "Jörg Müller",
        "role": "client",
        "reference": None,
        "number": 1,
    }
    assert await told(clerk, database, case.id) == [
        (
            "case_created",
            {
                "name": (None, "Müller ./. Weiß"),
                "status": (None, "active"),
                "parties": (None, client),
            },
        )
    ]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, ("name",)),
        ({"name": " \t "}, ("name",)),
        ({"name": "x" * 501}, ("name",)),
        ({"name": "x" * 10_000_000}, ("name",)),
        ({"name": "two\nlines"}, ("name",)),
        ({"name": "NUL \0 inside"}, ("name",)),
        ({"name": "half \ud800 a character"}, ("name",)),
        ({"name": None}, ("name",)),
        ({"name": 7}, ("name",)),
        ({"file_number": "x" * 101}, ("file_number",)),
        ({"status": "open"}, ("status",)),
        ({"status": None}, ("status",)),
        ({"type": "Two Words"}, ("type",)),
        ({"type": "Litigation"}, ("type",)),
        ({"type": "7th"}, ("type",)),
        ({"description": "x" * 20_001}, ("description",)),
        ({"description": "bell \a"}, ("description",)),
        ({"dezernat": "x" * 201}, ("dezernat",)),
        ({"parties": [PartyRole(NewParty(""), "client")]}, ("parties", "0", "name")),
        ({"parties": [PartyRole(NewParty("A", "robot"), "client")]}, ("parties", "0", "kind")),
        ({"parties": [PartyRole(NewParty("A"), "The Client")]}, ("parties", "0", "role")),
        ({"parties": [PartyRole("pty_1", "a"), PartyRole("pty_1", "a")]}, ("parties", "1", "id")),
        ({"parties": [PartyRole(" pty_1", "a")]}, ("parties", "0", "id")),
        ({"parties": [PartyRole(NewParty("A"), "a", "x" * 201)]}, ("parties", "0", "reference")),
        ({"parties": [PartyRole(NewParty("A"), "a")] * 1001}, ("parties",)),
        ({"staff": [StaffRole(NewStaff("A", "no address"), "a")]}, ("staff", "0", "email")),
        ({"staff": [StaffRole("usr_1", "a"), StaffRole("usr_1", "a")]}, ("staff", "1", "id")),
        ({"staff": [StaffRole(NewStaff("A"), "a", "x" * 1_001)]}, ("staff", "0", "note")),
        ({"staff": [StaffRole(NewStaff("A"), "a")] * 201}, ("staff",)),
    ],
)
async def test_a_case_with_a_bad_value_is_not_opened(database, clerk, stored, values, field):
    before = stored()

    with pytest.raises(Several) as refused:
        await cases.create_case(clerk, database, NewCase(**{"name": "N"} | values))

    wrong = [problem for problem in refused.value.problems if not problem.code.endswith("FOUND")]
    assert [(problem.code, problem.field) for problem in wrong] == [("VALIDATION_ERROR", field)]
    assert stored() == before


async def test_everything_that_is_wrong_is_told_at_once(database, clerk, given_case, stored):
    await given_case(file_number="AZ-1")
    new = NewCase(
        "",
        file_number="AZ-1",
        status="open",
        parties=[
            PartyRole("pty_1", "Client"),
            PartyRole("pty_2", "client"),
            PartyRole(Unclear("Which one?"), "client"),
        ],
        staff=[StaffRole("usr_1", "clerk", "x" * 1_001)],
    )
    before = stored()

    with pytest.raises(Several) as refused:
        await cases.create_case(clerk, database, new, idempotency_key="x" * 256)

    assert [(problem.code, problem.field) for problem in refused.value.problems] == [
        ("VALIDATION_ERROR", ("name",)),
        ("VALIDATION_ERROR", ("status",)),
        ("VALIDATION_ERROR", ("parties", "0", "role")),
        ("VALIDATION_ERROR", ("parties", "2")),
        ("VALIDATION_ERROR", ("staff", "0", "note")),
        ("VALIDATION_ERROR", ("idempotency_key",)),
        ("PARTY_NOT_FOUND", ("parties", "0", "id")),
        ("PARTY_NOT_FOUND", ("parties", "1", "id")),
        ("STAFF_NOT_FOUND", ("staff", "0", "id")),
        ("FILE_NUMBER_CONFLICT", ("file_number",)),
    ]
    assert refused.value.code == "VALIDATION_ERROR"
    assert stored() == before


@pytest.mark.parametrize(
    ("values", "refusal", "field"),
    [
        ({"parties": [PartyRole("pty_0", "client")]}, PartyNotFound, ("parties", "1", "id")),
        ({"staff": [StaffRole("usr_0", "clerk")]}, StaffNotFound, ("staff", "0", "id")),
    ],
)
async def test_a_case_with_an_unknown_person_leaves_nothing_behind(
    database, clerk, stored, values, refusal, field
):
    parties = [PartyRole(NewParty("Half Written"), "client"), *values.get("parties", ())]
    before = stored()

    with pytest.raises(refusal) as refused:
        await cases.create_case(clerk, database, NewCase("N", **values | {"parties": parties}))

    assert refused.value.field == field
    assert stored() == before


async def test_another_workspaces_party_is_a_missing_party(
    database, clerk, stranger, given_party, stored
):
    foreign = await given_party(who=stranger)
    before = stored()

    with pytest.raises(PartyNotFound):
        await cases.create_case(
            clerk, database, NewCase("N", parties=[PartyRole(foreign.id, "client")])
        )

    assert stored() == before


async def test_a_file_number_is_given_once(database, clerk, given_case, stored):
    await given_case(file_number="AZ-2026-042")
    before = stored()

    with pytest.raises(FileNumberTaken) as refused:
        await cases.create_case(clerk, database, NewCase("N", file_number=" AZ-2026-042 "))

    assert refused.value.field == ("file_number",)
    assert stored() == before


async def test_each_workspace_gives_its_own_file_numbers(given_case, stranger):
    await given_case(file_number="AZ-1")

    case = await given_case(file_number="AZ-1", who=stranger)

    assert case.file_number == "AZ-1"


async def test_a_deleted_case_frees_its_file_number(database, clerk, given_case):
    gone = await given_case(file_number="AZ-1")
    await cases.delete_case(clerk, database, gone.id)

    case = await given_case(file_number="AZ-1")

    assert case.file_number == "AZ-1"


async def test_many_cases_have_no_file_number(given_case):
    cases = [await given_case(), await given_case()]

    assert [case.file_number for case in cases] == [None, None]


async def test_only_what_is_mentioned_changes(database, clerk, clock, given_case):
    case = await given_case("Old", file_number="AZ-1", dezernat="Mietrecht")
    clock.now = "2026-02-01T12:00:00Z"

    changed = await cases.update_case(
        clerk, database, case.id, CaseChanges(name="New", dezernat=None)
    )

    assert changed == replace(
        case, name="New", dezernat=None, updated_at="2026-02-01T12:00:00Z", version=2
    )
    assert await seen(clerk, database, case.id) == changed


async def test_an_update_tells_what_was_before_and_after(database, clerk, given_case):
    case = await given_case("Old", dezernat="Mietrecht", type="litigation")

    await cases.update_case(
        clerk, database, case.id, CaseChanges(name="New", dezernat=None, type="litigation")
    )

    assert (await told(clerk, database, case.id))[1:] == [
        ("case_updated", {"name": ("Old", "New"), "dezernat": ("Mietrecht", None)})
    ]


async def test_an_update_to_the_same_values_changes_nothing(
    database, clerk, clock, given_case, stored
):
    case = await given_case("Same", file_number="AZ-1")
    before = stored()
    clock.now = "2026-02-01T12:00:00Z"

    again = await cases.update_case(
        clerk, database, case.id, CaseChanges(name=" Same ", file_number="AZ-1", status="active")
    )

    assert again == case
    assert stored() == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (CaseChanges(name=None), ("name",)),
        (CaseChanges(name=""), ("name",)),
        (CaseChanges(status=None), ("status",)),
        (CaseChanges(status="deleted"), ("status",)),
        (CaseChanges(type="Two Words"), ("type",)),
        (CaseChanges(description="x" * 20_001), ("description",)),
    ],
)
async def test_a_bad_change_changes_nothing(database, clerk, given_case, stored, changes, field):
    case = await given_case()
    before = stored()

    with pytest.raises(Invalid) as refused:
        await cases.update_case(clerk, database, case.id, changes)

    assert [problem.field for problem in refused.value.problems] == [field]
    assert stored() == before


async def test_a_case_may_spell_its_own_file_number_differently(database, clerk, given_case):
    case = await given_case("A", file_number="az 1")

    changed = await cases.update_case(
        clerk, database, case.id, CaseChanges(file_number="AZ\u00a01")
    )

    assert changed.file_number == "AZ\u00a01"
    assert changed.version == case.version + 1


async def test_a_case_does_not_take_another_ones_file_number(database, clerk, given_case, stored):
    await given_case(file_number="AZ-1")
    case = await given_case(file_number="AZ-2")
    before = stored()

    with pytest.raises(FileNumberTaken):
        await cases.update_case(clerk, database, case.id, CaseChanges(file_number="AZ-1"))

    assert stored() == before


async def test_the_expected_version_lets_a_change_through(database, clerk, given_case):
    case = await given_case()

    changed = await cases.update_case(
        clerk, database, case.id, CaseChanges(name="New"), expected_version=1
    )

    assert changed.version == 2


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_another_version_than_expected_stops_a_change(
    database, clerk, given_case, stored, expected
):
    case = await given_case()
    await cases.update_case(clerk, database, case.id, CaseChanges(name="Second"))
    before = stored()

    with pytest.raises(VersionConflict) as refused:
        await cases.update_case(
            clerk, database, case.id, CaseChanges(name="Third"), expected_version=expected
        )

    assert refused.value.actual == "2"
    assert refused.value.field == ("expected_version",)
    assert stored() == before


async def test_another_version_than_expected_stops_a_deletion(database, clerk, given_case, stored):
    case = await given_case()
    before = stored()

    with pytest.raises(VersionConflict):
        await cases.delete_case(clerk, database, case.id, expected_version=2)

    assert stored() == before


async def test_a_case_id_may_be_written_in_capitals(database, clerk, given_case):
    case = await given_case()

    changed = await cases.update_case(clerk, database, case.id.upper(), CaseChanges(name="New"))

    assert changed.id == case.id


async def test_a_deleted_case_is_found_nowhere(database, clerk, given_case, given_party):
    party = await given_party()
    case = await given_case("Geheim", file_number="AZ-1", parties=[PartyRole(party.id, "client")])
    other = await given_case("Other")
    link = (await links.link_cases(clerk, database, case.id, other.id, "related")).link

    await cases.delete_case(clerk, database, case.id)

    async with database.read() as db:
        with pytest.raises(CaseNotFound):
            await objects.case(clerk, db, case.id)
        assert await objects.by_id(clerk, db, lookups.CASE, [case.id]) == {}
        assert await objects.case_by_file_number(clerk, db, "AZ-1") is None
        assert [found.name for found in await objects.cases(clerk, db)] == ["Other"]
        assert await objects.count_cases(clerk, db) == 1
        assert await objects.by_id(clerk, db, lookups.LINK, [link.id]) == {}
        pages = await objects.related(clerk, db, CASE_LINKS, [other.id])
        assert list(pages[other.id]) == []
        assert await objects.count_related(clerk, db, CASE_LINKS, [other.id]) == {other.id: 0}


async def test_deleting_a_case_is_recorded(database, clerk, given_case, raw):
    case = await given_case()

    deleted = await cases.delete_case(clerk, database, case.id)

    [*_, last] = raw.execute("SELECT type, case_id, actor FROM timeline_event ORDER BY seq")
    assert last == ("case_deleted", case.id, "clerk")
    assert deleted.version == 2


@pytest.mark.parametrize("case_id", [MISSING, "no uuid", "", MISSING.replace("-", ""), "\ud800"])
async def test_an_id_of_no_case_is_refused(database, clerk, stored, case_id):
    before = stored()

    with pytest.raises(CaseNotFound) as updating:
        await cases.update_case(clerk, database, case_id, CaseChanges(name="N"))
    with pytest.raises(CaseNotFound) as deleting:
        await cases.delete_case(clerk, database, case_id)

    assert updating.value.field == deleting.value.field == ("id",)
    assert stored() == before


async def test_a_foreign_case_looks_like_a_missing_one(
    database, clerk, stranger, given_case, stored
):
    case = await given_case()
    before = stored()

    async with database.read() as db:
        with pytest.raises(CaseNotFound) as reading:
            await objects.case(stranger, db, case.id)
    with pytest.raises(CaseNotFound) as updating:
        await cases.update_case(stranger, database, case.id, CaseChanges(name="Mine"))
    with pytest.raises(CaseNotFound) as deleting:
        await cases.delete_case(stranger, database, case.id)

    messages = {refused.value.message for refused in (reading, updating, deleting)}
    assert messages == {f'There is no case "{case.id}" in this workspace.'}
    assert stored() == before


async def test_a_deleted_case_does_not_change(database, clerk, given_case, stored):
    case = await given_case()
    await cases.delete_case(clerk, database, case.id)
    before = stored()

    with pytest.raises(CaseNotFound):
        await cases.update_case(clerk, database, case.id, CaseChanges(name="New"))
    with pytest.raises(CaseNotFound):
        await cases.delete_case(clerk, database, case.id)

    assert stored() == before


WRITES = {
    "create_case": lambda who, db, case: cases.create_case(who, db, NewCase("N")),
    "update_case": lambda who, db, case: cases.update_case(who, db, case.id, CaseChanges(name="N")),
    "create_party": lambda who, db, case: register.create_party(who, db, NewParty("N")),
    "update_party": lambda who, db, case: register.update_party(
        who, db, "pty_1", PartyChanges(name="N")
    ),
    "link_cases": lambda who, db, case: links.link_cases(who, db, case.id, case.id, "related"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_who_may_only_read_and_delete_does_not_write(
    database, clerk, given_case, stored, write
):
    case = await given_case()
    reader = replace(clerk, scopes=frozenset({Scope.CASES_READ, Scope.CASES_DELETE}))
    before = stored()

    with pytest.raises(InsufficientScope) as refused:
        await write(reader, database, case)

    assert refused.value.scope == "cases:write"
    assert stored() == before


async def test_who_may_write_does_not_delete(database, clerk, given_case, stored):
    case = await given_case()
    writer = replace(clerk, scopes=frozenset({Scope.CASES_READ, Scope.CASES_WRITE}))
    before = stored()

    with pytest.raises(InsufficientScope) as refused:
        await cases.delete_case(writer, database, case.id)

    assert refused.value.scope == "cases:delete"
    assert stored() == before
