"""Importing lines: what goes in, what is rejected, and that nothing is doubled."""

import json
from collections import Counter

import pytest

from domain.access.principal import Principal, Scope
from domain.demo.firm import demo_cases
from domain.errors import InsufficientScope
from domain.inputs import CaseFilter
from domain.reading import lists, lookups, objects, relations
from domain.reading.paging import Paging
from domain.transfer.importing import OnConflict, dumped, import_cases
from domain.writing import cases
from tests import real

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
EVENT = {"id": "E-1", "type": "hearing", "occurred_at": "2024-01-01", "title": "Hearing"}
CASE = {
    "name": "Müller ./. Weiß",
    "file_number": "AZ-2026-042",
    "status": "closed",
    "type": "litigation",
    "description": "Why",
    "dezernat": "Mietrecht",
    "created_at": "2020-03-01",
    "updated_at": "2021-04-02T10:00:00Z",
    "parties": [
        {"name": "Jörg Müller", "role": "client", "reference": "R-1"},
        {"name": "Weiß GmbH", "kind": "organization", "role": "opponent"},
    ],
    "staff": [{"name": "Dr. Anna Groß", "email": "gross@example.org", "role": "lead_attorney"}],
    "timeline": [
        {"type": "judgment", "occurred_at": "2021-04-01", "title": "Judgment"},
        {"type": "complaint_filed", "occurred_at": "2020-03-02", "title": "Complaint"},
    ],
}


@pytest.fixture
def run(database, clerk):
    """Imports objects or raw lines; the report, and the rejects as (line number, reason)."""

    async def imported(*lines, source="file", on_conflict=OnConflict.REJECT, who=clerk):
        rejects = []
        raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        report = await import_cases(
            who, database, raw, source=source, on_conflict=on_conflict, on_reject=rejects.append
        )
        assert report.rejected == len(rejects)
        return report, [(one.line_number, one.reason) for one in rejects]

    return imported


@pytest.fixture
def all_cases(database, clerk):
    async def read():
        async with database.read() as db:
            return list(await objects.cases(clerk, db, paging=Paging(100)))

    return read


@pytest.fixture
def related(database, clerk):
    async def read(relation, case_id):
        async with database.read() as db:
            pages = await objects.related(clerk, db, relation, [case_id], Paging(100))
            return list(pages[case_id])

    return read


async def test_a_whole_case_goes_in(run, all_cases, related):
    report, rejects = await run(CASE)

    [case] = await all_cases()
    assert rejects == []
    assert (report.imported, report.parties, report.staff) == (1, 2, 1)
    assert (case.name, case.file_number, case.status) == (
        "Müller ./. Weiß",
        "AZ-2026-042",
        "closed",
    )
    assert (case.created_at, case.updated_at, case.version) == (
        "2020-03-01T00:00:00Z",
        "2021-04-02T10:00:00Z",
        1,
    )
    parties = await related(relations.CASE_PARTIES, case.id)
    assert [(one.party.name, one.party.kind, one.role, one.reference) for one in parties] == [
        ("Jörg Müller", "person", "client", "R-1"),
        ("Weiß GmbH", "organization", "opponent", None),
    ]
    [member] = await related(relations.CASE_STAFF, case.id)
    assert (member.staff.email, member.role) == ("gross@example.org", "lead_attorney")
    events = await related(relations.CASE_TIMELINE, case.id)
    assert [(one.type, one.occurred_at, one.title) for one in events] == [
        ("judgment", "2021-04-01T00:00:00Z", "Judgment"),
        ("complaint_filed", "2020-03-02T00:00:00Z", "Complaint"),
        ("case_imported", events[-1].at, None),
    ]
    assert events[-1].changes[0].after == "Müller ./. Weiß"


async def test_an_imported_case_is_found_by_search(run, database, clerk):
    await run(CASE)

    async with database.read() as db:
        found = await objects.cases(clerk, db, CaseFilter(search="mueller ./. weiss"))
    assert [case.name for case in found] == ["Müller ./. Weiß"]


async def test_a_second_run_changes_nothing(run, stored):
    await run(CASE, {"name": "Without a number"})
    before = stored()

    report, rejects = await run(CASE, {"name": "Without a number"})

    assert rejects == []
    assert (report.imported, report.unchanged) == (0, 2)
    assert stored() == before


async def test_a_line_that_stands_twice_goes_in_once(run, all_cases):
    report, _ = await run({"name": "Twice"}, {"name": "Twice"})

    assert (report.imported, report.unchanged) == (1, 1)
    assert len(await all_cases()) == 1


async def test_a_deleted_case_is_not_brought_back(run, all_cases, database, clerk):
    await run({"name": "Gone"})
    [case] = await all_cases()
    await cases.delete_case(clerk, database, case.id)

    report, _ = await run({"name": "Gone"})

    assert report.unchanged == 1
    assert await all_cases() == []


async def test_the_same_name_in_one_source_is_the_same_person(run, database, clerk):
    def named(name):
        return {"name": name, "parties": [{"name": " Jörg Müller ", "role": "client"}]}

    await run(named("One"), named("Two"))
    await run(named("Three"))
    await run(named("Four"), source="another file")

    async with database.read() as db:
        parties = list(await objects.parties(clerk, db))
        counts = await objects.count_related(
            clerk, db, relations.PARTY_CASES, [party.id for party in parties]
        )
    assert [party.name for party in parties] == ["Jörg Müller", "Jörg Müller"]
    assert sorted(counts.values()) == [1, 3]


async def test_the_same_name_with_different_ids_is_two_people(run, database, clerk):
    parties = [{"id": id, "name": "Jörg Müller", "role": "client"} for id in ("A-1", "A-2")]

    await run({"name": "One", "parties": parties})

    async with database.read() as db:
        assert sorted(await objects.by_id(clerk, db, lookups.PARTY, ["A-1", "A-2"])) == [
            "A-1",
            "A-2",
        ]


async def test_one_name_on_both_sides_has_two_roles(run, all_cases, related):
    parties = [{"name": "Ford", "role": role} for role in ("petitioner", "respondent")]

    await run({"name": "Ford v. Ford", "parties": parties})

    [case] = await all_cases()
    found = await related(relations.CASE_PARTIES, case.id)
    assert [one.role for one in found] == ["petitioner", "respondent"]
    assert len({one.party_id for one in found}) == 1


async def test_notes_of_one_role_are_joined(run, all_cases, related):
    staff = [{"name": "Rosenwald", "role": "counsel", "note": note} for note in ("a", "b", "a")]

    await run({"name": "One", "staff": staff})

    [case] = await all_cases()
    [member] = await related(relations.CASE_STAFF, case.id)
    assert member.note == "a; b"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{bad", "valid JSON"),
        (b"\xff", "valid JSON"),
        (b'{"name": "\\ud800"}', "valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"name": ' + b"[" * 600 + b"]" * 600 + b"}", "nested too deeply"),
        (b'\xef\xbb\xbf{"name": "N"}', "valid JSON"),
        ({}, "must have parties or staff"),
        ({"file_number": "1"}, "name: name must be a string."),
        ({"name": ""}, "name: name must not be empty."),
        ({"name": "x\0"}, "NUL"),
        ({"name": "x" * 501}, "at most 500"),
        ({"name": "N", "nothing": 1}, "nothing: There is no such field."),
        ({"name": "N", "id": "no-uuid"}, "id must be a UUID."),
        ({"name": "N", "status": "open"}, "status must be one of"),
        ({"name": "N", "created_at": "yesterday"}, "created at must be an instant"),
        (
            {"name": "N", "created_at": "2021-01-01", "updated_at": "2020-01-01"},
            "must not be before",
        ),
        ({"name": "N", "version": 0}, "version must be"),
        ({"name": "N", "parties": {}}, "parties must be a list"),
        ({"name": "N", "parties": [{"role": "client"}]}, "id or name must be given"),
        ({"name": "N", "parties": [{"id": "unknown", "role": "client"}]}, "give a name as well"),
        ({"name": "N", "parties": [{"name": "P"}]}, "role must be a string"),
        ({"name": "N", "parties": [{"name": "P", "role": "c", "x": 1}]}, "There is no such field"),
        ({"name": "N", "staff": [{"name": "S", "role": "c", "email": "x"}]}, "email must look"),
        ({"name": "N", "timeline": [{"type": "x"}]}, "occurred_at must be given"),
        ({"name": "N", "timeline": [{"type": "X Y", "occurred_at": "2020-01-01"}]}, "lower-case"),
        ({"name": "N", "links": [{"type": "friend", "linked_case_id": "x"}]}, "must be one of"),
        (
            {"id": ID, "name": "N", "links": [{"type": "related", "linked_case_id": ID.upper()}]},
            "cannot be linked to itself",
        ),
        ({"name": "N", "timeline": [EVENT, EVENT]}, "Two events have the same id."),
    ],
)
async def test_a_bad_line_is_rejected_alone(run, all_cases, line, reason):
    report, [(number, said)] = await run({"name": "First"}, line, {"name": "Last"})

    assert number == 2
    assert reason in said
    assert report.imported == 2
    assert sorted(case.name for case in await all_cases()) == ["First", "Last"]


async def test_a_rejected_line_leaves_nothing_behind(run, stored):
    before = stored()

    await run({"name": "", "parties": [{"name": "P", "role": "client"}]})

    assert stored() == before


async def test_a_duplicate_file_number_is_rejected(run, all_cases):
    await run({"name": "Here", "file_number": "1"})

    report, rejects = await run(
        {"name": "Against the database", "file_number": "1"},
        {"name": "New", "file_number": "2"},
        {"name": "Against the file", "file_number": "2"},
    )

    assert report.imported == 1
    assert rejects == [
        (1, "file_number: Another case has the file number 1."),
        (3, "file_number: Another case has the file number 2."),
    ]
    assert sorted(case.name for case in await all_cases()) == ["Here", "New"]


async def test_a_duplicate_is_skipped_when_asked(run, all_cases):
    await run({"name": "Here", "file_number": "1"})

    report, rejects = await run({"name": "Other", "file_number": "1"}, on_conflict=OnConflict.SKIP)

    assert (report.skipped, rejects) == (1, [])
    assert [case.name for case in await all_cases()] == ["Here"]


async def test_a_duplicate_updates_what_the_line_mentions_when_asked(run, all_cases, related):
    await run({"name": "Before", "file_number": "1", "description": "Kept"})
    line = {
        "name": "After",
        "file_number": "1",
        "parties": [{"name": "P", "role": "client"}],
        "timeline": [{"type": "hearing", "occurred_at": "2024-01-01", "title": "H"}],
    }

    report, _ = await run(line, on_conflict=OnConflict.UPDATE)
    again, _ = await run(line, on_conflict=OnConflict.UPDATE)

    [case] = await all_cases()
    assert (report.updated, again.updated, again.unchanged) == (1, 0, 1)
    assert (case.name, case.description, case.version) == ("After", "Kept", 2)
    events = await related(relations.CASE_TIMELINE, case.id)
    assert [event.type for event in events] == ["hearing", "case_updated", "case_imported"]
    assert [(change.field, change.before) for change in events[1].changes] == [
        ("name", "Before"),
        ("parties", None),
    ]


async def test_a_byte_order_mark_before_the_first_line_is_no_part_of_it(run, all_cases):
    await run(b"\xef\xbb\xbf" + json.dumps({"name": "Marked"}).encode())

    assert [case.name for case in await all_cases()] == ["Marked"]


async def test_an_event_that_is_there_already_is_not_brought_in_again(run, all_cases, related):
    await run({"name": "One", "file_number": "1", "timeline": [EVENT]})

    other = {"name": "Two", "timeline": [EVENT]}
    update = {"name": "One", "file_number": "1", "timeline": [EVENT | {"title": "Another"}]}
    _report, rejects = await run(other, update, on_conflict=OnConflict.UPDATE)

    assert [number for number, _reason in rejects] == [1, 2]
    assert all("An event with this id already exists." in reason for _number, reason in rejects)
    [case] = await all_cases()
    events = await related(relations.CASE_TIMELINE, case.id)
    assert [event.title for event in events] == ["Hearing", None]


async def test_a_file_number_that_an_update_frees_can_be_taken(run, all_cases):
    await run({"id": ID, "name": "Old", "file_number": "1"})

    report, rejects = await run(
        {"id": ID, "name": "Old", "file_number": "2"},
        {"name": "New", "file_number": "1"},
        on_conflict=OnConflict.UPDATE,
    )

    assert (report.updated, report.imported, rejects) == (1, 1, [])
    assert {case.name: case.file_number for case in await all_cases()} == {"Old": "2", "New": "1"}


async def test_a_name_given_with_an_id_means_that_id_from_then_on(run, all_cases, related):
    def named(case, **party):
        return {"name": case, "parties": [{"name": "Jörg Müller", "role": "client", **party}]}

    await run(named("One", id="A-1"), named("Two"))

    for case in await all_cases():
        [party] = await related(relations.CASE_PARTIES, case.id)
        assert party.party_id == "A-1"


async def test_the_timeline_names_a_party_that_a_line_gives_by_id_only(run, all_cases, related):
    await run({"parties": [{"id": "A-1", "name": "Jörg Müller"}]})

    await run({"name": "One", "parties": [{"id": "A-1", "role": "client"}]})

    [case] = await all_cases()
    [created] = await related(relations.CASE_TIMELINE, case.id)
    assert created.changes[-1].after["name"] == "Jörg Müller"


async def test_an_update_keeps_to_the_limit_of_roles(run, all_cases, related, stored):
    def named(start, count):
        staff = [{"name": f"S {start + index}", "role": "clerk"} for index in range(count)]
        return {"name": "Full", "file_number": "1", "staff": staff}

    await run(named(0, 199))
    before = stored()

    report, [(number, reason)] = await run(named(198, 3), on_conflict=OnConflict.UPDATE)
    assert (number, reason) == (1, "staff: A case may have at most 200.")
    assert stored() == before

    report, rejects = await run(named(198, 2), on_conflict=OnConflict.UPDATE)
    assert (report.updated, report.staff, rejects) == (1, 1, [])


async def test_links_may_point_to_later_lines(run, all_cases, related):
    ids = ["01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"]
    first = {
        "id": ids[0],
        "name": "Appeal",
        "links": [{"type": "lower_instance", "linked_case_id": ids[1]}],
    }

    report, rejects = await run(first, {"id": ids[1], "name": "First instance"})
    again, _ = await run(first)

    assert (report.links, again.links, rejects) == (1, 0, [])
    assert [link.type for link in await related(relations.CASE_LINKS, ids[0])] == ["lower_instance"]
    assert [link.type for link in await related(relations.CASE_LINKS, ids[1])] == ["appeal"]


async def test_a_link_to_nothing_is_reported_and_the_case_stays(run, all_cases):
    links = [{"type": "related", "linked_case_id": "01890a5d-ac96-774b-bcce-b302099a8057"}]

    report, [(number, reason)] = await run({"name": "N", "links": links})

    assert number == 1
    assert "There is no case" in reason
    assert report.imported == 1
    assert len(await all_cases()) == 1


async def test_a_line_without_a_case_enters_parties_and_staff(run, database, clerk):
    report, rejects = await run({"parties": [{"name": "Alone"}], "staff": [{"name": "Also"}]})

    assert (report.parties, report.staff, rejects) == (1, 1, [])
    async with database.read() as db:
        assert [party.name for party in await objects.parties(clerk, db)] == ["Alone"]


async def test_a_case_that_was_edited_for_years_goes_in(run):
    events = [EVENT | {"id": f"E-{index}", "title": "x" * 490} for index in range(10_001)]

    report, rejects = await run({"name": "Busy", "timeline": events})

    assert (report.imported, rejects) == (1, [])


async def test_a_role_without_a_number_gets_one_that_no_other_has(run, raw):
    named = ["A", "B", "C"]
    roles = [{"name": name, "role": "client"} for name in named]
    roles[1]["number"], roles[2]["number"] = 1, 4

    _report, rejects = await run({"name": "N", "parties": roles})

    found = raw.execute("SELECT number FROM case_party ORDER BY position").fetchall()
    assert rejects == []
    assert found == [(5,), (1,), (4,)]


@pytest.mark.parametrize("as_case", [False, True])
async def test_an_event_of_somebody_else_is_not_lost_in_silence(run, raw, as_case):
    event = EVENT | {"type": "party_updated"}
    known = {"id": "A-1", "name": "One", "timeline": [event]}
    other = {"name": "Two", "timeline": [event]}
    second = {"name": "N", "parties": [other | {"role": "client"}]}
    await run({"parties": [known]})

    _report, rejects = await run(second if as_case else {"parties": [other]})

    assert rejects == [(1, "parties: An event with this id already exists.")]
    assert raw.execute("SELECT count(*) FROM party").fetchone() == (1,)


async def test_a_party_known_by_name_gets_the_events_it_does_not_have(run, raw):
    first, second = (EVENT | {"id": id, "type": "party_updated"} for id in ("E-1", "E-2"))
    for index, events in enumerate(([first], [first, second])):
        line = {"name": f"Case {index}", "parties": [{"name": "A", "role": "client"}]}
        line["parties"][0]["timeline"] = events
        await run(line)

    ids = raw.execute("SELECT id FROM timeline_event WHERE type = 'party_updated' ORDER BY id")
    assert ids.fetchall() == [("E-1",), ("E-2",)]


@pytest.mark.parametrize("forged", ["case_purged", "purged", "hearing"])
async def test_nobody_but_a_purge_says_that_a_case_was_purged(run, raw, forged):
    event = EVENT | {"type": forged, "changes": [{"field": "events", "before": [1], "after": None}]}
    party = {"id": "A-1", "name": "A", "timeline": [event]}

    report, rejects = await run(
        {"parties": [party]}, {"name": "N", "parties": [party | {"role": "client"}]}
    )

    assert (report.imported, [line for line, _reason in rejects]) == (0, [1, 2])
    assert "begin with party_" in rejects[0][1]
    assert raw.execute("SELECT count(*) FROM party").fetchone() == (0,)


async def test_what_a_file_claims_is_told_apart_from_what_was_recorded(
    run, all_cases, related, clerk, clock
):
    clock.now = "2026-03-01T08:00:00Z"
    claims = {
        "type": "case_updated",
        "actor": "the judge",
        "at": "2020-01-01T00:00:00Z",
        "occurred_at": "2019-12-24",
        "changes": [{"field": "status", "before": "closed", "after": "archived"}],
    }

    await run({"name": "N", "timeline": [claims, {"type": "hearing", "occurred_at": "2021-01-01"}]})

    [case] = await all_cases()
    assert case.status == "active"
    hearing, claimed, recorded = await related(relations.CASE_TIMELINE, case.id)
    assert (claimed.source, claimed.actor, claimed.claimed_actor) == (
        "imported",
        clerk.key_name,
        "the judge",
    )
    assert (claimed.at, claimed.occurred_at) == ("2026-03-01T08:00:00Z", "2019-12-24T00:00:00Z")
    assert (hearing.source, hearing.claimed_actor) == ("imported", None)
    assert (recorded.type, recorded.source, recorded.claimed_actor) == (
        "case_imported",
        "recorded",
        None,
    )
    assert recorded.at == recorded.occurred_at == "2026-03-01T08:00:00Z"


async def test_another_workspace_sees_nothing_of_an_import(run, database, stranger):
    await run(CASE)

    async with database.read() as db:
        assert await objects.count_cases(stranger, db) == 0
        assert await objects.count(db, lists.parties(stranger)) == 0


async def test_importing_needs_the_scope_to_write(run, database, clerk):
    reader = Principal(
        clerk.workspace_id,
        clerk.workspace_slug,
        clerk.workspace_name,
        clerk.mode,
        clerk.key_id,
        clerk.key_name,
        frozenset({Scope.CASES_READ}),
        clerk.secret,
    )

    with pytest.raises(InsufficientScope):
        await run(CASE, who=reader)


@real.needed
async def test_real_cases_go_in_whole(run, database, clerk, raw):
    lines = real.some("McCulloch v. Maryland")
    cases = [json.loads(line) for line in lines]

    report, rejects = await run(*lines, source="real")
    again, _ = await run(*lines, source="real")
    rest, _ = await run(*lines, source="real", on_conflict=OnConflict.UPDATE)

    numbers = Counter(case["file_number"] for case in cases if case["file_number"])
    assert len(rejects) == sum(count - 1 for count in numbers.values()) == 16
    new = len(lines) - len(rejects)
    assert (report.imported, again.unchanged, again.imported) == (new, new, 0)
    assert new == 5480 or real.EVERY > 1
    assert (rest.updated, rest.rejected) == (16, 0)
    rejected = {number for number, _reason in rejects}
    kept = [case for number, case in enumerate(cases, start=1) if number not in rejected]
    own = "source = 'imported'"
    merged = [case for number, case in enumerate(cases, start=1) if number in rejected]
    assert raw.execute("SELECT count(*) FROM cases").fetchone() == (len(kept),)
    assert raw.execute(f"SELECT count(*) FROM timeline_event WHERE {own}").fetchone() == (
        sum(len(case["timeline"]) for case in kept + merged),
    )
    [[parties]] = raw.execute("SELECT count(*) FROM case_party").fetchall()
    assert parties == sum(len(case["parties"]) for case in kept + merged)
    async with database.read() as db:
        found = await objects.cases(clerk, db, CaseFilter(search="mcculloch v. maryland"))
    assert [case.name for case in found] == ["McCulloch v. Maryland"]


async def test_a_dry_run_reports_the_same_and_changes_nothing(clerk, database):
    cases = [*demo_cases(40), {"name": ""}, {"name": "N", "links": [{"type": "parent"}]}]
    lines = [dumped(case) for case in cases]
    reported = []
    for dry_run in (True, True, False):
        rejects = []
        report = await import_cases(
            clerk, database, lines, source="x", on_reject=rejects.append, dry_run=dry_run
        )
        async with database.read(clerk.workspace_id) as db:
            there = await objects.count_cases(clerk, db)
        assert there == (0 if dry_run else report.imported)
        reported.append((report, rejects))

    assert reported[0] == reported[1] == reported[2]
    assert reported[0][0].imported == 40
    assert reported[0][0].links > 0
