"""Reading the query string."""

from fastapi import Request

from domain.errors import invalid
from domain.reading.facets import FacetField
from domain.reading.paging import Paging, checked_limit


def single(request: Request, name: str) -> str | None:
    """A query parameter, at most once; an empty one counts as absent. Raises Invalid."""
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise invalid(f"{name} must be given at most once.", name)
    return values[0] if values and values[0] else None


def paging_of(request: Request) -> Paging:
    """The page that limit and cursor select. Raises Invalid."""
    text = single(request, "limit")
    # Leading zeros are dropped first: the first nine digits of 0000001000 are 100.
    if text and not (text.isascii() and text.isdecimal()):
        raise invalid("limit must be between 1 and 100.", "limit")
    limit = checked_limit(int(text.lstrip("0")[:9] or "0") if text else None, "limit")
    return Paging(limit, after=single(request, "cursor"))


def facets_of(request: Request) -> list[FacetField]:
    """The fields to count by. Raises Invalid."""
    text = single(request, "facets")
    names = text.split(",") if text else []
    if not set(names) <= set(FacetField):
        known = ", ".join(FacetField)
        raise invalid(f"facets must be some of {known}, with commas between.", "facets")
    return [FacetField(name) for name in names]
