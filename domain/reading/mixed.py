"""One search of cases, parties and staff: the best hits of all of them, in one list."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from domain.access.principal import Principal
from domain.inputs import CaseFilter
from domain.models import Case, Party, Staff
from domain.reading import cursors, lists, matches, objects
from domain.reading.cursors import Position, Seal
from domain.reading.lists import RootList
from domain.reading.matches import Match
from domain.reading.paging import Edge, Page, Paging
from domain.storage.database import Snapshot


class SearchType(StrEnum):
    """What can be searched at once."""

    CASE = "case"
    PARTY = "party"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class MixedList:
    """What fits a search, of several kinds; each list is ordered by the same key."""

    lists: Sequence[RootList]
    seal: Seal

    def place(self, paging: Paging) -> Position | None:
        """Where the page begins. Raises Invalid for a cursor of another list."""
        if paging.after is None:
            return None
        return cursors.decode(paging.after, self.seal, (str, str), "after")


def search(who: Principal, query: str, types: Collection[SearchType] | None = None) -> MixedList:
    """What fits *query* best: of all types, if *types* is None.

    A query without any letter or digit finds nothing. Raises InsufficientScope, Invalid.
    """
    chosen = [one for one in SearchType if types is None or one in types]
    asked = {
        SearchType.CASE: lambda: lists.cases(who, CaseFilter(search=query), None),
        SearchType.PARTY: lambda: lists.parties(who, query, ranked=True),
        SearchType.STAFF: lambda: lists.staff(who, query, ranked=True),
    }
    # Also without any type: who may not read is refused, and a bad query is.
    found = [asked[one]() for one in chosen or [SearchType.CASE]]
    seal = cursors.seal(who.secret, "search", query, sorted(chosen))
    seeking = chosen and all(one.compiled.search is not None for one in found)
    return MixedList(found if seeking else [], seal)


async def settled(db: Snapshot, asked: MixedList, paging: Paging) -> MixedList:
    """The same list, whose hits are found now for a page, if they are not very many.

    Raises Invalid for a bad cursor.
    """
    place = asked.place(paging)
    found = [await one.settled(db, _window(one, paging, place), one.columns) for one in asked.lists]
    return replace(asked, lists=found)


async def page(db: Snapshot, asked: MixedList, paging: Paging) -> Page[Any]:
    """A page: the first *paging.limit* hits after its cursor. Raises Invalid for a bad cursor."""
    place = asked.place(paging)
    edges: list[Edge[Any]] = []
    more = False
    for one in asked.lists:
        found = await objects.page(db, one, _window(one, paging, place))
        more = more or found.has_next
        edges += [Edge(edge.item, edge.position, asked.seal) for edge in found.edges]
    edges.sort(key=lambda edge: edge.position, reverse=True)
    has_next = more or len(edges) > paging.limit
    return Page(edges[: paging.limit], has_next, False)


async def outside(db: Snapshot, asked: MixedList, paging: Paging) -> tuple[bool, bool]:
    """Whether items precede the page's cursor, or are at it; nothing follows a page by a cursor."""
    place = asked.place(paging)
    if place is None:
        return False, False
    for one in asked.lists:
        preceding, _following = await objects.outside(db, one, _window(one, paging, place))
        if preceding:
            return True, False
    return False, False


async def count(db: Snapshot, asked: MixedList) -> int:
    """How many hits there are."""
    return sum([await objects.count(db, one) for one in asked.lists])


async def found_in(
    db: Snapshot, asked: MixedList, items: Sequence[Case | Party | Staff]
) -> dict[str, list[Match]]:
    """By the id of each item of the list, its matches."""
    told: dict[str, list[Match]] = {}
    for one in asked.lists:
        mine = [item for item in items if isinstance(item, one.kind.model)]
        told |= await matches.of(db, one, mine)
    return told


def _window(one: RootList, paging: Paging, place: Position | None) -> Paging:
    """The page of one of the lists, from the same place on."""
    after = None if place is None else cursors.encode(place, one.seal())
    return Paging(paging.limit, after)
