"""HEAD, Location, and percent-encoded slashes: the parts of HTTP that clients rely on."""

import pytest

READS = ["", "/{id}", "/{id}/parties", "/{id}/staff", "/{id}/timeline", "/{id}/links"]


@pytest.mark.parametrize("path", [*READS, "/nothing", "?limit=0"])
async def test_head_answers_like_get_without_the_content(rest, path):
    case = await rest.case()
    path = f"/cases{path}".replace("{id}", case["id"])

    got, head = await rest("GET", path), await rest("HEAD", path)

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert head.headers.get("ETag") == got.headers.get("ETag")
    assert head.headers["content-type"] == got.headers["content-type"]


async def test_head_knows_conditions_and_methods(rest):
    case = await rest.case()
    path = f"/cases/{case['id']}"

    assert (await rest("HEAD", path, headers={"If-None-Match": '"1"'})).status_code == 304
    assert (await rest("HEAD", path, key=None)).status_code == 401
    assert (await rest("HEAD", f"{path}/links/lnk_1")).status_code == 405
    patched = await rest("PATCH", path)
    assert patched.headers["Allow"] == "DELETE, GET, HEAD, PUT"
    assert (await rest("HEAD", "/openapi.json")).status_code == 200


async def test_what_was_created_is_where_location_says(rest):
    made = await rest("POST", "/cases", json={"name": "N"})
    other = await rest.case()
    path = f"/cases/{made.json()['id']}"
    party = await rest("POST", f"{path}/parties", json={"name": "P", "role": "client"})
    staff = await rest("POST", f"{path}/staff", json={"name": "S", "role": "clerk"})
    link = await rest("POST", f"{path}/links", json={"case_id": other["id"]})

    root = "/api/v1"
    assert made.headers["Location"] == f"{root}{path}"
    assert party.headers["Location"] == f"{root}{path}/parties"
    assert staff.headers["Location"] == f"{root}{path}/staff"
    assert link.headers["Location"] == f"{root}{path}/links/{link.json()['id']}"
    read = await rest("GET", made.headers["Location"].removeprefix(root))
    assert read.status_code == 200
    gone = await rest("DELETE", link.headers["Location"].removeprefix(root))
    assert gone.status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/cases/{id}%2Fparties", 404, "CASE_NOT_FOUND"),
        ("GET", "/cases/{id}%2fparties", 404, "CASE_NOT_FOUND"),
        ("POST", "/cases/{id}%2Fparties", 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/cases/{id}%2Fparties", 404, "CASE_NOT_FOUND"),
        ("DELETE", "/cases/{id}%2Flinks%2Flnk_1", 404, "CASE_NOT_FOUND"),
        ("DELETE", "/cases/{id}/links/a%2Fb", 404, "LINK_NOT_FOUND"),
        ("GET", "/cases%2F{id}", 404, "NOT_FOUND"),
        ("GET", "/cases/{id}%252Fparties", 404, "CASE_NOT_FOUND"),
        ("GET", "/cases/..%2F..%2Fcases", 404, "CASE_NOT_FOUND"),
        ("GET", "/cases/%00", 404, "CASE_NOT_FOUND"),
        ("GET", "/cases/%ff", 404, "CASE_NOT_FOUND"),
        ("GET", "/cases/{id}%20", 404, "CASE_NOT_FOUND"),
        ("GET", "/cases/", 404, "NOT_FOUND"),
        ("GET", "/cases/{id}/", 404, "NOT_FOUND"),
        ("GET", "/%63ases/{id}", 200, None),
    ],
)
async def test_a_percent_encoded_slash_is_data(rest, method, path, status, code):
    case = await rest.case()
    body = {"json": {"name": "M", "role": "client"}} if method in ("POST", "PUT") else {}

    response = await rest(method, path.replace("{id}", case["id"]), **body)

    assert response.status_code == status, response.text
    if code is not None:
        assert response.json()["error"]["code"] == code
    assert await rest.version(case) == '"1"'


@pytest.mark.parametrize("query", ["limit=", "cursor=", "status=", "search=", "limit=&cursor="])
async def test_an_empty_parameter_counts_as_absent(rest, query):
    case = await rest.case()

    assert (await rest.get(f"/cases?{query}"))["data"] == [case]
