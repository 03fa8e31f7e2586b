"""How the domain's refusals look in GraphQL.

In a mutation, Refused becomes the payload's userErrors. Any other DomainError is a top-level error
with extensions.code. Any other exception is a bug: it is masked and logged.
"""

import inspect
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import strawberry
import structlog
from graphql import GraphQLError
from strawberry.extensions import FieldExtension

from domain.access.principal import Scope
from domain.errors import (
    DomainError,
    Path,
    Problem,
    RateLimited,
    Refused,
    Unavailable,
    VersionConflict,
)
from domain.writing.showing import of_stored
from gateway import globalids
from gateway.execution.declarations import SHOWN, Column
from gateway.schema.scalars import UserErrorCode

log = structlog.get_logger("casegraph.graphql")
LONGEST_MESSAGE = 500
_QUOTING = [
    (re.compile(pattern, re.DOTALL), instead)
    for pattern, instead in (
        (r"(represent [\w -]*value): .*", r"\1."),
        (r"[,;] found: .*", "."),
        (r"Value .* does not exist in '(\w+)' enum", r"This value does not exist in '\1' enum"),
    )
]
_INPUT = strawberry.argument(description="The arguments of the mutation.")


@strawberry.type(description="One reason why a mutation was refused. Nothing was changed.")
class UserError:
    code: UserErrorCode = strawberry.field(
        description="The kind of error, for programs.",
        metadata={SHOWN: Column("code", {member: member.name for member in UserErrorCode})},
    )
    message: str = strawberry.field(description="One sentence that explains the error to people.")
    field: list[str] | None = strawberry.field(
        description="The path within `input` to the field at fault, like `[parties, 0, role]`; "
        "null if no one field is."
    )
    existing_id: strawberry.ID | None = strawberry.field(
        description="The global id of the object in the way, like the case that has the file "
        "number; null if there is none, or if the key lacks `cases:read`."
    )


def user_errors() -> Any:
    """The field of a payload that tells why its mutation was refused."""
    return strawberry.field(
        description="Why the mutation was refused; empty if it succeeded.", default_factory=list
    )


@strawberry.type(description="Something that was done but may not have been meant.")
class UserWarning:
    message: str = strawberry.field(description="One sentence for people.")
    field: list[str] = strawberry.field(description="The path within `input`, like `[parties, 0]`.")


class Refusals(FieldExtension):
    """Turns Refused into a payload with userErrors.

    *renamed* maps the domain's field names to the input's where they differ.
    """

    def __init__(self, payload: type[Any], scope: Scope, renamed: dict[str, str]) -> None:
        self._payload = payload
        self._scope = scope
        self._renamed = renamed

    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: Any, **arguments: Any
    ) -> Any:
        outcome = info.context.done.get(info.path.key)
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            return outcome
        info.context.who.require(self._scope)  # before the input is read
        if info.context.refusal is not None:
            raise info.context.refusal
        try:
            # Rows read before this write must not be shown after it.
            await info.context.forget()
            payload = await next_(source, info, **arguments)
        except Refused as refusal:
            errors = [user_error(problem, self._renamed) for problem in refusal.problems]
            payload = self._payload(user_errors=errors, **_current(refusal))
        except Unavailable as refusal:
            if not info.context.done:
                info.context.refusal = refusal
            raise
        info.context.done[info.path.key] = payload
        return payload


def refusable(
    payload: type[Any], description: str, *, scope: Scope = Scope.CASES_WRITE, **renamed: str
) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """A mutation field that returns *payload*, with userErrors if the domain refuses."""

    def field(resolver: Callable[..., Awaitable[Any]]) -> Any:
        assert inspect.iscoroutinefunction(resolver)
        kind = resolver.__annotations__["input"]
        resolver.__annotations__["input"] = Annotated[kind, _INPUT]
        return strawberry.mutation(
            resolver=resolver,
            description=description,
            extensions=[Refusals(payload, scope, renamed)],
        )

    return field


def _current(refusal: Refused) -> dict[str, Any]:
    """The object that a version conflict is about, as the field of the payload that shows it."""
    if not isinstance(refusal, VersionConflict) or refusal.current is None:
        return {}
    return {type(refusal.current).__name__.lower(): refusal.current}


def user_error(problem: Problem, renamed: dict[str, str]) -> UserError:
    path = [camel_case(part) for part in input_path(problem.field, renamed)]
    return UserError(
        code=UserErrorCode[problem.code],
        message=problem.message,
        field=path or None,
        existing_id=strawberry.ID(globalids.encode(*problem.existing))
        if problem.existing
        else None,
    )


def input_path(field: Path, renamed: dict[str, str]) -> Path:
    """The input's path to the domain's *field*: partyId and new.name in role lists."""
    match field:
        case (("parties" | "staff") as roles, index, "id"):
            return roles, index, "party_id" if roles == "parties" else "staff_id"
        case (("parties" | "staff") as roles, index, ("name" | "kind" | "email") as name):
            return roles, index, "new", name
        case (first, *rest):
            return renamed.get(first, first), *rest
    return field


def camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def formatted(error: GraphQLError, *, stored: bool = False) -> dict[str, Any]:
    """An error of an execution result, as the response shows it.

    *stored* says that it is about showing a change that is stored.
    """
    cause: BaseException | None = error.original_error
    if stored and isinstance(cause, DomainError):
        cause = of_stored(cause)
    answer: dict[str, Any] = {"message": _shortened(unquoted(error.message))}
    if error.locations:
        answer["locations"] = [
            {"line": location.line, "column": location.column} for location in error.locations
        ]
    if error.path:
        answer["path"] = error.path
    if isinstance(cause, DomainError):
        answer["message"] = cause.message
        answer["extensions"] = extensions_of(cause)
    elif error.path and cause is not None and not isinstance(cause, GraphQLError):
        log.error("graphql_field_failed", path=error.path, exc_info=cause)
        answer["message"] = "An internal error occurred."
        answer["extensions"] = {"code": "INTERNAL_ERROR"}
    else:
        code = "VALIDATION_ERROR" if error.path else "GRAPHQL_VALIDATION_FAILED"
        answer["extensions"] = {"code": code, **(error.extensions or {})}
    return answer


def extensions_of(refusal: DomainError) -> dict[str, Any]:
    """The code, the fields at fault, and when to retry."""
    extensions: dict[str, Any] = {"code": refusal.code}
    problems = [
        {
            "code": problem.code,
            "message": problem.message,
            "field": [camel_case(part) for part in problem.field],
        }
        for problem in refusal.problems
        if problem.field
    ]
    if problems:
        extensions["problems"] = problems
    if isinstance(refusal, RateLimited):
        extensions["retryAfter"] = refusal.retry_after
    return extensions


def unquoted(message: str) -> str:
    """A graphql-core message without the client's values, which it often repeats."""
    for pattern, instead in _QUOTING:
        message = pattern.sub(instead, message)
    return message


def _shortened(message: str) -> str:
    """A message of bounded length: graphql-core quotes names from the document, however long."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    return message[: LONGEST_MESSAGE - 1] + "…"
