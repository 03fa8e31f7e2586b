"""The published schema: current, described, and in the forms its users expect."""

import re
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
)

from gateway.schema.assembled import schema, sdl

ROOT = Path(__file__).parents[3]
TYPES = {name: kind for name, kind in schema._schema.type_map.items() if not name.startswith("__")}


def test_the_committed_schema_is_current():
    committed = (ROOT / "schema.graphql").read_text(encoding="utf-8")

    assert committed == sdl(), "run: casegraph schema"


def test_the_committed_schema_is_sorted():
    lines = sdl().splitlines()
    heads = [
        line.split()[1]
        for line in lines
        if line.split(" ")[0] in ("type", "input", "enum", "interface", "scalar")
    ]

    assert heads == sorted(heads)


async def test_the_schema_and_its_scalars_are_described_to_whoever_asks(api):
    data = await api.data(
        '{ __schema { description } json: __type(name: "JSON") { specifiedByURL } '
        'date: __type(name: "DateTime") { specifiedByURL } }'
    )

    assert data["__schema"]["description"].startswith("A law firm's cases")
    assert data["json"]["specifiedByURL"].endswith("rfc8259")
    assert data["date"]["specifiedByURL"].endswith("rfc3339")
    assert "schema {" in sdl()


def test_every_type_field_argument_and_value_is_described():
    missing = []
    for name, kind in TYPES.items():
        if name in ("ID", "String", "Int", "Boolean", "Float"):
            continue
        if not kind.description:
            missing.append(name)
        if isinstance(kind, GraphQLEnumType):
            missing += [
                f"{name}.{key}" for key, value in kind.values.items() if not value.description
            ]
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for key, field in kind.fields.items():
                if not field.description:
                    missing.append(f"{name}.{key}")
                for argument, place in getattr(field, "args", {}).items():
                    if not place.description:
                        missing.append(f"{name}.{key}({argument}:)")

    assert missing == []


NAMES_A_SCOPE = re.compile("Needs `(cases|webhooks):")


def test_every_root_field_that_needs_a_scope_names_it():
    silent = [
        f"{kind}.{name}"
        for kind in ("Query", "Mutation")
        for name, field in TYPES[kind].fields.items()
        if name != "viewer" and not NAMES_A_SCOPE.search(field.description)
    ]

    assert silent == []


def test_every_connection_has_the_relay_form():
    parsed = build_schema(sdl())
    connections = [kind for name, kind in parsed.type_map.items() if name.endswith("Connection")]

    assert len(connections) == 10
    for kind in connections:
        more = {"facets": "[Facet!]!"} if kind.name == "CaseConnection" else {}
        assert {name: str(field.type) for name, field in kind.fields.items()} == more | {
            "edges": f"[{kind.name.removesuffix('Connection')}Edge!]!",
            "nodes": str(kind.fields["nodes"].type),
            "pageInfo": "PageInfo!",
            "totalCount": "Int!",
        }


def test_every_mutation_takes_one_input_and_answers_a_payload_with_user_errors():
    for name, field in TYPES["Mutation"].fields.items():
        title = name[0].upper() + name[1:]
        payload = field.type
        assert list(field.args) == ["input"]
        assert str(field.args["input"].type) == f"{title}Input!"
        assert payload.name == f"{title}Payload"
        assert str(payload.fields["userErrors"].type) == "[UserError!]!"


def test_no_argument_shows_a_null_default():
    assert "= null" not in sdl()
