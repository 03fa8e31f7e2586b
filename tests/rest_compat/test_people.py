"""The firm's parties and staff over REST, and the cases of each."""

import pytest

KINDS = [("parties", "PARTY_NOT_FOUND"), ("staff", "STAFF_NOT_FOUND")]


@pytest.fixture
async def office(rest):
    """Two cases: Müller is a client in both, and a witness in the first; Groß works on both."""
    first = await rest.case(
        name="First",
        file_number="F 1",
        parties=[
            {"name": "Jörg Müller", "role": "client", "reference": "J 1"},
            {"name": "Weiß GmbH", "role": "opponent", "type": "organization"},
        ],
        staff=[{"name": "Anna Groß", "email": "gross@example.org", "role": "lead_attorney"}],
    )
    party = first["parties"][0]["id"]
    staff = first["staff"][0]["id"]
    await rest("POST", f"/cases/{first['id']}/parties", json={"id": party, "role": "witness"})
    second = await rest.case(
        name="Second",
        parties=[{"id": party, "role": "client"}],
        staff=[{"id": staff, "role": "clerk", "note": "until June"}],
    )
    return {"first": first, "second": second, "party": party, "staff": staff}


async def test_parties_are_listed_by_name_and_searched(rest, office):
    listed = await rest.get("/parties")
    found = await rest.get("/parties", params={"search": "mueller"})

    assert [one["name"] for one in listed["data"]] == ["Jörg Müller", "Weiß GmbH"]
    assert [one["type"] for one in listed["data"]] == ["person", "organization"]
    assert [one["id"] for one in found["data"]] == [office["party"]]
    assert found["data"][0].keys() == {"id", "name", "type", "created_at", "updated_at"}


async def test_staff_are_listed_by_name_and_searched_by_their_address_too(rest, office):
    listed = await rest.get("/staff")
    found = await rest.get("/staff", params={"search": "gross@example"})

    [one] = listed["data"]
    assert found == listed == {"data": [one], "pagination": {"has_more": False}}
    assert (one["id"], one["name"], one["email"]) == (
        office["staff"],
        "Anna Groß",
        "gross@example.org",
    )


async def test_one_is_shown_by_its_id(rest, office):
    for path, id in (("parties", office["party"]), ("staff", office["staff"])):
        [listed] = [one for one in (await rest.get(f"/{path}"))["data"] if one["id"] == id]
        assert await rest.get(f"/{path}/{id}") == listed


async def test_the_cases_of_a_party_tell_on_which_side_it_is(rest, office):
    path = f"/parties/{office['party']}/cases"
    first, second = (
        {name: office[which][name] for name in ("id", "name", "file_number", "status")}
        for which in ("first", "second")
    )

    listed = (await rest.get(path))["data"]
    witness = (await rest.get(path, params={"role": "witness"}))["data"]

    assert [(one["case"], one["role"], one["reference"]) for one in listed] == [
        (second, "client", None),
        (first, "witness", None),
        (first, "client", "J 1"),
    ]
    assert [one["case"] for one in witness] == [first]
    assert all(one["added_at"] for one in listed)


async def test_the_cases_of_a_staff_member_tell_the_role_and_the_note(rest, office):
    listed = (await rest.get(f"/staff/{office['staff']}/cases"))["data"]

    assert [(one["case"]["name"], one["role"], one["note"]) for one in listed] == [
        ("Second", "clerk", "until June"),
        ("First", "lead_attorney", None),
    ]


async def test_deleted_cases_are_not_shown(rest, office):
    await rest("DELETE", f"/cases/{office['second']['id']}")

    for path in (f"/parties/{office['party']}/cases", f"/staff/{office['staff']}/cases"):
        assert {one["case"]["name"] for one in (await rest.get(path))["data"]} == {"First"}


@pytest.mark.parametrize(("path", "code"), KINDS)
async def test_who_is_not_there_is_not_found(rest, path, code):
    for below in ("", "/cases"):
        response = await rest("GET", f"/{path}/nobody{below}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == code


async def test_the_cases_of_a_party_are_paged(rest, office):
    path = f"/parties/{office['party']}/cases"
    found, parameters = [], {"limit": 1}
    while True:
        body = await rest.get(path, params=parameters)
        found += body["data"]
        if not body["pagination"]["has_more"]:
            break
        parameters["cursor"] = body["pagination"]["cursor"]

    assert found == (await rest.get(path))["data"]


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("/parties", {"limit": "0"}, "limit"),
        ("/parties", {"cursor": "x"}, "cursor"),
        ("/parties", {"search": "x" * 201}, "search"),
        ("/staff", {"limit": "x"}, "limit"),
        ("/staff/{staff}/cases", {"cursor": "x"}, "cursor"),
        ("/parties/{party}/cases", {"limit": "101"}, "limit"),
    ],
)
async def test_what_breaks_a_rule_is_refused_with_the_parameter(
    rest, office, path, parameters, field
):
    response = await rest("GET", path.format(**office), params=parameters)

    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == field
