"""What a document is charged for is what SQLite really visits, whatever the document."""

import sqlite3
from contextlib import closing

import pytest

from domain.demo.firm import demo_cases
from domain.storage.sqlite import readers
from domain.storage.statements import SQLITE
from domain.storage.turns import STEPS_A_ROW
from domain.transfer.importing import dumped, import_cases
from domain.upkeep import administration

pytestmark = pytest.mark.sqlite
FACTOR = 3
CASES = 500
SMALL = 200
"""Rows or entries below which SQLite does not tell more; a document costs a point in any case."""

PEOPLE = (
    "parties(first: 10) { nodes { role party { name } } }"
    " staff(first: 10) { nodes { role staff { name } } }"
)
LEGITIMATE = {
    "a page with people": f"{{ cases(first: 50) {{ nodes {{ name {PEOPLE} }} }} }}",
    "a page": "{ cases(first: 100) { nodes { id name fileNumber status } } }",
    "one with everything": f"{{ cases(first: 1) {{ nodes {{ name {PEOPLE}"
    " links { nodes { type } } timeline(first: 20) { nodes { type changes { field } } } } } }",
    "deep": "{ cases(first: 20) { nodes { parties(first: 10) { nodes { party { name"
    " cases(first: 10) { nodes { case { name } } } } } } } } }",
    "by status": "{ cases(first: 20, filter: {status: [CLOSED]}) { nodes { name } } }",
    "a search": '{ cases(first: 20, filter: {search: "gmbh"}) { totalCount nodes { name } } }',
    "by party": '{ cases(filter: {party: {search: "müller", role: ["client"]}})'
    " { totalCount nodes { name } } }",
    "by name": "{ cases(first: 20, orderBy: {field: NAME}) { nodes { name } } }",
    "parties": "{ parties(first: 50) { totalCount nodes { name } } }",
    "timelines": "{ cases(first: 50) { nodes { timeline(first: 100) { nodes { type } } } } }",
}
ABUSIVE = {
    "nothing found": '{ cases(first: 20, filter: {type: ["nothing"]}) { nodes { name } } }',
    "not": "{ cases(filter: {not: {status: [ACTIVE, CLOSED, ARCHIVED]}}) { nodes { name } } }",
    "a short search": '{ cases(filter: {search: "xq"}) { totalCount nodes { name } } }',
    "short searches": "{ cases(filter: {or: ["
    + " ".join(f'{{search: "{a}{b}"}}' for a in "qxzjv" for b in "qxzjv")
    + "]}) { totalCount } }",
    "of people": '{ parties(search: "zx") { totalCount nodes { name } } }',
    "roles": '{ cases(filter: {party: {role: ["nobody"]}}) { nodes { name } } }',
    "kinds": "{ cases(filter: {party: {kind: [COURT]}}) { totalCount } }",
    "counts": "{ "
    + " ".join(f'a{n}: cases(filter: {{dezernat: ["{n}"]}}) {{ totalCount }}' for n in range(20))
    + " }",
}


@pytest.fixture
def statements(monkeypatch):
    """The statements that were executed, with their parameters."""
    seen = []
    inline, threaded = readers.InlineReader._fetched, readers._ThreadSnapshot.fetch

    def fetched(self, wanted):
        rows = inline(self, wanted)  # not if it is given up, and run again in a thread
        seen.append(wanted.statement.bound(SQLITE, wanted.values))
        return rows

    async def fetch(self, wanted):
        seen.append(wanted.statement.bound(SQLITE, wanted.values))
        return await threaded(self, wanted)

    monkeypatch.setattr(readers.InlineReader, "_fetched", fetched)
    monkeypatch.setattr(readers._ThreadSnapshot, "fetch", fetch)
    return seen


def steps_of(path, statements):
    """The instructions that SQLite's virtual machine executes for them."""
    count = 0

    def step():
        nonlocal count
        count += 1
        return 0

    with closing(sqlite3.connect(path)) as db:
        db.set_progress_handler(step, 1)
        for sql, parameters in statements:
            db.execute(sql, parameters).fetchall()
    return count


async def test_the_charge_is_within_a_factor_of_what_is_visited(api, owner, settings, statements):
    who = await administration.operator(owner)
    lines = [dumped(case) for case in demo_cases(CASES)]
    await import_cases(who, owner, lines, source="demo")
    path = settings.database_url.removeprefix("sqlite:///")
    wrong = {}
    for name, query in (LEGITIMATE | ABUSIVE).items():
        statements.clear()
        body = {"query": query, "extensions": {"cost": True}}
        answer = (await api.http.post("/graphql", json=body, headers=api.bearer("read"))).json()
        assert "errors" not in answer, answer
        visited = answer["extensions"]["cost"]["visited"]
        executed = [one for one in statements if "api_key" not in one[0]]
        really = steps_of(path, executed) / STEPS_A_ROW
        small = max(visited, really) <= SMALL
        if not (small or really / FACTOR <= visited <= really * FACTOR):
            wrong[name] = visited, round(really)

    assert wrong == {}
