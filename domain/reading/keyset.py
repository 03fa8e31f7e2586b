"""Keyset pages in SQL: the conditions, the order and the parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, bindparam, tuple_

from domain.reading import cursors
from domain.reading.paging import Paging

Columns = Sequence[ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class Window:
    """Which bounds a page has and which way it is read: what the SQL of a page depends on."""

    after: bool
    before: bool
    backwards: bool

    @classmethod
    def of(cls, paging: Paging) -> "Window":
        return cls(paging.after is not None, paging.before is not None, paging.backwards)

    def conditions(self, key: Columns, *, descending: bool) -> list[ColumnElement[bool]]:
        bounds = [("after", self.after, descending), ("before", self.before, not descending)]
        return [_beyond(key, name, less=less) for name, given, less in bounds if given]

    def order(self, key: Columns, *, descending: bool) -> list[ColumnElement[Any]]:
        down = descending != self.backwards
        return [column.desc() if down else column.asc() for column in key]


def values(
    paging: Paging, seal: Callable[[], str], types: tuple[type, ...], ahead: int = 1
) -> dict[str, Any]:
    """The parameters of a page's statement, which finds up to *ahead* rows more than asked for.

    Raises Invalid for a cursor of another list than *seal* names.
    """
    found: dict[str, Any] = {"limit": paging.limit + ahead, "others": paging.limit + ahead - 1}
    for name, cursor in (("after", paging.after), ("before", paging.before)):
        if cursor is not None:
            position = cursors.decode(cursor, seal(), types, name)
            found |= {f"{name}_{index}": part for index, part in enumerate(position)}
    return found


def _beyond(key: Columns, name: str, *, less: bool) -> ColumnElement[bool]:
    bound = [bindparam(f"{name}_{index}", type_=part.type) for index, part in enumerate(key)]
    if len(key) == 1:
        return key[0] < bound[0] if less else key[0] > bound[0]
    return tuple_(*key) < tuple_(*bound) if less else tuple_(*key) > tuple_(*bound)
