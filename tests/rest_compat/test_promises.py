"""Promises of the contract that were once broken; each starts with the request that failed."""

import pytest

from domain.inputs import PartyChanges
from domain.reading import lists
from domain.writing import register
from rest_compat.application import Application


async def test_a_role_in_the_body_takes_staff_out_of_that_role_only(rest):
    case = await rest.case()
    path = f"/cases/{case['id']}/staff"
    one = await rest.staff(case, "One", "lead_attorney")
    await rest("POST", path, json={"id": one["id"], "role": "notary"})

    response = await rest("DELETE", path, json={"staff_id": one["id"], "role": "notary"})

    assert response.status_code == 204
    assert [staff["role"] for staff in (await rest.get(path))["data"]] == ["lead_attorney"]


async def test_a_role_that_is_not_heeded_is_refused(rest, refused):
    case = await rest.case()
    one = await rest.staff(case, "One", "lead_attorney")

    error = await refused(
        400,
        "VALIDATION_ERROR",
        "DELETE",
        f"/cases/{case['id']}/staff",
        json={"staff": [{"id": one["id"], "role": "notary"}]},
    )

    assert [detail["field"] for detail in error["details"]] == ["staff.0.role"]


async def test_a_client_is_sent_the_new_name_of_a_party(rest):
    case = await rest.case()
    party = await rest.party(case, "Old")
    tag = await rest.version(case)
    await register.update_party(
        await rest.operator(), rest.services.database, party["id"], PartyChanges(name="New")
    )

    response = await rest("GET", f"/cases/{case['id']}", headers={"If-None-Match": tag})

    assert response.status_code == 200
    assert [one["name"] for one in response.json()["parties"]] == ["New"]


@pytest.mark.parametrize("name", ["parties", "staff"])
async def test_a_retry_is_answered_though_its_own_first_try_raised_the_version(rest, name):
    case = await rest.case()
    headers = {"Idempotency-Key": "once", "If-Match": '"1"'}
    path, body = f"/cases/{case['id']}/{name}", {"name": "N", "role": "x"}

    first, again = [await rest("POST", path, json=body, headers=headers) for _ in range(2)]

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


async def test_a_retry_may_spell_the_id_of_the_case_in_upper_case(rest):
    case = await rest.case()
    headers, body = {"Idempotency-Key": "once"}, {"name": "N", "role": "x"}

    first, again = [
        await rest("POST", f"/cases/{id}/parties", json=body, headers=headers)
        for id in (case["id"], case["id"].upper())
    ]

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/cases", "GET, HEAD, POST"),
        ("/cases/x", "DELETE, GET, HEAD, PUT"),
        ("/cases/x/parties", "GET, HEAD, POST, PUT"),
        ("/cases/x/staff", "DELETE, GET, HEAD, POST"),
        ("/cases/x/timeline", "GET, HEAD"),
        ("/cases/x/links", "GET, HEAD, POST"),
        ("/cases/x/links/y", "DELETE"),
    ],
)
async def test_every_method_that_a_path_takes_is_in_allow(rest, path, allowed):
    assert (await rest("PATCH", path)).headers["Allow"] == allowed


async def test_a_defect_is_answered_in_the_envelope_and_tells_nothing(rest, monkeypatch):
    def broken(*_arguments, **_options):
        raise RuntimeError("the secret")

    monkeypatch.setattr(lists, "cases", broken)

    response = await rest("GET", "/cases")

    assert response.status_code == 500
    assert response.json() == {
        "error": {
            "code": "INTERNAL_ERROR",
            "message": "An internal error occurred.",
            "details": [],
        }
    }
    assert response.headers["X-RateLimit-Limit"] == "100000"


async def test_the_writes_to_links_tell_the_new_version(rest):
    case, other = await rest.case(), await rest.case()
    path = f"/cases/{case['id']}/links"

    made = await rest("POST", path, json={"target_case_id": other["id"]})
    removed = await rest("DELETE", f"{path}/{made.json()['id']}")

    assert (made.headers["ETag"], removed.headers["ETag"]) == ('"2"', '"3"')


async def test_fields_are_named_as_the_client_names_them(rest, refused):
    case = await rest.case()
    path = f"/cases/{case['id']}"

    async def field(status, code, method, path, **options):
        error = await refused(status, code, method, path, **options)
        return [detail["field"] for detail in error["details"]]

    alien = {"name": "P", "type": "alien", "role": "x"}
    assert await field(400, "VALIDATION_ERROR", "POST", f"{path}/parties", json=alien) == [
        "parties.0.type"
    ]
    for name in ("target_case_id", "linked_case_id", "case_id"):
        itself, nothing = {name: case["id"]}, {name: "nothing"}
        links = f"{path}/links"
        assert await field(400, "VALIDATION_ERROR", "POST", links, json=itself) == [name]
        assert await field(404, "CASE_NOT_FOUND", "POST", links, json=nothing) == [name]
    for tag, status, code in (
        ('"9"', 412, "VERSION_CONFLICT"),
        ("nonsense", 400, "VALIDATION_ERROR"),
    ):
        headers = {"If-Match": tag}
        assert await field(status, code, "PUT", path, json={}, headers=headers) == ["If-Match"]
    headers = {"Idempotency-Key": "x" * 256}
    new = {"name": "N"}
    assert await field(400, "VALIDATION_ERROR", "POST", "/cases", json=new, headers=headers) == [
        "Idempotency-Key"
    ]


async def test_leading_zeros_do_not_lower_a_limit(rest):
    assert (await rest("GET", "/cases?limit=0000001000")).status_code == 400
    assert (await rest("GET", "/cases?limit=0000000010")).status_code == 200


async def test_at_most_a_hundred_things_wrong_are_told(rest):
    case = await rest.case()

    response = await rest("POST", f"/cases/{case['id']}/parties", json=[1] * 50_000)

    assert response.status_code == 400
    assert len(response.json()["error"]["details"]) == 100


async def test_no_answer_is_kept_by_a_cache(rest):
    case = await rest.case()

    for path in ("/cases", f"/cases/{case['id']}", "/cases/nothing"):
        assert (await rest("GET", path)).headers["Cache-Control"] == "no-store"


def test_no_route_documents_a_status_that_none_answers():
    for path, methods in Application().openapi()["paths"].items():
        for method, operation in methods.items():
            assert "422" not in operation["responses"], (method, path)
