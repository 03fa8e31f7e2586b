"""Facets are what a GROUP BY in plain Python counts, each without the filter on itself."""

import os
import random
from collections import Counter
from dataclasses import replace

import pytest

from domain.demo.firm import demo_cases
from domain.errors import Invalid
from domain.inputs import (
    CaseFilter,
    DateRange,
    NewParty,
    NewStaff,
    PartyFilter,
    PartyRole,
    StaffFilter,
    StaffRole,
)
from domain.reading import facets, lists, objects, relations
from domain.reading.facets import FacetField
from domain.reading.paging import Paging
from domain.transfer.importing import dumped, import_cases
from domain.writing import cases, register

CASES = 90
FILTERS = int(os.environ.get("CASEGRAPH_FILTERS", "30"))
"""Of random filters, for each database."""


@pytest.fixture
async def firm(database, clerk, given_case):
    """A firm with many cases; one of them is deleted, and one has nothing."""
    lines = [dumped(case) for case in demo_cases(CASES)]
    assert (await import_cases(clerk, database, lines, source="test")).rejected == 0
    await given_case("Nothing known")
    # Some several times in one case.
    clients = [PartyRole(NewParty(name), "client") for name in ("One", "Two", "Three")]
    member = await register.create_staff(clerk, database, NewStaff("Anna Groß"))
    staff = [StaffRole(member.id, role) for role in ("lead_attorney", "notary")]
    await given_case("Twice", parties=clients, staff=staff)
    gone = await given_case(
        "Deleted", type="deleted", dezernat="deleted", parties=clients[:1], staff=staff[:1]
    )
    await cases.delete_case(clerk, database, gone.id)
    return database


async def everything(clerk, db, wanted):
    """All cases that match, each with its roles."""
    found, after = [], None
    while True:
        page = await objects.cases(clerk, db, wanted, paging=Paging(100, after=after))
        found += page
        if not page.has_next:
            break
        after = page.end_cursor
    ids = [case.id for case in found]
    parties = await objects.related(clerk, db, relations.CASE_PARTIES, ids, Paging(100))
    staff = await objects.related(clerk, db, relations.CASE_STAFF, ids, Paging(100))
    return [(case, list(parties[case.id]), list(staff[case.id])) for case in found]


def counted(field, listed):
    """The facet by hand: pairs of a value and a count, the most frequent first."""
    counts = Counter()
    for case, parties, staff in listed:
        values = {
            FacetField.STATUS: {case.status},
            FacetField.TYPE: {case.type},
            FacetField.DEZERNAT: {case.dezernat},
            FacetField.STAFF: {one.staff_id for one in staff},
            FacetField.PARTY_ROLE: {one.role for one in parties},
            FacetField.YEAR: {case.created_at[:4]},
        }[field]
        counts.update(values)
    return sorted(counts.items(), key=lambda one: (-one[1], one[0] is None, one[0] or ""))


def own_filter_left_out(wanted, field):
    """The filter as a facet sees it, written without the code under test."""
    match field:
        case FacetField.STATUS | FacetField.TYPE | FacetField.DEZERNAT | FacetField.STAFF:
            changed = replace(wanted, **{field.value: None})
        case FacetField.YEAR:
            changed = replace(wanted, created_at=None)
        case _ if wanted.party is None:
            changed = wanted
        case _:
            party = replace(wanted.party, role=None)
            changed = replace(wanted, party=None if party == PartyFilter() else party)
    if wanted.and_ is not None:
        changed = replace(changed, and_=[own_filter_left_out(one, field) for one in wanted.and_])
    return changed


def random_filter(rng, listed, depth=1):
    case, parties, staff = rng.choice(listed)
    made = CaseFilter()
    if rng.random() < 0.4:
        made = replace(made, status=rng.sample(["active", "closed", "archived"], rng.randint(1, 2)))
    if rng.random() < 0.2:
        made = replace(made, type=[case.type or "none"])
    if rng.random() < 0.2:
        made = replace(made, dezernat=[case.dezernat or "none"])
    if rng.random() < 0.2:
        made = replace(made, search=rng.choice(case.name.split())[:5])
    if rng.random() < 0.1 and case.file_number:
        made = replace(made, file_number=case.file_number)
    if rng.random() < 0.2:
        made = replace(made, created_at=DateRange(gte=case.created_at))
    if rng.random() < 0.3 and parties:
        one = rng.choice(parties)
        role, id = rng.choice(
            [([one.role], None), (None, one.party_id), ([one.role], one.party_id)]
        )
        made = replace(made, party=PartyFilter(id=id, role=role))
    if rng.random() < 0.3 and staff:
        made = replace(made, staff=StaffFilter(id=rng.choice(staff).staff_id))
    if depth and rng.random() < 0.3:
        parts = [random_filter(rng, listed, depth - 1) for _ in range(rng.randint(1, 2))]
        made = replace(made, **{rng.choice(("and_", "or_")): parts})
    if depth and rng.random() < 0.15:
        made = replace(made, not_=random_filter(rng, listed, 0))
    return made


async def test_facets_equal_a_group_by_for_random_filters(firm, clerk):
    rng = random.Random(20261128)
    async with firm.read(clerk.workspace_id) as db:
        listed = await everything(clerk, db, None)
        empty = 0
        for _ in range(FILTERS):
            wanted = random_filter(rng, listed)
            asked = await lists.cases(clerk, wanted).settled(db)
            found = await facets.facets(db, asked, list(FacetField), 100)
            for facet in found:
                seen = own_filter_left_out(wanted, facet.field)
                expected = counted(facet.field, await everything(clerk, db, seen))
                got = [(one.value, one.count) for one in facet.values]
                assert got == expected, (facet.field, wanted)
                assert not facet.has_more
                empty += not expected
        assert empty < FILTERS * len(FacetField) / 2


async def test_the_most_frequent_come_first_and_the_rest_is_told_of(firm, clerk):
    async with firm.read(clerk.workspace_id) as db:
        asked = lists.cases(clerk)
        [whole] = await facets.facets(db, asked, [FacetField.STAFF], 100)
        for first in (1, 3, len(whole.values)):
            [facet] = await facets.facets(db, asked, [FacetField.STAFF], first)
            assert list(facet.values) == list(whole.values)[:first]
            assert facet.has_more is (first < len(whole.values))
        names = {one.value: one.label for one in whole.values}
        people = await objects.staff(clerk, db, paging=Paging(100))
        assert names == {one.id: one.name for one in people if one.id in names}


async def test_cases_without_a_value_are_counted_last_of_their_number(database, clerk, given_case):
    for name, kind in (("a", None), ("b", "x"), ("c", "y")):
        await given_case(name, type=kind)

    async with database.read(clerk.workspace_id) as db:
        [facet] = await facets.facets(db, lists.cases(clerk), [FacetField.TYPE])

    assert [(one.value, one.label, one.count) for one in facet.values] == [
        ("x", "x", 1),
        ("y", "y", 1),
        (None, None, 1),
    ]


async def test_another_firm_and_deleted_cases_are_not_counted(firm, clerk, stranger):
    async with firm.read(clerk.workspace_id) as db:
        found = await facets.facets(db, lists.cases(clerk), list(FacetField), 100)
    assert "deleted" not in {one.value for facet in found for one in facet.values}

    async with firm.read(stranger.workspace_id) as db:
        found = await facets.facets(db, lists.cases(stranger), list(FacetField))
    assert [list(facet.values) for facet in found] == [[]] * len(FacetField)


@pytest.mark.parametrize(
    ("by", "first", "field"),
    [
        ([FacetField.TYPE], 0, "first"),
        ([FacetField.TYPE], 101, "first"),
    ],
)
async def test_what_cannot_be_counted_is_refused(database, clerk, by, first, field):
    async with database.read(clerk.workspace_id) as db:
        with pytest.raises(Invalid) as refused:
            await facets.facets(db, lists.cases(clerk), by, first)

    assert refused.value.field == (field,)


async def test_facets_are_the_same_counted_together_or_one_by_one(firm, clerk, monkeypatch):
    async with firm.read(clerk.workspace_id) as db:
        for wanted in (CaseFilter(), CaseFilter(status=["active"]), CaseFilter(search="gmbh")):
            asked = lists.cases(clerk, wanted)
            together = await facets.facets(db, asked, list(FacetField), 3)
            with monkeypatch.context() as patched:
                patched.setattr(facets, "COMBINED", 2)
                assert await facets.facets(db, asked, list(FacetField), 3) == together
