"""Lists below an object that a filter narrows: what a loop in Python would keep of them."""

import os
import random
from dataclasses import replace

import pytest

from domain.errors import Invalid
from domain.inputs import CaseChanges, CaseFilter, DateRange, EventFilter
from domain.reading import objects, relations
from domain.reading.paging import Paging
from domain.writing import cases
from tests.domain.reading.test_facets import everything, firm, random_filter

__all__ = ["firm"]
FILTERS = int(os.environ.get("CASEGRAPH_FILTERS", "30"))
WHOLE = Paging(100)


async def people_of(clerk, db):
    """The ids of some parties and staff with several cases."""
    parties = await objects.parties(clerk, db, None, WHOLE)
    staff = await objects.staff(clerk, db, None, WHOLE)
    return (
        (relations.PARTY_CASES, [one.id for one in parties][:40]),
        (relations.STAFF_CASES, [one.id for one in staff][:20]),
    )


async def test_a_person_s_cases_are_those_that_the_filter_finds_in_the_whole_list(firm, clerk):
    rng = random.Random(20261129)
    kept = 0
    async with firm.read(clerk.workspace_id) as db:
        listed = await everything(clerk, db, None)
        people = await people_of(clerk, db)
        whole = {
            relation: await objects.related(clerk, db, relation, ids, WHOLE)
            for relation, ids in people
        }
        for _ in range(FILTERS):
            wanted = random_filter(rng, listed)
            found = {case.id for case, _, _ in await everything(clerk, db, wanted)}
            for relation, ids in people:
                only = rng.choice((None, None, "client", "lead_attorney"))
                some = rng.sample(ids, rng.choice((1, 1, 5, len(ids))))
                expected = {
                    id: [
                        one
                        for one in whole[relation][id]
                        if one.case_id in found and only in (None, one.role)
                    ]
                    for id in some
                }
                pages = await objects.related(clerk, db, relation, some, WHOLE, only, wanted)
                counts = await objects.count_related(clerk, db, relation, some, only, wanted)
                assert {id: list(page) for id, page in pages.items()} == expected, wanted
                assert counts == {id: len(items) for id, items in expected.items()}, wanted
                kept += sum(map(len, expected.values()))
                one = max(some, key=lambda id: len(expected[id]))
                assert await paged(clerk, db, relation, one, only, wanted) == expected[one]
    assert kept > 100


async def test_a_case_s_roles_are_those_that_are_asked_for(firm, clerk):
    async with firm.read(clerk.workspace_id) as db:
        listed = await everything(clerk, db, None)
        for place, relation in ((1, relations.CASE_PARTIES), (2, relations.CASE_STAFF)):
            cases_ = [one[0].id for one in listed][:30]
            roles = {one.role for case in listed[:30] for one in case[place]}
            for role in sorted(roles):
                expected = {
                    case[0].id: [one for one in case[place] if one.role == role]
                    for case in listed[:30]
                }
                pages = await objects.related(clerk, db, relation, cases_, WHOLE, role)
                assert {id: list(page) for id, page in pages.items()} == expected
                for id in cases_[:6]:
                    assert await paged(clerk, db, relation, id, role, None) == expected[id]
            assert len(roles) > 2


async def paged(clerk, db, relation, parent, only, wanted):
    """All items of one parent, three at a time, and what is told of those beyond."""
    found, paging = [], Paging(3)
    while True:
        page = (await objects.related(clerk, db, relation, [parent], paging, only, wanted))[parent]
        found += page
        before, after = await objects.outside_related(
            clerk, db, relation, parent, paging, only, wanted
        )
        assert (before, after) == (paging.after is not None, False)
        if not page.has_next:
            return found
        paging = Paging(3, after=page.end_cursor)


@pytest.fixture
async def told(database, clerk, given_case):
    """A case with events of two types by two actors, and all of them."""
    case = await given_case("N")
    other = replace(clerk, key_name="somebody else")
    for n in range(12):
        who = other if n % 3 == 0 else clerk
        await cases.update_case(who, database, case.id, CaseChanges(name=f"N {n}"))
    async with database.read(clerk.workspace_id) as db:
        pages = await objects.related(clerk, db, relations.CASE_TIMELINE, [case.id], WHOLE)
    return case.id, list(pages[case.id])


async def test_events_are_those_that_match(database, clerk, told):
    case_id, events = told
    actors = {one.actor for one in events}
    assert len(actors) == 2
    middle = events[6].at
    choices = [
        EventFilter(),
        EventFilter(type=["case_created"]),
        EventFilter(type=[]),
        EventFilter(actor=["somebody else"]),
        EventFilter(actor=sorted(actors), type=["case_updated", "other"]),
        EventFilter(at=DateRange(gte=middle)),
        EventFilter(at=DateRange(lt=middle), actor=["somebody else"]),
        EventFilter(at=DateRange(gt=middle, lte="2999-01-01T00:00:00Z")),
    ]
    async with database.read(clerk.workspace_id) as db:
        for wanted in choices:
            expected = [one for one in events if matches(wanted, one)]
            found = await paged(clerk, db, relations.CASE_TIMELINE, case_id, None, wanted)
            counts = await objects.count_related(
                clerk, db, relations.CASE_TIMELINE, [case_id], None, wanted
            )
            assert found == expected, wanted
            assert counts == {case_id: len(expected)}


def matches(wanted, event):
    at = wanted.at or DateRange()
    return (
        (wanted.type is None or event.type in wanted.type)
        and (wanted.actor is None or event.actor in wanted.actor)
        and (at.gte is None or event.at >= at.gte)
        and (at.gt is None or event.at > at.gt)
        and (at.lte is None or event.at <= at.lte)
        and (at.lt is None or event.at < at.lt)
    )


async def test_a_cursor_belongs_to_the_filter(database, clerk, told):
    case_id, _ = told
    wanted = EventFilter(type=["case_updated"])
    relation = relations.CASE_TIMELINE
    async with database.read(clerk.workspace_id) as db:
        page = (await objects.related(clerk, db, relation, [case_id], Paging(2), None, wanted))[
            case_id
        ]
        after = Paging(2, after=page.end_cursor)
        for other in (None, EventFilter(type=["case_created"]), EventFilter(actor=["x"])):
            with pytest.raises(Invalid, match="cursor"):
                await objects.related(clerk, db, relation, [case_id], after, None, other)


@pytest.mark.parametrize(
    ("relation", "wanted"),
    [
        (relations.CASE_TIMELINE, EventFilter(at=DateRange(gte="yesterday"))),
        (relations.CASE_TIMELINE, EventFilter(type=["x"] * 101)),
        (relations.CASE_TIMELINE, EventFilter(actor=["\x00"])),
        (relations.PARTY_CASES, CaseFilter(status=["open"])),
        (relations.STAFF_CASES, CaseFilter(search="x" * 201)),
    ],
)
async def test_what_nothing_can_have_is_refused(database, clerk, relation, wanted):
    async with database.read(clerk.workspace_id) as db:
        with pytest.raises(Invalid) as refused:
            await objects.related(clerk, db, relation, ["x"], WHOLE, None, wanted)

    assert refused.value.problems[0].field[0] == "filter"
