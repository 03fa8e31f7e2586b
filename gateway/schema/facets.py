"""Facets of a list of cases."""

from typing import Annotated

import strawberry

from domain.reading import facets
from domain.reading.facets import FacetField
from gateway.execution.declarations import choice

By = Annotated[list[FacetField], strawberry.argument(description="What to count by.")]
MostValues = Annotated[
    int,
    strawberry.argument(
        description="The number of values of each facet: 1 to 100, the most frequent first."
    ),
]


@strawberry.type(description="A value of a facet.")
class FacetValue:
    value: str | None = strawberry.field(
        description="The value as a filter takes it: of a status the name in the enum, of a staff "
        "member the global id. Null for cases without a value."
    )
    label: str | None = strawberry.field(
        description="The value for people: of a staff member the name."
    )
    count: int = strawberry.field(
        description="The number of cases with this value. A case with several roles or staff "
        "members counts for each of them."
    )

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, facets.FacetValue)


@strawberry.type(description="How many cases have each value of a field.")
class Facet:
    field: FacetField = choice("field", FacetField, "The field.")
    has_more: bool = strawberry.field(description="Whether values were left out.")

    values: list[FacetValue] = strawberry.field(description="The values, the most frequent first.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, facets.Facet)
