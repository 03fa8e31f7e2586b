"""What is told of changes: from a subscription's document to answers, one for each change.

    text -> document -> operation -> measured -> validated -> feed -> batch of answers

Each read notes the end of the timeline first, so that nothing that is stored meanwhile is missed;
each goes on from the cursor of the last change, so that nothing comes twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
from graphql import GraphQLError, OperationType

from domain.access.positions import read_latest
from domain.access.principal import Principal
from domain.errors import Damaged, DomainError, TimedOut, Unavailable
from domain.reading import filters
from domain.reading.changes import changes
from domain.services import Services
from domain.storage.database import Pace
from domain.storage.turns import READING
from gateway.execution.context import Context
from gateway.execution.feeds import AFTER, BATCH, CURSOR, FILTER, FIRST, Feed, Wanted, feed_of
from gateway.execution.operations import Operation, name_of
from gateway.execution.selections import NotCovered
from gateway.http.parameters import Parameters
from gateway.http.pipeline import (
    SCHEMA,
    compiled,
    executed,
    parsed,
    subscription_of,
)
from gateway.http.validating import NotValid, check_valid
from gateway.limits.measured import measured
from gateway.limits.text import check_text
from gateway.schema.refusals import extensions_of, formatted
from gateway.settings import Settings

PACE = Pace()


class Refused(Exception):
    """A subscription that ends with errors, as a response has them."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(len(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription that can be answered.

    *rows* are what a read may visit, at most. It *begins* after a cursor, once it is admitted.
    """

    feed: Feed
    operation: Operation | None
    asked: Parameters
    wanted: Wanted
    rows: int
    name: str
    begins: str = ""

    @property
    def question(self) -> tuple[Any, ...]:
        """What has the same answers for everybody in the workspace with the same scopes."""
        variables = orjson.dumps(self.asked.variables, option=orjson.OPT_SORT_KEYS)
        return self.asked.query, self.asked.operation_name, variables


class Change(NamedTuple):
    """One answer, as JSON, and the cursor of its change."""

    cursor: str
    answer: bytes


class Batch(NamedTuple):
    """Changes that were read at a time; whether more follow; what reading them has visited."""

    changes: Sequence[Change]
    cursor: str | None
    more: bool
    visited: int


def prepared(asked: Parameters, settings: Settings) -> Subscription:
    """The subscription that is asked for, within the limits. Raises Refused."""
    try:
        check_text(asked.query, settings)
        document = parsed(asked.query)
        node = subscription_of(document, asked.operation_name)
        measured(SCHEMA, document, node, settings)
        check_valid(SCHEMA, document, settings)
        feed = feed_of(SCHEMA, document, node)
        wanted = feed.wanted(asked.variables)
        filters.compile_changes(wanted.filter)
        measure = measured(SCHEMA, feed.document, feed.operation, settings)
        given = {**(asked.variables or {}), FIRST: BATCH}
        rows = measure.check(given, settings.query_rows, 0)
    except NotValid as refusal:
        raise Refused([formatted(error) for error in refusal.errors]) from None
    except NotCovered as refusal:
        raise Refused([formatted(GraphQLError(f"Not possible: {refusal}."))]) from None
    except GraphQLError as error:
        raise Refused([formatted(error)]) from None
    except DomainError as refusal:
        raise Refused([error_of(refusal)]) from None
    name = feed.operation.name.value if feed.operation.name else None
    operation = compiled(feed.document, name)
    return Subscription(feed, operation, asked, wanted, rows, name_of(node))


async def read(
    services: Services,
    subscription: Subscription,
    who: Principal,
    cursor: str,
    most: int = BATCH,
    *,
    whole: bool = False,
) -> Batch:
    """What comes after a cursor, as it is now: at most so many changes.

    Raises Refused if it cannot be answered, TimedOut or Unavailable if it cannot be just now; if
    all answers are to be *whole*, also when only a part could not be read, and Damaged, too.
    """
    read_latest()
    # If nothing up to here is wanted, it is not to be looked through again.
    end = await _end(services, subscription, who)
    given = {**(subscription.asked.variables or {})}
    given |= {FIRST: most, AFTER: cursor, FILTER: subscription.wanted.variable}
    asked = replace(subscription.asked, variables=given)
    context = Context(who, services)
    response = await executed(
        OperationType.QUERY, subscription.operation, subscription.feed.document, asked, context
    )
    listed = (response.get("data") or {}).get("changes")
    codes = {error["extensions"]["code"] for error in response.get("errors", ())}
    for passing in (TimedOut, Unavailable):
        if passing.code in codes and (whole or listed is None):
            raise passing
    if whole and Damaged.code in codes:
        raise Damaged
    reading = READING.get()
    visited = reading.total if reading is not None else 0
    if listed is None:
        raise Refused(response.get("errors", ()))
    name = subscription.feed.name
    found = [
        Change(edge.pop(CURSOR), _answer(name, edge, place, response.get("errors", ())))
        for place, edge in enumerate(listed["edges"])
    ]
    page = listed["pageInfo"]
    return Batch(found, page["endCursor"] or end, page["hasNextPage"], visited)


async def _end(services: Services, subscription: Subscription, who: Principal) -> str | None:
    """The cursor of the last change now; None where every change is wanted."""
    wanted = subscription.wanted
    if wanted.case_id is None and wanted.types is None:
        return None
    listed = changes(who, wanted.filter)
    return await services.database.run(listed.end, PACE, who.workspace_id)


def _answer(name: str, edge: Any, place: int, errors: Sequence[Mapping[str, Any]]) -> bytes:
    """The response for one change, with the errors in what is told of it."""
    response: dict[str, Any] = {"data": {name: edge}}
    mine = [
        {**error, "path": [name, *error["path"][3:]]}
        for error in errors
        if error.get("path", ())[:3] == ["changes", "edges", place]
    ]
    if mine:
        response["errors"] = mine
    return orjson.dumps(response)


def error_of(refusal: DomainError) -> dict[str, Any]:
    return {"message": refusal.message, "extensions": extensions_of(refusal)}
