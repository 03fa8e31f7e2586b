"""One table: every REST route and every GraphQL root field, and the scope it needs."""

import pytest

from gateway.schema import schema

READ, WRITE, DELETE = "read", "write", "delete"
KEYS = (READ, WRITE, DELETE)

ROUTES = [
    ("GET", "/cases", READ),
    ("POST", "/cases", WRITE),
    ("GET", "/cases/{case}", READ),
    ("PUT", "/cases/{case}", WRITE),
    ("DELETE", "/cases/{case}", DELETE),
    ("GET", "/cases/{case}/parties", READ),
    ("POST", "/cases/{case}/parties", WRITE),
    ("PUT", "/cases/{case}/parties", WRITE),
    ("GET", "/cases/{case}/staff", READ),
    ("POST", "/cases/{case}/staff", WRITE),
    ("DELETE", "/cases/{case}/staff", WRITE),
    ("GET", "/cases/{case}/timeline", READ),
    ("POST", "/cases/{case}/links", WRITE),
    ("GET", "/cases/{case}/links", READ),
    ("DELETE", "/cases/{case}/links/{link}", WRITE),
]
FIELDS = {
    "query": {
        "viewer": ("viewer { mode }", None),
        "node": ('node(id: "{case}") { id }', READ),
        "nodes": ('nodes(ids: ["{case}"]) { id }', READ),
        "case": ('case(id: "{case}") { id }', READ),
        "cases": ("cases { totalCount }", READ),
        "parties": ("parties { totalCount }", READ),
        "party": ('party(id: "{party}") { id }', READ),
        "staff": ("staff { totalCount }", READ),
        "staffMember": ('staffMember(id: "{staff}") { id }', READ),
    },
    "mutation": {
        "createCase": ('createCase(input: {name: "N"}) { userErrors { code } }', WRITE),
        "updateCase": (
            'updateCase(input: {id: "{case}", name: "N"}) { userErrors { code } }',
            WRITE,
        ),
        "deleteCase": ('deleteCase(input: {id: "{case}"}) { userErrors { code } }', DELETE),
        "createParty": ('createParty(input: {name: "N"}) { userErrors { code } }', WRITE),
        "updateParty": (
            'updateParty(input: {id: "{party}", name: "N"}) { userErrors { code } }',
            WRITE,
        ),
        "createStaff": ('createStaff(input: {name: "N"}) { userErrors { code } }', WRITE),
        "updateStaff": (
            'updateStaff(input: {id: "{staff}", name: "N"}) { userErrors { code } }',
            WRITE,
        ),
        "addCaseParties": (
            'addCaseParties(input: {caseId: "{case}", parties: [{partyId: "{party}", role: "x"}]})'
            " { userErrors { code } }",
            WRITE,
        ),
        "replaceCaseParties": (
            'replaceCaseParties(input: {caseId: "{case}", parties: []}) { userErrors { code } }',
            WRITE,
        ),
        "removeCaseParties": (
            'removeCaseParties(input: {caseId: "{case}", partyIds: ["{party}"]})'
            " { userErrors { code } }",
            WRITE,
        ),
        "assignStaff": (
            'assignStaff(input: {caseId: "{case}", staff: [{staffId: "{staff}", role: "x"}]})'
            " { userErrors { code } }",
            WRITE,
        ),
        "unassignStaff": (
            'unassignStaff(input: {caseId: "{case}", staffIds: ["{staff}"]})'
            " { userErrors { code } }",
            WRITE,
        ),
        "linkCases": (
            'linkCases(input: {caseId: "{case}", linkedCaseId: "{linked}", type: PARENT})'
            " { userErrors { code } }",
            WRITE,
        ),
        "unlinkCases": ('unlinkCases(input: {linkId: "{link}"}) { userErrors { code } }', WRITE),
    },
}


@pytest.fixture
async def ids(given_case, given_link):
    case, linked = await given_case(), await given_case()
    link = await given_link(case, linked)
    return {
        "rest": {"case": case["uuid"], "link": link["databaseId"]},
        "graphql": {
            "case": case["id"],
            "linked": linked["id"],
            "link": link["id"],
            "party": case["parties"]["nodes"][0]["id"],
            "staff": case["staff"]["nodes"][0]["id"],
        },
    }


def filled(template, ids):
    for name, id in ids.items():
        template = template.replace("{" + name + "}", id)
    return template


def test_the_tables_name_every_route_and_every_root_field(api_routes):
    assert {(method, path) for method, path, _scope in ROUTES} == api_routes
    for kind, fields in FIELDS.items():
        assert fields.keys() == schema._schema.type_map[kind.capitalize()].fields.keys()


@pytest.fixture
def api_routes():
    from rest_compat.application import build

    document = build().openapi()
    return {
        (method.upper(), path.replace("{case_id}", "{case}").replace("{link_id}", "{link}"))
        for path, methods in document["paths"].items()
        for method in methods
    }


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_a_route_is_open_to_its_scope_only(api, ids, method, path, scope, key):
    response = await api.rest(method, filled(path, ids["rest"]), key=key)

    refused = response.status_code == 403
    assert refused == (key != scope)
    if refused:
        assert response.json()["error"]["code"] == "AUTH_INSUFFICIENT_SCOPE"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, fields in FIELDS.items() for name in fields]
)
async def test_a_root_field_is_open_to_its_scope_only(api, ids, kind, name, key):
    field, scope = FIELDS[kind][name]

    answer = await api.graphql(f"{kind} {{ {filled(field, ids['graphql'])} }}", key=key)

    if scope in (None, key):
        assert "errors" not in answer
        if kind == "mutation":
            assert answer["data"][name]["userErrors"] == []
    else:
        # nodes itself is not nullable, so its refusal reaches the root.
        assert answer["data"] == (None if name == "nodes" else {name: None})
        [error] = answer["errors"]
        assert error["extensions"]["code"] == "AUTH_INSUFFICIENT_SCOPE"


@pytest.mark.parametrize(("method", "path", "_scope"), ROUTES)
@pytest.mark.parametrize("key", ["", "nonsense", "cg_live_0000"])
async def test_a_route_is_closed_without_a_good_key(api, ids, method, path, _scope, key):
    response = await api.rest(method, filled(path, ids["rest"]), key=key or "missing")

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "AUTH_INVALID_KEY"
