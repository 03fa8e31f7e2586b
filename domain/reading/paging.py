"""Keyset pagination: the request, its SQL conditions and the resulting page."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, bindparam, tuple_

from domain.errors import invalid
from domain.reading import cursors
from domain.reading.cursors import Position, Seal

DEFAULT_LIMIT = 50
MAX_LIMIT = 100

T = TypeVar("T")
Columns = Sequence[ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class Paging:
    """At most *limit* items between *after* and *before*: the first, or the last if *backwards*."""

    limit: int = DEFAULT_LIMIT
    after: str | None = None
    before: str | None = None
    backwards: bool = False


def relay_paging(
    first: int | None, after: str | None, last: int | None, before: str | None
) -> Paging:
    """Read connection arguments (GraphQL Cursor Connections Specification, section 4)."""
    if first is not None and last is not None:
        raise invalid("first and last must not be given together.", "first")
    if last is not None:
        return Paging(checked_limit(last, "last"), after, before, backwards=True)
    return Paging(checked_limit(first, "first"), after, before)


def checked_limit(limit: int | None, name: str) -> int:
    if limit is None:
        return DEFAULT_LIMIT
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid(f"{name} must be between 1 and {MAX_LIMIT}.", name)
    return limit


@dataclass(frozen=True, slots=True)
class Window:
    """Which bounds a page has and its direction: all that its SQL depends on."""

    after: bool
    before: bool
    backwards: bool

    @classmethod
    def of(cls, paging: Paging) -> "Window":
        return cls(paging.after is not None, paging.before is not None, paging.backwards)

    def conditions(self, key: Columns, *, descending: bool) -> list[ColumnElement[bool]]:
        bounds = [("after", self.after, descending), ("before", self.before, not descending)]
        return [_beyond(key, name, less=less) for name, is_set, less in bounds if is_set]

    def order(self, key: Columns, *, descending: bool) -> list[ColumnElement[Any]]:
        down = descending != self.backwards
        return [column.desc() if down else column.asc() for column in key]


def page_values(
    paging: Paging, seal: Callable[[], Seal], types: tuple[type, ...], ahead: int = 1
) -> dict[str, Any]:
    """The parameters of a page's statement, which finds up to *ahead* rows beyond the page.

    Raises Invalid for a cursor whose seal is not *seal*().
    """
    values: dict[str, Any] = {"limit": paging.limit + ahead, "others": paging.limit + ahead - 1}
    for name, cursor in (("after", paging.after), ("before", paging.before)):
        if cursor is not None:
            position = cursors.decode(cursor, seal(), types, name)
            values |= {f"{name}_{index}": part for index, part in enumerate(position)}
    return values


def outside(
    key: Columns, name: str, *, descending: bool
) -> tuple[ColumnElement[bool], list[ColumnElement[Any]]]:
    """The condition on the rows at the cursor *name* and on the far side of it, nearest first."""
    less = descending if name == "after" else not descending
    part, bound = _sides(key, name)
    condition: ColumnElement[bool] = part >= bound if less else part <= bound
    return condition, [one.asc() if less else one.desc() for one in key]


def _beyond(key: Columns, name: str, *, less: bool) -> ColumnElement[bool]:
    part, bound = _sides(key, name)
    condition: ColumnElement[bool] = part < bound if less else part > bound
    return condition


def _sides(key: Columns, name: str) -> tuple[Any, Any]:
    """The key and the bound to compare it with."""
    bound = [bindparam(f"{name}_{index}", type_=part.type) for index, part in enumerate(key)]
    return (key[0], bound[0]) if len(key) == 1 else (tuple_(*key), tuple_(*bound))


@dataclass(frozen=True, slots=True)
class Edge(Generic[T]):
    """An item and its position in the list."""

    item: T
    position: Position
    seal: Seal

    @property
    def cursor(self) -> str:
        return cursors.encode(self.position, self.seal)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Consecutive items of a list, in the list's order.

    *has_next* and *has_previous* tell of what is between the cursors that the page was asked with.
    Whether there is more beyond those, objects.outside() and objects.outside_related() tell.
    """

    edges: Sequence[Edge[T]]
    has_next: bool
    has_previous: bool

    def __iter__(self) -> Iterator[T]:
        return (edge.item for edge in self.edges)

    @property
    def start_cursor(self) -> str | None:
        return self.edges[0].cursor if self.edges else None

    @property
    def end_cursor(self) -> str | None:
        return self.edges[-1].cursor if self.edges else None


def page_of(edges: list[Edge[T]], paging: Paging) -> Page[T]:
    """Build the page from the rows of its statement, which has up to one row beyond the page."""
    more = len(edges) > paging.limit
    del edges[paging.limit :]
    if paging.backwards:
        edges.reverse()
    has_next, has_previous = beyond(paging, more)
    return Page(edges, has_next, has_previous)


def beyond(paging: Paging, more: bool) -> tuple[bool, bool]:
    """Whether items follow and precede the page; *more* answers for its own direction."""
    return more and not paging.backwards, more and paging.backwards
