"""A hostile request for every root field: arguments, inputs, selections and documents."""

import json
import random
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    build_schema,
    get_named_type,
    is_leaf_type,
)

from tests.fault.exchanges import Request
from tests.fault.hostile_json import Pairs, encoded, spoiled
from tests.fault.hostile_rest import authorization, disturbed, text_of, with_body
from tests.fault.hostile_values import CURSORS, TEXTS, Raw, tampered
from tests.fault.servers import ROOT
from tests.fault.worlds import World

SCHEMA = build_schema((ROOT / "schema.graphql").read_text())
FIELDS = [
    (kind, name)
    for kind in ("query", "mutation")
    for name in SCHEMA.type_map[kind.capitalize()].fields
]
LITERALS = [
    '"\\uD800"',
    '"\\uD83D\\uDE00"',
    '"\\u{110000}"',
    '"\\u{0}"',
    '"\\u0000"',
    '"\\x"',
    '"unclosed',
    '"""block "" \\""" """',
    '"""unclosed',
    '"line\nbreak"',
    "1e400",
    "-0",
    "-0.0",
    "00",
    "0x1",
    "1.",
    "99999999999999999999",
    "2147483648",
    "1" * 2_000,
    "null",
    "true",
    "ACTIVE",
    "__typename",
    "$undefined",
    "$a",
    "[]",
    "[null]",
    "{}",
    "{a: 1, a: 2}",
    "[" * 90 + "]" * 90,
    "[" * 2_000,
    "{not: " * 90 + "{}" + "}" * 90,
    "{",
    "\x00",
    "\ufeff",
    "\u2028",
    "…",
    "# comment",
    "&",
    "|",
    "...",
    "@skip(if: true)",
]
"""Written into a document where a value belongs."""

DOCUMENTS = [
    "",
    " ",
    ",,,",
    "\ufeff{ viewer { mode } }",
    "{",
    "{}",
    "{ }",
    "}{",
    "query",
    "query {",
    "null",
    "subscription { viewer { mode } }",
    "subscription { __typename }",
    "{ __typename }",
    "mutation { __typename }",
    "{ __schema { __typename queryType { fields { type { ofType { ofType { name } } } } } } }",
    '{ __type(name: "Case") { fields(includeDeprecated: true) { args { defaultValue } } } }',
    '{ __type(name: "\\u0000") { name } }',
    "{ viewer }",
    "{ viewer { } }",
    "{ viewer { mode { mode } } }",
    "{ nothing }",
    "{ __proto__ }",
    "{ constructor }",
    "{ a: viewer { mode } a: node(id: 1) { id } }",
    "{ cases { nodes { id } nodes { id } ...F ...F } } fragment F on CaseConnection { totalCount }",
    "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "{ ...A } fragment A on Query { ...A }",
    "{ ...Missing }",
    "{ ... on Case { id } }",
    "{ ... on Query { ... on Query { viewer { mode } } } }",
    "fragment F on Query { viewer { mode } }",
    "fragment on on Query { viewer { mode } } { ...on }",
    "query A { viewer { mode } } query A { viewer { mode } }",
    "query A { viewer { mode } } mutation B { deleteCase(input: {id: 1}) { deletedCaseId } }",
    "{ viewer @skip { mode } }",
    "{ viewer @skip(if: 1) { mode } }",
    "{ viewer @skip(if: true) @include(if: true) { mode } }",
    "{ viewer @skip(if: true) @skip(if: true) { mode } }",
    "{ viewer @nothing { mode } }",
    "{ viewer { mode @deprecated } }",
    "query ($a: Boolean!) { viewer @include(if: $a) { mode } }",
    "query ($a: Boolean = null) { viewer @include(if: $a) { mode } }",
    "query ($a: Nothing) { viewer { mode } }",
    "query ($a: Case) { viewer { mode } }",
    "query ($a: Int, $a: Int) { cases(first: $a) { totalCount } }",
    "query ($a: Int = 99999999999) { cases(first: $a) { totalCount } }",
    'query ($a: Int = "x") { cases(first: $a) { totalCount } }',
    "query ($a: [ID!]! = []) { nodes(ids: $a) { id } }",
    "query ($a: [[[[[[[[ID]]]]]]]]) { nodes(ids: $a) { id } }",
    "query @live { viewer { mode } }",
    "{ cases(first: 1, first: 2) { totalCount } }",
    "{ cases(nothing: 1) { totalCount } }",
    "{ cases(first: 100) { nodes { parties(first: 100) { nodes { cases(first: 100) { totalCount"
    " } } } } } }",
    "type Query { a: Int }",
    "extend type Query { a: Int } { viewer { mode } }",
    "schema { query: Query }",
    '"description" { viewer { mode } }',
    "{ viewer { mode } } #",
    "#" * 60_000,
    "{ viewer { mode } }" + " " * 70_000,
    "{" + " viewer { mode }" * 700 + "}",
    "{" + "".join(f" a{n}: viewer {{ mode }}" for n in range(300)) + "}",
    "{" + "".join(f" a{n}: cases {{ totalCount }}" for n in range(150)) + "}",
    "{" * 50_000,
    "{ a " * 2_000,
    "[" * 50_000,
    "{ viewer { mode } }" * 500,
    "{ viewer { mode " + "@skip(if: false) " * 500 + "} }",
    "query(" + "".join(f"$v{n}: Int " for n in range(900)) + ") { viewer { mode } }",
    "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(60))
    + "fragment F60 on Query { viewer { mode } } { ...F0 }",
    "{ cases(filter: {" + "and: [{" * 80 + "}]" * 80 + "}) { totalCount } }",
    '{ cases(filter: {search: "' + "a " * 5_000 + '"}) { totalCount } }',
    "{ \u00fcmlaut }",
    "{ viewer { mode } }\x00",
    "\x00",
    "{ viewer { mode } } \ud7ff",
]

_NESTED_CHANCE = (0.8, 0.5, 0.25, 0.0)
_IDS = {
    "caseId": "case",
    "linkedCaseId": "case",
    "partyId": "party",
    "partyIds": "party",
    "staffId": "staff",
    "staffIds": "staff",
    "linkId": "link",
    "case": "case",
    "party": "party",
    "staffMember": "staff",
    "updateCase": "case",
    "deleteCase": "case",
    "updateParty": "party",
    "updateStaff": "staff",
}
"""What kind of id an argument takes, by its name or by that of the root field."""


class Name(str):
    """An enum's value, which has no quotes in a document."""

    __slots__ = ()


def graphql_requests(world: World, chance: random.Random) -> Iterator[tuple[str, Request]]:
    """Without end: each root field in turn, by its name, and what needs more than chance.

    That is the cursor of a list with another position in it, and documents of all kinds.
    """
    while True:
        for kind, name in FIELDS:
            yield name, _request(world, chance, kind, name)
        yield "list", _list(world, chance)
        yield "document", _post(world, chance, {"query": chance.choice(DOCUMENTS)}, 0.4)


def _request(world: World, chance: random.Random, kind: str, name: str) -> Request:
    field = SCHEMA.type_map[kind.capitalize()].fields[name]
    arguments = {
        one: _value(world, chance, argument.type, one, name)
        for one, argument in field.args.items()
        if isinstance(argument.type, GraphQLNonNull) or chance.random() < 0.5
    }
    selected = _selection(world, chance, get_named_type(field.type), 0)
    if chance.random() < 0.35:
        literals = spoiled(arguments, chance) if chance.random() < 0.4 else arguments
        text = f"{kind} {{ {name}{_arguments(literals, chance)} {selected} }}"
        return _send(world, chance, {"query": text}, kind)
    declared = " ".join(f"${one}: {field.args[one].type}" for one in arguments)
    given = ", ".join(f"{one}: ${one}" for one in arguments)
    head = f"{kind} Asked({declared})" if declared else kind
    text = f"{head} {{ {name}{f'({given})' if given else ''} {selected} }}"
    variables: Any = arguments if chance.random() < 0.2 else spoiled(arguments, chance)
    return _send(world, chance, {"query": text, "variables": variables}, kind)


def _list(world: World, chance: random.Random) -> Request:
    path, cursor = chance.choice(world.own.pages)
    bounds = {chance.choice(("after", "before")): chance.choice(tampered(cursor))}
    _, _, case_id, *related = [*path.partition("?")[0].split("/"), ""]
    if "search" in path:
        bounds |= {"filter": {"search": path.partition("=")[2]}}
    inner = f"{_arguments(bounds, chance)} {{ edges {{ cursor }} }}"
    asked = f'case(id: "{case_id}") {{ {related[0]}{inner} }}' if case_id else f"cases{inner}"
    return _post(world, chance, {"query": f"{{ {asked} }}"}, 0)


def _send(world: World, chance: random.Random, content: dict[str, Any], kind: str) -> Request:
    if chance.random() < 0.12:
        query = quote(content["query"], safe="").encode()
        variables = quote(encoded(content.get("variables")), safe="").encode()
        target = b"/graphql?query=" + query[:15_000] + b"&variables=" + variables[:15_000]
        return disturbed(world, chance, Request(b"GET", target, [authorization(world)]))
    return _post(world, chance, content, 0.08)


def _post(world: World, chance: random.Random, content: Any, spoil: float) -> Request:
    """A POST; with the chance *spoil*, the envelope of the operation is spoiled, too."""
    request = Request(b"POST", b"/graphql", [authorization(world)])
    if chance.random() < spoil:
        extensions = {"cost": True} | chance.choice(({}, {"persistedQuery": _persisted(content)}))
        more = {"operationName": "Asked", "extensions": extensions, **content}
        if chance.random() < 0.3:
            more |= {"documentId": f"sha256:{'0' * 64}", "query": None}
        with_body(chance, request, more)
    else:
        request.body = encoded(content)
        request.headers.append((b"Content-Type", b"application/json"))
    return disturbed(world, chance, request)


def _persisted(content: Any) -> dict[str, Any]:
    """What Apollo's persisted queries send with a document."""
    query = str(content.get("query")) if isinstance(content, dict) else ""
    return {"version": 1, "sha256Hash": sha256(query.encode("utf-8", "replace")).hexdigest()}


def _value(world: World, chance: random.Random, type_: Any, name: str, root: str) -> Any:
    """What an argument of this type and name may well be."""
    if isinstance(type_, GraphQLNonNull):
        return _value(world, chance, type_.of_type, name, root)
    if isinstance(type_, GraphQLList):
        count = chance.choice((0, 1, 1, 2, 3))
        return [_value(world, chance, type_.of_type, name, root) for _ in range(count)]
    if isinstance(type_, GraphQLInputObjectType):
        often = 0.2 if type_.name == "CaseFilter" else 0.4
        return {
            one: _value(world, chance, part.type, one, root)
            for one, part in type_.fields.items()
            if isinstance(part.type, GraphQLNonNull) or chance.random() < often
        }
    if isinstance(type_, GraphQLEnumType):
        return Name(chance.choice(list(type_.values)))
    match type_.name:
        case "Int":
            return chance.randint(1, 100) if name in ("first", "last") else chance.randint(1, 3)
        case "ID":
            return world.global_id(_IDS.get(name) or _IDS.get(root))
        case "DateTime":
            return "2026-01-15T09:00:00Z"
        case "String" if name in ("after", "before"):
            genuine = world.cursor()
            return chance.choice((genuine, chance.choice(tampered(genuine) + CURSORS)))
        case "String" if name == "idempotencyKey":
            return f"key {chance.randint(1, 40)}"
        case _:
            return text_of(world, chance, name)


def _selection(world: World, chance: random.Random, type_: Any, depth: int) -> str:
    if is_leaf_type(type_):
        return ""
    if not isinstance(type_, GraphQLObjectType):
        return "{ __typename id ... on Case { name } ... on CaseLink { linkedCase { uuid } } }"
    chosen = ["__typename"]
    for name, field in type_.fields.items():
        named = get_named_type(field.type)
        if is_leaf_type(named):
            if name.startswith("deleted") or chance.random() < 0.5:
                chosen.append(name)
        elif chance.random() < _NESTED_CHANCE[min(depth, 3)]:
            inner = _selection(world, chance, named, depth + 1)
            chosen.append(f"{name}{_nested_arguments(world, chance, field)} {inner}")
    return "{ " + " ".join(chosen) + " }"


def _nested_arguments(world: World, chance: random.Random, field: Any) -> str:
    arguments: dict[str, Any] = {}
    if "first" in field.args:
        arguments["first"] = chance.randint(1, 5)
    for one, argument in field.args.items():
        if chance.random() < 0.04:
            arguments[one] = _value(world, chance, argument.type, one, "")
            if chance.random() < 0.3:
                arguments[one] = spoiled(arguments[one], chance)
    return _arguments(arguments, chance)


def _arguments(values: Any, chance: random.Random) -> str:
    if not isinstance(values, dict | Pairs):
        return f"({_literal(values, chance)})"
    pairs = values.items() if isinstance(values, dict) else values
    given = ", ".join(f"{name}: {_literal(value, chance)}" for name, value in pairs)
    return f"({given})" if given else ""


def _literal(value: Any, chance: random.Random) -> str:
    """A value as a document spells it; what is Raw in JSON is a hostile literal here."""
    if isinstance(value, Raw):
        roll = chance.random()
        text = chance.choice(TEXTS)
        return chance.choice(LITERALS) if roll < 0.6 else json.dumps(text, ensure_ascii=roll < 0.8)
    if isinstance(value, Name):
        return value
    if isinstance(value, dict | Pairs):
        pairs = value.items() if isinstance(value, dict) else value
        return "{" + ", ".join(f"{name}: {_literal(one, chance)}" for name, one in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(one, chance) for one in value) + "]"
    return json.dumps(value)
