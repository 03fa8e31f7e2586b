"""What is refused, with which code and field, and that nothing is half written."""

import base64
import itertools
import uuid

import pytest

from domain.access import keys
from domain.models import Mode
from domain.upkeep import administration

NOBODY = "01890000-0000-7000-8000-000000000000"
ROUTES = [
    ("GET", "/cases", "read"),
    ("POST", "/cases", "write"),
    ("GET", "/cases/{case}", "read"),
    ("PUT", "/cases/{case}", "write"),
    ("DELETE", "/cases/{case}", "delete"),
    ("GET", "/cases/{case}/parties", "read"),
    ("POST", "/cases/{case}/parties", "write"),
    ("PUT", "/cases/{case}/parties", "write"),
    ("GET", "/cases/{case}/staff", "read"),
    ("POST", "/cases/{case}/staff", "write"),
    ("DELETE", "/cases/{case}/staff", "write"),
    ("GET", "/cases/{case}/timeline", "read"),
    ("POST", "/cases/{case}/links", "write"),
    ("GET", "/cases/{case}/links", "read"),
    ("DELETE", "/cases/{case}/links/{link}", "write"),
    ("GET", "/parties", "read"),
    ("GET", "/parties/pty_0", "read"),
    ("GET", "/parties/pty_0/cases", "read"),
    ("GET", "/staff", "read"),
    ("GET", "/staff/usr_0", "read"),
    ("GET", "/staff/usr_0/cases", "read"),
]
BELOW = [route for route in ROUTES if "{case}" in route[1]]
READ_BODIES = [
    (method, path, scope)
    for method, path, scope in ROUTES
    if method in ("POST", "PUT") or (method == "DELETE" and path.endswith("/staff"))
]


def filled(path, case=NOBODY, link="lnk_0"):
    return path.replace("{case}", case).replace("{link}", link)


@pytest.mark.parametrize("key", ["read", "write", "delete"])
@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_a_route_is_open_to_its_scope_only(rest, method, path, scope, key):
    case, other = await rest.case(), await rest.case()
    link = await rest.link(case, other, "related")

    response = await rest(method, filled(path, case["id"], link["id"]), key=key)

    assert (response.status_code == 403) == (key != scope)
    if key != scope:
        assert response.json()["error"]["code"] == "AUTH_INSUFFICIENT_SCOPE"
        assert response.json()["error"]["details"] == []


async def test_a_key_that_may_only_write_is_shown_what_it_wrote(rest):
    made = await rest("POST", "/cases", key="write", json={"name": "N"})
    case = made.json()
    path = f"/cases/{case['id']}"
    known = await rest.party(case, "Secret")
    await rest.staff(case, "Secret")

    changed = await rest("PUT", path, key="write", json={"name": "M"})
    given = [{"name": "P", "role": "x"}, {"id": known["id"], "role": "y"}]
    parties = await rest("POST", f"{path}/parties", key="write", json=given)
    staff = await rest("POST", f"{path}/staff", key="write", json={"name": "S", "role": "x"})
    replaced = await rest("PUT", f"{path}/parties", key="write", json=given)

    assert (made.status_code, case["name"]) == (201, "N")
    assert (changed.status_code, changed.json()["name"]) == (200, "M")
    for response in (made, changed):
        assert not {"parties", "staff"} & response.json().keys()
    for response, status in ((parties, 201), (replaced, 200)):
        new, old = response.json()["data"]
        assert (response.status_code, new["name"], new["type"]) == (status, "P", "person")
        assert old == {
            "id": known["id"],
            "role": "y",
            "reference": None,
            "added_at": old["added_at"],
        }
    assert [one["name"] for one in staff.json()["data"]] == ["S"]
    assert (await rest("GET", path, key="write")).status_code == 403


async def test_what_changes_nothing_needs_the_scope_to_read(rest, refused):
    case = await rest.case(name="Secret")
    path, known = f"/cases/{case['id']}", await rest.party(case, "Secret")
    same = {"id": known["id"], "role": known["role"]}

    for method, place, body in (
        ("PUT", path, {}),
        ("PUT", path, {"name": "Secret"}),
        ("PUT", f"{path}/parties", [same]),
    ):
        await refused(403, "AUTH_INSUFFICIENT_SCOPE", method, place, json=body, key="write")


async def test_whether_a_case_is_there_comes_before_its_body(rest):
    for method, path, _scope in ROUTES:
        if "{case}" in path and method in ("PUT", "POST"):
            missing = path.replace("{case}", str(uuid.UUID(int=7))).replace("{link}", "lnk_1")
            response = await rest(method, missing, content=b"[", headers={"If-Match": "x"})

            assert response.json()["error"]["code"] == "CASE_NOT_FOUND", (method, path)


async def test_a_route_is_closed_without_a_key(rest):
    for method, path, _scope in ROUTES:
        response = await rest(method, filled(path), key=None)

        assert response.status_code == 401, (method, path)
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert response.json() == {
            "error": {
                "code": "AUTH_INVALID_KEY",
                "message": "The API key is missing, malformed, unknown or revoked.",
                "details": [],
            }
        }


async def test_missing_malformed_unknown_and_revoked_keys_look_alike(rest):
    good = rest.keys["read"]
    await administration.revoke_key(rest.services.database, str(keys.key_id(good)))
    unknown, _id = keys.new_key(Mode.LIVE)
    given = [
        {"Authorization": value}
        for value in (
            f"Bearer {unknown}",
            f"Bearer {good}",
            f"Bearer {good[:-1]}0",
            "Bearer ",
            "Bearer",
            "Bearer cg_live_",
            f"Basic {rest.keys['all']}",
            rest.keys["all"],
            "Bearer ü".encode("latin-1"),
            "Bearer " + "x" * 10_000,
        )
    ]

    answers = {(await rest("GET", "/cases", key=None, headers=one)).text for one in given}

    assert len(answers) == 1
    assert "AUTH_INVALID_KEY" in answers.pop()


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
async def test_the_scheme_is_read_in_any_case(rest, scheme):
    headers = {"Authorization": f"{scheme} {rest.keys['all']}"}

    assert (await rest("GET", "/cases", key=None, headers=headers)).status_code == 200


async def test_the_checks_are_made_in_the_order_key_scope_existence_body(rest):
    case = await rest.case()
    foul = {"content": b"{", "headers": {"Content-Type": "text/plain"}}
    mine, nowhere = f"/cases/{case['id']}/parties", f"/cases/{NOBODY}/parties"

    statuses = [
        (await rest("POST", nowhere, key=None, **foul)).status_code,
        (await rest("POST", nowhere, key="read", **foul)).status_code,
        (await rest("POST", nowhere, **foul)).status_code,
        (await rest("POST", mine, **foul)).status_code,
    ]

    assert statuses == [401, 403, 404, 415]


@pytest.mark.parametrize(("method", "path", "_scope"), BELOW)
async def test_a_foreign_case_looks_like_a_missing_one(rest, refused, method, path, _scope):
    theirs = await rest.case(key="stranger")
    sandbox = await rest.case(key="test")

    for id in (theirs["id"], sandbox["id"], NOBODY, "nonsense", "%00", "a" * 5_000, "é", "1"):
        error = await refused(404, "CASE_NOT_FOUND", method, filled(path, id), json={"name": "N"})
        assert error["message"].startswith('There is no case "')
        assert len(error["message"]) < 150


async def test_a_test_key_sees_the_sandbox_only(rest):
    live, sandbox = await rest.case(), await rest.case(key="test")

    assert [one["id"] for one in (await rest.get("/cases"))["data"]] == [live["id"]]
    assert [one["id"] for one in (await rest.get("/cases", key="test"))["data"]] == [sandbox["id"]]


UNREADABLE = [
    (b"", "application/json", 400, "VALIDATION_ERROR"),
    (b"", None, 400, "VALIDATION_ERROR"),
    (b"{", "application/json", 400, "VALIDATION_ERROR"),
    (b"nonsense", "application/json", 400, "VALIDATION_ERROR"),
    (b"null", "application/json", 400, "VALIDATION_ERROR"),
    (b"1", "application/json", 400, "VALIDATION_ERROR"),
    (b'"x"', "application/json", 400, "VALIDATION_ERROR"),
    (b"[1]", "application/json", 400, "VALIDATION_ERROR"),
    (b"[null]", "application/json", 400, "VALIDATION_ERROR"),
    (b'{"nothing": 1}', "application/json", 400, "VALIDATION_ERROR"),
    (b'{"name": "\\ud800", "role": "x"}', "application/json", 400, "VALIDATION_ERROR"),
    (b'{"name": "\xff", "role": "x"}', "application/json", 400, "VALIDATION_ERROR"),
    (b'{"name": NaN}', "application/json", 400, "VALIDATION_ERROR"),
    (b"[" * 100_000, "application/json", 400, "VALIDATION_ERROR"),
    (b'{"name": "N", "role": "x"}', "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
    (b'{"name": "N", "role": "x"}', None, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (b"name=N", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"),
    (b'{"name": "' + b"x" * 10_000_000 + b'"}', "application/json", 413, "PAYLOAD_TOO_LARGE"),
]


@pytest.mark.parametrize(("method", "path", "_scope"), READ_BODIES)
async def test_a_body_that_cannot_be_read_is_refused(rest, refused, method, path, _scope):
    case = await rest.case()
    path = filled(path, case["id"])

    for content, kind, status, code in UNREADABLE:
        headers = {"Content-Type": kind} if kind else {}
        await refused(status, code, method, path, content=content, headers=headers)


async def test_a_body_without_a_length_is_cut_off_at_the_limit(rest, refused):
    async def endless():
        for _ in range(200):
            yield b"x" * 100_000

    await refused(
        413,
        "PAYLOAD_TOO_LARGE",
        "POST",
        "/cases",
        content=endless(),
        headers={"Content-Type": "application/json"},
    )


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
)
async def test_json_by_any_of_its_names_is_read(rest, kind):
    response = await rest(
        "POST", "/cases", content=b'{"name": "N"}', headers={"Content-Type": kind}
    )

    assert response.status_code == 201


BAD_FIELDS = [
    ("name", ""),
    ("name", "   "),
    ("name", "x" * 501),
    ("name", "x" * 900_000),
    ("name", "NUL \0"),
    ("name", "two\nlines"),
    ("name", None),
    ("name", 1),
    ("name", ["N"]),
    ("name", True),
    ("file_number", "x" * 101),
    ("file_number", 42),
    ("type", "Two Words"),
    ("type", {}),
    ("description", "x" * 20_001),
    ("description", "NUL \0"),
    ("dezernat", "bell \a"),
    ("dezernat", 1.5),
    ("nothing", "x"),
    ("id", NOBODY),
]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_bad_field_of_a_case_is_named(rest, refused, method):
    case = await rest.case()
    path = "/cases" if method == "POST" else f"/cases/{case['id']}"
    for field, value in BAD_FIELDS:
        error = await refused(
            400, "VALIDATION_ERROR", method, path, json={"name": "N"} | {field: value}
        )

        [detail] = error["details"]
        assert detail.keys() == {"field", "code", "message"}
        assert (detail["field"], detail["code"]) == (field, "VALIDATION_ERROR")


async def test_a_status_is_one_of_three(rest, refused):
    path = f"/cases/{(await rest.case())['id']}"
    for value in ("open", "ACTIVE", "", None, 1):
        error = await refused(400, "VALIDATION_ERROR", "PUT", path, json={"status": value})

        assert [detail["field"] for detail in error["details"]] == ["status"]


async def test_everything_wrong_is_told_at_once(rest, refused):
    body = {"name": 1, "file_number": 2, "nothing": 3, "more": 4}

    error = await refused(400, "VALIDATION_ERROR", "POST", "/cases", json=body)

    assert {one["field"] for one in error["details"]} == {"name", "file_number", "nothing", "more"}


async def test_a_missing_name_is_refused(rest, refused):
    error = await refused(400, "VALIDATION_ERROR", "POST", "/cases", json={})

    assert [detail["field"] for detail in error["details"]] == ["name"]


async def test_a_file_number_is_given_once(rest, refused):
    first = await rest.case(file_number="AZ-1")
    other = await rest.case()

    for method, path in (("POST", "/cases"), ("PUT", f"/cases/{other['id']}")):
        error = await refused(
            409, "FILE_NUMBER_CONFLICT", method, path, json={"name": "N", "file_number": "AZ-1"}
        )
        assert error == {
            "code": "FILE_NUMBER_CONFLICT",
            "message": "Another case has the file number AZ-1.",
            "details": [
                {
                    "field": "file_number",
                    "code": "FILE_NUMBER_CONFLICT",
                    "message": "Another case has the file number AZ-1.",
                    "existing_id": first["id"],
                }
            ],
        }


BAD_PARTIES = [
    ({"name": "P"}, "parties.1.role"),
    ({"name": "P", "role": 1}, "parties.1.role"),
    ({"name": "P", "role": "Two Words"}, "parties.1.role"),
    ({"name": 1, "role": "x"}, "parties.1.name"),
    ({"name": "", "role": "x"}, "parties.1.name"),
    ({"name": "P", "role": "x", "nothing": 1}, "parties.1.nothing"),
    ({"name": "P", "role": "x", "reference": "r" * 201}, "parties.1.reference"),
    ({"role": "x"}, "parties.1"),
    ("pty_1", "parties.1"),
]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_bad_party_is_named_and_none_is_entered(rest, refused, method):
    case = await rest.case()
    await rest.party(case, "There already")
    path = f"/cases/{case['id']}/parties"
    for item, field in BAD_PARTIES:
        body = {"parties": [{"name": "Good", "role": "witness"}, item]}

        error = await refused(400, "VALIDATION_ERROR", method, path, json=body)

        assert [detail["field"] for detail in error["details"]] == [field]


async def test_a_party_that_is_not_there_is_not_found(rest, refused):
    case = await rest.case()
    theirs = await rest.case(key="stranger")
    await rest(
        "POST", f"/cases/{theirs['id']}/parties", key="stranger", json={"name": "P", "role": "x"}
    )
    path = f"/cases/{theirs['id']}/parties"
    [foreign] = (await rest.get(path, key="stranger"))["data"]

    for method in ("POST", "PUT"):
        for id in (foreign["id"], "pty_nobody"):
            body = [{"name": "Never entered", "role": "x"}, {"id": id, "role": "x"}]
            error = await refused(
                404, "PARTY_NOT_FOUND", method, f"/cases/{case['id']}/parties", json=body
            )
            assert [detail["field"] for detail in error["details"]] == ["parties.1.id"]


async def test_nobody_has_the_same_role_twice(rest, refused):
    case = await rest.case()
    party, staff = await rest.party(case, "P", "client"), await rest.staff(case, "S", "notary")

    for method, name, one, role in (
        ("PUT", "parties", party, "witness"),
        ("POST", "parties", party, "witness"),
        ("POST", "staff", staff, "associate"),
    ):
        path = f"/cases/{case['id']}/{name}"
        twice = [{"id": one["id"], "role": role}] * 2
        error = await refused(400, "VALIDATION_ERROR", method, path, json=twice)
        assert [detail["field"] for detail in error["details"]] == [f"{name}.1.id"]
    for name, one, role in (("parties", party, "client"), ("staff", staff, "notary")):
        again = {"id": one["id"], "role": role}
        await refused(400, "VALIDATION_ERROR", "POST", f"/cases/{case['id']}/{name}", json=again)


async def test_nobody_cannot_be_added(rest, refused):
    case = await rest.case()

    for name in ("parties", "staff"):
        for body in ([], {name: []}):
            await refused(400, "VALIDATION_ERROR", "POST", f"/cases/{case['id']}/{name}", json=body)


async def test_staff_that_are_not_there_are_not_found(rest, refused):
    case, other = await rest.case(), await rest.case()
    here, elsewhere = await rest.staff(case, "Here"), await rest.staff(other, "Elsewhere")
    path = f"/cases/{case['id']}/staff"

    await refused(404, "STAFF_NOT_FOUND", "POST", path, json={"id": "usr_nobody", "role": "x"})
    for id in (elsewhere["id"], "usr_nobody", "\0", "x" * 2_000):
        await refused(404, "STAFF_NOT_FOUND", "DELETE", path, params={"staff_id": [here["id"], id]})


async def test_a_role_that_someone_has_not_is_not_taken_away(rest, refused):
    case = await rest.case()
    one = await rest.staff(case, "One", "lead_attorney")

    await refused(
        404,
        "STAFF_NOT_FOUND",
        "DELETE",
        f"/cases/{case['id']}/staff?staff_id={one['id']}&role=notary",
    )


async def test_a_link_needs_two_different_visible_cases_and_a_known_type(rest, refused):
    case, other = await rest.case(), await rest.case()
    theirs = await rest.case(key="stranger")
    path = f"/cases/{case['id']}/links"

    async def refuse(status, code, **body):
        return await refused(status, code, "POST", path, json=body)

    await refuse(400, "VALIDATION_ERROR", target_case_id=case["id"])
    await refuse(400, "VALIDATION_ERROR", target_case_id=case["id"].upper())
    await refuse(400, "VALIDATION_ERROR", target_case_id=other["id"], type="friend")
    await refuse(400, "VALIDATION_ERROR", target_case_id=other["id"], type=None)
    await refuse(400, "VALIDATION_ERROR", type="related")
    await refuse(400, "VALIDATION_ERROR", target_case_id=other["id"], case_id=theirs["id"])
    for id in (theirs["id"], NOBODY, "nonsense", ""):
        await refuse(404, "CASE_NOT_FOUND", target_case_id=id)


async def test_a_link_is_made_once_from_whichever_end(rest, refused):
    one, two = await rest.case(), await rest.case()
    await rest.link(one, two, "parent")

    for case, other, kind in ((one, two, "parent"), (two, one, "child"), (two, one, "parent")):
        body = {"target_case_id": other["id"], "type": kind}
        await refused(409, "LINK_EXISTS", "POST", f"/cases/{case['id']}/links", json=body)


async def test_a_link_of_other_cases_is_not_found(rest, refused):
    one, two, three = [await rest.case() for _ in range(3)]
    link = await rest.link(one, two, "related")

    for case, id in ((three, link["id"]), (one, "lnk_nobody"), (one, "%00"), (one, "x" * 5_000)):
        await refused(404, "LINK_NOT_FOUND", "DELETE", f"/cases/{case['id']}/links/{id}")


@pytest.fixture
async def lists(rest) -> list[str]:
    """The paths of all lists."""
    case = f"/cases/{(await rest.case())['id']}"
    return ["/cases", *(f"{case}/{name}" for name in ("parties", "staff", "timeline", "links"))]


BAD_LIMITS = [
    "limit=0",
    "limit=-1",
    "limit=101",
    "limit=abc",
    "limit=1.5",
    "limit=%EF%BC%95",
    "limit=1_0",
    "limit=+5",
    "limit=99999999999999999999",
    "limit=5&limit=5",
    "limit=%00",
]


async def test_a_bad_limit_is_refused(refused, lists):
    for path, query in itertools.product(lists, BAD_LIMITS):
        error = await refused(400, "VALIDATION_ERROR", "GET", f"{path}?{query}")

        assert [detail["field"] for detail in error["details"]] == ["limit"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=open", "status"),
        ("status=active&status=closed", "status"),
        ("status=%00", "status"),
        ("search=" + "x" * 201, "search"),
        ("search=%00", "search"),
        ("search=a&search=b", "search"),
    ],
)
async def test_a_bad_filter_is_refused(rest, refused, query, field):
    error = await refused(400, "VALIDATION_ERROR", "GET", f"/cases?{query}")

    assert [detail["field"] for detail in error["details"]] == [field]


def forged(text: bytes) -> str:
    return base64.b64encode(text).decode()


FORGED = [
    "x",
    "é",
    "\0",
    "A" * 10_000,
    forged(b"null"),
    forged(b"[]"),
    forged(b"{}"),
    forged(b'{"id":1}'),
    forged(b'{"id":"x","k":["y"],"f":"000000000000"}'),
    forged(b'{"id":{},"k":{},"f":[]}'),
    forged(b"[" * 2_000),
]


async def test_a_forged_cursor_is_refused(refused, lists):
    for path, cursor in itertools.product(lists, FORGED):
        error = await refused(400, "VALIDATION_ERROR", "GET", path, params={"cursor": cursor})

        assert [detail["field"] for detail in error["details"]] == ["cursor"]
        assert error["message"].startswith("cursor must ")


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/cases/", "/cases/x/nothing", "/cases/x/links/y/z", "//cases"]
)
async def test_an_unknown_path_is_refused_in_the_envelope(rest, path):
    for method in ("GET", "POST", "DELETE"):
        response = await rest(method, path or "/", follow_redirects=False)
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "NOT_FOUND"
        assert response.json()["error"]["details"] == []


ALLOWED = {
    "/cases": {"GET", "POST"},
    f"/cases/{NOBODY}": {"GET", "PUT", "DELETE"},
    f"/cases/{NOBODY}/parties": {"GET", "POST", "PUT"},
    f"/cases/{NOBODY}/staff": {"GET", "POST", "DELETE"},
    f"/cases/{NOBODY}/timeline": {"GET"},
    f"/cases/{NOBODY}/links": {"GET", "POST"},
    f"/cases/{NOBODY}/links/lnk_0": {"DELETE"},
}


@pytest.mark.parametrize("path", ALLOWED)
async def test_a_method_that_a_path_does_not_take_is_refused_in_the_envelope(rest, path):
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        response = await rest(method, path)

        assert (response.status_code == 405) == (method not in ALLOWED[path]), method
        if response.status_code == 405:
            assert response.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
            assert "Allow" in response.headers
