from collections import Counter
from datetime import datetime
from uuid import UUID

import pytest

from domain import checks
from domain.demo.firm import demo_cases
from domain.ids import canonical_case_id
from domain.models import CaseStatus, LinkType, PartyKind


@pytest.fixture(scope="module")
def cases():
    return demo_cases()


def by_id(cases):
    return {case["id"]: case for case in cases}


def test_the_same_seed_tells_the_same_story(cases):
    assert demo_cases(320, 7) == cases


def test_another_seed_tells_another_story():
    assert demo_cases(20, seed=8) != demo_cases(20, seed=7)


@pytest.mark.parametrize("count", [0, 1, 40, 700])
def test_as_many_cases_are_told_as_were_asked_for(count):
    assert len(demo_cases(count)) == count


def test_ids_are_canonical_and_carry_the_time_of_creation(cases):
    for case in cases:
        assert canonical_case_id(case["id"]) == case["id"]
        assert UUID(case["id"]).version == 7
        seconds = (UUID(case["id"]).int >> 80) // 1000
        assert seconds == _seconds(case["created_at"])


def test_no_id_is_used_twice(cases):
    links = [link["id"] for case in cases for link in case["links"]]

    assert len(by_id(cases)) == len(cases)
    assert len(set(links)) == len(links)


def test_an_id_always_stands_for_the_same_party_or_staff_member(cases):
    parties = {(p["id"], p["name"], p["kind"]) for case in cases for p in case["parties"]}
    staff = {(s["id"], s["name"], s["email"]) for case in cases for s in case["staff"]}

    assert len({id for id, _, _ in parties}) == len({name for _, name, _ in parties})
    assert len({id for id, _, _ in parties}) == len(parties)
    assert len({id for id, _, _ in staff}) == len(staff) == 18


def test_file_numbers_are_unique_and_ascend_with_creation(cases):
    numbers = [case["file_number"] for case in cases if case["file_number"]]

    assert len(set(numbers)) == len(numbers)
    assert 0 < len(cases) - len(numbers) < 30
    assert [n for n in numbers if n[:2] == "AZ"] == sorted(n for n in numbers if n[:2] == "AZ")
    assert [n for n in numbers if n[:2] == "M-"] == sorted(n for n in numbers if n[:2] == "M-")
    assert "AZ-2026-001" in numbers
    assert "M-2026-0001" in numbers


def test_every_text_is_one_that_the_service_takes(cases):
    check = checks.Check()

    for case in cases:
        check.line(case["name"], checks.NAME_MAX, "name")
        check.optional_line(case["file_number"], checks.FILE_NUMBER_MAX, "file_number")
        check.one_of(case["status"], tuple(CaseStatus), "status")
        check.word(case["type"], "type")
        check.prose(case["description"], checks.DESCRIPTION_MAX, "description")
        check.optional_line(case["dezernat"], checks.DEZERNAT_MAX, "dezernat")
        for party in case["parties"]:
            check.identifier(party["id"], "party")
            check.line(party["name"], checks.NAME_MAX, "party")
            check.one_of(party["kind"], tuple(PartyKind), "kind")
            check.word(party["role"], "role")
            check.optional_line(party["reference"], checks.REFERENCE_MAX, "reference")
        for member in case["staff"]:
            check.identifier(member["id"], "staff")
            check.line(member["name"], checks.NAME_MAX, "staff")
            check.email(member["email"], "email")
            check.word(member["role"], "role")
        for event in case["timeline"]:
            check.word(event["type"], "type")
            check.line(event["title"], checks.NAME_MAX, "title")
        for link in case["links"]:
            check.identifier(link["id"], "link")
            check.one_of(link["type"], tuple(LinkType), "type")

    assert check.problems == []


def test_no_slot_of_a_text_stays_empty(cases):
    for case in cases:
        told = [case["name"], case["description"] or "", *(e["title"] for e in case["timeline"])]
        for text in told:
            assert not set("{}") & set(text), text
            assert "  " not in text, text


def test_nothing_happens_before_a_case_is_created_or_after_it_was_touched(cases):
    for case in cases:
        events = [event["occurred_at"] for event in case["timeline"]]
        assert events == sorted(events)
        assert len(events) <= 8
        story = [case["created_at"], *events, case["updated_at"]]
        assert story == sorted(story), case["name"]
        assert story[0] > "2023-01-01"
        assert story[-1] < "2026-11-01"


def test_links_join_two_cases_of_the_list_on_one_end_only(cases):
    joined = Counter(
        frozenset((case["id"], link["linked_case_id"])) for case in cases for link in case["links"]
    )

    assert set(joined.values()) == {1}
    assert all(pair <= by_id(cases).keys() and len(pair) == 2 for pair in joined)
    assert len(cases) / 9 < len(joined) < len(cases) / 4


def test_a_link_is_made_when_both_of_its_cases_exist(cases):
    for case in cases:
        for link in case["links"]:
            other = by_id(cases)[link["linked_case_id"]]
            assert max(case["created_at"], other["created_at"]) <= link["created_at"]
            assert link["created_at"] <= case["updated_at"]


def test_an_appeal_is_between_the_same_parties_before_another_court(cases):
    appeals = [
        (case, by_id(cases)[link["linked_case_id"]])
        for case in cases
        for link in case["links"]
        if link["type"] in ("appeal", "lower_instance")
    ]

    assert appeals
    for one, other in appeals:
        for role in ("client", "opponent"):
            assert _names(one, role) == _names(other, role)
        assert not set(_names(one, "court")) & set(_names(other, "court"))


def test_nobody_has_two_parts_in_one_case(cases):
    for case in cases:
        for people in (case["parties"], case["staff"]):
            assert len({person["id"] for person in people}) == len(people), case["name"]


def test_no_client_of_the_firm_is_its_opponent_elsewhere(cases):
    clients = {name for case in cases for name in _names(case, "client")}
    opponents = {name for case in cases for name in _names(case, "opponent")}

    assert not clients & opponents


def test_german_employment_cases_are_before_labour_courts(cases):
    courts = {
        court.split()[0]
        for case in cases
        if case["type"] == "employment" and case["dezernat"] == "Arbeitsrecht"
        for court in _names(case, "court")
    }

    assert courts == {"Arbeitsgericht", "Landesarbeitsgericht", "Hessisches"}


def test_both_languages_are_present(cases):
    names = " ".join(case["name"] for case in cases)
    assert " ./. " in names
    assert " v. " in names
    assert "Nachlass " in names
    assert "In re Estate of " in names


def test_a_folded_search_has_every_spelling_to_find(cases):
    names = {party["name"] for case in cases for party in case["parties"]}

    assert 200 <= len(names) <= 320
    for spelling in ("Müller", "Mueller", "Muller", "ß"):
        assert any(spelling in name for name in names), spelling


def _names(case, role):
    return [party["name"] for party in case["parties"] if party["role"] == role]


def _seconds(instant):

    return int(datetime.fromisoformat(instant).timestamp())
