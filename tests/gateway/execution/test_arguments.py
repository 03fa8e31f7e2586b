"""Compiled conversions of arguments give resolvers what Strawberry would give them."""

import random

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    coerce_input_value,
)
from strawberry.types.arguments import convert_arguments

from gateway.execution.arguments import arguments_of
from gateway.execution.declarations import DEFINITION
from gateway.schema.assembled import schema

CORE = schema._schema
FIELDS = [
    (type_.name, name)
    for type_ in (CORE.query_type, CORE.mutation_type, *map(CORE.type_map.get, ("Case", "Party")))
    for name, field in type_.fields.items()
    if field.args
]


def sample(rnd, type_, depth=0):
    """A value of an input type, as variables hold it."""
    if isinstance(type_, GraphQLNonNull):
        return sample(rnd, type_.of_type, depth)
    if depth and rnd.random() < 0.15:
        return None
    if isinstance(type_, GraphQLList):
        return [present(rnd, type_.of_type, depth) for _ in range(rnd.randrange(3))]
    if isinstance(type_, GraphQLEnumType):
        return rnd.choice(list(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        return {
            name: present(rnd, field.type, depth + 1)
            for name, field in type_.fields.items()
            if isinstance(field.type, GraphQLNonNull) or (depth < 4 and rnd.random() < 0.5)
        }
    return {
        "Int": 3,
        "Boolean": True,
        "DateTime": "2026-01-01T00:00:00Z",
        "Float": 1.5,
    }.get(type_.name, "text")


def present(rnd, type_, depth):
    value = sample(rnd, type_, depth)
    if value is None and isinstance(type_, GraphQLNonNull):
        return present(rnd, type_, depth)
    return value


@pytest.mark.parametrize(("type_name", "field_name"), FIELDS)
def test_a_conversion_is_strawberry_s(type_name, field_name):
    definition = CORE.type_map[type_name].fields[field_name]
    field = definition.extensions[DEFINITION]
    converter = CORE.extensions[DEFINITION].schema_converter
    convert = arguments_of(field, converter)
    rnd = random.Random(f"{type_name}.{field_name}")

    for _ in range(60):
        given = {
            name: coerce_input_value(present(rnd, argument.type, 0), argument.type)
            for name, argument in definition.args.items()
            if rnd.random() < 0.8
        }
        expected = convert_arguments(
            given, field.arguments, converter.scalar_registry, converter.config
        )
        assert convert(given) == expected
        assert repr(convert(given)) == repr(expected)


def test_a_list_is_a_copy():
    converter = CORE.extensions[DEFINITION].schema_converter
    nodes = CORE.type_map["Query"].fields["nodes"]
    ids = ["a", "b"]

    found = arguments_of(nodes.extensions[DEFINITION], converter)({"ids": ids})

    assert found == {"ids": ids}
    assert found["ids"] is not ids
