"""How SQLite finds what the hot statements ask for: by an index, never by reading a table."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import sqlite

from domain.inputs import (
    CaseFilter,
    CaseOrder,
    CaseOrderField,
    DateRange,
    EventFilter,
    NewCase,
    NewParty,
    NewStaff,
    PartyFilter,
    PartyRole,
    StaffFilter,
    StaffRole,
)
from domain.reading import filters, lists, lookups, related
from domain.reading.narrowing import narrowing
from domain.reading.paging import Paging, Window
from domain.reading.relations import (
    CASE_LINKS,
    CASE_PARTIES,
    CASE_STAFF,
    CASE_TIMELINE,
    PARTY_CASES,
    STAFF_CASES,
)
from domain.storage.opening import opened
from domain.storage.statements import Prepared
from domain.storage.tables import cases
from domain.upkeep import administration
from domain.writing.cases import _BY_NUMBERS, create_case
from domain.writing.links import link_cases
from domain.writing.register import create_party, create_staff

pytestmark = pytest.mark.sqlite

FIRST, AFTER = Window(False, False, False), Window(True, False, False)
BEFORE = Window(False, True, True)
NEWEST = CaseOrder()
WINDOWS = pytest.mark.parametrize(
    "window", [FIRST, AFTER, BEFORE], ids=["first", "after", "before"]
)

MAY_BE_SCANNED = ("parent", "each", "asked", "search_index", "hits")
"""What a caller handed over as JSON, and the full-text index, which answers a MATCH by itself."""


async def _fill(path):
    """A few hundred cases in which some parties and staff appear often."""
    async with opened(f"sqlite:///{path}") as database:
        await administration.create_workspace(database, "default")
        who = await administration.operator(database)
        parties = [(await create_party(who, database, NewParty(f"P{n}"))).id for n in range(20)]
        staff = [(await create_staff(who, database, NewStaff(f"S{n}"))).id for n in range(5)]
        made = []
        for index in range(300):
            new = NewCase(
                f"Case {index}",
                file_number=f"AZ-{index}" if index % 3 else None,
                status=("active", "closed", "archived")[index % 3],
                parties=[
                    PartyRole(parties[index % 20], "client"),
                    PartyRole(NewParty(f"Opponent {index}"), "opponent"),
                ],
                staff=[StaffRole(staff[index % 5], "lead_attorney")],
            )
            made.append((await create_case(who, database, new)).id)
        for one, other in zip(made[:50], made[50:100], strict=True):
            await link_cases(who, database, one, other, "related")
    return who


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    path = tmp_path_factory.mktemp("plans") / "cases.db"
    who = asyncio.run(_fill(path))
    with closing(sqlite3.connect(path)) as connection:
        yield connection, who


@pytest.fixture
def clerk(filled):
    return filled[1]


@pytest.fixture
def plan(filled):
    """The steps of a statement's plan, as EXPLAIN QUERY PLAN words them."""
    connection, who = filled

    def explain(statement, values=None):
        bound = {"workspace_id": who.workspace_id, "limit": 51, "others": 50} | (values or {})
        sql, parameters = statement.bound(sqlite.dialect(), bound)
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]

    return explain


def scanned(steps):
    """The tables that are read from one end to the other."""
    return [
        step
        for step in steps
        if step.startswith("SCAN ")
        and step.split()[1] not in MAY_BE_SCANNED
        # What a search has found is a list, for a moment.
        and not step.split()[1].startswith(("found_", "met", "told", "page"))
    ]


def found_by(steps, relation):
    """The steps that find rows by their parent, or singly by their key."""
    table, [first, *_rest] = relation.edges.name, relation.key
    return [
        step
        for step in steps
        if step.startswith(f"SEARCH {table} ")
        and (f"{relation.parent}=?" in step or f"{first}=?" in step)
    ]


def sorted_anew(steps):
    return [step for step in steps if "TEMP B-TREE" in step and "ORDER BY" in step]


def register_page(kind, shape, window):
    kind = lookups.PARTY if kind == "party" else lookups.STAFF
    sorting = lists.Sorting(kind, lists._BY_NAME, shape, None)
    return lists._page(sorting, window, kind.columns, keyed=True)


def cases_plan(plan, clerk, wanted, order, window):
    compiled = filters.compile_filter(clerk.workspace_id, wanted)
    bounds = {f"{name}_{part}": "x" for name in ("after", "before") for part in (0, 1)}
    sorting = lists.Sorting(lookups.CASE, order, compiled.shape, None)
    statement = lists._page(sorting, window, lookups.CASE.columns, keyed=True)
    return plan(statement, compiled.values | bounds)


@pytest.mark.parametrize("field", list(CaseOrderField))
@pytest.mark.parametrize("descending", [True, False])
@WINDOWS
def test_a_page_of_cases_is_read_off_the_index_of_its_order(plan, clerk, field, descending, window):
    steps = cases_plan(plan, clerk, None, CaseOrder(field, descending), window)

    column = lists._ORDER_COLUMN[field]
    [step] = steps
    assert step.startswith(f"SEARCH cases USING INDEX ix_cases_{column} (workspace_id=?")
    if window is not FIRST:
        assert f"({column},id)" in step


FILTERS = {
    "status": CaseFilter(status=["closed"]),
    "two statuses": CaseFilter(status=["closed", "active"]),
    "file number": CaseFilter(file_number="AZ-7"),
    "search": CaseFilter(search="case 7"),
    "short search": CaseFilter(search="7"),
    "party": CaseFilter(party=PartyFilter(id="pty_1", role=["client"])),
    "party search": CaseFilter(party=PartyFilter(search="party 7", kind=["person"])),
    "staff search": CaseFilter(staff=StaffFilter(search="staff 3")),
    "or": CaseFilter(or_=[CaseFilter(search="case 7"), CaseFilter(status=["closed"])]),
}


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS)
@WINDOWS
def test_a_filtered_page_scans_no_table(plan, clerk, wanted, window):
    steps = cases_plan(plan, clerk, wanted, NEWEST, window)

    assert scanned(steps) == []


@WINDOWS
def test_a_page_by_status_comes_in_order_without_sorting(plan, clerk, window):
    steps = cases_plan(plan, clerk, CaseFilter(status=["closed"]), NEWEST, window)

    assert sorted_anew(steps) == []


@pytest.mark.parametrize("kind", ["case", "party", "staff"])
def test_a_search_asks_the_trigram_index(plan, clerk, kind):
    if kind == "case":
        steps = cases_plan(plan, clerk, CaseFilter(search="case 7"), NEWEST, FIRST)
    else:
        compiled = filters.compile_search(clerk.workspace_id, kind, "party 7")
        steps = plan(register_page(kind, compiled.shape, FIRST), compiled.values)

    assert any(step.startswith("SCAN search_index VIRTUAL TABLE INDEX") for step in steps), steps
    assert any(step.startswith("SEARCH one USING INTEGER PRIMARY KEY") for step in steps), steps
    assert scanned(steps) == []


@pytest.mark.parametrize(
    "relation",
    [CASE_PARTIES, CASE_STAFF, CASE_LINKS, CASE_TIMELINE, PARTY_CASES, STAFF_CASES],
    ids=lambda relation: relation.name,
)
@WINDOWS
def test_a_page_of_a_relation_scans_no_table(plan, clerk, relation, window):
    bounds = {f"{name}_{part}": 1 for name in ("after", "before") for part in (0, 1)}
    for one in narrowings(clerk, relation):
        values = {"parents": '["a", "b"]', **one.values, **bounds}
        statement = related._page(
            relation, window, relation.all_columns, shape=one.shape, keyed=True
        )
        steps = plan(statement, values)

        assert scanned(steps) == [], one.shape
        assert any(step.startswith("SCAN parent VIRTUAL TABLE") for step in steps)
        assert found_by(steps, relation) != []


def narrowings(clerk, relation):
    """What may narrow a relation's lists: nothing, one role or type, and filters."""
    yield narrowing(clerk, relation)
    if relation.only is not None:
        yield narrowing(clerk, relation, "client")
    if relation is CASE_TIMELINE:
        span = DateRange(gte="2026-01-01")
        yield narrowing(clerk, relation, None, EventFilter(at=span, type=["x"], actor=["y"]))
    if relation in (PARTY_CASES, STAFF_CASES):
        for wanted in FILTERS.values():
            yield narrowing(clerk, relation, "client", wanted)


@pytest.mark.parametrize(
    "relation",
    [CASE_PARTIES, CASE_STAFF, CASE_LINKS, CASE_TIMELINE, PARTY_CASES, STAFF_CASES],
    ids=lambda relation: relation.name,
)
@WINDOWS
def test_the_page_of_one_object_is_read_off_its_index(plan, clerk, relation, window):
    bounds = {f"{name}_{part}": 1 for name in ("after", "before") for part in (0, 1)}
    for one in narrowings(clerk, relation):
        statement = related._page_of_one(
            relation, window, relation.all_columns, shape=one.shape, keyed=True
        )
        steps = plan(statement, {"parent": "a", **one.values, **bounds})

        assert scanned(steps) == [], one.shape
        assert found_by(steps, relation) != []


@pytest.mark.parametrize(
    "relation",
    [CASE_PARTIES, CASE_STAFF, CASE_LINKS, CASE_TIMELINE, PARTY_CASES, STAFF_CASES],
    ids=lambda relation: relation.name,
)
def test_counting_a_relation_scans_no_table(plan, clerk, relation):
    for one in narrowings(clerk, relation):
        statement = related._count(relation, shape=one.shape)
        steps = plan(statement, {"parents": '["a", "b"]', **one.values})

        assert scanned(steps) == [], one.shape


@pytest.mark.parametrize("kind", ["party", "staff"])
@WINDOWS
def test_a_page_of_people_is_read_off_the_index_of_its_order(plan, kind, window):
    bounds = {f"{name}_{part}": "x" for name in ("after", "before") for part in (0, 1)}

    [step] = plan(register_page(kind, filters.EVERYTHING, window), bounds)

    assert step.startswith(f"SEARCH {kind} USING INDEX ix_{kind}_name_order (workspace_id=?")


@pytest.mark.parametrize(
    "statement",
    [
        lookups._statement_by_id(lookups.CASE, lookups.CASE.columns, single=True),
        lookups._case_by_file_number(lookups.CASE.columns),
        *(
            lookups._statement_by_number(kind, kind.columns)
            if "number" in kind.key
            else lookups._statement_by_id(kind, kind.columns, single=False)
            for kind in lookups.KINDS
        ),
    ],
    ids=["case", "file number", *(f"{kind.name} by ids" for kind in lookups.KINDS)],
)
def test_what_is_asked_for_by_id_scans_no_table(plan, statement):
    values = {
        "ids": '["a"]',
        "file_number": "AZ-1",
        "number_keys": '["az-1"]',
        "cases": '["a"]',
        "numbered": '["a/1"]',
    }

    assert scanned(plan(statement, values)) == []


def test_whether_a_file_number_is_free_is_read_off_its_index(plan):
    steps = plan(_BY_NUMBERS, {"numbers": '["az-1"]'})

    assert scanned(steps) == []
    assert any("SEARCH cases USING INDEX ix_cases_number_key" in step for step in steps), steps


def test_a_plan_that_scans_is_noticed(plan):
    steps = plan(Prepared(select(cases.c.id).where(cases.c.description == "x")))

    assert scanned(steps) == ["SCAN cases"]


def test_few_hits_are_put_in_order_and_no_case_is_walked(plan, clerk):
    asked = lists.cases(clerk, CaseFilter(search="case 1", status=["active"]))
    by_score = lists.cases(clerk, CaseFilter(search="case 1", status=["active"]), None)
    for wanted in (
        asked.first_hits(),
        asked.first_hits(Paging(20), ("id",)),
        by_score.first_hits(),
        by_score.first_hits(Paging(20), ("id",)),
        by_score.page(Paging(20), ("id",)),
    ):
        steps = plan(wanted.statement, wanted.values)

        assert scanned(steps) == []
        assert not any("ix_cases_created_at" in step for step in steps), steps
