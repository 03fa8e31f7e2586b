"""The OpenAPI document: every route, every body, every error in its envelope."""

import re

import pytest

from rest_compat.application import Application
from rest_compat.errors import STATUS

ROUTES = {
    ("GET", "/cases"),
    ("POST", "/cases"),
    ("GET", "/cases/{case_id}"),
    ("PUT", "/cases/{case_id}"),
    ("DELETE", "/cases/{case_id}"),
    ("GET", "/cases/{case_id}/parties"),
    ("POST", "/cases/{case_id}/parties"),
    ("PUT", "/cases/{case_id}/parties"),
    ("GET", "/cases/{case_id}/staff"),
    ("POST", "/cases/{case_id}/staff"),
    ("DELETE", "/cases/{case_id}/staff"),
    ("GET", "/cases/{case_id}/timeline"),
    ("POST", "/cases/{case_id}/links"),
    ("GET", "/cases/{case_id}/links"),
    ("DELETE", "/cases/{case_id}/links/{link_id}"),
    ("GET", "/changes"),
    ("GET", "/parties"),
    ("GET", "/parties/{party_id}"),
    ("GET", "/parties/{party_id}/cases"),
    ("GET", "/staff"),
    ("GET", "/staff/{staff_id}"),
    ("GET", "/staff/{staff_id}/cases"),
    ("GET", "/webhooks"),
    ("POST", "/webhooks"),
    ("GET", "/webhooks/{webhook_id}"),
    ("PUT", "/webhooks/{webhook_id}"),
    ("DELETE", "/webhooks/{webhook_id}"),
    ("POST", "/webhooks/{webhook_id}/secret"),
    ("GET", "/webhooks/{webhook_id}/deliveries"),
}


@pytest.fixture(scope="module")
def document():
    return Application().openapi()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def references(part):
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_the_document_has_every_route_and_no_other(document):
    assert {(method, path) for method, path, _operation in operations(document)} == ROUTES


def test_every_reference_leads_somewhere(document):
    for reference in references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in found, reference
            found = found[part]


def test_every_path_parameter_is_declared(document):
    for _method, path, operation in operations(document):
        declared = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path)), path


def test_operation_ids_are_unique(document):
    ids = [operation["operationId"] for _method, _path, operation in operations(document)]

    assert len(set(ids)) == len(ids) == len(ROUTES)


def test_the_errors_of_every_route_wear_the_envelope(document):
    documented_statuses = set(map(str, STATUS.values()))
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status in documented_statuses:
                # Told once for all routes.
                assert response == {"$ref": f"#/components/responses/Error{status}"}
                whole = document["components"]["responses"][f"Error{status}"]
                schema = whole["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Error"}, (method, path, status)
        assert {"401", "403", "429", "503"} <= operation["responses"].keys(), (method, path)
        can_miss = "{" in path or (method, path) == ("POST", "/cases")
        assert ("404" in operation["responses"]) == can_miss, (method, path)


def test_every_body_is_described(document):
    for method, path, operation in operations(document):
        if method in ("POST", "PUT") and not path.endswith("/secret"):
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert schema, (method, path)
            assert {"400", "413", "415"} <= operation["responses"].keys()


async def test_the_document_and_its_page_are_served_without_a_key(rest, document):
    served = await rest("GET", "/openapi.json", key=None)
    page = await rest("GET", "/docs", key=None)

    assert served.status_code == page.status_code == 200
    assert served.json()["paths"].keys() == document["paths"].keys()
    assert served.json()["servers"] == [{"url": "/api/v1"}]
