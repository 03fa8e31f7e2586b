"""Relay connections (GraphQL Cursor Connections Specification): how the schema presents pages.

At run time a connection is a Listing and an edge is the domain's own Edge; nothing is copied.
"""

from typing import Annotated, Any, Generic, TypeVar

import strawberry

from domain.reading import paging
from gateway.execution.declarations import shown_as
from gateway.execution.loads import ListedEdge, Listing
from gateway.limits.costs import PRICE, Price

EDGES = "The edges of this page: each object with its cursor."
N = TypeVar("N")
E = TypeVar("E")


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    @strawberry.field(description="Whether there are items after this page.")
    async def has_next_page(root: strawberry.Parent[Listing]) -> bool:
        following: bool = root.page.has_next or (await root.outside())[1]
        return following

    @strawberry.field(description="Whether there are items before this page.")
    async def has_previous_page(root: strawberry.Parent[Listing]) -> bool:
        preceding: bool = root.page.has_previous or (await root.outside())[0]
        return preceding

    start_cursor: str | None = strawberry.field(
        description="The cursor of the first edge, to pass as `before`; null on an empty page.",
        resolver=lambda root: root.page.start_cursor,
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last edge, to pass as `after`; null on an empty page.",
        resolver=lambda root: root.page.end_cursor,
    )

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Listing)


@strawberry.type
class Edge(Generic[N]):
    cursor: str = strawberry.field(
        description="The position of this edge, to pass as `after` or `before`. The REST "
        "routes accept it as `cursor`, for the same filter and order."
    )

    @strawberry.field(description="The object at this edge.")
    def node(root: strawberry.Parent[Any]) -> N:
        node: N = root.item
        return node

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, paging.Edge)


def listed(listing: Listing) -> list[ListedEdge]:
    """The edges of a page; each knows where it is."""
    return [ListedEdge(one.item, one.position, one.seal, listing) for one in listing.page.edges]


@strawberry.type
class Connection(Generic[E, N]):
    @strawberry.field(description=EDGES)
    def edges(root: strawberry.Parent[Listing]) -> list[E]:
        return shown_as(list[E], root.page.edges)

    @strawberry.field(description="The objects on this page, without their edges.")
    def nodes(root: strawberry.Parent[Listing]) -> list[N]:
        return list(root.page)

    @strawberry.field(description="The position of this page in the list.")
    def page_info(root: strawberry.Parent[Listing]) -> PageInfo:
        return shown_as(PageInfo, root)

    @strawberry.field(
        description="The number of items in the whole list, across all pages. Takes an extra "
        "count: select it only if you need it.",
        metadata={PRICE: Price.COUNTS},
    )
    async def total_count(root: strawberry.Parent[Listing]) -> int:
        total: int = await root.count()
        return total

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, Listing)


First = Annotated[
    int | None,
    strawberry.argument(
        description="The number of items from the start of the list, or after `after`: 1 to "
        "100, 50 by default."
    ),
]
After = Annotated[
    str | None, strawberry.argument(description="Return only items after this cursor.")
]
Last = Annotated[
    int | None,
    strawberry.argument(
        description="The number of items from the end of the list, or before `before`: 1 to 100. "
        "Not together with `first`."
    ),
]
Before = Annotated[
    str | None, strawberry.argument(description="Return only items before this cursor.")
]
