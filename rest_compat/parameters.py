"""Reading the query string."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from fastapi import Request

from domain.errors import Invalid, Problem, invalid
from domain.inputs import CaseOrder, CaseOrderField
from domain.reading.facets import FacetField
from domain.reading.lists import NEWEST_FIRST
from domain.reading.paging import Paging, checked_limit
from domain.reading.search import MatchField

E = TypeVar("E", bound=StrEnum)

SORTS = {"created_at": NEWEST_FIRST, "relevance": CaseOrder(CaseOrderField.RELEVANCE)}
"""The orders of the list of cases; the first is the contract's."""


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
    return _some(request, "facets", FacetField) or []


def fields_of(request: Request) -> list[MatchField] | None:
    """Where to search; None for the usual fields. Raises Invalid."""
    return _some(request, "in", MatchField)


def order_of(request: Request) -> CaseOrder:
    """The order of the list of cases. Raises Invalid."""
    name = single(request, "sort") or next(iter(SORTS))
    if name not in SORTS:
        raise invalid(f"sort must be one of {', '.join(SORTS)}.", "sort")
    return SORTS[name]


def matches_of(request: Request) -> bool:
    """Whether to tell where a search has found each case. Raises Invalid."""
    value = single(request, "matches")
    if value not in (None, "true", "false"):
        raise invalid("matches must be true or false.", "matches")
    return value == "true"


def several(request: Request, name: str) -> list[str] | None:
    """The values of a parameter, with commas between them; None without it. Raises Invalid."""
    text = single(request, name)
    return text.split(",") if text else None


def as_parameters(error: Invalid, others: Mapping[str, str] = MappingProxyType({})) -> Invalid:
    """A refusal of a list's arguments, with the parameter names of the query string.

    *others* are names beside those that every list has.
    """
    names = {"after": "cursor", **others}
    unnamed = {"filter", "party", "at"} - others.keys()
    return Invalid(
        Problem(
            problem.code,
            problem.message.replace("after must", "cursor must"),
            tuple(
                names.get(part, part)
                for part in problem.field
                if part not in unnamed and not part.isdigit()
            ),
        )
        for problem in error.problems
    )


def _some(request: Request, name: str, known: type[E]) -> list[E] | None:
    """The values of a parameter that lists some, with commas between; None without it."""
    text = single(request, name)
    if not text:
        return None
    values = text.split(",")
    if not set(values) <= set(known):
        raise invalid(f"{name} must be some of {', '.join(known)}, with commas between.", name)
    return [known(value) for value in values]
