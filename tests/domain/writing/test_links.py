from dataclasses import replace

import pytest

from domain.access.principal import Scope
from domain.errors import (
    CaseNotFound,
    InsufficientScope,
    Invalid,
    LinkExists,
    LinkNotFound,
    VersionConflict,
)
from domain.reading import objects
from domain.reading.relations import CASE_LINKS
from domain.writing import cases, links

MISSING = "019bc8f0-0000-7000-8000-000000000000"

INVERSES = [
    ("related", "related"),
    ("parent", "child"),
    ("child", "parent"),
    ("predecessor", "successor"),
    ("successor", "predecessor"),
    ("appeal", "lower_instance"),
    ("lower_instance", "appeal"),
]


@pytest.fixture
async def pair(given_case):
    return await given_case("First"), await given_case("Second")


@pytest.fixture
def links_of(database, clerk):
    async def listed(case_id):
        async with database.read() as db:
            return list((await objects.related(clerk, db, CASE_LINKS, [case_id]))[case_id])

    return listed


async def seen(who, database, case):
    async with database.read() as db:
        return await objects.case(who, db, case.id)


def told(raw, case):
    return raw.execute(
        "SELECT type, subject_id, changes FROM timeline_event WHERE case_id = ? ORDER BY seq",
        [case.id],
    ).fetchall()[1:]


@pytest.mark.parametrize(("kind", "inverse"), INVERSES)
async def test_a_link_is_seen_from_both_ends_with_inverse_types(
    database, clerk, pair, links_of, kind, inverse
):
    first, second = pair

    link = (await links.link_cases(clerk, database, first.id, second.id, kind)).link

    [here], [there] = await links_of(first.id), await links_of(second.id)
    assert here == link
    assert (here.id, here.type, here.linked.name) == (link.id, kind, "Second")
    assert (there.id, there.type, there.linked.name) == (link.id, inverse, "First")


async def test_a_link_raises_the_version_of_both_cases(database, clerk, clock, pair):
    first, second = pair
    clock.now = "2026-02-01T12:00:00Z"

    await links.link_cases(clerk, database, first.id, second.id, "related")

    for case in pair:
        assert await seen(clerk, database, case) == replace(
            case, version=2, updated_at="2026-02-01T12:00:00Z"
        )


async def test_a_link_is_told_at_both_ends(database, clerk, pair, raw):
    first, second = pair

    link = (await links.link_cases(clerk, database, first.id, second.id, "parent")).link

    assert told(raw, first) == [
        (
            "case_linked",
            link.id,
            f'[{{"field":"links","before":null,"after":{{"id":"{link.id}",'
            f'"linked_case_id":"{second.id}","type":"parent",'
            f'"created_at":"{link.created_at}"}}}}]',
        )
    ]
    assert told(raw, second) == [
        (
            "case_linked",
            link.id,
            f'[{{"field":"links","before":null,"after":{{"id":"{link.id}",'
            f'"linked_case_id":"{first.id}","type":"child",'
            f'"created_at":"{link.created_at}"}}}}]',
        )
    ]


async def test_a_case_is_not_linked_to_itself(database, clerk, given_case, stored):
    case = await given_case()
    before = stored()

    with pytest.raises(Invalid) as refused:
        await links.link_cases(clerk, database, case.id, case.id.upper(), "related")

    assert refused.value.field == ("linked_case_id",)
    assert stored() == before


@pytest.mark.parametrize("kind", ["", "RELATED", "sibling", "\ud800"])
async def test_an_unknown_type_links_nothing(database, clerk, pair, stored, kind):
    before = stored()

    with pytest.raises(Invalid) as refused:
        await links.link_cases(clerk, database, pair[0].id, pair[1].id, kind)

    assert refused.value.field == ("type",)
    assert stored() == before


@pytest.mark.parametrize(
    ("kind", "again", "from_other_end"),
    [
        ("related", "related", False),
        ("related", "related", True),
        ("parent", "parent", False),
        ("parent", "child", True),
        ("parent", "child", False),
        ("parent", "parent", True),
    ],
)
async def test_a_type_joins_two_cases_once_and_one_way(
    database, clerk, pair, stored, kind, again, from_other_end
):
    first, second = pair
    await links.link_cases(clerk, database, first.id, second.id, kind)
    ends = (second, first) if from_other_end else (first, second)
    before = stored()

    with pytest.raises(LinkExists) as refused:
        await links.link_cases(clerk, database, ends[0].id, ends[1].id, again)

    assert refused.value.field == ("type",)
    assert stored() == before


async def test_two_types_join_two_cases_twice(database, clerk, pair, links_of):
    first, second = pair
    await links.link_cases(clerk, database, first.id, second.id, "related")

    await links.link_cases(clerk, database, first.id, second.id, "parent")

    assert [link.type for link in await links_of(first.id)] == ["related", "parent"]


@pytest.mark.parametrize("other", [MISSING, "", "no uuid", "\ud800"])
async def test_a_case_is_not_linked_to_a_missing_one(database, clerk, given_case, stored, other):
    case = await given_case()
    before = stored()

    with pytest.raises(CaseNotFound) as linked:
        await links.link_cases(clerk, database, case.id, other, "related")
    with pytest.raises(CaseNotFound) as linking_from:
        await links.link_cases(clerk, database, other, case.id, "related")

    assert linked.value.field == ("linked_case_id",)
    assert linking_from.value.field == ("id",)
    assert stored() == before


async def test_a_link_does_not_lead_into_another_workspace(
    database, clerk, stranger, given_case, stored
):
    mine, foreign = await given_case(), await given_case(who=stranger)
    before = stored()

    with pytest.raises(CaseNotFound) as refused:
        await links.link_cases(clerk, database, mine.id, foreign.id, "related")

    assert refused.value.message == f'There is no case "{foreign.id}" in this workspace.'
    assert stored() == before


async def test_another_version_than_expected_stops_linking_and_unlinking(
    database, clerk, pair, given_case, stored
):
    first, second = pair
    third = await given_case("Third")
    link = (await links.link_cases(clerk, database, first.id, second.id, "related")).link
    before = stored()

    with pytest.raises(VersionConflict):
        await links.link_cases(clerk, database, first.id, third.id, "related", expected_version=1)
    with pytest.raises(VersionConflict):
        await links.unlink_cases(clerk, database, link.id, case_id=first.id, expected_version=1)

    assert stored() == before


async def test_unlinking_parts_both_ends(database, clerk, pair, links_of, raw):
    first, second = pair
    link = (await links.link_cases(clerk, database, first.id, second.id, "parent")).link

    gone = (await links.unlink_cases(clerk, database, link.id, case_id=second.id)).link

    assert (gone.id, gone.case_id, gone.linked_case_id, gone.type) == (
        link.id,
        second.id,
        first.id,
        "child",
    )
    assert [await links_of(case.id) for case in pair] == [[], []]
    assert [(await seen(clerk, database, case)).version for case in pair] == [3, 3]
    assert [told(raw, case)[-1][:2] for case in pair] == [("case_unlinked", link.id)] * 2


async def test_unlinking_needs_only_the_link(database, clerk, pair, links_of):
    first, second = pair
    link = (await links.link_cases(clerk, database, first.id, second.id, "parent")).link

    await links.unlink_cases(clerk, database, link.id)

    assert [await links_of(case.id) for case in pair] == [[], []]


async def test_parted_cases_may_be_linked_again(database, clerk, pair, links_of):
    first, second = pair
    link = (await links.link_cases(clerk, database, first.id, second.id, "related")).link
    await links.unlink_cases(clerk, database, link.id)

    again = (await links.link_cases(clerk, database, first.id, second.id, "related")).link

    assert [found.id for found in await links_of(first.id)] == [again.id]


@pytest.mark.parametrize("link_id", ["", "lnk_0", "NUL \0", "\ud800"])
async def test_an_unknown_link_is_refused(database, clerk, stored, link_id):
    before = stored()

    with pytest.raises(LinkNotFound):
        await links.unlink_cases(clerk, database, link_id)

    assert stored() == before


async def test_a_link_is_not_removed_from_a_case_at_neither_end(
    database, clerk, pair, given_case, stored
):
    link = (await links.link_cases(clerk, database, pair[0].id, pair[1].id, "related")).link
    third = await given_case("Third")
    before = stored()

    with pytest.raises(LinkNotFound):
        await links.unlink_cases(clerk, database, link.id, case_id=third.id)

    assert stored() == before


async def test_a_foreign_link_looks_like_a_missing_one(database, clerk, stranger, pair, stored):
    link = (await links.link_cases(clerk, database, pair[0].id, pair[1].id, "related")).link
    before = stored()

    with pytest.raises(LinkNotFound) as refused:
        await links.unlink_cases(stranger, database, link.id)

    assert refused.value.message == f'There is no link "{link.id}" in this workspace.'
    assert stored() == before


@pytest.mark.parametrize("deleted", [0, 1])
async def test_a_link_is_hidden_with_either_of_its_cases(database, clerk, pair, stored, deleted):
    link = (await links.link_cases(clerk, database, pair[0].id, pair[1].id, "related")).link
    await cases.delete_case(clerk, database, pair[deleted].id)
    before = stored()

    with pytest.raises(LinkNotFound):
        await links.unlink_cases(clerk, database, link.id)
    with pytest.raises(LinkNotFound):
        await links.unlink_cases(clerk, database, link.id, case_id=pair[1 - deleted].id)

    assert stored() == before


async def test_who_may_only_read_links_nothing(database, clerk, pair, stored):
    link = (await links.link_cases(clerk, database, pair[0].id, pair[1].id, "related")).link
    reader = replace(clerk, scopes=frozenset({Scope.CASES_READ}))
    before = stored()

    with pytest.raises(InsufficientScope):
        await links.link_cases(reader, database, pair[0].id, pair[1].id, "parent")
    with pytest.raises(InsufficientScope):
        await links.unlink_cases(reader, database, link.id)

    assert stored() == before
