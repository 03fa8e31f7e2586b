"""Relay connections (GraphQL Cursor Connections Specification): pages as the schema shows them.

At run time a connection is a Listing, an edge is the domain's own Edge: nothing is copied.
"""

from typing import Annotated, Any, Generic, TypeVar

import strawberry

from domain import models
from domain.reading import paging
from domain.reading.paging import Page
from gateway.execution.declarations import shown_as
from gateway.execution.loads import Listing
from gateway.limits.costs import PRICE, Price

N = TypeVar("N")
E = TypeVar("E")
ROLES = (models.CaseParty, models.PartyCase, models.StaffAssignment, models.StaffCase)


def node_of(edge: paging.Edge[Any]) -> Any:
    """The object at an edge: a role's party, staff member or case, or else the item itself."""
    return edge.item.node if isinstance(edge.item, ROLES) else edge.item


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        description="Whether there is more after this page.", resolver=lambda root: root.has_next
    )
    has_previous_page: bool = strawberry.field(
        description="Whether there is more before this page.",
        resolver=lambda root: root.has_previous,
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first edge, for `before`; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last edge, for `after`; null on an empty page."
    )

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Page)


@strawberry.type
class Edge(Generic[N]):
    cursor: str = strawberry.field(
        description="The place of this edge, for `after` and `before`; the REST routes take it too."
    )

    @strawberry.field(description="The object at this edge.")
    def node(root: strawberry.Parent[Any]) -> N:
        found: N = node_of(root)
        return found

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, paging.Edge)


@strawberry.type
class Connection(Generic[E, N]):
    @strawberry.field(description="The page, with what belongs to the relation on each edge.")
    def edges(root: strawberry.Parent[Listing]) -> list[E]:
        return shown_as(list[E], root.page.edges)

    @strawberry.field(description="The objects of the page, without their edges.")
    def nodes(root: strawberry.Parent[Listing]) -> list[N]:
        return [node_of(edge) for edge in root.page.edges]

    @strawberry.field(description="Where this page lies in the list.")
    def page_info(root: strawberry.Parent[Listing]) -> PageInfo:
        return shown_as(PageInfo, root.page)

    @strawberry.field(
        description="How many there are in the whole list. Costs a count; optional.",
        metadata={PRICE: Price.COUNTS},
    )
    async def total_count(root: strawberry.Parent[Listing]) -> int:
        counted: int = await root.count()
        return counted

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Listing)


First = Annotated[
    int | None,
    strawberry.argument(description="How many from the start, 1 to 100. 50 if none is given."),
]
After = Annotated[str | None, strawberry.argument(description="Only what comes after this cursor.")]
Last = Annotated[
    int | None,
    strawberry.argument(description="How many from the end, 1 to 100, instead of `first`."),
]
Before = Annotated[
    str | None, strawberry.argument(description="Only what comes before this cursor.")
]
