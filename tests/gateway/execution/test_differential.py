"""Random operations, executed both ways: a plan answers exactly what graphql-core answers.

COUNT of them; CASEGRAPH_DIFFERENTIAL=10000 asks for more, CASEGRAPH_SEED for others.
"""

import os
import random

import orjson
import pytest
from graphql import parse, validate

from gateway.execution import operations
from gateway.execution.context import Context
from gateway.execution.operations import Operation
from gateway.execution.selections import NotCovered
from gateway.http.pipeline import response_of
from gateway.schema.assembled import schema
from tests.gateway.execution.failing_reads import fail_on
from tests.gateway.execution.random_operations import Generator, variables

COUNT = int(os.environ.get("CASEGRAPH_DIFFERENTIAL", "25"))
FAILING = max(15, COUNT // 4)
"""How many operations meet with failing reads."""
SEED = int(os.environ.get("CASEGRAPH_SEED", "1"))
# Random documents are larger than what people write.
LIMITS = dict.fromkeys(
    (
        "query_rows",
        "query_depth",
        "query_tokens",
        "query_aliases",
        "query_directives",
        "query_duplicates",
    ),
    10**9,
)

CREATE = "mutation($i: CreateCaseInput!) { createCase(input: $i) { case { id uuid } } }"
LINK = """mutation($a: ID!, $b: ID!, $t: CaseLinkType!) {
  linkCases(input: {caseId: $a, linkedCaseId: $b, type: $t}) { link { id } } }"""
KNOWN = """{
  cases { edges { cursor node {
    id uuid
    parties { edges { cursor node { id } } } staff { edges { cursor node { id } } }
    links { edges { cursor node { id } } } timeline { edges { cursor node { id } } } } } }
}"""


@pytest.fixture
async def known(api):
    """A small firm; the ids and cursors in it."""
    ids = []
    for index in range(9):
        new = {
            "name": f"Müller {index} ./. Weiß",
            "fileNumber": f"AZ-{index}" if index % 3 else None,
            "status": ["ACTIVE", "CLOSED", "ARCHIVED"][index % 3],
            "type": "litigation" if index % 2 else None,
            "parties": [
                {"new": {"name": f"Party {index}.{n}"}, "role": ["client", "opponent"][n % 2]}
                for n in range(index % 4)
            ],
            "staff": [{"new": {"name": f"Staff {index}"}, "role": "lead_attorney"}],
        }
        made = (await api.data(CREATE, {"i": new}))["createCase"]["case"]
        ids.append(made["id"])
    for a, b, kind in [(0, 1, "RELATED"), (1, 2, "CHILD"), (2, 3, "RELATED"), (3, 8, "PARENT")]:
        await api.data(LINK, {"a": ids[a], "b": ids[b], "t": kind})
    [party] = (await api.data("{ parties(first: 1) { nodes { id } } }"))["parties"]["nodes"]
    for index in (1, 2, 5):
        await api.data(
            "mutation($c: ID!, $p: ID!) { addCaseParties(input: {caseId: $c, parties: "
            '[{partyId: $p, role: "witness"}]}) { userErrors { code } } }',
            {"c": ids[index], "p": party["id"]},
        )
    found_ids: list[str] = [party["id"], "x", "Q2FzZTpub3RoaW5n"]
    cursors: list[str] = []

    def gather(value):
        if isinstance(value, dict):
            found_ids.extend(value[name] for name in ("id", "uuid") if name in value)
            cursors.extend([value["cursor"]] if "cursor" in value else [])
            value = list(value.values())
        if isinstance(value, list):
            for one in value:
                gather(one)

    gather(await api.data(KNOWN))
    # Hidden from now on, links to it included.
    await api.data(
        "mutation($c: ID!) { deleteCase(input: {id: $c}) { userErrors { code } } }", {"c": ids[8]}
    )
    return {"ids": found_ids, "cursors": cursors}


@pytest.fixture
def settings(settings):
    # An answer that is kept was made by no plan.
    return settings.but(**LIMITS, answer_mib=0)


async def both(api, document, values):
    """The answer of the gateway and of graphql-core, and whether a plan made the first."""
    who = await api.services.keys.authenticate(api.keys["all"])
    by_plan = []
    run = Operation.run

    async def watched(self, context, given):
        data = await run(self, context, given)
        by_plan.append(data is not None)
        return data

    Operation.run = watched
    try:
        mine = await api.graphql(document, values)
    finally:
        Operation.run = run
    context = Context(who, api.services)
    result = await schema.execute(document, variable_values=values, context_value=context)
    await context.end()
    return mine, orjson.loads(orjson.dumps(response_of(result, context))), by_plan == [True]


def sorted_errors(answer):
    """Fields are executed at the same time: the order in which they fail is nobody's promise."""
    errors = sorted(answer.get("errors", []), key=orjson.dumps)
    return answer | ({"errors": errors} if errors else {})


async def test_plans_answer_what_graphql_core_answers(api, known, monkeypatch):
    compiled = failed = 0
    defects = []
    monkeypatch.setattr(operations.log, "warning", lambda event, **more: defects.append(more))
    for seed in range(SEED * 1_000_000, SEED * 1_000_000 + COUNT):
        rnd = random.Random(seed)
        generator = Generator(schema._schema, rnd)
        document = generator.document()
        values = variables(rnd, generator.used, known)
        problems = validate(schema._schema, parse(document))
        assert not problems, (seed, document, problems[0].message)

        mine, reference, by_plan = await both(api, document, values)

        said = f"seed {seed}\n{document}\n{values}\n{mine}\n{reference}"
        assert sorted_errors(mine) == sorted_errors(reference), said
        assert not defects, (defects, said)
        without_condition = values.get("maybe", True) is None or values.get("perhaps", True) is None
        assert by_plan or "errors" in reference or without_condition or _is_not_covered(document), (
            said
        )
        compiled += by_plan
        failed += "errors" in reference
    print(f"{COUNT} operations, {compiled} by a plan, {failed} with errors")
    assert compiled > COUNT / 3
    assert failed > COUNT / 50


def _is_not_covered(document):
    try:
        Operation(schema._schema, parse(document), None)
    except NotCovered:
        return True
    return False


async def test_failing_reads_answer_what_graphql_core_answers(api, known, monkeypatch):
    for table in ("timeline_event", "party"):
        fail_on(monkeypatch, table)
    with_errors = 0
    for seed in range(FAILING):
        rnd = random.Random(-1 - seed)
        generator = Generator(schema._schema, rnd)
        document = generator.document()
        values = variables(rnd, generator.used, known)

        mine, reference, by_plan = await both(api, document, values)

        # A plan reads less than graphql-core does, so it may not meet with the failure at all.
        said = f"seed {-1 - seed}\n{document}\n{values}\n{mine}\n{reference}"
        # Where `search` fails there is no data, and what else had failed by then is as it happens.
        nothing = mine.get("data", {}) is None and reference.get("data", {}) is None
        assert by_plan or nothing or sorted_errors(mine) == sorted_errors(reference), said
        with_errors += "errors" in mine
    assert with_errors > FAILING / 10
