"""The subscription fields.

None of them is executed by graphql-core: gateway.execution.feeds makes each a query of the feed.
"""

from collections.abc import AsyncGenerator
from typing import Annotated

import strawberry

from gateway.schema.types import TimelineEventEdge


@strawberry.type(description="What clients are told of when it happens.")
class Subscription:
    @strawberry.subscription(
        description="What changes in the workspace, as `changes` lists it: first everything that "
        "came after the cursor `after`, then each change when it is stored, once and in order. "
        "Without `after` it begins now. To go on after an interruption, pass the last cursor that "
        "arrived. Needs `cases:read`."
    )
    async def case_changes(
        self,
        after: Annotated[
            str | None,
            strawberry.argument(description="A cursor of `changes` or of this subscription."),
        ] = None,
        case_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Only changes of this case; the id or the `uuid`."),
        ] = None,
        types: Annotated[
            list[str] | None,
            strawberry.argument(
                description="Only changes of these types, like `case_updated`, at most 100."
            ),
        ] = None,
    ) -> AsyncGenerator[TimelineEventEdge, None]:
        raise AssertionError("a subscription is a query of the feed: see feeds.py")
        yield  # an asynchronous generator, as Strawberry asks for
