"""ETags, conditional requests and idempotency keys."""

import asyncio

import pytest

from domain.inputs import PartyChanges
from domain.writing import register


@pytest.mark.parametrize("header", ['"1"', 'W/"1"', '"7", "1"', '"7",W/"1"', "*", ' "1" '])
async def test_a_client_that_has_this_version_is_told_so(rest, header):
    case = await rest.case()

    response = await rest("GET", f"/cases/{case['id']}", headers={"If-None-Match": header})

    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["ETag"] == '"1"'
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("header", ['"2"', '"11"', "1", '"one"', "", 'W/"2"', '"'])
async def test_a_client_that_has_another_version_is_sent_this_one(rest, header):
    case = await rest.case()

    response = await rest("GET", f"/cases/{case['id']}", headers={"If-None-Match": header})

    assert (response.status_code, response.json()) == (200, case)


async def test_every_change_to_a_case_its_parties_staff_or_links_is_a_new_version(rest):
    case, other = await rest.case(), await rest.case()
    path = f"/cases/{case['id']}"
    seen = [await rest.version(case)]

    await rest("PUT", path, json={"name": "New"})
    seen.append(await rest.version(case))
    await rest.party(case, "P")
    seen.append(await rest.version(case))
    await rest("PUT", f"{path}/parties", json=[])
    seen.append(await rest.version(case))
    staff = await rest.staff(case, "S")
    seen.append(await rest.version(case))
    await rest("DELETE", f"{path}/staff?staff_id={staff['id']}")
    seen.append(await rest.version(case))
    link = await rest.link(case, other, "related")
    seen.append(await rest.version(case))
    await rest("DELETE", f"{path}/links/{link['id']}")
    seen.append(await rest.version(case))

    assert seen == [f'"{version}"' for version in range(1, 9)]
    assert await rest.version(other) == '"3"'


WRITES = [
    ("PUT", "", {"name": "New"}),
    ("DELETE", "", None),
    ("POST", "/parties", {"name": "P", "role": "client"}),
    ("PUT", "/parties", [{"name": "P", "role": "client"}]),
    ("POST", "/staff", {"name": "S", "role": "notary"}),
    ("DELETE", "/staff?staff_id={staff}", None),
    ("POST", "/links", {"target_case_id": "{other}", "type": "parent"}),
    ("DELETE", "/links/{link}", None),
]


@pytest.fixture
async def given(rest):
    """A case at version 3, with a staff member and a link."""
    case, other = await rest.case(), await rest.case()
    staff = await rest.staff(case, "S", "lead_attorney")
    link = await rest.link(case, other, "related")
    ids = {"{staff}": staff["id"], "{link}": link["id"], "{other}": other["id"]}

    def request(path, body):
        for name, id in ids.items():
            path = path.replace(name, id)
            if isinstance(body, dict):
                body = {key: value.replace(name, id) for key, value in body.items()}
        return f"/cases/{case['id']}{path}", {} if body is None else {"json": body}

    return case, request


OTHER = ['"2"', '"4"', 'W/"3"', '"three"', '"1", "2"', f'"{10**20 - 1}"', '""', '"3.1"', '"03"']


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_a_write_to_another_version_is_refused(refused, given, method, path, body):
    _case, request = given
    path, options = request(path, body)

    for header in OTHER:
        headers = {"If-Match": header}
        await refused(412, "VERSION_CONFLICT", method, path, headers=headers, **options)


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize("header", ['"3"', "*", '"1", "3"', 'W/"3", "3"'])
async def test_a_write_to_the_expected_version_goes_through(
    rest, given, method, path, body, header
):
    _case, request = given
    path, options = request(path, body)

    response = await rest(method, path, headers={"If-Match": header}, **options)

    assert response.status_code in (200, 201, 204), response.text


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_a_write_to_what_must_not_be_there_is_refused(refused, given, method, path, body):
    _case, request = given
    path, options = request(path, body)

    for header in ("*", '"3"', 'W/"3"', '"1",W/"3"'):
        headers = {"If-None-Match": header}
        error = await refused(412, "VERSION_CONFLICT", method, path, headers=headers, **options)

        assert error["details"][0]["field"] == "If-None-Match"


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_a_write_goes_through_if_the_case_is_none_of_those(rest, given, method, path, body):
    _case, request = given
    path, options = request(path, body)

    response = await rest(method, path, headers={"If-None-Match": '"2", W/"4"'}, **options)

    assert response.status_code in (200, 201, 204), response.text


MALFORMED = [
    "3",
    'w/"3"',
    'x"3"',
    'junk, "3"',
    '"3" "3"',
    '*, "3"',
    '"3',
    "",
    ",",
    "W/3",
    '"a\tb"',
    "3*",
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
async def test_a_malformed_condition_is_refused(refused, given, method, path, body, name):
    _case, request = given
    path, options = request(path, body)

    for header in MALFORMED:
        headers = {name: header}
        error = await refused(400, "VALIDATION_ERROR", method, path, headers=headers, **options)

        assert error["details"][0]["field"] == name, header


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_a_case_that_is_not_there_comes_before_its_conditions(
    refused, given, method, path, body
):
    case, request = given
    path, options = request(path, body)
    missing = path.replace(case["id"], "019bc8f0-0000-7000-8000-000000000000")

    for header in ("*", '"3"', "junk"):
        await refused(
            404, "CASE_NOT_FOUND", method, missing, headers={"If-None-Match": header}, **options
        )


async def test_of_two_writers_with_the_same_version_one_wins(rest):
    case = await rest.case()

    responses = await asyncio.gather(
        *(
            rest("PUT", f"/cases/{case['id']}", json={"name": name}, headers={"If-Match": '"1"'})
            for name in ("A", "B", "C", "D")
        )
    )

    assert sorted(response.status_code for response in responses) == [200, 412, 412, 412]
    assert await rest.version(case) == '"2"'


ONCE = {"Idempotency-Key": "once"}


async def test_a_retried_creation_makes_one_case(rest):
    first, again = [
        await rest("POST", "/cases", json={"name": "N"}, headers=ONCE) for _ in range(2)
    ]

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len((await rest.get("/cases"))["data"]) == 1


async def test_retries_at_the_same_time_make_one_case(rest):
    responses = await asyncio.gather(
        *(rest("POST", "/cases", json={"name": "N"}, headers=ONCE) for _ in range(8))
    )

    assert len({response.json()["id"] for response in responses}) == 1
    assert len((await rest.get("/cases"))["data"]) == 1


@pytest.mark.parametrize(("method", "path", "body"), [one for one in WRITES if one[0] == "POST"])
async def test_a_retried_addition_is_made_once(rest, given, method, path, body):
    case, request = given
    path, options = request(path, body)

    first = await rest(method, path, headers=ONCE, **options)
    version = await rest.version(case)
    again = await rest(method, path, headers=ONCE, **options)

    assert (first.status_code, again.status_code) == (201, 201), again.text
    assert first.json() == again.json()
    assert await rest.version(case) == version


async def test_an_idempotency_key_is_not_for_another_request(rest, refused):
    case = await rest.case()
    await rest("POST", "/cases", json={"name": "N"}, headers=ONCE)

    await refused(409, "IDEMPOTENCY_KEY_REUSED", "POST", "/cases", json={"name": "M"}, headers=ONCE)
    await refused(
        409,
        "IDEMPOTENCY_KEY_REUSED",
        "POST",
        f"/cases/{case['id']}/parties",
        json={"name": "N", "role": "x"},
        headers=ONCE,
    )


async def test_idempotency_keys_of_two_callers_do_not_meet(rest):
    one = await rest("POST", "/cases", json={"name": "N"}, headers=ONCE)
    two = await rest("POST", "/cases", json={"name": "N"}, headers=ONCE, key="write")

    assert one.json()["id"] != two.json()["id"]


async def test_an_idempotency_key_that_is_too_long_is_refused(rest, refused):
    headers = {"Idempotency-Key": "x" * 256}

    await refused(400, "VALIDATION_ERROR", "POST", "/cases", json={"name": "N"}, headers=headers)


@pytest.mark.parametrize("path", ["", "/parties"])
@pytest.mark.usefixtures("steady")
async def test_a_tag_never_tells_of_a_later_name_than_its_answer(rest, monkeypatch, path):
    party = {"name": "Before", "role": "client"}
    case = await rest.case(parties=[party])
    party_id = case["parties"][0]["id"]
    database = rest.services.database
    run = database.run

    async def renamed_afterwards(work, *more):
        done = await run(work, *more)
        if not renames:
            renames.append("After")
            await register.update_party(writer, database, party_id, PartyChanges(name="After"))
        return done

    renames = []
    writer = await rest.operator()
    monkeypatch.setattr(database, "run", renamed_afterwards)
    body = {"description": "D"} if not path else [{"id": party_id, "role": "witness"}]
    written = await rest("PUT", f"/cases/{case['id']}{path}", json=body)
    monkeypatch.undo()

    again = await rest(
        "GET", f"/cases/{case['id']}", headers={"If-None-Match": written.headers["ETag"]}
    )

    assert written.status_code == 200
    assert renames
    assert again.status_code == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [('"1"', 200), ('"2", "1"', 200), ("*", 200), ('"2"', 412), ('W/"1"', 412)],
)
async def test_reading_takes_if_match_as_writing_does(rest, header, status):
    case = await rest.case()

    response = await rest("GET", f"/cases/{case['id']}", headers={"If-Match": header})

    assert response.status_code == status
    assert response.headers["ETag"] == '"1"'
    if status == 412:
        assert response.json()["error"]["details"][0]["current"] == case


async def test_no_answer_of_a_removal_is_stored(rest):
    member = {"name": "Dr. G", "role": "lead_attorney"}
    case, other = await rest.case(staff=[member]), await rest.case()
    path = f"/cases/{case['id']}"
    link = (await rest("POST", f"{path}/links", json={"case_id": other["id"]})).json()

    answers = [
        await rest("DELETE", f"{path}/staff", params={"staff_id": case["staff"][0]["id"]}),
        await rest("DELETE", f"{path}/links/{link['id']}"),
        await rest("DELETE", path),
    ]

    assert [one.status_code for one in answers] == [204] * 3
    assert [one.headers["Cache-Control"] for one in answers] == ["no-store"] * 3
