"""The firm's parties and staff, and the cases of each: additions to the published contract.

They only read, and check in the order of routes.py: key, rate and scope, the object's existence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from domain import checks
from domain.access.principal import Principal
from domain.errors import Absent, Invalid, PartyNotFound, StaffNotFound
from domain.reading import lists, lookups, objects, relations
from domain.reading.lists import RootList
from domain.reading.lookups import Kind
from domain.reading.relations import Relation
from domain.services import Services
from domain.storage.database import Pace, Snapshot
from rest_compat import models
from rest_compat.answers import answer, firm_party, firm_staff, page_answer, party_case, staff_case
from rest_compat.documentation import LINE, documented
from rest_compat.door import Domain, Door, Reader
from rest_compat.parameters import as_parameters, paging_of, single

router = APIRouter(route_class=Door)
_PACE = Pace()
_READ = "cases:read"
_Shape = Callable[[Any], dict[str, Any]]
_SEARCH = (
    "search",
    {"type": "string", "maxLength": checks.SEARCH_MAX, "pattern": LINE},
    "Only those who have all of these words, as in a search for cases: in the name, and staff also "
    "in the email address.",
)
_ROLE = (
    "role",
    {"type": "string", "maxLength": checks.WORD_MAX, "pattern": "^[a-z][a-z0-9_-]*$"},
    "Only cases in which the role is this one.",
)


@dataclass(frozen=True)
class _Register:
    """A register of the firm: how its people are listed, found and shown, with their cases."""

    kind: Kind
    listed: Callable[[Principal, str | None], RootList]
    missing: type[Absent]
    relation: Relation
    shape: _Shape
    case_shape: _Shape


_PARTIES = _Register(
    lookups.PARTY, lists.parties, PartyNotFound, relations.PARTY_CASES, firm_party, party_case
)
_STAFF = _Register(
    lookups.STAFF, lists.staff, StaffNotFound, relations.STAFF_CASES, firm_staff, staff_case
)


@router.get(
    "/parties",
    **documented(
        "listParties",
        "Parties",
        "List the firm's parties, by name",
        _READ,
        model=models.FirmParties,
        parameters=[_SEARCH],
        paged=True,
    ),
)
async def list_parties(request: Request, who: Reader, services: Domain) -> Response:
    return await _list(request, who, services, _PARTIES)


@router.get(
    "/parties/{party_id}",
    **documented("getParty", "Parties", "Get a party", _READ, 404, model=models.FirmParty),
)
async def get_party(_request: Request, party_id: str, who: Reader, services: Domain) -> Response:
    return await _get(party_id, who, services, _PARTIES)


@router.get(
    "/parties/{party_id}/cases",
    **documented(
        "listPartyCases",
        "Parties",
        "List a party's roles in cases, the newest case first",
        _READ,
        404,
        model=models.PartyCases,
        parameters=[_ROLE],
        paged=True,
    ),
)
async def list_party_cases(
    request: Request, party_id: str, who: Reader, services: Domain
) -> Response:
    return await _list_cases(request, party_id, who, services, _PARTIES)


@router.get(
    "/staff",
    **documented(
        "listStaff",
        "Staff",
        "List the firm's staff, by name",
        _READ,
        model=models.FirmStaffList,
        parameters=[_SEARCH],
        paged=True,
    ),
)
async def list_staff(request: Request, who: Reader, services: Domain) -> Response:
    return await _list(request, who, services, _STAFF)


@router.get(
    "/staff/{staff_id}",
    **documented("getStaff", "Staff", "Get a staff member", _READ, 404, model=models.FirmStaff),
)
async def get_staff(_request: Request, staff_id: str, who: Reader, services: Domain) -> Response:
    return await _get(staff_id, who, services, _STAFF)


@router.get(
    "/staff/{staff_id}/cases",
    **documented(
        "listStaffCases",
        "Staff",
        "List a staff member's roles in cases, the newest case first",
        _READ,
        404,
        model=models.StaffCases,
        parameters=[_ROLE],
        paged=True,
    ),
)
async def list_staff_cases(
    request: Request, staff_id: str, who: Reader, services: Domain
) -> Response:
    return await _list_cases(request, staff_id, who, services, _STAFF)


async def _list(
    request: Request, who: Principal, services: Services, register: _Register
) -> Response:
    paging = paging_of(request)
    search = single(request, "search")
    try:
        asked = register.listed(who, search)
        page = await services.database.run(
            lambda db: objects.page(db, asked, paging), _PACE, who.workspace_id
        )
    except Invalid as error:
        raise as_parameters(error) from None
    return page_answer(page, map(register.shape, page))


async def _get(id: str, who: Principal, services: Services, register: _Register) -> Response:
    found = await services.database.run(
        lambda db: _found(id, who, db, register), _PACE, who.workspace_id
    )
    return answer(register.shape(found))


async def _list_cases(
    request: Request, id: str, who: Principal, services: Services, register: _Register
) -> Response:
    role = single(request, "role")

    async def read(db: Snapshot) -> Any:
        found = await _found(id, who, db, register)
        paging = paging_of(request)
        try:
            pages = await objects.related(who, db, register.relation, [found.id], paging, role)
        except Invalid as error:
            raise as_parameters(error) from None
        return pages[found.id]

    page = await services.database.run(read, _PACE, who.workspace_id)
    return page_answer(page, map(register.case_shape, page))


async def _found(id: str, who: Principal, db: Snapshot, register: _Register) -> Any:
    """The object; of a merged party the one that was kept. Raises what *register* misses."""
    found = await objects.by_id(who, db, register.kind, [id])
    if id not in found:
        raise register.missing(id)
    return found[id]
