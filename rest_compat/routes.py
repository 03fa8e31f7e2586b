"""The fifteen routes of the published contract, in its order: one file, since that is one page.

Checks run in this order: key, rate and scope (door.py), the case's existence, the body.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from itertools import islice
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from domain import checks
from domain.access.principal import Principal
from domain.errors import (
    CaseNotFound,
    InsufficientScope,
    Invalid,
    Refused,
    VersionConflict,
)
from domain.inputs import CaseFilter, PartyFilter
from domain.models import Case, CaseStatus
from domain.reading import lists, lookups, objects, relations, revisions
from domain.reading.facets import FacetField
from domain.reading.paging import Page
from domain.reading.relations import Relation
from domain.reading.search import MatchField
from domain.services import Services
from domain.storage.database import Pace, Snapshot
from domain.writing import cases, links, roles
from domain.writing.showing import shown
from rest_compat import bodies, models
from rest_compat.answers import (
    CASE,
    GIVEN,
    SHAPES,
    answer,
    case_object,
    case_objects,
    case_page,
    link,
    nothing,
    page_answer,
    whole_list,
)
from rest_compat.conditions import (
    etag,
    expected,
    is_conditional,
    not_modified,
    required,
    unchanged,
)
from rest_compat.documentation import LINE, documented
from rest_compat.door import Deleter, Domain, Door, Reader, Writer
from rest_compat.errors import Answered, Unreadable, named_as, version_conflict
from rest_compat.parameters import (
    SORTS,
    as_parameters,
    facets_of,
    fields_of,
    matches_of,
    order_of,
    paging_of,
    single,
)

router = APIRouter(route_class=Door)
MAX_WARNINGS = 5
"""Servers and proxies limit the length of a header."""
_QUICK, _SEARCH, _FACETS = Pace(), Pace(), Pace()
_READ, _WRITE, _DELETE = "cases:read", "cases:write", "cases:delete"
_IDEMPOTENT = ("Idempotency-Key",)
_BELOW = (*_IDEMPOTENT, "If-Match", "If-None-Match")


def _list_of(known: type[StrEnum]) -> str:
    """The pattern of some of the values, with commas between."""
    return "^({0})(,({0}))*$".format("|".join(known))


_LIST: list[tuple[str, dict[str, Any], str]] = [
    (
        "status",
        {"type": "string", "enum": [str(status) for status in CaseStatus]},
        "Only cases with this status.",
    ),
    (
        "search",
        {
            "type": "string",
            "maxLength": checks.SEARCH_MAX,
            "pattern": LINE,
        },
        "Only cases with all of these words, at most 16, in any order. A word is found as a part "
        "of a word; spelled alike (`muller` finds Müller and Mueller) as a whole word, or with "
        "four letters as its beginning. Quotes keep words together; separators and leading zeros "
        "of file numbers and references make no difference.",
    ),
    (
        "in",
        {"type": "string", "pattern": _list_of(MatchField), "examples": ["parties,references"]},
        "Where to search, separated by commas: `name`, `file_number`, `parties`, `references`, "
        "`staff`; all but `staff` if absent.",
    ),
    (
        "sort",
        {"type": "string", "enum": list(SORTS), "default": "created_at"},
        "The order: `created_at`, the newest first, or `relevance`, the best hits first.",
    ),
    (
        "matches",
        {"type": "boolean", "default": False},
        "Also tell, of each case, where the search has found it.",
    ),
    (
        "reference",
        {"type": "string", "maxLength": checks.SEARCH_MAX, "pattern": LINE},
        "Only cases in which a party has this reference; separators and leading zeros make no "
        "difference.",
    ),
    (
        "facets",
        {"type": "string", "pattern": _list_of(FacetField), "examples": ["status,dezernat"]},
        "Also count the cases of the whole list by these fields, separated by commas: `status`, "
        "`type`, `dezernat`, `staff`, `party_role`, `year`. Each is counted without the filter on "
        "it, the 20 most frequent values first.",
    ),
]


@router.get(
    "/cases",
    **documented(
        "listCases",
        "Cases",
        "List cases",
        _READ,
        model=models.Cases,
        paged=True,
        parameters=_LIST,
    ),
)
async def list_cases(request: Request, who: Reader, services: Domain) -> Response:
    paging = paging_of(request)
    status = single(request, "status")
    reference = single(request, "reference")
    wanted = CaseFilter(
        status=[status] if status else None,
        search=single(request, "search"),
        in_=fields_of(request),
        party=PartyFilter(reference=reference) if reference else None,
    )
    by, told = facets_of(request), matches_of(request)
    try:
        asked = lists.cases(who, wanted, order_of(request))
        pace = _FACETS if by else _SEARCH if wanted.search else _QUICK
        return await services.database.run(
            lambda db: case_page(db, asked, paging, by, matched=told), pace, who.workspace_id
        )
    except Invalid as error:
        raise as_parameters(error) from None


@router.post(
    "/cases",
    **documented(
        "createCase",
        "Cases",
        "Create a case",
        _WRITE,
        404,
        409,
        ok=201,
        model=models.Case,
        body="case",
        headers=_IDEMPOTENT,
    ),
)
async def create_case(request: Request, who: Writer, services: Domain) -> Response:
    new = await bodies.read_case(request)
    case = await cases.create_case(
        who, services.database, new, idempotency_key=_idempotency_key(request)
    )
    return await _case_answer(who, services, case, 201, _location(request, case.id))


@router.get(
    "/cases/{case_id}",
    **documented(
        "getCase",
        "Cases",
        "Get a case",
        _READ,
        304,
        404,
        412,
        model=models.Case,
        headers=("If-Match", "If-None-Match"),
    ),
)
async def get_case(request: Request, case_id: str, who: Reader, services: Domain) -> Response:
    asks = is_conditional(request)

    async def read(db: Snapshot) -> Response:
        wanted = lookups.by_id(who, lookups.CASE, [case_id], (*CASE, "version"))
        row = await db.fetch(wanted) if wanted is not None else []
        if not row:
            raise CaseNotFound(case_id)
        [(*columns, version)] = row
        if not asks:
            content, renamed = await case_object(who, db, tuple(columns))
            return answer(content, headers={"ETag": etag(revisions.revision(version, renamed))})
        revision = await revisions.current(db, who.workspace_id, columns[0], version)
        tag = {"ETag": etag(revision)}
        needed = required(request)
        if needed is not None and revision not in needed:
            [content] = await case_objects(who, db, [tuple(columns)])
            raise Answered(version_conflict(VersionConflict(needed, revision), content))
        if unchanged(request, revision):
            return not_modified(tag["ETag"])
        [content] = await case_objects(who, db, [tuple(columns)])
        return answer(content, headers=tag)

    return await services.database.run(read, _QUICK, who.workspace_id)


@router.put(
    "/cases/{case_id}",
    **documented(
        "updateCase",
        "Cases",
        "Update a case",
        _WRITE,
        404,
        409,
        412,
        model=models.Case,
        body="changes",
        headers=_BELOW,
    ),
)
async def update_case(request: Request, case_id: str, who: Writer, services: Domain) -> Response:
    async with _of_case(case_id, who, services):
        changes, seen = await bodies.read_changes(request)
        case = await cases.update_case(
            who,
            services.database,
            case_id,
            changes,
            seen=seen,
            expected_version=expected(request),
            idempotency_key=_idempotency_key(request),
        )
    return await _case_answer(who, services, case)


@router.delete(
    "/cases/{case_id}",
    **documented(
        "deleteCase",
        "Cases",
        "Delete a case",
        _DELETE,
        404,
        412,
        ok=204,
        tagged=False,
        headers=_BELOW,
    ),
)
async def delete_case(request: Request, case_id: str, who: Deleter, services: Domain) -> Response:
    async with _of_case(case_id, who, services, objects.require_case_to_delete):
        await cases.delete_case(
            who,
            services.database,
            case_id,
            expected_version=expected(request),
            idempotency_key=_idempotency_key(request),
        )
    return nothing()


@router.get(
    "/cases/{case_id}/parties",
    **documented(
        "listCaseParties",
        "Parties",
        "List a case's parties",
        _READ,
        404,
        model=models.Parties,
        paged=True,
    ),
)
async def list_parties(request: Request, case_id: str, who: Reader, services: Domain) -> Response:
    return await _related(request, case_id, who, services, relations.CASE_PARTIES)


@router.post(
    "/cases/{case_id}/parties",
    **documented(
        "addCaseParties",
        "Parties",
        "Add parties to a case",
        _WRITE,
        404,
        409,
        412,
        ok=201,
        model=models.Parties,
        body="parties",
        headers=_BELOW,
    ),
)
async def add_parties(request: Request, case_id: str, who: Writer, services: Domain) -> Response:
    async with _of_case(case_id, who, services):
        written = await roles.add_parties(
            who,
            services.database,
            case_id,
            await bodies.read_parties(request),
            expected_version=expected(request),
            idempotency_key=_idempotency_key(request),
        )
    location = _location(request, written.case.id, "parties")
    return await _roles_answer(who, services, written, relations.CASE_PARTIES, 201, location)


@router.put(
    "/cases/{case_id}/parties",
    **documented(
        "replaceCaseParties",
        "Parties",
        "Replace all parties of a case",
        _WRITE,
        404,
        412,
        model=models.Parties,
        body="replacement",
        headers=_BELOW,
    ),
)
async def replace_parties(
    request: Request, case_id: str, who: Writer, services: Domain
) -> Response:
    async with _of_case(case_id, who, services):
        written = await roles.replace_parties(
            who,
            services.database,
            case_id,
            await bodies.read_parties(request),
            expected_version=expected(request),
            idempotency_key=_idempotency_key(request),
        )
    return await _roles_answer(who, services, written, relations.CASE_PARTIES, 200)


@router.get(
    "/cases/{case_id}/staff",
    **documented(
        "listCaseStaff",
        "Staff",
        "List a case's staff",
        _READ,
        404,
        model=models.StaffList,
        paged=True,
    ),
)
async def list_staff(request: Request, case_id: str, who: Reader, services: Domain) -> Response:
    return await _related(request, case_id, who, services, relations.CASE_STAFF)


@router.post(
    "/cases/{case_id}/staff",
    **documented(
        "assignCaseStaff",
        "Staff",
        "Assign staff to a case",
        _WRITE,
        404,
        409,
        412,
        ok=201,
        model=models.StaffList,
        body="staff",
        headers=_BELOW,
    ),
)
async def assign_staff(request: Request, case_id: str, who: Writer, services: Domain) -> Response:
    async with _of_case(case_id, who, services):
        written = await roles.assign_staff(
            who,
            services.database,
            case_id,
            await bodies.read_staff(request),
            expected_version=expected(request),
            idempotency_key=_idempotency_key(request),
        )
    location = _location(request, written.case.id, "staff")
    return await _roles_answer(who, services, written, relations.CASE_STAFF, 201, location)


@router.delete(
    "/cases/{case_id}/staff",
    **documented(
        "unassignCaseStaff",
        "Staff",
        "Take staff off a case",
        _WRITE,
        400,
        404,
        412,
        ok=204,
        body="removal",
        parameters=[
            (
                "staff_id",
                {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 100}},
                "The staff to take off, instead of a body.",
            ),
            (
                "role",
                {"type": "string", "maxLength": 100, "pattern": "^[a-z][a-z0-9_-]*$"},
                "Only this role; all roles if absent.",
            ),
        ],
        headers=_BELOW,
    ),
)
async def unassign_staff(request: Request, case_id: str, who: Writer, services: Domain) -> Response:
    async with _of_case(case_id, who, services):
        ids, role = await bodies.read_removal(request)
        case = await roles.unassign_staff(
            who,
            services.database,
            case_id,
            ids,
            role=role,
            expected_version=expected(request),
            idempotency_key=_idempotency_key(request),
        )
    return nothing(await _tag_alone(who, services, case))


@router.get(
    "/cases/{case_id}/timeline",
    **documented(
        "listCaseTimeline",
        "Timeline",
        "List a case's timeline, newest first",
        _READ,
        404,
        model=models.Timeline,
        paged=True,
    ),
)
async def list_timeline(request: Request, case_id: str, who: Reader, services: Domain) -> Response:
    return await _related(request, case_id, who, services, relations.CASE_TIMELINE)


@router.post(
    "/cases/{case_id}/links",
    **documented(
        "linkCases",
        "Links",
        "Link two cases",
        _WRITE,
        404,
        409,
        412,
        ok=201,
        model=models.Link,
        body="link",
        headers=_BELOW,
    ),
)
async def link_cases(request: Request, case_id: str, who: Writer, services: Domain) -> Response:
    async with _of_case(case_id, who, services):
        body = await bodies.read_link(request)
        with named_as({"linked_case_id": body.field}):
            written = await links.link_cases(
                who,
                services.database,
                case_id,
                body.target(),
                body.type,
                expected_version=expected(request),
                idempotency_key=_idempotency_key(request),
            )
    location = _location(request, written.case.id, "links", written.link.id)
    return answer(link(written.link), 201, location | await _tag_alone(who, services, written.case))


@router.get(
    "/cases/{case_id}/links",
    **documented(
        "listCaseLinks",
        "Links",
        "List a case's links",
        _READ,
        404,
        model=models.Links,
        paged=True,
    ),
)
async def list_links(request: Request, case_id: str, who: Reader, services: Domain) -> Response:
    return await _related(request, case_id, who, services, relations.CASE_LINKS)


@router.delete(
    "/cases/{case_id}/links/{link_id}",
    **documented("unlinkCases", "Links", "Remove a link", _WRITE, 404, 412, ok=204, headers=_BELOW),
)
async def unlink_cases(
    request: Request, case_id: str, link_id: str, who: Writer, services: Domain
) -> Response:
    async with _of_case(case_id, who, services):
        written = await links.unlink_cases(
            who,
            services.database,
            link_id,
            case_id=case_id,
            expected_version=expected(request),
            idempotency_key=_idempotency_key(request),
        )
    return nothing(await _tag_alone(who, services, written.case))


@asynccontextmanager
async def _with_the_case(who: Principal, services: Services) -> AsyncIterator[None]:
    """Answer a version conflict with the case as it is now, and its ETag."""
    try:
        yield
    except VersionConflict as conflict:
        current = conflict.current
        if current is None:
            raise
        row = tuple(getattr(current, name) for name in CASE)
        [content] = await services.database.run(
            lambda db: case_objects(who, db, [row]), _QUICK, who.workspace_id
        )
        raise Answered(version_conflict(conflict, content)) from None


@asynccontextmanager
async def _of_case(
    case_id: str,
    who: Principal,
    services: Services,
    require: Callable[..., Coroutine[Any, Any, None]] = objects.require_case_to_write,
) -> AsyncIterator[None]:
    """Report other errors of a write only if the case exists; a missing case takes precedence."""
    try:
        async with _with_the_case(who, services):
            yield
    except CaseNotFound:
        raise
    except (HTTPException, Refused, Unreadable):
        await services.database.run(lambda db: require(who, db, case_id), _QUICK, who.workspace_id)
        raise


async def _tag(who: Principal, db: Snapshot, case: Case) -> dict[str, str]:
    """The ETag of a case after a write.

    What an answer shows is read in the same snapshot: its tag must not tell of a later name.
    """
    return {"ETag": etag(await revisions.current(db, who.workspace_id, case.id, case.version))}


async def _tag_alone(who: Principal, services: Services, case: Case) -> dict[str, str]:
    with shown():
        return await services.database.run(lambda db: _tag(who, db, case), _QUICK, who.workspace_id)


def _location(request: Request, *parts: str) -> dict[str, str]:
    """Where what was created is (RFC 9110, section 10.2.2)."""
    root = request.scope.get("root_path", "")
    return {"Location": "/".join((f"{root}/cases", *parts))}


async def _case_answer(
    who: Principal,
    services: Services,
    case: Case,
    status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """The case object after a write; documentation.WRITE_ONLY covers keys that may not read."""
    row = tuple(getattr(case, name) for name in CASE)

    async def read(db: Snapshot) -> Response:
        tag = await _tag(who, db, case)
        try:
            [content] = await case_objects(who, db, [row])
        except InsufficientScope:
            content = dict(zip(CASE, row, strict=True))
        return answer(content, status, {**headers, **tag})

    with shown():
        return await services.database.run(read, _QUICK, who.workspace_id)


async def _related(
    request: Request, case_id: str, who: Principal, services: Services, relation: Relation
) -> Response:
    async def read(db: Snapshot) -> Page[Any]:
        case = await objects.case(who, db, case_id)
        paging = paging_of(request)
        try:
            return (await objects.related(who, db, relation, [case.id], paging))[case.id]
        except Invalid as error:
            raise as_parameters(error) from None

    page = await services.database.run(read, _QUICK, who.workspace_id)
    return page_answer(page, map(SHAPES[relation.name], page))


async def _roles_answer(
    who: Principal,
    services: Services,
    written: roles.Written,
    relation: Relation,
    status: int,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """A case's whole list after a write; documentation.WRITE_ONLY covers keys that may not read."""

    async def read(db: Snapshot) -> tuple[list[Any], dict[str, str]]:
        tag = await _tag(who, db, written.case)
        try:
            items = await whole_list(who, db, relation, written.case.id)
        except InsufficientScope:
            return [GIVEN[relation.name](one) for one in written.given], tag
        return [SHAPES[relation.name](item) for item in items], tag

    with shown():
        data, tag = await services.database.run(read, _QUICK, who.workspace_id)
    headers = {**headers, **tag}
    if written.warnings:
        warnings = (f"{'.'.join(one.field)}: {one.message}" for one in written.warnings)
        headers["X-Warning"] = " ".join(islice(warnings, MAX_WARNINGS))
    return answer({"data": data, "pagination": {"has_more": False}}, status, headers)


def _idempotency_key(request: Request) -> str | None:
    return request.headers.get("idempotency-key")
