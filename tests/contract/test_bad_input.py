"""What the input must not be: the same refusal through both doors, and nothing half written."""

import base64

import pytest

from domain.access import keys
from domain.models import Mode

CREATE = (
    "mutation($input: CreateCaseInput!) { createCase(input: $input) {"
    " case { id } userErrors { code message field } } }"
)
LINK = (
    "mutation($a: ID!, $b: ID!) { linkCases(input: {caseId: $a, linkedCaseId: $b, type: RELATED})"
    " { link { id } userErrors { code field } } }"
)


async def total(api, key="all"):
    return await api.data("{ cases { totalCount } parties { totalCount } }", key=key)


@pytest.mark.parametrize(
    ("field", "rest_field", "value"),
    [
        ("name", "name", ""),
        ("name", "name", "   "),
        ("name", "name", "x" * 501),
        ("name", "name", "NUL \0 inside"),
        ("name", "name", "two\nlines"),
        ("fileNumber", "file_number", "x" * 101),
        ("type", "type", "Two Words"),
        ("type", "type", "UPPER"),
        ("description", "description", "x" * 20_001),
        ("dezernat", "dezernat", "bell \a"),
    ],
)
async def test_a_bad_value_is_refused_the_same_way(api, field, rest_field, value):
    new = {"name": "N", field: value}
    body = {"name": "N", rest_field: value}

    data = await api.data(CREATE, {"input": new})
    rest = await api.rest("POST", "/cases", json=body)

    [user_error] = data["createCase"]["userErrors"]
    [detail] = rest.json()["error"]["details"]
    assert data["createCase"]["case"] is None
    assert (user_error["code"], user_error["field"]) == ("VALIDATION_ERROR", [field])
    assert (rest.status_code, detail["code"], detail["field"]) == (
        400,
        "VALIDATION_ERROR",
        rest_field,
    )
    assert detail["message"] == user_error["message"]
    assert await total(api) == {"cases": {"totalCount": 0}, "parties": {"totalCount": 0}}


async def test_a_name_of_ten_megabytes_is_refused(api):
    name = "x" * 10_000_000

    graphql = await api.http.post(
        "/graphql",
        json={"query": CREATE, "variables": {"input": {"name": name}}},
        headers=api.bearer("all"),
    )
    rest = await api.rest("POST", "/cases", json={"name": name})

    assert graphql.status_code == rest.status_code == 413
    assert graphql.json()["errors"][0]["extensions"]["code"] == "PAYLOAD_TOO_LARGE"
    assert rest.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"


async def test_a_file_number_is_given_once(api, given_case):
    await given_case(fileNumber="AZ-1")
    before = await total(api)

    new = {
        "name": "N",
        "fileNumber": "AZ-1",
        "parties": [{"new": {"name": "Never entered"}, "role": "client"}],
    }
    data = await api.data(CREATE, {"input": new})
    rest = await api.rest("POST", "/cases", json={"name": "N", "file_number": "AZ-1"})

    assert data["createCase"]["userErrors"] == [
        {
            "code": "FILE_NUMBER_CONFLICT",
            "message": "Another case has the file number AZ-1.",
            "field": ["fileNumber"],
        }
    ]
    assert (rest.status_code, rest.json()["error"]["code"]) == (409, "FILE_NUMBER_CONFLICT")
    assert await total(api) == before


async def test_a_case_is_not_linked_to_itself(api, given_case):
    case = await given_case()

    data = await api.data(LINK, {"a": case["id"], "b": case["uuid"]})
    rest = await api.rest(
        "POST",
        f"/cases/{case['uuid']}/links",
        json={"target_case_id": case["uuid"], "type": "related"},
    )

    assert data["linkCases"]["userErrors"] == [
        {"code": "VALIDATION_ERROR", "field": ["linkedCaseId"]}
    ]
    assert (rest.status_code, rest.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_a_link_is_made_once_from_whichever_end(api, given_case, given_link):
    one, two = await given_case(), await given_case()
    await given_link(one, two)

    data = await api.data(LINK, {"a": two["id"], "b": one["id"]})
    rest = await api.rest(
        "POST",
        f"/cases/{one['uuid']}/links",
        json={"linked_case_id": two["uuid"], "type": "related"},
    )

    assert data["linkCases"]["userErrors"] == [{"code": "LINK_EXISTS", "field": ["type"]}]
    assert (rest.status_code, rest.json()["error"]["code"]) == (409, "LINK_EXISTS")


async def test_a_role_list_names_nobody_twice_in_one_role(api, given_case):
    case = await given_case()
    party = case["parties"]["nodes"][0]["party"]
    role = {"partyId": party["id"], "role": "witness"}

    data = await api.data(
        "mutation($input: ReplaceCasePartiesInput!) { replaceCaseParties(input: $input) {"
        " userErrors { code field } } }",
        {"input": {"caseId": case["id"], "parties": [role, role]}},
    )
    body = [{"id": party["databaseId"], "role": "witness"}] * 2
    rest = await api.rest("PUT", f"/cases/{case['uuid']}/parties", json=body)
    after = (await api.rest("GET", f"/cases/{case['uuid']}")).json()

    assert data["replaceCaseParties"]["userErrors"] == [
        {"code": "VALIDATION_ERROR", "field": ["parties", "1", "partyId"]}
    ]
    assert rest.status_code == 400
    assert rest.json()["error"]["details"][0]["field"] == "parties.1.id"
    assert [one["role"] for one in after["parties"]] == ["client"]


async def test_a_party_of_another_workspace_is_not_found(api, given_case):
    mine, theirs = await given_case(), await given_case(key="stranger")
    party = theirs["parties"]["nodes"][0]["party"]

    data = await api.data(
        "mutation($input: AddCasePartiesInput!) { addCaseParties(input: $input) {"
        " userErrors { code field } } }",
        {
            "input": {
                "caseId": mine["id"],
                "parties": [{"partyId": party["id"], "role": "client"}],
            }
        },
    )
    rest = await api.rest(
        "POST",
        f"/cases/{mine['uuid']}/parties",
        json={"id": party["databaseId"], "role": "client"},
    )

    assert data["addCaseParties"]["userErrors"] == [
        {"code": "PARTY_NOT_FOUND", "field": ["parties", "0", "partyId"]}
    ]
    assert (rest.status_code, rest.json()["error"]["code"]) == (404, "PARTY_NOT_FOUND")


CURSOR = base64.b64encode(b'{"id":"x","k":["y"],"f":"000000000000"}').decode()


@pytest.mark.parametrize(
    "cursor", ["", "x", "é", "e30=", CURSOR, "A" * 10_000, "bnVsbA==", "\0", "W10="]
)
async def test_a_forged_cursor_is_refused(api, cursor):
    query = "query($c: String) { cases(after: $c) { totalCount } }"
    answer = await api.graphql(query, {"c": cursor})
    rest = await api.rest("GET", "/cases", params={"cursor": cursor})

    assert answer["data"] == {"cases": None}
    assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"
    if cursor:  # an empty parameter is an absent one
        assert (rest.status_code, rest.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("limit", [0, -1, 101, 2**31 - 1])
async def test_a_limit_out_of_range_is_refused(api, limit):
    answer = await api.graphql("query($n: Int) { cases(first: $n) { totalCount } }", {"n": limit})
    rest = await api.rest("GET", f"/cases?limit={limit}")

    assert answer["errors"][0]["message"] == "first must be between 1 and 100."
    assert rest.status_code == 400
    assert rest.json()["error"]["details"][0]["field"] == "limit"


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"null", "application/json", 400),
        (b"1", "application/json", 400),
        (b'"x"', "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"query": 1}', "application/json", 400),
        (b'{"query": "{viewer{mode}}", "variables": []}', "application/json", 400),
        (b'{"query": "{viewer{mode}}", "operationName": 1}', "application/json", 400),
        (b'{"query": "{viewer{mode}}", "operationName": "No"}', "application/json", 400),
        (b'{"query": "\\ud800"}', "application/json", 400),
        (b'{"query": "\xff"}', "application/json", 400),
        (b'{"query": "{viewer{mode}}"}', "text/plain", 415),
        (b"query={viewer{mode}}", "application/x-www-form-urlencoded", 415),
        (b'{"query": "{viewer{mode}}"}', "", 415),
    ],
)
async def test_a_malformed_graphql_request_is_refused(api, content, content_type, status):
    response = await api.http.post(
        "/graphql", content=content, headers={**api.bearer("all"), "Content-Type": content_type}
    )

    assert response.status_code == status
    assert response.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ viewer { nothing } }",
        "query A { viewer { mode } } query B { viewer { mode } }",
        '{ cases(first: "x") { totalCount } }',
        "query($f: CaseFilter!) { cases(filter: $f) { totalCount } }",
        '{ cases(filter: {createdAt: {gte: "no date"}}) { totalCount } }',
        'mutation { createCase(input: {name: "N", nothing: 1}) { case { id } } }',
        "subscription { nothing }",
    ],
)
async def test_a_bad_document_runs_nothing(api, query):
    answer = await api.graphql(query)

    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_a_filter_that_is_too_deep_is_refused(api):
    wanted: dict[str, object] = {}
    for _ in range(190):
        wanted = {"not": wanted}

    answer = await api.graphql(
        "query($f: CaseFilter) { cases(filter: $f) { totalCount } }", {"f": wanted}
    )

    assert answer["errors"][0]["extensions"]["code"] in (
        "VALIDATION_ERROR",
        "GRAPHQL_VALIDATION_FAILED",
    )


async def test_a_mutation_does_not_run_by_get(api):
    response = await api.http.get(
        "/graphql",
        params={"query": 'mutation { createCase(input: {name: "N"}) { case { id } } }'},
        headers=api.bearer("all"),
    )

    assert response.status_code == 405
    assert (await total(api))["cases"]["totalCount"] == 0


async def test_bad_keys_look_alike(api, owner):
    unknown, _id = keys.new_key(Mode.LIVE)
    revoked = api.keys["read"]
    from domain.upkeep import administration

    await administration.revoke_key(owner, str(keys.key_id(revoked)))
    answers = set()
    for key in (unknown, revoked, revoked[:-1] + "0", "cg_live_", "é", ""):
        headers = {"Authorization": f"Bearer {key}".encode()}
        rest = await api.http.get("/api/v1/cases", headers=headers)
        graphql = await api.http.post("/graphql", json={"query": "{a}"}, headers=headers)
        assert rest.status_code == graphql.status_code == 401
        answers.add((rest.text, graphql.text))

    assert len(answers) == 1


@pytest.mark.parametrize("joiner", ["and", "or"])
async def test_a_filter_of_very_many_empty_parts_is_refused_at_once(api, joiner):
    query = "query($f: CaseFilter) { cases(filter: $f) { totalCount } }"

    for count in (100, 190):
        [error] = (await api.graphql(query, {"f": {joiner: [{}] * count}}))["errors"]
        assert error["extensions"]["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("term", ["\u0301", "\u0301\u0302"])
async def test_a_search_for_accents_alone_finds_everything(api, term):
    await api.rest("POST", "/cases", json={"name": "Müller"})

    graphql = await api.data(
        "query($s: String) { cases(filter: {search: $s}) { totalCount } "
        "parties(search: $s) { totalCount } }",
        {"s": term},
    )
    rest = (await api.rest("GET", "/cases", params={"search": term})).json()

    assert graphql == {"cases": {"totalCount": 1}, "parties": {"totalCount": 0}}
    assert len(rest["data"]) == 1


async def test_a_percent_sign_in_a_search_is_a_separator(api):
    for name in ("100 Jahre", "Zinssatz 0% p.a.", "Zinssatz p.a."):
        await api.rest("POST", "/cases", json={"name": name})

    for search, names in (("0%", ["Zinssatz 0% p.a.", "100 Jahre"]), ("0%p", ["Zinssatz 0% p.a."])):
        found = (await api.rest("GET", "/cases", params={"search": search})).json()["data"]
        assert [case["name"] for case in found] == names


@pytest.mark.parametrize(
    ("key", "document"),
    [
        (
            "read",
            'mutation { createCase(input: {name: "", parties: [{role: ""}]}) '
            "{ userErrors { code } } }",
        ),
        ("read", 'mutation { deleteCase(input: {id: "x"}) { userErrors { code } } }'),
        ("write", "{ cases(first: 0) { totalCount } }"),
        ("write", "{ case { id } }"),
    ],
)
async def test_the_scope_is_asked_for_before_the_input(api, key, document):
    [error] = (await api.graphql(document, key=key))["errors"]

    assert error["extensions"]["code"] == "AUTH_INSUFFICIENT_SCOPE"
