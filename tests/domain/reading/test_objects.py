import itertools
import json
from dataclasses import replace

import pytest

from domain.access.principal import Scope
from domain.errors import CaseNotFound, InsufficientScope, Invalid
from domain.inputs import (
    CaseChanges,
    CaseFilter,
    CaseOrder,
    CaseOrderField,
    DateRange,
    NewParty,
    NewStaff,
    PartyFilter,
    PartyRole,
    StaffFilter,
    StaffRole,
)
from domain.models import Change
from domain.reading import lists, lookups, objects
from domain.reading.paging import Paging
from domain.reading.relations import (
    CASE_LINKS,
    CASE_PARTIES,
    CASE_TIMELINE,
    PARTY_CASES,
    STAFF_CASES,
)
from domain.transfer.importing import import_cases
from domain.writing import cases, links, register, roles

MISSING = "019bc8f0-0000-7000-8000-000000000000"
ORDERS = [CaseOrder(field, down) for field in CaseOrderField for down in (False, True)]
ORDER_IDS = [f"{order.field}-{'down' if order.descending else 'up'}" for order in ORDERS]


def names(page):
    return [item.name for item in page]


async def walked(database, read, limit, *, backwards=False, between=None):
    """All items of a list, read page by page from one end to the other."""
    pages, cursor = [], None
    while True:
        end = {"before" if backwards else "after": cursor}
        async with database.read() as db:
            page = await read(db, Paging(limit, backwards=backwards, **end))
        assert len(page.edges) <= limit
        pages.append(list(page))
        if not (page.has_previous if backwards else page.has_next):
            break
        cursor = page.start_cursor if backwards else page.end_cursor
        if between is not None:
            await between()
    return list(itertools.chain(*(reversed(pages) if backwards else pages)))


@pytest.fixture
async def shelf(database, clerk, clock, given_case):
    """Cases whose names, numbers and times are partly equal, partly missing."""
    made = []
    for index in range(23):
        clock.now = f"2026-01-{index // 4 + 1:02}T09:00:00Z"
        number = f"AZ-{index * 7 % 23}" if index % 3 else None
        made.append(await given_case(f"Case {index % 5}", file_number=number))
    for index in range(22, -1, -2):
        clock.now = f"2026-02-{23 - index:02}T09:00:00Z"
        await cases.update_case(
            clerk, database, made[index].id, CaseChanges(description=f"{index}")
        )
    return made


async def test_cases_come_newest_first(database, clerk):
    # Imported, because a write is never before the last one: whatever the clock says.
    lines = [
        json.dumps({"name": name, "created_at": f"2026-01-0{day}"}).encode()
        for day, name in ((2, "Second"), (1, "First"), (3, "Third"))
    ]
    await import_cases(clerk, database, lines, source="file")

    async with database.read() as db:
        page = await objects.cases(clerk, db)

    assert names(page) == ["Third", "Second", "First"]


@pytest.mark.parametrize(
    ("field", "ascending"),
    [
        (CaseOrderField.NAME, ["alpha 10", "Apfel", "äpfel", "Öl", "Zeta"]),
        (CaseOrderField.FILE_NUMBER, ["Apfel", "Zeta", "alpha 10", "äpfel", "Öl"]),
        (CaseOrderField.CREATED_AT, ["Zeta", "Apfel", "äpfel", "Öl", "alpha 10"]),
        (CaseOrderField.UPDATED_AT, ["Apfel", "Öl", "alpha 10", "äpfel", "Zeta"]),
    ],
)
async def test_every_order_is_the_one_people_expect(
    database, clerk, clock, given_case, field, ascending
):
    made = {}
    for name, number in (
        ("Zeta", "AZ-10"),
        ("Apfel", "AZ-9"),
        ("äpfel", "B 1"),
        ("Öl", None),
        ("alpha 10", "AZ-2026-042"),
    ):
        made[name] = await given_case(name, file_number=number)
        clock.now = f"2026-01-{15 + len(made)}T09:00:00Z"
    for name in ("äpfel", "Zeta"):
        await cases.update_case(clerk, database, made[name].id, CaseChanges(dezernat="D"))
        clock.now = "2026-02-01T09:00:00Z"

    async with database.read() as db:
        up = await objects.cases(clerk, db, order=CaseOrder(field, False))
        down = await objects.cases(clerk, db, order=CaseOrder(field, True))

    assert names(up) == ascending
    assert names(down) == ascending[::-1]


@pytest.mark.parametrize("order", ORDERS, ids=ORDER_IDS)
async def test_pages_in_either_direction_make_up_the_whole_list(database, clerk, shelf, order):
    async def read(db, paging):
        return await objects.cases(clerk, db, order=order, paging=paging)

    async with database.read() as db:
        whole = list(await read(db, Paging(100)))

    assert len(whole) == len({case.id for case in whole}) == 23
    for limit in (1, 4, 22, 23):
        assert await walked(database, read, limit) == whole
        assert await walked(database, read, limit, backwards=True) == whole


@pytest.mark.parametrize("order", ORDERS, ids=ORDER_IDS)
@pytest.mark.parametrize("backwards", [False, True])
async def test_cases_added_meanwhile_cause_no_gap_and_no_repeat(
    database, clerk, clock, given_case, shelf, order, backwards
):
    numbers = itertools.count(1000)

    async def read(db, paging):
        return await objects.cases(clerk, db, order=order, paging=paging)

    async def add():
        for day in ("2025-12-31", "2026-01-03", "2026-03-01"):
            clock.now = f"{day}T09:00:00Z"
            await given_case(f"Case {day[-1]}", file_number=f"AZ-{next(numbers)}")

    async with database.read() as db:
        whole = [case.id for case in await read(db, Paging(100))]
    seen = await walked(database, read, 5, backwards=backwards, between=add)

    found = [case.id for case in seen]
    assert [id for id in found if id in whole] == whole
    assert len(found) == len(set(found))


async def test_a_page_says_what_lies_on_both_sides(database, clerk, given_case):
    for _ in range(3):
        await given_case()

    async with database.read() as db:
        first = await objects.cases(clerk, db, paging=Paging(1))
        middle = await objects.cases(clerk, db, paging=Paging(1, after=first.end_cursor))
        last = await objects.cases(clerk, db, paging=Paging(1, after=middle.end_cursor))
        listed = lists.cases(clerk)
        outside = [
            await objects.outside(db, listed, paging)
            for paging in (
                Paging(1),
                Paging(1, after=first.end_cursor),
                Paging(1, before=last.start_cursor),
                Paging(1, after=first.end_cursor, before=last.start_cursor),
            )
        ]

    assert (first.has_previous, first.has_next) == (False, True)
    assert (middle.has_previous, middle.has_next) == (False, True)
    assert (last.has_previous, last.has_next) == (False, False)
    assert outside == [(False, False), (True, False), (False, True), (True, True)]


async def test_both_bounds_cut_out_what_lies_between(database, clerk, given_case):
    made = [await given_case() for _ in range(5)]
    newest_first = [case.id for case in reversed(made)]

    async with database.read() as db:
        edges = (await objects.cases(clerk, db)).edges
        bounds = {"after": edges[0].cursor, "before": edges[4].cursor}
        between = await objects.cases(clerk, db, paging=Paging(50, **bounds))
        last_two = await objects.cases(clerk, db, paging=Paging(2, **bounds, backwards=True))

    assert [case.id for case in between] == newest_first[1:4]
    assert [case.id for case in last_two] == newest_first[2:4]


async def test_an_empty_list_has_no_cursors(database, clerk):
    async with database.read() as db:
        page = await objects.cases(clerk, db)

    assert (list(page), page.start_cursor, page.end_cursor) == ([], None, None)
    assert (page.has_next, page.has_previous) == (False, False)


async def test_the_place_of_a_deleted_case_is_still_a_place(database, clerk, given_case):
    made = [await given_case() for _ in range(3)]
    async with database.read() as db:
        page = await objects.cases(clerk, db, paging=Paging(2))
    await cases.delete_case(clerk, database, made[1].id)

    async with database.read() as db:
        rest = await objects.cases(clerk, db, paging=Paging(2, after=page.end_cursor))

    assert [case.id for case in rest] == [made[0].id]


@pytest.fixture
async def files(database, clerk, clock, given_case, given_party, given_staff):
    """Four cases that differ in everything that a filter looks at."""
    mueller = await given_party("Jörg Müller")
    court = await given_party("Amtsgericht Köln", kind="court")
    anna = await given_staff("Anna Groß", email="anna@example.org")
    await given_case(
        "Kauf",
        file_number="AZ-2026-042",
        type="litigation",
        dezernat="Zivilrecht",
        parties=[PartyRole(mueller.id, "client"), PartyRole(court.id, "court")],
        staff=[StaffRole(anna.id, "lead_attorney")],
    )
    clock.now = "2026-01-16T09:00:00Z"
    await given_case(
        "Miete",
        type="advice",
        dezernat="Mietrecht",
        status="closed",
        parties=[PartyRole(mueller.id, "opponent"), PartyRole(NewParty("Ott"), "client")],
        staff=[StaffRole(anna.id, "clerk"), StaffRole(NewStaff("Ben"), "lead_attorney")],
    )
    clock.now = "2026-01-17T09:00:00Z"
    await given_case("Erbe", file_number="AZ-2", status="archived", dezernat="Mietrecht")
    clock.now = "2026-01-18T09:00:00Z"
    erbe2 = await given_case("Zweites Erbe", type="litigation")
    clock.now = "2026-02-01T09:00:00Z"
    await cases.update_case(clerk, database, erbe2.id, CaseChanges(description="D"))
    return {"mueller": mueller.id, "anna": anna.id}


def created(**bounds):
    return CaseFilter(created_at=DateRange(**bounds))


ALL = ["Erbe", "Kauf", "Miete", "Zweites Erbe"]
FILTERS = {
    "nothing said": (CaseFilter(), ALL),
    "one status": (CaseFilter(status=["closed"]), ["Miete"]),
    "two statuses": (CaseFilter(status=["closed", "archived"]), ["Erbe", "Miete"]),
    "no status": (CaseFilter(status=[]), []),
    "type": (CaseFilter(type=["litigation"]), ["Kauf", "Zweites Erbe"]),
    "dezernat": (CaseFilter(dezernat=["Mietrecht"]), ["Erbe", "Miete"]),
    "dezernat with spaces": (CaseFilter(dezernat=[" Mietrecht "]), ["Erbe", "Miete"]),
    "no dezernat at all": (CaseFilter(dezernat=[""]), []),
    "search": (CaseFilter(search="ERBE"), ["Erbe", "Zweites Erbe"]),
    "short search": (CaseFilter(search="rb"), ["Erbe", "Zweites Erbe"]),
    "blank search": (CaseFilter(search="  "), ALL),
    "file number": (CaseFilter(file_number="AZ-2026-042"), ["Kauf"]),
    "file number exactly": (CaseFilter(file_number="az 2026/042"), []),
    "blank file number": (CaseFilter(file_number=" "), []),
    "party search": (CaseFilter(party=PartyFilter(search="mueller")), ["Kauf", "Miete"]),
    "party short search": (CaseFilter(party=PartyFilter(search="ot")), ["Miete"]),
    "party role": (CaseFilter(party=PartyFilter(role=["client"])), ["Kauf", "Miete"]),
    "party kind": (CaseFilter(party=PartyFilter(kind=["court"])), ["Kauf"]),
    "any party": (CaseFilter(party=PartyFilter()), ["Kauf", "Miete"]),
    "blank party id": (CaseFilter(party=PartyFilter(id="")), []),
    "one party that is both": (
        CaseFilter(party=PartyFilter(search="mueller", role=["client"])),
        ["Kauf"],
    ),
    "one party of kind and role": (
        CaseFilter(party=PartyFilter(kind=["court"], role=["client"])),
        [],
    ),
    "staff search": (CaseFilter(staff=StaffFilter(search="gross")), ["Kauf", "Miete"]),
    "staff search by email": (CaseFilter(staff=StaffFilter(search="anna@")), ["Kauf", "Miete"]),
    "one staff member that is both": (
        CaseFilter(staff=StaffFilter(search="anna", role=["lead_attorney"])),
        ["Kauf"],
    ),
    "created from": (
        CaseFilter(created_at=DateRange(gte="2026-01-17T09:00:00Z")),
        [ALL[0], ALL[3]],
    ),
    "created after": (CaseFilter(created_at=DateRange(gt="2026-01-17T09:00:00Z")), [ALL[3]]),
    "created until": (
        CaseFilter(created_at=DateRange(lte="2026-01-16T09:00:00Z")),
        [ALL[1], ALL[2]],
    ),
    "created before": (CaseFilter(created_at=DateRange(lt="2026-01-16T10:00:00+01:00")), [ALL[1]]),
    "created between": (created(gt="2026-01-15T09:00:00Z", lt="2026-01-17"), ["Miete"]),
    "updated": (CaseFilter(updated_at=DateRange(gte="2026-02-01")), ["Zweites Erbe"]),
    "two conditions": (CaseFilter(dezernat=["Mietrecht"], status=["closed"]), ["Miete"]),
    "and": (
        CaseFilter(and_=[CaseFilter(search="erbe"), CaseFilter(type=["litigation"])]),
        ["Zweites Erbe"],
    ),
    "and of none": (CaseFilter(and_=[]), ALL),
    "or": (
        CaseFilter(or_=[CaseFilter(status=["closed"]), CaseFilter(file_number="AZ-2")]),
        ["Erbe", "Miete"],
    ),
    "or of none": (CaseFilter(or_=[]), []),
    "or beside a condition": (
        CaseFilter(
            status=["active"],
            or_=[CaseFilter(type=["litigation"]), CaseFilter(dezernat=["Mietrecht"])],
        ),
        ["Kauf", "Zweites Erbe"],
    ),
    "not": (CaseFilter(not_=CaseFilter(status=["active"])), ["Erbe", "Miete"]),
    "not a type includes none": (
        CaseFilter(not_=CaseFilter(type=["litigation"])),
        ["Erbe", "Miete"],
    ),
    "not not": (
        CaseFilter(not_=CaseFilter(not_=CaseFilter(type=["advice"]))),
        ["Miete"],
    ),
    "two different parties": (
        CaseFilter(
            and_=[
                CaseFilter(party=PartyFilter(search="mueller")),
                CaseFilter(party=PartyFilter(role=["client"], search="ott")),
            ]
        ),
        ["Miete"],
    ),
    "two searches of different length": (
        CaseFilter(
            search="er", in_=["name"], or_=[CaseFilter(search="zweites"), CaseFilter(search="az")]
        ),
        ["Erbe", "Zweites Erbe"],
    ),
}


async def test_a_filter_finds_the_cases_that_fit_and_no_others(database, clerk, files):
    by_name = CaseOrder(CaseOrderField.NAME, descending=False)

    async with database.read() as db:
        for what, (wanted, found) in FILTERS.items():
            fitting = await objects.cases(clerk, db, wanted, by_name)
            others = await objects.cases(clerk, db, CaseFilter(not_=wanted), by_name)
            counted = await objects.count_cases(clerk, db, wanted)

            assert names(fitting) == found, what
            assert names(others) == [name for name in ALL if name not in found], what
            assert counted == len(found), what


async def test_a_filter_names_a_party_or_staff_member(database, clerk, files):
    by_party = CaseFilter(party=PartyFilter(id=files["mueller"], role=["opponent"]))
    by_staff = CaseFilter(staff=StaffFilter(id=files["anna"], role=["lead_attorney"]))

    async with database.read() as db:
        assert names(await objects.cases(clerk, db, by_party)) == ["Miete"]
        assert names(await objects.cases(clerk, db, by_staff)) == ["Kauf"]


async def test_a_composed_letter_in_a_filter_is_the_same_letter(database, clerk, given_case):
    await given_case("N", dezernat="Büro", file_number="Ü-1")

    async with database.read() as db:
        assert names(await objects.cases(clerk, db, CaseFilter(dezernat=["Bu\u0308ro"]))) == ["N"]
        assert names(await objects.cases(clerk, db, CaseFilter(file_number="U\u0308-1"))) == ["N"]


async def test_pages_of_a_filter_make_up_its_list(database, clerk, shelf):
    wanted = CaseFilter(search='"case 3"')

    async def read(db, paging):
        return await objects.cases(clerk, db, wanted, paging=paging)

    found = await walked(database, read, 2)

    assert [case.id for case in found] == [shelf[index].id for index in (18, 13, 8, 3)]


def nested(depth):
    return CaseFilter() if depth == 1 else CaseFilter(not_=nested(depth - 1))


WRONG = [
    (CaseFilter(status=["open"]), ("filter", "status", "0")),
    (CaseFilter(status=["active", "Closed"]), ("filter", "status", "1")),
    (CaseFilter(dezernat=["x"] * 101), ("filter", "dezernat")),
    (CaseFilter(dezernat=["NUL \0"]), ("filter", "dezernat", "0")),
    (CaseFilter(search="x" * 201), ("filter", "search")),
    (CaseFilter(search="NUL \0"), ("filter", "search")),
    (CaseFilter(search="\ud800"), ("filter", "search")),
    (CaseFilter(file_number="x" * 201), ("filter", "file_number")),
    (CaseFilter(created_at=DateRange(gt="soon")), ("filter", "created_at", "gt")),
    (CaseFilter(party=PartyFilter(kind=["robot"])), ("filter", "party", "kind", "0")),
    (CaseFilter(staff=StaffFilter(id="\ud800")), ("filter", "staff", "id")),
    (
        CaseFilter(or_=[CaseFilter(), CaseFilter(not_=CaseFilter(status=["open"]))]),
        ("filter", "or", "1", "not", "status", "0"),
    ),
    (nested(9), ("filter",)),
    (CaseFilter(or_=[CaseFilter(type=["a"])] * 60), ("filter",)),
    (CaseFilter(or_=[CaseFilter(or_=[])] * 1000), ("filter",)),
]


async def test_a_filter_that_no_case_can_fit_is_refused(database, clerk):
    async with database.read() as db:
        for wanted, field in WRONG:
            with pytest.raises(Invalid) as refused:
                await objects.cases(clerk, db, wanted)

            assert [problem.field for problem in refused.value.problems] == [field]


async def test_a_filter_may_be_as_deep_and_as_wide_as_the_limit(database, clerk, given_case):
    await given_case("N", type="a")

    async with database.read() as db:
        assert names(await objects.cases(clerk, db, CaseFilter(not_=nested(7)))) == []
        wide = CaseFilter(or_=[CaseFilter(type=["a"])] * 59)
        assert names(await objects.cases(clerk, db, wide)) == ["N"]


async def test_people_are_listed_by_name(database, clerk, given_party, given_staff):
    for name in ("Zoë", "Ärger", "Berta", "arger"):
        await given_party(name)
        await given_staff(name)

    async with database.read() as db:
        parties = names(await objects.parties(clerk, db))
        staff = names(await objects.staff(clerk, db))

    assert parties == staff == ["Ärger", "arger", "Berta", "Zoë"]


async def test_pages_of_people_make_up_the_whole_list(database, clerk, given_party, given_staff):
    for index in range(7):
        await given_party(f"P{index % 3}")
        await given_staff(f"S{index % 3}")

    for kind in (objects.parties, objects.staff):

        async def read(db, paging, kind=kind):
            return await kind(clerk, db, None, paging)

        async with database.read() as db:
            whole = list(await read(db, Paging(100)))
        assert len(whole) == 7
        assert await walked(database, read, 2) == whole
        assert await walked(database, read, 2, backwards=True) == whole


async def test_people_are_counted_as_they_are_found(database, clerk, given_party, given_staff):
    for name in ("Müller", "Mueller AG", "Ott"):
        await given_party(name)
        await given_staff(name)

    async with database.read() as db:
        assert names(await objects.parties(clerk, db, "muller")) == ["Mueller AG", "Müller"]
        assert names(await objects.staff(clerk, db, "muller")) == ["Mueller AG", "Müller"]
        assert await objects.count(db, lists.parties(clerk, "muller")) == 2
        assert await objects.count(db, lists.staff(clerk, "muller")) == 2
        assert await objects.count(db, lists.parties(clerk)) == 3
        assert await objects.count(db, lists.staff(clerk)) == 3


async def test_a_file_number_leads_to_its_case(database, clerk, stranger, given_case):
    case = await given_case(file_number="Ü-1")

    async with database.read() as db:
        assert await objects.case_by_file_number(clerk, db, "Ü-1") == case
        assert await objects.case_by_file_number(clerk, db, " U\u0308-1 ") == case
        assert await objects.case_by_file_number(stranger, db, "Ü-1") is None
        for other in ("Ü 1", "U-1", "", "\u00ad", "NUL \0", "\ud800", "x" * 100_000):
            assert await objects.case_by_file_number(clerk, db, other) is None


async def test_ids_that_no_row_can_have_are_not_found(database, clerk):
    odd = ["", MISSING, "NUL \0", "\ud800", "x" * 1_000_000, "'", '"]', "é" * 36]

    async with database.read() as db:
        assert await objects.by_id(clerk, db, lookups.CASE, odd) == {}
        assert await objects.by_id(clerk, db, lookups.PARTY, odd) == {}
        assert await objects.by_id(clerk, db, lookups.STAFF, odd) == {}
        assert await objects.by_id(clerk, db, lookups.LINK, odd) == {}
        assert await objects.by_id(clerk, db, lookups.EVENT, odd) == {}
        with pytest.raises(CaseNotFound):
            await objects.case(clerk, db, "\ud800")


async def test_many_cases_are_read_at_once(database, clerk, given_case):
    one, other = await given_case("One"), await given_case("Other")

    async with database.read() as db:
        found = await objects.by_id(clerk, db, lookups.CASE, [one.id, other.id.upper(), MISSING])

    assert found == {one.id: one, other.id: other}


async def test_a_party_lists_its_cases_newest_first(database, clerk, given_case, given_party):
    party = await given_party()
    first = await given_case("First", parties=[PartyRole(party.id, "client", "ref 7")])
    await given_case("Unrelated")
    second = await given_case(
        "Second", parties=[PartyRole(party.id, "client"), PartyRole(party.id, "witness")]
    )
    gone = await given_case("Gone", parties=[PartyRole(party.id, "client")])
    await cases.delete_case(clerk, database, gone.id)

    async with database.read() as db:
        pages = await objects.related(clerk, db, PARTY_CASES, [party.id])
        counts = await objects.count_related(clerk, db, PARTY_CASES, [party.id])
        clients = await objects.related(clerk, db, PARTY_CASES, [party.id], only="client")
        client_counts = await objects.count_related(
            clerk, db, PARTY_CASES, [party.id], only="client"
        )

    assert [(edge.case, edge.role, edge.reference) for edge in pages[party.id]] == [
        (second, "witness", None),
        (second, "client", None),
        (first, "client", "ref 7"),
    ]
    assert counts == {party.id: 3}
    assert [edge.case for edge in clients[party.id]] == [second, first]
    assert client_counts == {party.id: 2}


async def test_hidden_cases_take_no_place_on_a_page(database, clerk, given_case, given_staff):
    staff = await given_staff()
    made = [
        await given_case(f"Case {index}", staff=[StaffRole(staff.id, "clerk")])
        for index in range(4)
    ]
    for case in made[2:]:
        await cases.delete_case(clerk, database, case.id)

    async with database.read() as db:
        pages = await objects.related(clerk, db, STAFF_CASES, [staff.id], Paging(2))

    assert [edge.case.name for edge in pages[staff.id]] == ["Case 1", "Case 0"]
    assert not pages[staff.id].has_next


async def test_each_parent_has_its_own_page(database, clerk, given_case):
    many = [PartyRole(NewParty(f"P{index}"), "client") for index in range(5)]
    one = await given_case("One", parties=many)
    other = await given_case("Other", parties=many[:1])
    none = await given_case("None")
    parents = [one.id, other.id, none.id]

    async with database.read() as db:
        pages = await objects.related(clerk, db, CASE_PARTIES, parents, Paging(2))
        last = await objects.related(clerk, db, CASE_PARTIES, parents, Paging(2, backwards=True))
        counts = await objects.count_related(clerk, db, CASE_PARTIES, parents)

    def listed(found):
        return {id: [role.party.name for role in page] for id, page in found.items()}

    assert listed(pages) == {one.id: ["P0", "P1"], other.id: ["P0"], none.id: []}
    assert listed(last) == {one.id: ["P3", "P4"], other.id: ["P0"], none.id: []}
    assert [page.has_next for page in pages.values()] == [True, False, False]
    assert counts == {one.id: 5, other.id: 1, none.id: 0}


@pytest.mark.parametrize(
    "relation", [CASE_PARTIES, CASE_TIMELINE, CASE_LINKS], ids=lambda relation: relation.name
)
async def test_pages_of_a_relation_make_up_its_list(database, clerk, given_case, relation):
    case = await given_case()
    for index in range(7):
        await roles.add_parties(
            clerk, database, case.id, [PartyRole(NewParty(f"P{index}"), "client")]
        )
        other = await given_case(f"Other {index}")
        await links.link_cases(clerk, database, case.id, other.id, "related")

    async def read(db, paging):
        return (await objects.related(clerk, db, relation, [case.id], paging))[case.id]

    async with database.read() as db:
        whole = list(await read(db, Paging(100)))
    assert len(whole) == (15 if relation is CASE_TIMELINE else 7)
    for limit in (1, 3, 15):
        assert await walked(database, read, limit) == whole
        assert await walked(database, read, limit, backwards=True) == whole


async def test_pages_of_a_partys_cases_make_up_its_list(database, clerk, given_case, given_party):
    party = await given_party()
    for index in range(6):
        both = [PartyRole(party.id, "client"), PartyRole(party.id, "witness")]
        await given_case(f"Case {index}", parties=both[: 1 + index % 2])

    async def read(db, paging):
        return (await objects.related(clerk, db, PARTY_CASES, [party.id], paging))[party.id]

    async with database.read() as db:
        whole = list(await read(db, Paging(100)))
    assert len(whole) == 9
    for limit in (1, 2, 4):
        assert await walked(database, read, limit) == whole
        assert await walked(database, read, limit, backwards=True) == whole


async def test_a_cursor_belongs_to_one_parents_list(database, clerk, given_case):
    two = [PartyRole(NewParty("A"), "client"), PartyRole(NewParty("B"), "client")]
    one, other = await given_case(parties=two), await given_case(parties=two)

    async with database.read() as db:
        pages = await objects.related(clerk, db, CASE_PARTIES, [one.id], Paging(1))
        after = Paging(1, after=pages[one.id].end_cursor)
        for parents, only in (
            ([other.id], None),
            ([one.id, other.id], None),
            ([one.id], "client"),
        ):
            with pytest.raises(Invalid) as refused:
                await objects.related(clerk, db, CASE_PARTIES, parents, after, only)
            assert refused.value.field == ("after",)


async def test_a_link_is_read_as_seen_from_each_end(database, clerk, stranger, given_case):
    one, other = await given_case("One"), await given_case("Other")
    link = (await links.link_cases(clerk, database, one.id, other.id, "parent")).link

    async with database.read() as db:
        found = await objects.by_id(clerk, db, lookups.LINK, [link.id])
        foreign = await objects.by_id(stranger, db, lookups.LINK, [link.id])

    assert {end: (seen.type, seen.linked.name) for end, seen in found.items()} == {
        (one.id, link.id): ("parent", "Other"),
        (other.id, link.id): ("child", "One"),
    }
    assert foreign == {}


async def test_events_are_read_by_id_while_their_case_is_visible(
    database, clerk, stranger, given_case, given_party, raw
):
    party = await given_party("Jörg")
    kept, gone = await given_case("Kept"), await given_case("Gone")
    [of_party, of_kept, of_gone] = [
        row[0]
        for row in raw.execute(
            "SELECT id FROM timeline_event WHERE type LIKE '%_created' AND subject_id = ?"
            " OR case_id IN (?, ?) ORDER BY seq",
            [party.id, kept.id, gone.id],
        )
    ]
    await cases.delete_case(clerk, database, gone.id)

    async with database.read() as db:
        found = await objects.by_id(clerk, db, lookups.EVENT, [of_party, of_kept, of_gone])
        foreign = await objects.by_id(stranger, db, lookups.EVENT, [of_party, of_kept])

    assert set(found) == {of_party, of_kept}
    assert found[of_kept].changes == (
        Change("name", None, "Kept"),
        Change("status", None, "active"),
    )
    assert foreign == {}


async def test_a_workspace_sees_nothing_of_another(
    database, clerk, stranger, given_case, given_party, given_staff
):
    party, staff = await given_party("Müller"), await given_staff("Müller")
    case = await given_case(
        "Müller",
        parties=[PartyRole(party.id, "client")],
        staff=[StaffRole(staff.id, "clerk")],
    )

    async with database.read() as db:
        assert list(await objects.cases(stranger, db)) == []
        assert list(await objects.cases(stranger, db, CaseFilter(search="mueller"))) == []
        assert list(await objects.cases(stranger, db, CaseFilter(search="mu"))) == []
        assert list(await objects.parties(stranger, db)) == []
        assert list(await objects.staff(stranger, db, "mueller")) == []
        assert await objects.count_cases(stranger, db) == 0
        assert await objects.by_id(stranger, db, lookups.CASE, [case.id]) == {}
        for relation, parent in (
            (CASE_PARTIES, case.id),
            (CASE_TIMELINE, case.id),
            (PARTY_CASES, party.id),
            (STAFF_CASES, staff.id),
        ):
            pages = await objects.related(stranger, db, relation, [parent])
            assert list(pages[parent]) == []
            counted = await objects.count_related(stranger, db, relation, [parent])
            assert counted == {parent: 0}


async def test_one_snapshot_does_not_see_what_is_written_meanwhile(
    database, clerk, given_case, given_party
):
    await given_case()

    async with database.read() as db:
        before = await objects.count_cases(clerk, db)
        await given_case()
        during = await objects.count_cases(clerk, db)
    async with database.read() as db:
        after = await objects.count_cases(clerk, db)

    assert (before, during, after) == (1, 1, 2)


READS = {
    "case": lambda who, db: objects.case(who, db, MISSING),
    "by_id, cases": lambda who, db: objects.by_id(who, db, lookups.CASE, []),
    "case_by_file_number": lambda who, db: objects.case_by_file_number(who, db, "AZ-1"),
    "by_id, parties": lambda who, db: objects.by_id(who, db, lookups.PARTY, []),
    "by_id, staff": lambda who, db: objects.by_id(who, db, lookups.STAFF, []),
    "by_id, links": lambda who, db: objects.by_id(who, db, lookups.LINK, []),
    "by_id, events": lambda who, db: objects.by_id(who, db, lookups.EVENT, []),
    "cases": objects.cases,
    "count_cases": objects.count_cases,
    "parties": objects.parties,
    "staff": objects.staff,
    "related": lambda who, db: objects.related(who, db, CASE_LINKS, []),
    "count_related": lambda who, db: objects.count_related(who, db, CASE_LINKS, []),
}


async def test_reading_needs_the_scope_to_read(database, clerk):
    writer = replace(clerk, scopes=frozenset({Scope.CASES_WRITE, Scope.CASES_DELETE}))

    async with database.read() as db:
        for what, read in READS.items():
            with pytest.raises(InsufficientScope) as refused:
                await read(writer, db)

            assert refused.value.scope == "cases:read", what


async def test_a_changed_name_changes_the_order(database, clerk, given_party):
    first, _second = await given_party("A"), await given_party("B")

    await register.update_party(clerk, database, first.id, register.PartyChanges(name="C"))

    async with database.read() as db:
        assert names(await objects.parties(clerk, db)) == ["B", "C"]
