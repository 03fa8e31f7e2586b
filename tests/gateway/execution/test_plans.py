"""What an operation becomes: layers, or work for graphql-core; and what is remembered."""

import gc

import orjson
import pytest
from graphql import parse

from domain.errors import Invalid
from gateway.execution import documents
from gateway.execution.documents import Documents, Remembered
from gateway.execution.explaining import explain
from gateway.execution.operations import Operation
from gateway.limits.costs import Cost, OperationCost
from gateway.schema.assembled import schema
from tests.gateway.execution.failing_reads import fail_on

CASES = """query Cases($first: Int, $filter: CaseFilter, $with: Boolean! = true) {
  cases(first: $first, filter: $filter) {
    nodes { ...Fields parties(first: 10) @include(if: $with) { nodes { role party { name } } } }
  }
}
fragment Fields on Case { name fileNumber }"""
FREE = OperationCost(Cost(), {})
CREATE = """mutation($n: String!) {
  createCase(input: {name: $n}) {
    case { name parties { nodes { party { name } } } } userErrors { code }
  }
}"""


def steps(query, variables=None):
    return explain(schema, query, variables).steps


def test_every_field_that_loads_is_a_layer_with_the_columns_it_shows():
    page, parties = steps(CASES)

    assert (page.path, page.loads, page.above) == ("cases", "page of a list", None)
    assert page.columns == ("name", "file_number", "id")
    assert (parties.path, parties.loads) == ("cases.nodes.parties", "page for each parent")
    assert (parties.above, parties.when) == (page.number, "$with")
    assert parties.columns == ("role", "party.name")


def test_a_layer_is_one_statement_and_a_total_one_more():
    [page] = steps("{ cases { totalCount nodes { name } } }")
    [total] = steps("{ cases { totalCount } }")

    assert [statement.split()[1] for statement in page.statements] == ["cases.name", "count(*)"]
    assert [statement.split()[1] for statement in total.statements] == ["count(*)"]


def test_what_is_shown_under_two_names_is_read_once():
    [page] = steps("{ cases { nodes { a: name b: name id uuid } } }")

    assert page.columns == ("name", "id")


def test_the_cost_is_the_rows_that_may_be_read():
    nested = "query($n: Int) { cases(first: $n) { nodes { staff(first: 3) { nodes { role } } } } }"

    for count in (4, 100):
        explained = explain(schema, nested, {"n": count})
        assert [step.rows for step in explained.steps] == [count, count * 3]
        assert explained.cost == count + count * 3


def test_the_case_at_the_other_end_of_a_link_comes_along():
    links = steps('{ case(id: "x") { links { nodes { linkedCase { name } } } } }')

    assert [step.path for step in links] == ["case", "case.links"]
    assert links[1].columns == ("linked.name",)


def test_the_source_holds_no_text_of_the_client_but_response_names():
    query = '{ mine: cases(filter: {search: "x\'; import os"}) { nodes { its: name } } }'

    [source] = explain(schema, query).sources

    assert "'mine'" in source
    assert "'its'" in source
    assert "import" not in source


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("{ __schema { queryType { name } } }", "queries the schema"),
        ("{ cases(first: 0) { totalCount } }", "arguments of cases are refused"),
        (
            'mutation { __typename createCase(input: {name: "N"}) { userErrors { code } } }',
            "it selects __typename at its root, or a field whose place depends on variables",
        ),
    ],
)
def test_what_a_plan_does_not_cover_says_why(query, reason):
    explained = explain(schema, query)

    assert reason in explained.not_covered
    assert explained.steps == ()


@pytest.mark.parametrize(
    ("query", "variables", "message"),
    [
        ("{ cases", None, "does not parse"),
        ("{ nothing }", None, "is not valid"),
        ("query($n: Int!) { cases(first: $n) { totalCount } }", {"n": "x"}, "do not match"),
    ],
)
def test_what_is_not_valid_is_not_explained(query, variables, message):
    with pytest.raises(Invalid, match=message):
        explain(schema, query, variables)


async def test_variables_make_no_new_plan(api, monkeypatch):
    made = []
    compile_ = Operation.__init__
    monkeypatch.setattr(
        Operation, "__init__", lambda self, *args: (made.append(1), compile_(self, *args))[1]
    )

    await api.data(CASES)  # what is asked again is remembered from its second time on
    for variables in (
        {},
        {"first": 3},
        {"first": 7, "with": False},
        {"filter": {"status": ["ACTIVE"]}},
        {"filter": {"not": {"search": "x"}}, "with": True},
    ):
        await api.data(CASES, variables)

    assert made == [1, 1]


async def test_a_mutation_whose_answer_cannot_be_read_is_not_executed_twice(api, monkeypatch):
    with monkeypatch.context() as patched:
        fail_on(patched, "case_party")
        answer = await api.graphql(CREATE, {"n": "Once"})

    assert answer["data"]["createCase"] == {"case": None, "userErrors": []}
    assert [error["path"] for error in answer["errors"]] == [["createCase", "case", "parties"]]
    cases = (await api.data("{ cases { nodes { name } } }"))["cases"]["nodes"]
    assert cases == [{"name": "Once"}]


async def test_a_later_mutation_still_runs_after_one_that_raised(api):
    first = await api.graphql(
        'mutation { a: deleteCase(input: {id: "x"}) { userErrors { code } } '
        'b: createCase(input: {name: "B"}) { case { name } userErrors { code } } }',
        key="write",
    )

    assert first["data"]["a"] is None
    assert first["errors"][0]["extensions"]["code"] == "AUTH_INSUFFICIENT_SCOPE"
    assert first["data"]["b"] == {"case": {"name": "B"}, "userErrors": []}
    cases = (await api.data("{ cases { totalCount } }"))["cases"]
    assert cases == {"totalCount": 1}


def test_only_so_many_operations_are_remembered(monkeypatch):
    monkeypatch.setattr(documents, "MOST", 3)
    known = Documents()
    query = "{ viewer { mode } }"
    operation = Operation(schema._schema, parse(query), None)

    for name in "abcd":
        for _ in range(2):
            known.remember(query, name, Remembered(operation, FREE))
        known.find(query, "a")

    assert [name for name in "abcd" if known.find(query, name)] == ["a", "c", "d"]


def test_what_is_asked_once_is_not_remembered():
    known = Documents()
    operation = Operation(schema._schema, parse("{ viewer { mode } }"), None)

    for _ in range(2):
        for n in range(documents.SEEN + 10):
            known.remember(f"#{n}", None, Remembered(operation, FREE))
        known.remember("again", None, Remembered(operation, FREE))
        known.remember("again", None, Remembered(operation, FREE))
        assert known.find("again", None)
        assert len(known._known) == 1
    assert len(known._seen) == documents.SEEN


def test_long_documents_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(documents, "MOST_CHARACTERS", 100)
    known = Documents()
    operation = Operation(schema._schema, parse("{ viewer { mode } }"), None)

    for index in range(20):
        known.remember(f"{index // 2}" * 40, None, Remembered(operation, FREE))

    assert [index for index in range(10) if known.find(f"{index}" * 40, None)] == [8, 9]


async def test_documents_that_are_dropped_leave_nothing_for_the_garbage_collector(api, monkeypatch):
    documents_of_all_kinds = [
        "query Q{} {{ cases {{ nodes {{ id parties {{ nodes {{ role }} }} }} }} }}",
        'query Q{} {{ cases(after: "x") {{ nodes {{ id }} }} }}',
        'mutation Q{} {{ createCase(input: {{name: "N"}}) {{ case {{ id }} }} }}',
    ]
    monkeypatch.setattr(documents, "MOST", 1_000)
    for document in documents_of_all_kinds:
        for index in range(40):
            await api.graphql(document.format(index // 2))
    gc.collect()  # what parsing and validation left

    monkeypatch.setattr(documents, "MOST", 0)
    await api.graphql("{ viewer { mode } }")
    monkeypatch.undo()
    gc.collect(0)

    assert gc.collect() < 500  # there were thousands


async def test_changes_are_passed_on_as_they_are_stored(api):
    made = await api.data(
        'mutation { createCase(input: {name: "N"}) { case { id timeline { nodes { '
        "changes { field before after } other: changes { after field } } } } } }"
    )

    [event] = made["createCase"]["case"]["timeline"]["nodes"]
    assert event["changes"][0] == {"field": "name", "before": None, "after": "N"}
    assert event["other"][0] == {"after": "N", "field": "name"}
    assert orjson.dumps(event["other"][0]) == b'{"after":"N","field":"name"}'


async def test_a_deleted_case_shows_no_links(api):
    ids = []
    for name in "AB":
        made = await api.data(CREATE.replace("name parties", "id parties"), {"n": name})
        ids.append(made["createCase"]["case"]["id"])
    await api.data(
        "mutation($a: ID!, $b: ID!) { linkCases(input: {caseId: $a, linkedCaseId: $b, "
        "type: RELATED}) { userErrors { code } } }",
        {"a": ids[0], "b": ids[1]},
    )

    deleted = await api.data(
        "mutation($a: ID!) { deleteCase(input: {id: $a}) { case { name links { totalCount "
        "nodes { case { name } } } } } }",
        {"a": ids[0]},
    )

    links = {"totalCount": 0, "nodes": []}
    assert deleted["deleteCase"]["case"] == {"name": "A", "links": links}


async def test_graphql_core_counts_a_list_once(api, caplog):
    names = " ".join(f"n{index}: totalCount" for index in range(20))
    caplog.set_level("DEBUG", logger="casegraph.sql")

    await api.graphql(f"{{ cases {{ {names} }} bad: cases(first: 0) {{ totalCount }} }}")

    counts = [record for record in caplog.records if "count(*)" in record.getMessage()]
    assert len(counts) == 1
