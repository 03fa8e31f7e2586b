"""How many SQL statements a request costs."""

import itertools
import logging
import math

import pytest

from domain.storage.sqlite import readers

LIST = """
query Everything($first: Int!) {
  cases(first: $first) {
    totalCount
    pageInfo { hasNextPage endCursor }
    nodes {
      name
      parties(first: 10) { totalCount nodes { role party { id name } } }
      staff(first: 10) { nodes { role staff { id name } } }
      links {
        nodes { type case { name } linkedCase { name parties { nodes { party { name } } } } }
      }
      timeline(first: 5) { nodes { seq type changes { field } case { name } } }
    }
  }
}
"""


@pytest.fixture
def statements(caplog, monkeypatch):
    """The SQL of the reads since the list was last cleared."""
    # However busy the machine is: no read is begun again in a thread.
    monkeypatch.setattr(readers, "BRIEF_SECONDS", math.inf)
    monkeypatch.setattr(readers, "BRIEF_WALL_SECONDS", math.inf)
    caplog.set_level(logging.DEBUG, logger="casegraph.sql")
    return caplog


async def given_cases(api, count):
    created = []
    for index in range(count):
        new = {
            "name": f"Case {index}",
            "parties": [{"new": {"name": f"Party {index}"}, "role": "client"}],
            "staff": [{"new": {"name": f"Staff {index}"}, "role": "lead_attorney"}],
        }
        answer = await api.data(
            "mutation($input: CreateCaseInput!) { createCase(input: $input) { case { id } } }",
            {"input": new},
        )
        created.append(answer["createCase"]["case"]["id"])
    for first, second in itertools.pairwise(created):
        await api.data(
            "mutation($a: ID!, $b: ID!) {"
            " linkCases(input: {caseId: $a, linkedCaseId: $b, type: RELATED}) { link { id } } }",
            {"a": first, "b": second},
        )


async def counted(api, statements, first):
    await api.data("{ viewer { mode } }")  # so that looking up the key is not counted
    statements.clear()
    data = await api.data(LIST, {"first": first})
    assert len(data["cases"]["nodes"]) == first
    # A busy machine may have the key looked up again, a second after the last time.
    return len([one for one in statements.records if "api_key" not in one.getMessage()])


@pytest.mark.usefixtures("steady")
async def test_the_number_of_statements_does_not_grow_with_the_number_of_cases(api, statements):
    await given_cases(api, 50)

    one = await counted(api, statements, 2)
    many = await counted(api, statements, 50)

    # The page and its count; parties and their count, staff, links, timeline; the cases of links,
    # and of events, by id; and the parties of the linked cases, once more.
    assert (one, many) == (10, 10)


@pytest.mark.usefixtures("steady")
async def test_the_count_is_made_only_when_it_is_asked_for(api, statements):
    await given_cases(api, 1)
    await api.data("{ viewer { mode } }")
    statements.clear()

    await api.data("{ cases { nodes { name } } }")

    assert len(statements.records) == 1
