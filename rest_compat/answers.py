"""The responses of the routes: plain dicts with the contract's names, encoded once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from starlette.responses import Response

from domain.access.principal import Principal
from domain.models import (
    Case,
    CaseLink,
    CaseParty,
    CaseStaff,
    Delivery,
    Party,
    Staff,
    TimelineEvent,
    Webhook,
)
from domain.reading import changes, cursors, matches, related, relations
from domain.reading.facets import FacetField, facets
from domain.reading.lists import RootList
from domain.reading.matches import Match
from domain.reading.paging import Page, Paging
from domain.reading.relations import Relation
from domain.storage.database import Snapshot
from domain.writing.wanted import Given

CASE = (
    "id",
    "name",
    "file_number",
    "status",
    "type",
    "description",
    "dezernat",
    "created_at",
    "updated_at",
)
_PARTY = ("party_id", "role", "party.name")
_STAFF = ("staff_id", "role", "staff.name")
_PEOPLE = (
    related.same_page(relations.CASE_PARTIES, _PARTY, None),
    related.same_page(relations.CASE_STAFF, _STAFF, None),
)
_PEOPLE_VERSIONED = (
    related.same_page(relations.CASE_PARTIES, (*_PARTY, "party.version"), None),
    related.same_page(relations.CASE_STAFF, (*_STAFF, "staff.version"), None),
)
_WHOLE = {
    relation.name: related.same_page(relation, relation.all_columns, None)
    for relation in (relations.CASE_PARTIES, relations.CASE_STAFF)
}


class Answer(Response):
    """A response whose headers are made here: Starlette's takes as long as reading a case."""

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [
            *_JSON,
            (b"content-length", b"%d" % len(body)),
            *[(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        ]


# As over GraphQL: no cache may store data about clients.
_JSON = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    return Answer(orjson.dumps(content), status, headers or {})


def nothing(headers: Mapping[str, str] | None = None) -> Response:
    """A response without content."""
    return Response(status_code=204, headers={"Cache-Control": "no-store", **(headers or {})})


def page_answer(page: Page[Any], items: Iterable[Any], status: int = 200) -> Response:
    """The list envelope; it has no cursor on the last page."""
    pagination: dict[str, Any] = {"has_more": page.has_next}
    if page.has_next:
        pagination["cursor"] = page.end_cursor
    return answer({"data": list(items), "pagination": pagination}, status)


async def case_page(
    db: Snapshot,
    asked: RootList,
    paging: Paging,
    by: Sequence[FacetField] = (),
    *,
    matched: bool = False,
) -> Response:
    """A page of full case objects, if *matched* each with its matches; with the facets of the whole
    list, if any are asked for."""
    listing = await asked.settled(db, paging, CASE)
    [rows] = await db.fetch_each([listing.page(paging, CASE, keyed=True)])
    more = len(rows) > paging.limit
    del rows[paging.limit :]
    # Each row starts with the sort keys for its cursor; the columns follow.
    last = rows[-1][:2] if more else None
    objects = await case_objects(asked.who, db, [row[2:] for row in rows])
    if matched:
        told = await matches.of_cases(db, asked, [(row[2], row[3], row[4]) for row in rows])
        for one in objects:
            one["matches"] = [_match(match) for match in told[one["id"]]]
    pagination: dict[str, Any] = {"has_more": more}
    if last is not None:
        pagination["cursor"] = cursors.encode(last, asked.seal())
    content: dict[str, Any] = {"data": objects, "pagination": pagination}
    if by:
        content["facets"] = {
            str(facet.field): {"values": facet.values, "has_more": facet.has_more}
            for facet in await facets(db, asked, by)
        }
    return answer(content)


def _match(found: Match) -> dict[str, Any]:
    return {
        "field": found.field,
        "rule": found.rule,
        "text": found.text,
        "ranges": [one._asdict() for one in found.ranges],
        "party_id": found.party and found.party.id,
        "staff_id": found.staff and found.staff.id,
    }


async def case_objects(
    who: Principal, db: Snapshot, rows: Sequence[tuple[Any, ...]]
) -> list[dict[str, Any]]:
    """The full case objects for rows of CASE, with one statement each for parties and staff."""
    objects, _renamed = await _objects(who, db, rows, versions=False)
    return objects


async def case_object(
    who: Principal, db: Snapshot, row: tuple[Any, ...]
) -> tuple[dict[str, Any], int]:
    """The full case object for a row of CASE, and what revisions.renames() would tell of it."""
    [content], renamed = await _objects(who, db, [row], versions=True)
    return content, renamed


async def _objects(
    who: Principal, db: Snapshot, rows: Sequence[tuple[Any, ...]], *, versions: bool
) -> tuple[list[dict[str, Any]], int]:
    """The objects, and with *versions* how often all their parties and staff have changed."""
    ids = [row[0] for row in rows]
    parties: list[list[dict[str, Any]]] = [[] for _ in ids]
    staff: list[list[dict[str, Any]]] = [[] for _ in ids]
    renamed = 0
    if ids:
        fetches = _PEOPLE_VERSIONED if versions else _PEOPLE
        involved = await db.fetch_each([fetch(who, ids) for fetch in fetches])
        if versions:
            renamed = sum(row[4] - 1 for people in involved for row in people)
            involved = [[row[:4] for row in people] for people in involved]
        for place, id, role, name in involved[0]:
            parties[place].append({"id": id, "role": role, "name": name})
        for place, id, role, name in involved[1]:
            staff[place].append({"id": id, "name": name, "role": role})
    objects = [
        {
            "id": id,
            "name": name,
            "file_number": file_number,
            "status": status,
            "type": type,
            "description": description,
            "dezernat": dezernat,
            "created_at": created_at,
            "updated_at": updated_at,
            "parties": case_parties,
            "staff": case_staff,
        }
        for (
            id,
            name,
            file_number,
            status,
            type,
            description,
            dezernat,
            created_at,
            updated_at,
        ), case_parties, case_staff in zip(rows, parties, staff, strict=True)
    ]
    return objects, renamed


async def whole_list(who: Principal, db: Snapshot, relation: Relation, id: str) -> list[Any]:
    """All items of a case in a relation whose size the domain limits."""
    rows = await db.fetch(_WHOLE[relation.name](who, [id]))
    return [relation.build(row[1:]) for row in rows]


def party(part: CaseParty) -> dict[str, Any]:
    return {
        "id": part.party_id,
        "role": part.role,
        "name": part.party.name,
        "type": part.party.kind,
        "reference": part.reference,
        "added_at": part.added_at,
    }


def staff(part: CaseStaff) -> dict[str, Any]:
    return {
        "id": part.staff_id,
        "name": part.staff.name,
        "email": part.staff.email,
        "role": part.role,
        "note": part.note,
        "assigned_at": part.assigned_at,
    }


def given_party(given: Given) -> dict[str, Any]:
    """A role as the call gave it; an existing party is shown only by its id."""
    role, node = given.role, given.node
    details = {"name": node.name, "type": node.kind} if isinstance(node, Party) else {}
    rest = {"reference": role.remark, "added_at": role.since}
    return {"id": role.node_id, "role": role.role, **details, **rest}


def given_staff(given: Given) -> dict[str, Any]:
    role, node = given.role, given.node
    details = {"name": node.name, "email": node.email} if isinstance(node, Staff) else {}
    rest = {"role": role.role, "note": role.remark, "assigned_at": role.since}
    return {"id": role.node_id, **details, **rest}


def event(found: TimelineEvent) -> dict[str, Any]:
    return {
        "id": found.id,
        "seq": found.seq,
        "type": found.type,
        "source": found.source,
        "actor": found.actor,
        "claimed_actor": found.claimed_actor,
        "at": found.at,
        "occurred_at": found.occurred_at,
        "title": found.title,
        "changes": [
            {"field": change.field, "before": change.before, "after": change.after}
            for change in found.changes
        ],
    }


def webhook(found: Webhook, who: Principal) -> dict[str, Any]:
    return {
        "id": found.id,
        "url": found.url,
        "events": found.events,
        "query": found.query,
        "key_id": found.key_id,
        "state": found.state,
        "reason": found.reason,
        "created_at": found.created_at,
        "cursor": changes.cursor(who, found.seq),
        "failures": found.failures,
        "failing_since": found.failing_since,
        "due_at": found.due_at,
    }


def delivery(found: Delivery) -> dict[str, Any]:
    return {
        "event_id": found.event_id,
        "type": found.type,
        "attempt": found.attempt,
        "at": found.at,
        "duration_ms": found.duration_ms,
        "status": found.status,
        "error": found.error,
    }


def firm_party(found: Party) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "type": found.kind,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def firm_staff(found: Staff) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "email": found.email,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def party_case(part: CaseParty) -> dict[str, Any]:
    return {
        "role": part.role,
        "reference": part.reference,
        "added_at": part.added_at,
        "case": other_case(part.case),
    }


def staff_case(part: CaseStaff) -> dict[str, Any]:
    return {
        "role": part.role,
        "note": part.note,
        "assigned_at": part.assigned_at,
        "case": other_case(part.case),
    }


def other_case(found: Case) -> dict[str, Any]:
    """A case as it is shown beside something else."""
    return {
        "id": found.id,
        "name": found.name,
        "file_number": found.file_number,
        "status": found.status,
    }


def link(found: CaseLink) -> dict[str, Any]:
    return {
        "id": found.id,
        "type": found.type,
        "case_id": found.case_id,
        "linked_case_id": found.linked_case_id,
        "linked_case": other_case(found.linked),
        "created_at": found.created_at,
    }


GIVEN: dict[str, Callable[[Given], dict[str, Any]]] = {
    relations.CASE_PARTIES.name: given_party,
    relations.CASE_STAFF.name: given_staff,
}
SHAPES: dict[str, Callable[[Any], dict[str, Any]]] = {
    relations.CASE_PARTIES.name: party,
    relations.CASE_STAFF.name: staff,
    relations.CASE_TIMELINE.name: event,
    relations.CASE_LINKS.name: link,
}
