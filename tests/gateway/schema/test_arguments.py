"""Arguments are read as stored values are: the same texts, the same instants."""

import pytest

CREATE = "mutation($i: CreateCaseInput!) { createCase(input: $i) { case { id createdAt } } }"
NFD = "kla\u0308ger"  # a letter and its accent apart, as macOS writes it
NEW = {
    "name": "Case",
    "parties": [{"new": {"name": "P"}, "role": "kläger"}],
    "staff": [{"new": {"name": "S"}, "role": "kläger"}],
}
LISTS = {
    "Case.parties": "case(id: $id) { parties(role: $role) { totalCount nodes { id } } }",
    "Case.staff": "case(id: $id) { staff(role: $role) { totalCount nodes { id } } }",
    "Party.cases": "parties { nodes { cases(role: $role) { totalCount nodes { id } } } }",
    "Staff.cases": "staff { nodes { cases(role: $role) { totalCount nodes { id } } } }",
    "CaseFilter.party": "cases(filter: {party: {role: [$role]}}) { totalCount nodes { id } }",
    "CaseFilter.staff": "cases(filter: {staff: {role: [$role]}}) { totalCount nodes { id } }",
}


@pytest.fixture
async def case(api):
    return (await api.data(CREATE, {"i": NEW}))["createCase"]["case"]


async def asked(api, case, name, role):
    head = "query($id: ID!, $role: String!)" if "$id" in LISTS[name] else "query($role: String!)"
    return await api.graphql(f"{head} {{ {LISTS[name]} }}", {"id": case["id"], "role": role})


def total(value):
    """The one totalCount in an answer."""
    while "totalCount" not in value:
        value = value["nodes"][0] if "nodes" in value else next(iter(value.values()))
    assert len(value["nodes"]) == value["totalCount"]
    return value["totalCount"]


@pytest.mark.parametrize("role", ["kläger", NFD, " kläger "])
@pytest.mark.parametrize("name", LISTS)
async def test_a_role_is_found_however_it_is_spelled(api, case, name, role):
    answer = await asked(api, case, name, role)

    assert total(answer["data"]) == 1


@pytest.mark.parametrize("role", ["", "Kläger", "x" * 300])
@pytest.mark.parametrize("name", LISTS)
async def test_what_is_no_role_is_not_found_or_refused(api, case, name, role):
    answer = await asked(api, case, name, role)

    if "errors" in answer:
        assert answer["errors"][0]["extensions"]["code"] == "VALIDATION_ERROR"
    else:
        assert total(answer["data"]) == 0


@pytest.mark.parametrize("name", LISTS)
async def test_a_nul_in_a_role_is_refused(api, case, name):
    answer = await asked(api, case, name, "a\0b")

    assert {error["extensions"]["code"] for error in answer["errors"]} == {"VALIDATION_ERROR"}


@pytest.mark.parametrize("field", ["removeCaseParties", "unassignStaff"])
@pytest.mark.parametrize(("role", "code"), [(NFD, None), ("a\0b", "VALIDATION_ERROR")])
async def test_a_removal_reads_the_role_as_it_is_stored(api, case, field, role, code):
    people = "parties" if field == "removeCaseParties" else "staff"
    one = people.replace("ies", "y")
    data = await api.data(
        f"query($id: ID!) {{ case(id: $id) {{ {people} {{ nodes {{ {one} {{ id }} }} }} }} }}",
        {"id": case["id"]},
    )
    id = data["case"][people]["nodes"][0][one]["id"]
    ids = "partyIds" if people == "parties" else "staffIds"

    payload = await api.data(
        f"mutation($i: {field[0].upper()}{field[1:]}Input!) {{ {field}(input: $i)"
        f" {{ case {{ {people} {{ totalCount }} }} userErrors {{ code field }} }} }}",
        {"i": {"caseId": case["id"], ids: [id], "role": role}},
    )

    if code is None:
        assert payload[field] == {"case": {people: {"totalCount": 0}}, "userErrors": []}
    else:
        assert payload[field]["userErrors"] == [{"code": code, "field": ["role"]}]


BOUNDS = [
    ({"gte": ":00.5Z"}, 0),
    ({"gt": ":00.5Z"}, 0),
    ({"lt": ":00.5Z"}, 1),
    ({"lte": ":00.5Z"}, 1),
    ({"gte": ":00Z"}, 1),
    ({"gt": ":00Z"}, 0),
    ({"lt": ":00Z"}, 0),
    ({"lte": ":00Z"}, 1),
    ({"gte": ":00.000Z"}, 1),
    ({"lt": ":00.000Z"}, 0),
    ({"lt": ":00.0000000001Z"}, 1),
    ({"gte": ":00.0000000001Z"}, 0),
]


@pytest.mark.parametrize("field", ["createdAt", "updatedAt"])
@pytest.mark.parametrize(("bounds", "count"), BOUNDS)
async def test_fractions_of_a_second_count_in_filters(api, case, field, bounds, count):
    start = case["createdAt"].removesuffix("Z")  # it ends in the seconds of the case
    given = {sign: start + text.removeprefix(":00") for sign, text in bounds.items()}

    data = await api.data(
        "query($f: CaseFilter) { cases(filter: $f) { totalCount } }", {"f": {field: given}}
    )

    assert data["cases"]["totalCount"] == count


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("2026-01-15", True),
        ("2026-01-15T09:00:00Z", True),
        ("2026-01-15t09:00:00z", True),
        ("2026-01-15 09:00:00+01:00", True),
        ("2026-01-15T09:00", True),
        ("2026-01-15T09:00:00.123456789Z", True),
        ("2026-01-15T24:00:00Z", False),
        ("2026-01-15T23:59:60Z", False),
        ("20260115", False),
        ("20260115T090000Z", False),
        ("2026-W03-4", False),
        ("2026-02-30", False),
        ("٢٠٢٦-01-15", False),
        ("0001-01-01T00:00:00+14:00", False),
        ("", False),
    ],
)
async def test_an_instant_is_a_date_time_of_rfc_3339(api, text, good):
    answer = await api.graphql(
        "query($t: DateTime) { cases(filter: {createdAt: {gte: $t}}) { totalCount } }", {"t": text}
    )

    assert ("errors" not in answer) is good
