"""The checks of every route before its handler: key, rate and scope, in this order.

FastAPI only documents the routes. Door passes caller and services to the handlers, so that no
dependencies are resolved on each request.
"""

import inspect
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from domain.access import keys
from domain.access.positions import HEADER, read_latest
from domain.access.principal import Principal, Scope
from domain.access.rates import points_of
from domain.errors import DomainError, RateLimited
from domain.reading.kept import Kept
from domain.services import Services
from domain.storage.turns import READING
from rest_compat.conditions import held
from rest_compat.errors import Answered, Unreadable, failed, http_failure, refused, unreadable


def _documented() -> None:
    """Keep FastAPI from reading the argument from the body. Never called: see Door."""


Domain = Annotated[Services, Depends(_documented)]
Reader = Annotated[Principal, Depends(_documented), Scope.CASES_READ]
Writer = Annotated[Principal, Depends(_documented), Scope.CASES_WRITE]
Deleter = Annotated[Principal, Depends(_documented), Scope.CASES_DELETE]
Manager = Annotated[Principal, Depends(_documented), Scope.WEBHOOKS_WRITE]


_AUTHORIZATION = b"authorization"
_POSITION = HEADER.lower().encode()


class Door(APIRoute):
    """A route whose handler takes the request, *who* calls, *services* and the path parameters."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = self.endpoint
        who = inspect.signature(handler).parameters["who"].annotation
        scope = next(part for part in who.__metadata__ if isinstance(part, Scope))

        async def handle(request: Request) -> Response:
            services: Services = request.app.state.services
            caller = await _caller(request, services)
            caller.require(scope)
            position = _header(request.scope, _POSITION)
            services.positions.begin(caller.key_id, position)
            if scope is not Scope.CASES_READ:
                read_latest()
            question = None
            if scope is Scope.CASES_READ:
                question = await services.kept.ask(caller, "rest", *_asked(request.scope))
                request.scope["state"]["kept"] = question.kept is not None
                if question.kept is not None and (same := held(request, question.kept.answer)):
                    request.scope["state"]["question"] = question  # it is kept as it is sent
                    _settle(request, services, caller, question.kept.visited)
                    return same
            visited = 0
            try:
                answer: Response = await handler(
                    request, who=caller, services=services, **request.path_params
                )
            finally:
                reading = READING.get()
                visited = reading.total if reading is not None else 0
                request.scope["state"]["position"] = services.positions.written(caller.key_id)
                _settle(request, services, caller, visited)
            if question is not None and answer.status_code == 200:
                size = sum(map(len, _asked(request.scope))) + len(answer.body)
                services.kept.keep(question, Kept(answer, 0, visited), size)
            return answer

        return handle

    async def answer(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Answer a matching request, with errors in the envelope."""
        request = Request(scope, receive)
        defect = None
        try:
            response = await self._handle(request)
        except DomainError as error:
            response = await refused(request, error)
        except Unreadable as error:
            response = await unreadable(request, error)
        except Answered as error:
            response = error.response
        except HTTPException as error:
            response = await http_failure(request, error)
        except ClientDisconnect:
            raise
        except Exception as error:
            response = await failed(request, error)
            defect = error
        await response(scope, receive, send)
        if defect is not None:
            raise defect  # for the log

    @cached_property
    def _handle(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.get_route_handler()


def _asked(scope: ASGIScope) -> tuple[bytes, bytes]:
    """The path and the query string."""
    return scope.get("raw_path") or scope["path"].encode(), scope["query_string"]


def _header(scope: ASGIScope, wanted: bytes) -> str | None:
    """The first value of a header: in passing, without an object of all headers."""
    for name, value in scope["headers"]:
        if name == wanted:
            return value.decode("latin-1")  # type: ignore[no-any-return]
    return None


def _settle(request: Request, services: Services, caller: Principal, visited: int) -> None:
    """Charge what the call has visited, if that was more than a call's point."""
    state = request.scope["state"]
    state["rows"], state["points"] = visited, points_of(visited)
    if state["points"] > 1:
        state["allowance"] = services.rates.spend(caller.key_id, state["points"] - 1)


async def _caller(request: Request, services: Services) -> Principal:
    """The key's principal, after one call is counted. Raises InvalidKey or RateLimited."""
    scope = request.scope
    given = _header(scope, _AUTHORIZATION) or ""
    sent = keys.bearer(given)
    client = scope.get("client")
    address = client[0] if client else ""
    state = scope.setdefault("state", {})
    try:
        who = await services.keys.authenticate(sent, address)
        state["key_id"] = who.key_id
        state["allowance"] = await services.rates.take(who.key_id)
        state["points"] = 1
    except RateLimited as error:
        state["allowance"] = services.rates.used_up(error)
        raise
    return who
