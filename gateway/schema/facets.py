"""Facets of a list of cases."""

from typing import Annotated

import strawberry

from domain.models import CaseStatus
from domain.reading import facets
from domain.reading.facets import FacetField
from gateway import globalids
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


@strawberry.type(description="How many cases have each value of a field.")
class Facet:
    field: FacetField = choice("field", FacetField, "The field.")
    has_more: bool = strawberry.field(description="Whether values were left out.")

    @strawberry.field(description="The values, the most frequent first.")
    def values(root: strawberry.Parent[facets.Facet]) -> list[FacetValue]:
        return [
            FacetValue(value=_shown(root.field, one.value), label=one.label, count=one.count)
            for one in root.values
        ]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, facets.Facet)


def _shown(field: FacetField, value: str | None) -> str | None:
    """The value as a filter takes it."""
    if value is None:
        return None
    if field is FacetField.STATUS:
        return CaseStatus(value).name
    return globalids.encode("Staff", value) if field is FacetField.STAFF else value
