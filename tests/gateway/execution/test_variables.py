"""Variables that are used as they are sent have the values that graphql-core would give them."""

import itertools

import pytest
from graphql import get_operation_ast, parse
from graphql.execution.values import VariableValues, get_variable_values

from gateway.execution.operations import Operation
from gateway.schema.assembled import schema

TYPES = ["ID", "String", "Int", "Boolean", "Float", "DateTime", "CaseStatus"]
VALUES = ["", "x", "1", 0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 1.0, 1.5, True, False]
VALUES += [None, [], ["x"], {}, {"x": 1}, "ACTIVE", "2026-01-01T00:00:00Z", float("inf")]
ABSENT = object()


@pytest.mark.parametrize("default", ["", ' = "x"', " = null"])
@pytest.mark.parametrize("wrapped", ["{}", "{}!", "[{}]", "[{}!]!"])
@pytest.mark.parametrize("name", TYPES)
def test_a_variable_has_the_value_that_graphql_core_gives_it(name, wrapped, default):
    document = parse(f"query($v: {wrapped.format(name)}{default}) {{ viewer {{ mode }} }}")
    operation = Operation(schema._schema, document, None)
    node = get_operation_ast(document, None)

    for value in [*VALUES, ABSENT]:
        given = {} if value is ABSENT else {"v": value}
        expected = get_variable_values(schema._schema, node.variable_definitions, given)
        found = operation.variables(given)
        if isinstance(expected, VariableValues):
            assert found is not None
            assert found.coerced == expected.coerced
            assert list(map(type, found.coerced.values())) == list(
                map(type, expected.coerced.values())
            )
        else:
            assert found is None


def test_several_are_what_each_of_them_is():
    document = parse("query($a: ID!, $b: Int, $c: String) { viewer { mode } }")
    operation = Operation(schema._schema, document, None)
    node = get_operation_ast(document, None)

    for values in itertools.product(["x", 1, ABSENT], [1, "1", None, ABSENT], ["y", 2, ABSENT]):
        given = {
            name: value for name, value in zip("abc", values, strict=True) if value is not ABSENT
        }
        expected = get_variable_values(schema._schema, node.variable_definitions, given)
        found = operation.variables({**given, "unknown": 1})
        assert (found.coerced if found else None) == (
            expected.coerced if isinstance(expected, VariableValues) else None
        )
