"""What is read over REST can be written back, and changes nothing by it."""

import asyncio
import json

import pytest

from domain.demo.firm import demo_cases
from domain.transfer.importing import OnConflict, import_cases
from domain.upkeep import administration
from tests import real


async def imported(api, owner, lines):
    who = await administration.operator(owner)
    return await import_cases(who, owner, lines, source="test", on_conflict=OnConflict.SKIP)


async def every_case(api):
    parameters = {"limit": 100}
    while True:
        body = (await api.rest("GET", "/cases", params=parameters)).json()
        for case in body["data"]:
            yield case
        if not body["pagination"]["has_more"]:
            return
        parameters["cursor"] = body["pagination"]["cursor"]


async def nothing_is_lost(api):
    """Write every case back as it was read; return how many there are."""
    count = 0
    async for case in every_case(api):
        path = f"/cases/{case['id']}"
        read = await api.rest("GET", path)
        tag = {"If-Match": read.headers["ETag"]}
        parties = (await api.rest("GET", f"{path}/parties?limit=100")).json()["data"]

        for sub, body in (
            ("", case),
            ("/parties", {"parties": case["parties"]}),
            ("/parties", parties),
        ):
            written = await api.rest("PUT", path + sub, json=body, headers=tag)
            assert written.status_code == 200, (case, written.text)
            assert written.headers["ETag"] == read.headers["ETag"], (sub, case)
        assert written.json()["data"] == parties
        count += 1
    return count


async def test_every_demo_case_can_be_written_back_as_it_was_read(api, owner):
    cases = demo_cases(120)
    await imported(api, owner, [json.dumps(case).encode() + b"\n" for case in cases])

    assert await nothing_is_lost(api) == len(cases)


@real.needed
async def test_real_cases_can_be_written_back_as_they_were_read(api, owner):
    report = await imported(api, owner, real.some())

    assert await nothing_is_lost(api) == report.imported > 5_000 / real.EVERY


async def test_a_role_that_is_mentioned_again_keeps_its_reference(api):
    made = await api.rest(
        "POST",
        "/cases",
        json={
            "name": "N",
            "status": "closed",
            "parties": [
                {"name": "P", "type": "court", "role": "court", "reference": "12 C 7/26"},
                {"name": "Q", "role": "client", "reference": "Q-1"},
            ],
            "staff": [{"name": "S", "role": "clerk", "note": "until June"}],
        },
    )
    case = made.json()
    [court, client] = case["parties"]
    path = f"/cases/{case['id']}"

    changed = await api.rest(
        "PUT",
        f"{path}/parties",
        json=[
            {"id": client["id"], "role": "client", "reference": None},
            {"id": court["id"], "role": "court"},
            {"name": "R", "role": "witness"},
        ],
    )

    assert (made.status_code, case["status"]) == (201, "closed")
    assert [(one["name"], one["reference"]) for one in changed.json()["data"]] == [
        ("Q", None),
        ("P", "12 C 7/26"),
        ("R", None),
    ]
    staff = (await api.rest("GET", f"{path}/staff")).json()["data"]
    assert [(one["name"], one["note"]) for one in staff] == [("S", "until June")]


async def test_a_case_with_parties_and_staff_is_opened_whole_or_not_at_all(api):
    refused = await api.rest(
        "POST",
        "/cases",
        json={
            "name": "N",
            "parties": [{"name": "P", "role": "client"}, {"id": "pty_x", "role": "client"}],
            "staff": [{"role": "clerk"}],
        },
    )

    details = [(one["field"], one["code"]) for one in refused.json()["error"]["details"]]
    assert (refused.status_code, details) == (
        400,
        [("staff.0", "VALIDATION_ERROR"), ("parties.1.id", "PARTY_NOT_FOUND")],
    )
    assert (await api.rest("GET", "/cases")).json()["data"] == []
    data = await api.data("{ parties { totalCount } staff { totalCount } }")
    assert data == {"parties": {"totalCount": 0}, "staff": {"totalCount": 0}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "019bc8f0-0000-7000-8000-000000000000"),
        ("id", None),
        ("created_at", "2001-01-01T00:00:00Z"),
        ("updated_at", "nonsense"),
        ("parties", []),
        ("parties", None),
        ("staff", [{"id": "usr_1", "role": "clerk", "name": "S"}]),
    ],
)
async def test_what_put_cannot_change_is_refused_if_it_is_not_as_it_is_stored(api, field, value):
    made = await api.rest(
        "POST", "/cases", json={"name": "N", "parties": [{"name": "P", "role": "client"}]}
    )
    case = made.json()
    path = f"/cases/{case['id']}"

    refused = await api.rest("PUT", path, json=case | {"name": "M", field: value})

    assert refused.status_code == 400
    assert {one["field"] for one in refused.json()["error"]["details"]} == {field}
    assert (await api.rest("GET", path)).json() == case

    changed = await api.rest("PUT", path, json=case | {"name": "M"})
    assert (changed.status_code, changed.json()["name"]) == (200, "M")


async def test_an_etag_is_another_after_a_party_or_staff_member_is_renamed(api):
    made = await api.rest(
        "POST",
        "/cases",
        json={
            "name": "N",
            "parties": [{"name": "P", "role": "client"}],
            "staff": [{"name": "S", "role": "clerk"}],
        },
    )
    case = made.json()
    path = f"/cases/{case['id']}"
    tags = [made.headers["ETag"]]
    bodies = [case]
    for kind, mutation in (("parties", "updateParty"), ("staff", "updateStaff")):
        id = case[kind][0]["id"]
        await api.data(
            f'mutation {{ {mutation}(input: {{id: "{id}", name: "X"}}) {{ __typename }} }}'
        )
        answer = await api.rest("GET", path, headers={"If-None-Match": ", ".join(tags)})
        assert answer.status_code == 200
        tags.append(answer.headers["ETag"])
        bodies.append(answer.json())

    assert len(set(tags)) == 3
    assert bodies[0] != bodies[1] != bodies[2]
    for old in tags[:2]:
        refused = await api.rest("PUT", path, json={"name": "M"}, headers={"If-Match": old})
        assert refused.status_code == 412
        assert refused.headers["ETag"] == tags[2]
        [detail] = refused.json()["error"]["details"]
        assert (detail["field"], detail["current"]) == ("If-Match", bodies[2])
    unchanged = await api.rest("GET", path, headers={"If-None-Match": tags[2]})
    assert (unchanged.status_code, unchanged.headers["ETag"]) == (304, tags[2])
    done = await api.rest("PUT", path, json={"name": "M"}, headers={"If-Match": tags[2]})
    assert done.status_code == 200
    assert (await api.rest("GET", path)).headers["ETag"] == done.headers["ETag"] != tags[2]


async def test_who_may_not_read_is_told_of_a_conflict_but_not_of_the_case(api):
    case = (await api.rest("POST", "/cases", json={"name": "N"})).json()

    refused = await api.rest(
        "PUT", f"/cases/{case['id']}", json={"name": "M"}, headers={"If-Match": '"9"'}, key="write"
    )

    assert (refused.status_code, refused.headers["ETag"]) == (412, '"1"')
    assert "current" not in refused.json()["error"]["details"][0]


async def test_a_person_who_is_added_twice_is_warned_of(api):
    case = (await api.rest("POST", "/cases", json={"name": "N"})).json()
    for path, body in (
        ("parties", {"name": "Jörg Müller", "role": "client"}),
        ("staff", {"name": "Anna Groß", "role": "clerk"}),
    ):
        url = f"/cases/{case['id']}/{path}"
        first = await api.rest("POST", url, json=body)
        again = await api.rest("POST", url, json=body)

        assert "X-Warning" not in first.headers
        assert again.headers["X-Warning"].startswith(f"{path}.0: The case already has")
        assert len(again.json()["data"]) == 2


WRITES = [
    ("POST", "/cases", {"name": "N"}, {"name": "M"}),
    ("PUT", "/cases/{case}", {"name": "N"}, {"name": "M"}),
    ("DELETE", "/cases/{case}", None, None),
    ("POST", "/cases/{case}/parties", {"name": "N", "role": "x"}, {"name": "M", "role": "x"}),
    ("PUT", "/cases/{case}/parties", [{"name": "N", "role": "x"}], []),
    ("POST", "/cases/{case}/staff", {"name": "N", "role": "x"}, {"name": "M", "role": "x"}),
    ("DELETE", "/cases/{case}/staff", {"staff_id": "{staff}"}, {"staff": ["{staff}"], "role": "y"}),
    ("POST", "/cases/{case}/links", {"case_id": "{other}", "type": "parent"}, {"case_id": "x"}),
    ("DELETE", "/cases/{case}/links/{link}", None, None),
]


@pytest.fixture
async def office(api):
    """Ids of two linked cases, and of a staff member of the first."""
    case = (
        await api.rest(
            "POST", "/cases", json={"name": "A", "staff": [{"name": "S", "role": "clerk"}]}
        )
    ).json()
    other = (await api.rest("POST", "/cases", json={"name": "B"})).json()
    link = await api.rest(
        "POST", f"/cases/{case['id']}/links", json={"case_id": other["id"], "type": "related"}
    )
    return {
        "{case}": case["id"],
        "{other}": other["id"],
        "{staff}": case["staff"][0]["id"],
        "{link}": link.json()["id"],
    }


def filled(template, ids):
    text = json.dumps(template)
    for name, id in ids.items():
        text = text.replace(name, id)
    return json.loads(text)


async def state(api):
    return [case async for case in every_case(api)], await api.data(
        "{ cases { nodes { version } } parties { totalCount } staff { totalCount } }"
    )


@pytest.mark.parametrize(("method", "path", "body", "_other"), WRITES)
async def test_every_write_can_be_sent_again(api, office, method, path, body, _other):
    async def sent():
        return await api.rest(
            method,
            filled(path, office),
            json=filled(body, office),
            headers={"Idempotency-Key": "k"},
        )

    first = await sent()
    before = await state(api)
    again = await sent()

    assert first.status_code in (200, 201, 204), first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers.get("ETag") == first.headers.get("ETag")
    assert await state(api) == before


@pytest.mark.parametrize(
    ("method", "path", "body", "other"), [one for one in WRITES if one[2] is not None]
)
async def test_a_key_is_for_one_body(api, office, method, path, body, other):
    headers = {"Idempotency-Key": "k"}
    path = filled(path, office)
    await api.rest(method, path, json=filled(body, office), headers=headers)
    before = await state(api)

    refused = await api.rest(method, path, json=filled(other, office), headers=headers)

    assert refused.status_code == 409, refused.text
    assert refused.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert await state(api) == before


@pytest.mark.parametrize(("method", "path", "body", "_other"), WRITES)
async def test_a_write_sent_again_after_the_case_changed_undoes_nothing(
    api, office, method, path, body, _other
):
    tag = (await api.rest("GET", f"/cases/{office['{case}']}")).headers["ETag"]
    headers = {"Idempotency-Key": "k"} | ({} if path == "/cases" else {"If-Match": tag})

    async def sent():
        return await api.rest(
            method, filled(path, office), json=filled(body, office), headers=headers
        )

    first = await sent()
    if (method, path) != ("DELETE", "/cases/{case}"):
        later = await api.rest("PUT", f"/cases/{office['{case}']}", json={"name": "Later"})
        assert later.status_code == 200
    before = await state(api)

    again = await sent()

    assert first.status_code in (200, 201, 204), first.text
    assert again.status_code == first.status_code
    assert await state(api) == before


@pytest.mark.parametrize(("method", "path", "body", "_other"), WRITES)
async def test_writes_side_by_side_with_one_key_are_one(api, office, method, path, body, _other):
    async def sent():
        return await api.rest(
            method,
            filled(path, office),
            json=filled(body, office),
            headers={"Idempotency-Key": "k"},
        )

    answers = await asyncio.gather(*(sent() for _ in range(5)))
    before = await state(api)
    again = await sent()

    assert {answer.status_code for answer in answers} <= {200, 201, 204}
    assert {answer.content for answer in answers} == {again.content}
    assert await state(api) == before
