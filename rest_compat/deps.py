"""What handlers are given: who asks, the services, and the page that is asked for."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request

from domain.auth import Principal, Scope
from domain.errors import RateLimited, invalid
from domain.paging import Paging, checked_limit
from domain.rates import Allowance
from domain.services import Services


async def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Domain = Annotated[Services, Depends(services_of)]


async def caller(request: Request, services: Domain) -> Principal:
    """The holder of the key, counted against its rate limit. Raises InvalidKey, RateLimited."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    who = await services.keys.authenticate(key.strip() if scheme.lower() == "bearer" else None)
    request.state.key_id = who.key_id
    try:
        request.state.allowance = services.rates.take(who)
    except RateLimited as error:
        request.state.allowance = Allowance(services.rates.limit, 0, error.retry_after)
        raise
    return who


Caller = Annotated[Principal, Depends(caller)]


def _holding(who: Principal, scope: Scope) -> Principal:
    """The caller, who must hold *scope*: checked before anything is looked up."""
    who.require(scope)
    # Whoever may write a case is shown it in the answer, also without the scope to read: a
    # handler reads only the object that it was allowed to change. This is the only place.
    return replace(who, scopes=who.scopes | {Scope.CASES_READ})


async def reader(who: Caller) -> Principal:
    return _holding(who, Scope.CASES_READ)


async def writer(who: Caller) -> Principal:
    return _holding(who, Scope.CASES_WRITE)


async def deleter(who: Caller) -> Principal:
    return _holding(who, Scope.CASES_DELETE)


Reader = Annotated[Principal, Depends(reader)]
Writer = Annotated[Principal, Depends(writer)]
Deleter = Annotated[Principal, Depends(deleter)]


def single(request: Request, name: str) -> str | None:
    """A query parameter that may be given once; an empty one is an absent one."""
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise invalid(f"{name} must be given once.", name)
    return values[0] if values and values[0] else None


def paging_of(request: Request) -> Paging:
    """The page that limit and cursor ask for. Raises Invalid."""
    text = single(request, "limit")
    # Leading zeros are dropped first: the first nine digits of 0000001000 are 100.
    if "limit" in request.query_params and not (text and text.isascii() and text.isdecimal()):
        raise invalid("limit must be between 1 and 100.", "limit")
    limit = checked_limit(int(text.lstrip("0")[:9] or "0") if text else None, "limit")
    return Paging(limit, after=single(request, "cursor"))
