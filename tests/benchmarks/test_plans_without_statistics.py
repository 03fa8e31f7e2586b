"""PostgreSQL reads no more for a page while it has no statistics of the tables than with them.

Autovacuum counts a table after 50 new rows, and so a new firm's staff never.
"""

from functools import partial

import orjson
import pytest

from benchmarks import works
from domain.demo.firm import demo_cases
from domain.storage.postgresql.sessions import Session
from domain.transfer.importing import dumped, import_cases
from tests.databases import template_of
from tests.fixtures import FURNISHED

pytestmark = pytest.mark.postgresql

CASES = 1_500
MORE, MUCH_MORE = 1.3, 2.0
"""How much more may be read for the works of the benchmark, and for other documents."""
FREE = 5
"""Pages that do not matter: the roots of indexes, and what is small anyway."""
MOST = 6_000
"""Pages for any of them."""
WORKS = ("Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "R1", "R2")
MORE_DOCUMENTS = {
    "of a party": '{ cases(first: 20, filter: {party: {search: "gmbh"}}) { totalCount'
    " nodes { name } } }",
    "of a role": '{ cases(first: 20, filter: {staff: {role: "lawyer"}}) { nodes { name } } }',
    "searched people": '{ parties(first: 20, search: "muller") { totalCount nodes { name } } }',
    "people": "{ parties(first: 20) { nodes { name cases(first: 20) { totalCount nodes"
    " { role case { name links(first: 5) { nodes { linkedCase { name } } } } } } } } }",
    "staff": '{ staff(first: 20) { nodes { name cases(first: 20, role: "lawyer") { nodes'
    " { case { name timeline(first: 5) { nodes { type } } } } } } } }",
}


@pytest.fixture
def firms(postgresql, request):
    """A database of its own: what other tests have deleted would be read, too."""
    template, keys = template_of("postgresql", request, FURNISHED)
    name = "without_statistics"
    postgresql.past.execute(f"CREATE DATABASE {name} OWNER casegraph TEMPLATE {template}")
    yield postgresql.url(name, "casegraph"), keys
    postgresql.past.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def large(api, owner, monkeypatch):
    """The firm with many cases, of which PostgreSQL has counted nothing."""
    who = await api.services.keys.authenticate(api.keys["all"])

    async def nothing():
        pass

    monkeypatch.setattr(owner, "analyze", nothing)
    lines = [dumped(case) for case in demo_cases(CASES)]
    report = await import_cases(who, owner, lines, source="test")
    assert report.rejected == 0
    monkeypatch.undo()
    return api


@pytest.fixture
def sent(monkeypatch):
    """The statements that are sent, with their parameters."""
    statements = []
    fetch = Session.fetch

    async def watched(self, sql, parameters=()):
        statements.append((sql, parameters))
        return await fetch(self, sql, parameters)

    monkeypatch.setattr(Session, "fetch", watched)
    return statements


async def asked(api):
    """What to ask, by name: functions."""
    listed = await api.data("{ cases(first: 30) { nodes { id uuid fileNumber } } }")
    one = listed["cases"]["nodes"][20]
    variables = {"Q2": {"id": one["id"]}, "Q5": {"term": "müller"}, "Q6": {"term": "müller weiss"}}
    found = {}
    for name in WORKS:
        document = works.BY_NAME[name].document
        if document is not None:
            found[name] = partial(api.data, document, variables.get(name))
    found["R1"] = partial(api.rest, "GET", "/cases?limit=50")
    found["R2"] = partial(api.rest, "GET", f"/cases/{one['uuid']}")
    ids = [node["id"] for node in listed["cases"]["nodes"]]
    found["nodes"] = partial(
        api.data,
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Case { name } } }",
        {"ids": ids},
    )
    number = next(case["fileNumber"] for case in listed["cases"]["nodes"] if case["fileNumber"])
    found["of a number"] = partial(
        api.data,
        "query($n: String!) { cases(first: 20, filter: {fileNumber: $n})"
        " { totalCount nodes { name parties { nodes { role } } } } }",
        {"n": number},
    )
    for name, document in MORE_DOCUMENTS.items():
        found[name] = partial(api.data, document)
    return found


async def pages(database, who, statements):
    """How many pages of tables and indexes the statements read."""
    total = 0
    async with database.read(who.workspace_id) as db:
        for sql, parameters in statements:
            explain = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}"
            # The connection may be a new one: a function's first call reads the catalogue, too.
            await db.session.fetch(explain, parameters)
            [(plan,)] = await db.session.fetch(explain, parameters)
            # A table of one page costs least if it is read whole, but that for each row of another.
            assert b"Seq Scan" not in plan.encode(), plan
            [read] = orjson.loads(plan)
            total += read["Plan"]["Shared Hit Blocks"] + read["Plan"]["Shared Read Blocks"]
    return total


async def test_pages_cost_no_more_without_statistics(large, owner, sent):
    database = large.services.database
    who = await large.services.keys.authenticate(large.keys["all"])
    of = {}
    for name, ask in (await asked(large)).items():
        sent.clear()
        await ask()
        of[name] = [(sql, values) for sql, values in sent if "casegraph_head" not in sql]
        assert of[name], name

    before = {name: await pages(database, who, statements) for name, statements in of.items()}
    await owner.analyze()
    after = {name: await pages(database, who, statements) for name, statements in of.items()}

    print(before, after)
    for name, read in before.items():
        more = MORE if name in WORKS else MUCH_MORE
        assert read <= more * after[name] + FREE, (name, read, after[name])
        assert read <= MOST, (name, read)
