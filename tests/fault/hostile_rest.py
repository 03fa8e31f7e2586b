"""A hostile request for every documented route: path, query, headers and body, by OpenAPI."""

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from rest_compat.application import Application
from tests.fault.exchanges import Request
from tests.fault.hostile_json import encoded, spoiled
from tests.fault.hostile_values import (
    AUTHORIZATIONS,
    BODIES,
    CURSORS,
    HEADERS,
    MEDIA_TYPES,
    METHODS,
    QUERIES,
    SEGMENTS,
    TEXTS,
    tampered,
)
from tests.fault.worlds import World

DOCUMENT = Application().openapi()
ROUTES = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
ELSEWHERE = [
    b"/",
    b"/healthz",
    b"/readyz",
    b"/metrics",
    b"/docs",
    b"/openapi.json",
    b"/api",
    b"/api/v1",
    b"/api/v1/",
    b"/api/v1/docs",
    b"/api/v1/openapi.json",
    b"/api/v1/cases/",
    b"//api/v1/cases",
    b"/api//v1/cases",
    b"/api/v1//cases",
    b"/api/v1/../../etc/passwd",
    b"/api/v1/%2e%2e/graphql",
    b"/api/v2/cases",
    b"/API/V1/CASES",
    b"/graphql/",
    b"/graphql/static/",
    b"/graphql/static/../../../../etc/passwd",
    b"/graphql/static/%2e%2e/%2e%2e/schema.py",
    b"/graphql/static/..%5c..%5cschema.py",
    b"/graphql/static/%00",
    b"/graphql/static/" + b"a/" * 2_000,
    b"/graphql/static/" + b"a" * 300,
    b"/graphql/static/start.js/x",
    b"/graphql/static/%ff",
    b"http://evil.test/api/v1/cases",
    b"*",
    b"?",
    b"/?x",
    b"/\xff",
    b"/%",
    b"/" + b"a" * 20_000,
    b"/" * 10_000,
]
"""Paths that no route has, or that need no key."""


def rest_requests(world: World, chance: random.Random) -> Iterator[tuple[str, Request]]:
    """Without end: each route in turn, by its name, and what needs more than chance.

    That is the cursor of a list with another position in it, and what is no route.
    """
    while True:
        for method, path, operation in ROUTES:
            yield f"{method} {path}", _request(world, chance, method, path, operation)
        path, cursor = chance.choice(world.own.pages)
        position = quote(chance.choice(tampered(cursor)), safe="")
        path += f"{'&' if '?' in path else '?'}limit=2&cursor={position}"
        yield "list", Request(b"GET", b"/api/v1" + path.encode(), [authorization(world)])
        target = chance.choice(ELSEWHERE)
        request = Request(b"GET", target, [authorization(world)])
        yield "elsewhere", disturbed(world, chance, request)


def authorization(world: World) -> tuple[bytes, bytes]:
    return b"Authorization", b"Bearer " + world.own.key.encode()


def disturbed(world: World, chance: random.Random, request: Request) -> Request:
    """The request with another method, headers or key: seldom all, often none."""
    if chance.random() < 0.03:
        request.method = chance.choice(METHODS)
    if chance.random() < 0.04:
        oddity = chance.choice(AUTHORIZATIONS).replace(b"%s", world.own.key.encode())
        kept = [header for header in request.headers if header[0] != b"Authorization"]
        request.headers = [*kept, (b"Authorization", oddity)]
        if chance.random() < 0.2:
            request.headers.append(authorization(world))
    for _ in range(chance.choice((0, 0, 0, 0, 0, 1, 1, 2))):
        request.headers.append(chance.choice(HEADERS))
    if chance.random() < 0.01:
        request.headers += [(b"X-%d" % n, b"y") for n in range(chance.choice((90, 99, 150)))]
    return request


def with_body(chance: random.Random, request: Request, value: Any) -> None:
    """Give it the value as JSON: as it is, spoiled, or something else altogether."""
    roll = chance.random()
    if roll < 0.15:
        request.body = encoded(value)
    elif roll < 0.85:
        request.body = encoded(spoiled(value, chance))
    else:
        request.body = chance.choice(BODIES)
    media_type = b"application/json" if chance.random() < 0.93 else chance.choice(MEDIA_TYPES)
    request.headers.append((b"Content-Type", media_type))


def _request(
    world: World, chance: random.Random, method: str, path: str, operation: Any
) -> Request:
    target = b"/api/v1"
    for part in path.removeprefix("/").split("/"):
        target += b"/" + (_segment(world, chance, part) if part.startswith("{") else part.encode())
    query = _query(world, chance, operation)
    request = Request(method.encode(), target + query, [authorization(world)])
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "header" and chance.random() < 0.2:
            name = parameter["name"].encode()
            values = [value for given, value in HEADERS if given == name]
            request.headers.append((name, chance.choice(values)))
    if (wanted := operation.get("requestBody")) is not None:
        schema = wanted["content"]["application/json"]["schema"]
        with_body(chance, request, _value(world, chance, schema, ""))
    elif method == "DELETE" and chance.random() < 0.5:
        with_body(chance, request, {"staff_ids": [world.id("staff")], "role": "client"})
    return disturbed(world, chance, request)


def _segment(world: World, chance: random.Random, part: str) -> bytes:
    roll = chance.random()
    if roll < 0.88:
        kind = next((one for one in ("link", "webhook") if one in part), "case")
        return quote(world.id(kind)).encode()
    if roll < 0.91:
        return quote(chance.choice((world.id(None), world.global_id(None)))).encode()
    if roll < 0.94:
        return quote(chance.choice(TEXTS)[:3_000], safe="").encode()
    return chance.choice(SEGMENTS)


def _query(world: World, chance: random.Random, operation: Any) -> bytes:
    parts = []
    if chance.random() < 0.3:
        parts.append(chance.choice(QUERIES))
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and chance.random() < 0.35:
            value = _parameter(world, chance, parameter["name"])
            parts.append(parameter["name"].encode() + b"=" + value)
    return b"?" + b"&".join(parts) if parts else b""


def _parameter(world: World, chance: random.Random, name: str) -> bytes:
    genuine: str = world.cursor()
    plausible = {
        "limit": str(chance.randint(1, 100)),
        "cursor": chance.choice((genuine, chance.choice(tampered(genuine) + CURSORS))),
        "staff_id": world.id("staff"),
        "search": "weiss",
        "status": "active",
        "facets": chance.choice(("status", "staff,year", "type,type", "party_role,nothing")),
    }.get(name, "client")
    value = plausible if chance.random() < 0.6 else chance.choice(TEXTS)[:3_000]
    return quote(value, safe="").encode()


def _value(world: World, chance: random.Random, schema: dict[str, Any], name: str) -> Any:
    """What a schema of the document asks for."""
    if "$ref" in schema:
        found = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return _value(world, chance, found, name)
    if "anyOf" in schema:
        return _value(world, chance, chance.choice(schema["anyOf"]), name)
    match schema.get("type"):
        case "array":
            return [
                _value(world, chance, schema["items"], name)
                for _ in range(chance.choice((1, 1, 2, 3)))
            ]
        case "object" if "properties" in schema:
            required = schema.get("required", ())
            return {
                one: _value(world, chance, part, one)
                for one, part in schema["properties"].items()
                if one in required or chance.random() < 0.4
            }
        case "object":
            key = "staff" if "Staff" in json.dumps(schema) else "parties"
            return {key: _value(world, chance, schema["additionalProperties"], name)}
        case "string":
            return text_of(world, chance, name)
        case _:
            return None


def text_of(world: World, chance: random.Random, name: str) -> str:
    """A text that may well be taken where a field has this name."""
    match name:
        case "id" | "party_id":
            return world.id("party")
        case "staff_id":
            return world.id("staff")
        case "target_case_id" | "linked_case_id" | "case_id":
            return world.id("case")
        case "status":
            return chance.choice(("active", "closed", "archived"))
        case "type":
            return chance.choice(("civil", "person", "parent", "related"))
        case "file_number" | "fileNumber":
            return f"AZ-{chance.randint(1, 300)}"
        case "email":
            return "a@example.org"
        case "role" | "dezernat":
            return chance.choice(("client", "opponent", "lead_attorney"))
        case _:
            return f"Mandant {chance.randint(1, 99)}"
