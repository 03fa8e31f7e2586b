"""From coerced values to what a resolver takes, compiled once for each field.

Strawberry finds out anew for each value of each call what its type is. These functions do the same
as its convert_arguments(), and leave to it what is not known here.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from functools import partial
from typing import Any

from strawberry import UNSET
from strawberry.scalars import is_scalar
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_argument
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition, has_enum_definition
from strawberry.types.field import StrawberryField

Convert = Callable[[Any], Any]
"""From a value that is not null."""


def arguments_of(
    field: StrawberryField, converter: GraphQLCoreConverter
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A function from the coerced arguments of a field to the keyword arguments of its resolver."""
    if id(field) not in _made:
        _made[id(field)] = field, _made_for(field, converter)
    return _made[id(field)][1]


_made: dict[int, tuple[StrawberryField, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {}
"""By the field, which stays with its schema: a function for each operation would be much garbage,
since filters contain filters."""


def _made_for(
    field: StrawberryField, converter: GraphQLCoreConverter
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    each = [
        (
            converter.config.name_converter.from_argument(one),
            one.python_name,
            _of_type(one.type, converter, {}),
        )
        for one in field.arguments
    ]

    def convert(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            python_name: _converted(values[name], convert)
            for name, python_name, convert in each
            if name in values
        }

    return convert


def _converted(value: Any, convert: Convert | None) -> Any:
    if convert is None or value is None or value is UNSET:
        return value
    return convert(value)


def _of_type(
    type_: Any, converter: GraphQLCoreConverter, known: dict[Any, "_Input"]
) -> Convert | None:
    """The conversion of a type's values; None if they stay as they are."""
    if isinstance(type_, StrawberryOptional) and not isinstance(type_, StrawberryMaybe):
        return _of_type(type_.of_type, converter, known)
    if isinstance(type_, StrawberryList):
        inner = _of_type(type_.of_type, converter, known)
        # A copy all the same: a default is the same list for everybody.
        return list if inner is None else partial(_each, inner)
    if isinstance(type_, StrawberryEnumDefinition) or has_enum_definition(type_):
        return None
    if is_scalar(type_, converter.scalar_registry):
        return None
    if has_object_definition(type_) and type_.__strawberry_definition__.from_input is None:
        if type_ not in known:
            known[type_] = _Input(type_)  # first, since it may contain itself
            known[type_].compile(converter, known)
        return known[type_]
    registry, config = converter.scalar_registry, converter.config
    return partial(convert_argument, type_=type_, scalar_registry=registry, config=config)


def _each(inner: Convert, values: Any) -> list[Any]:
    return [_converted(value, inner) for value in values]


class _Input:
    """Makes the objects of an input type."""

    def __init__(self, type_: Any) -> None:
        self._type = type_
        self._missing: dict[str, None] = {}
        self._each: list[tuple[str, str, Convert | None]] = []

    def compile(self, converter: GraphQLCoreConverter, known: dict[Any, "_Input"]) -> None:
        definition = self._type.__strawberry_definition__
        for field in definition.fields:
            name = converter.config.name_converter.from_field(field)
            inner = _of_type(field.resolve_type(type_definition=definition), converter, known)
            self._each.append((name, field.python_name, inner))
            if field.default_value is MISSING and field.default_factory is MISSING:
                self._missing[field.python_name] = None

    def __call__(self, value: Mapping[str, Any]) -> Any:
        given = {
            python_name: _converted(value[name], convert)
            for name, python_name, convert in self._each
            if name in value
        }
        return self._type(**{**self._missing, **given})
