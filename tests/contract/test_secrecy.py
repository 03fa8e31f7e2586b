"""What is said about clients is said to those who ask, and to nobody else: no log, no error.

Every value that is sent here, and every name that is stored, has SECRET in it; keys have their own
words. Logs are read as the process writes them, down to the statements of the debug level.
"""

import json
import logging

import pytest

from domain.access import keys
from domain.models import Mode
from domain.reading import lists, lookups, objects
from domain.writing import cases, roles
from gateway import logs

SECRET = "Geheimnis"
CREATE = (
    "mutation($input: CreateCaseInput!) { createCase(input: $input) {"
    " case { id uuid name parties { nodes { party { id databaseId name } } } }"
    " userErrors { code message field } } }"
)
UPDATE = (
    "mutation($input: UpdateCaseInput!) { updateCase(input: $input) {"
    " case { name } userErrors { code message field } } }"
)
CASES = (
    "query($filter: CaseFilter, $after: String, $first: Int) {"
    " cases(filter: $filter, after: $after, first: $first) { totalCount nodes { name } } }"
)
INTERNALS = ("SELECT", "INSERT", "sqlite", "Traceback", "Exception", ".py", "domain.", "gateway.")

NEW = {
    "name": f"{SECRET} ./. Weiß",
    "fileNumber": f"AZ-{SECRET}",
    "description": f"{SECRET} description",
    "dezernat": f"{SECRET} department",
    "type": f"type_{SECRET}".lower(),
    "parties": [
        {"new": {"name": f"{SECRET} party"}, "role": "client", "reference": f"{SECRET} reference"}
    ],
    "staff": [
        {
            "new": {"name": f"{SECRET} staff", "email": f"{SECRET}@example.org"},
            "role": "clerk",
            "note": f"{SECRET} note",
        }
    ],
    "idempotencyKey": f"{SECRET} key",
}


@pytest.fixture(params=["json", "text"])
def written(request, capfd):
    """Everything that is logged from its first call on, at the level that says most.

    A fixture of its own would be set up too early: pytest's own handlers come with the test.
    """

    def begin():
        logs.configure("debug", request.param)
        return lambda: "".join(capfd.readouterr())

    yield begin
    logging.getLogger("casegraph").setLevel(logging.NOTSET)
    logging.getLogger().handlers.clear()


class Errors(list):
    """The error parts of answers, as text."""

    def note(self, response):
        body = response.json() if response.content else {}
        payloads = (body.get("data") or {}).values() if isinstance(body, dict) else ()
        if isinstance(body.get("error"), dict):
            # After a version conflict the caller, who may read it, is shown the case as it is now.
            for detail in body["error"]["details"]:
                detail.pop("current", None)
        found = [body.get("errors"), body.get("error")]
        found += [one.get("userErrors") for one in payloads if isinstance(one, dict)]
        told = [json.dumps(part, ensure_ascii=False) for part in found if part]
        self.extend(told)
        return response, told


async def succeed(api):
    """One of everything, read and written; the case."""
    data = await api.data(CREATE, {"input": NEW})
    case = data["createCase"]["case"]
    party = case["parties"]["nodes"][0]["party"]
    id = case["uuid"]
    await api.data(UPDATE, {"input": {"id": case["id"], "description": f"{SECRET} again"}})
    await api.data(CASES, {"filter": {"search": SECRET, "fileNumber": f"AZ-{SECRET}"}})
    await api.data(f'{{ cases(filter: {{search: "{SECRET}"}}) {{ totalCount }} }}')
    await api.data(f'{{ case(fileNumber: "AZ-{SECRET}") {{ name }} parties {{ totalCount }} }}')
    await api.data(
        "mutation($input: UpdatePartyInput!) { updateParty(input: $input) { party { name } } }",
        {"input": {"id": party["id"], "name": f"{SECRET} renamed"}},
    )
    await api.rest("PUT", f"/cases/{id}", json={"name": f"{SECRET} by REST"})
    await api.rest("POST", f"/cases/{id}/parties", json={"name": SECRET, "role": "witness"})
    headers = {"Idempotency-Key": SECRET}
    await api.rest("POST", "/cases", json={"name": SECRET}, headers=headers)
    for path in ("", f"?search={SECRET}", f"/{id}", f"/{id}/parties", f"/{id}/timeline"):
        assert (await api.rest("GET", f"/cases{path}")).status_code == 200
    await api.http.get(
        "/graphql",
        params={"query": CASES, "variables": json.dumps({"filter": {"search": SECRET}})},
        headers=api.bearer("all"),
    )
    return case


def failing_operations(case):
    """GraphQL requests that are refused in every way there is: a document and its variables."""
    input = {"name": SECRET}
    bad_staff = {"new": {"name": "N", "email": SECRET}, "role": "x"}
    missing_party = {"partyId": "pty_x", "role": "x"}
    return {
        "taken number": (CREATE, {"input": input | {"fileNumber": f"AZ-{SECRET}"}}),
        "reused key": (CREATE, {"input": input | {"idempotencyKey": f"{SECRET} key"}}),
        "long value": (CREATE, {"input": {"name": SECRET * 100}}),
        "bad word": (CREATE, {"input": input | {"type": f"{SECRET} {SECRET}"}}),
        "bad email": (CREATE, {"input": input | {"staff": [bad_staff]}}),
        "missing party": (CREATE, {"input": input | {"parties": [missing_party]}}),
        "old version": (UPDATE, {"input": input | {"id": case["id"], "expectedVersion": 1}}),
        "forged cursor": (CASES, {"after": SECRET}),
        "bad count": (CASES, {"first": 0, "filter": {"search": SECRET}}),
        "long search": (CASES, {"filter": {"search": SECRET * 100}}),
        "no such field": ("{ cases { nodes { name nothing } } }", None),
        "no such operation": ("query A { viewer { mode } } query B { viewer { mode } }", None),
    }


def uncoercible_operations():
    """GraphQL requests whose values are of no type that fits; graphql-core likes to quote them."""
    name = json.dumps(SECRET)
    return {
        "wrong type": (CASES, {"first": SECRET}),
        "wrong enum": (CASES, {"filter": {"status": [SECRET]}}),
        "wrong date": (CASES, {"filter": {"createdAt": {"gte": SECRET}}}),
        "wrong object": (CASES, {"filter": SECRET}),
        "wrong list": (CREATE, {"input": {"name": "N", "parties": SECRET}}),
        "unknown field": (CREATE, {"input": {"name": SECRET, "more": SECRET}}),
        "missing field": (CREATE, {"input": {"fileNumber": SECRET}}),
        "one bad field": (CREATE, {"input": {"name": SECRET, "status": 1}}),
        "null name": (CREATE, {"input": {"name": None, "description": SECRET}}),
        "wrong literal": (f"{{ cases(first: {name}) {{ totalCount }} }}", None),
        "enum literal": (f"{{ cases(filter: {{status: [{name}]}}) {{ totalCount }} }}", None),
        "date literal": (
            f"{{ cases(filter: {{createdAt: {{gte: {name}}}}}) {{ totalCount }} }}",
            None,
        ),
        "object literal": (
            f"mutation {{ createCase(input: {{name: {name}, status: {name}}}) {{"
            " case { id } } }",
            None,
        ),
        "default": (f"query($n: Int = {name}) {{ cases(first: $n) {{ totalCount }} }}", None),
        "unclosed": (f'{{ cases(filter: {{search: "{SECRET}', None),
    }


def failing_routes(case):
    """REST requests that are refused: method, path and options."""
    path = f"/cases/{case['uuid']}"
    return [
        ("POST", "/cases", {"json": {"name": SECRET, "file_number": f"AZ-{SECRET}"}}),
        ("POST", "/cases", {"json": {"name": SECRET * 100}}),
        ("POST", "/cases", {"json": {"name": [SECRET]}}),
        ("POST", "/cases", {"json": {"name": {"name": SECRET}, "type": 1}}),
        ("POST", "/cases", {"json": [SECRET]}),
        ("POST", "/cases", {"json": SECRET}),
        ("POST", "/cases", {"content": f'{{"name": "{SECRET}"'}),
        ("POST", "/cases", {"json": {"name": "M"}, "headers": {"Idempotency-Key": SECRET}}),
        ("PUT", path, {"json": {"name": SECRET}, "headers": {"If-Match": '"1"'}}),
        ("PUT", path, {"json": {"status": SECRET}}),
        ("POST", f"{path}/parties", {"json": {"id": "pty_x", "role": "x", "name": SECRET}}),
        ("POST", f"{path}/parties", {"json": {"name": SECRET, "role": SECRET}}),
        ("POST", f"{path}/staff", {"json": {"name": SECRET, "email": SECRET, "role": "x"}}),
        ("POST", f"{path}/links", {"json": {"case_id": case["uuid"], "type": SECRET}}),
        ("GET", f"/cases?search={SECRET * 100}", {}),
        ("GET", f"/cases?cursor={SECRET}", {}),
        ("GET", f"/cases?limit={SECRET}", {}),
        ("GET", f"/cases?status={SECRET}", {}),
    ]


async def post(api, document, variables, key="all"):
    return await api.http.post(
        "/graphql",
        json={"query": document, "variables": variables},
        headers=api.bearer(key),
    )


async def test_logs_hold_no_value_that_was_sent_or_is_stored(api, written):
    logged_so_far = written()
    case = await succeed(api)
    operations = failing_operations(case) | uncoercible_operations()
    for document, variables in operations.values():
        assert Errors().note(await post(api, document, variables))[1], document
    for method, path, options in failing_routes(case):
        response = await api.rest(method, path, **options)
        assert response.status_code >= 400, (method, path)

    logged = logged_so_far()
    assert "FROM cases" in logged
    assert SECRET.lower() not in logged.lower()


async def test_logs_hold_routes_and_no_paths(api, written):
    logged_so_far = written()
    key = api.keys["all"]
    for method, path in (
        ("GET", f"/api/v1/cases/{SECRET}"),
        ("GET", f"/api/v1/cases/{SECRET}/parties"),
        ("DELETE", f"/api/v1/cases/{SECRET}/links/{SECRET}"),
        ("GET", f"/api/v1/{SECRET}"),
        ("GET", f"/{SECRET}"),
        ("GET", f"/api/v1/{key}"),
        ("GET", f"/graphql/static/{key}"),
        ("POST", f"/graphql/{SECRET}"),
        ("GET", f"/api/v1/cases/%1b[31m{SECRET}"),
        (SECRET.upper(), "/graphql"),
    ):
        response = await api.http.request(method, path, headers=api.bearer("all"))
        assert response.status_code in (404, 405), path

    logged = logged_so_far()
    assert "/api/v1/cases/{case_id}/links/{link_id}" in logged
    assert "(no route)" in logged
    assert SECRET.lower() not in logged.lower()
    assert key not in logged


async def test_logs_hold_no_key_good_or_bad(api, written):
    logged_so_far = written()
    unknown, _ = keys.new_key(Mode.LIVE)
    sent = [api.keys["all"], api.keys["read"], unknown, unknown[:-1] + "?", "hunter2hunter2"]
    for key in sent:
        for scheme in ("Bearer", "Basic", "Token", ""):
            headers = {"Authorization": f"{scheme} {key}".strip()}
            await api.http.get("/api/v1/cases", headers=headers)
            await api.http.post("/graphql", json={"query": "{ viewer { mode } }"}, headers=headers)

    logged = logged_so_far()
    assert "status" in logged
    for key in sent:
        # The log names a good key by its id, which opens nothing.
        assert key not in logged
        assert key[-38:] not in logged


DEFECTS = [
    (lists, "cases", "GET", "/cases", "{ cases { totalCount } }"),
    (lookups, "by_id", "GET", "/cases/{id}", '{ case(id: "{id}") { name } }'),
    (
        cases,
        "create_case",
        "POST",
        "/cases",
        'mutation { createCase(input: {name: "N"}) { userErrors { code } } }',
    ),
    (
        roles,
        "add_parties",
        "POST",
        "/cases/{id}/parties",
        'mutation { addCaseParties(input: {caseId: "{id}", parties: [{partyId: "x", role: "x"}]})'
        " { userErrors { code } } }",
    ),
    (objects, "related", "GET", "/cases/{id}/parties", None),
]


@pytest.fixture(params=DEFECTS, ids=lambda found: found[1])
async def defect(request, api, given_case, monkeypatch):
    """Both surfaces asked for what breaks, with SQL and a client's name in the exception's text."""
    module, name, method, path, document = request.param
    case = await given_case()

    def broken(*_arguments, **_options):
        try:
            raise ValueError(f"{SECRET}, client of the firm")
        except ValueError as cause:
            raise RuntimeError(f"SELECT name FROM party WHERE name = '{SECRET}'") from cause

    monkeypatch.setattr(module, name, broken)

    async def ask():
        body = {"name": "N", "role": "x"} if path.endswith("parties") else {"name": "N"}
        options = {"json": body} if method == "POST" else {}
        answers = [await api.rest(method, path.replace("{id}", case["uuid"]), **options)]
        if document is not None:
            answers.append(await post(api, document.replace("{id}", case["uuid"]), None))
        return answers

    return ask


async def test_the_answer_to_a_defect_tells_nothing_of_it(defect):
    rest, *graphql = await defect()

    assert (rest.status_code, rest.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    for answer in graphql:
        assert answer.json()["errors"][0]["extensions"] == {"code": "INTERNAL_ERROR"}
    for answer in (rest, *graphql):
        shown = answer.text + str(answer.headers)
        assert SECRET not in shown
        assert not [word for word in INTERNALS if word in shown]


async def test_a_defect_is_logged_where_it_was_without_the_words_of_the_exception(defect, written):
    logged_so_far = written()
    answers = await defect()

    logged = logged_so_far()
    for answer in answers:
        assert answer.headers["X-Request-Id"] in logged
    assert "RuntimeError" in logged
    assert "in broken" in logged
    assert SECRET not in logged


async def test_errors_name_no_client_and_nothing_of_the_program(api):
    case = await succeed(api)
    told = Errors()
    for document, variables in failing_operations(case).values():
        assert told.note(await post(api, document, variables))[1], document
    for method, path, options in failing_routes(case):
        response, shown = told.note(await api.rest(method, path, **options))
        assert response.status_code >= 400
        assert shown

    for text in told:
        # A file number is no name; who asks for it again is told which it was.
        assert SECRET not in text.replace(f"file number AZ-{SECRET}", "")
        assert not [word for word in INTERNALS if word in text], text


@pytest.mark.parametrize("which", uncoercible_operations())
async def test_a_value_of_the_wrong_type_is_not_quoted(api, which):
    document, variables = uncoercible_operations()[which]

    [told] = Errors().note(await post(api, document, variables))[1]

    assert SECRET not in told
    assert not [word for word in INTERNALS if word in told]


async def test_a_foreign_client_is_named_in_no_error(api, given_case):
    theirs = await given_case(key="stranger", name=SECRET, fileNumber="AZ-1")
    mine = await given_case(fileNumber="AZ-2")
    told = Errors()
    for method, path, options in (
        ("GET", f"/cases/{theirs['uuid']}", {}),
        ("PUT", f"/cases/{theirs['uuid']}", {"json": {"name": "N"}}),
        ("DELETE", f"/cases/{theirs['uuid']}", {}),
        ("POST", f"/cases/{mine['uuid']}/links", {"json": {"case_id": theirs["uuid"]}}),
    ):
        response, _ = told.note(await api.rest(method, path, **options))
        assert response.status_code == 404
    free = await api.rest("PUT", f"/cases/{mine['uuid']}", json={"file_number": "AZ-1"})

    assert free.status_code == 200
    assert SECRET not in "".join(told)
