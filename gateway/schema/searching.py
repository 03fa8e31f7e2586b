"""One search of cases, parties and staff."""

from typing import Annotated

import strawberry

from domain.reading.mixed import SearchType
from gateway.execution.declarations import shown_as
from gateway.execution.loads import Listing
from gateway.limits.costs import PRICE, Price
from gateway.schema.connections import EDGES, Connection, Edge, listed
from gateway.schema.types import MATCHES, Case, Party, SearchMatch, Staff, matches_of

SearchResult = Annotated[
    Case | Party | Staff, strawberry.union("SearchResult", description="What a search can find.")
]
Types = Annotated[
    list[SearchType] | None,
    strawberry.argument(description="Only these types; all of them if absent."),
]


@strawberry.type(description="Something that a search has found.")
class SearchEdge(Edge[SearchResult]):
    cursor: str = strawberry.field(description="The position of this edge, to pass as `after`.")
    matches: list[SearchMatch] = strawberry.field(
        description=MATCHES, resolver=matches_of, metadata={PRICE: Price.MATCHES}
    )


@strawberry.type(description="A page of what a search has found.")
class SearchConnection(Connection[SearchEdge, SearchResult]):
    @strawberry.field(description=EDGES)
    def edges(root: strawberry.Parent[Listing]) -> list[SearchEdge]:
        return shown_as(list[SearchEdge], listed(root))
