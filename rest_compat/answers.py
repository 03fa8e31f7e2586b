"""What the routes answer, as plain dicts with the names of the contract, encoded once."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from starlette.responses import Response

from domain import reads, relations
from domain.auth import Principal
from domain.database import Snapshot
from domain.models import Case, CaseLink, CaseParty, StaffAssignment, TimelineEvent
from domain.paging import MAX_LIMIT, Page, Paging
from domain.relations import Relation

_CASE = (
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


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response."""
    # As over GraphQL: what is said of clients is kept by no cache.
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


def page_answer(page: Page[Any], items: Iterable[Any], status: int = 200) -> Response:
    """The list envelope; the cursor is absent on the last page."""
    pagination: dict[str, Any] = {"has_more": page.has_next}
    if page.has_next:
        pagination["cursor"] = page.end_cursor
    return answer({"data": list(items), "pagination": pagination}, status)


async def case_objects(who: Principal, db: Snapshot, cases: Iterable[Case]) -> list[dict[str, Any]]:
    """The full case objects: everyone involved, in one statement for parties and one for staff."""
    listed = list(cases)
    ids = [case.id for case in listed]
    parties = await whole_lists(who, db, relations.CASE_PARTIES, ids)
    staff = await whole_lists(who, db, relations.CASE_STAFF, ids)
    return [
        {name: getattr(case, name) for name in _CASE}
        | {
            "parties": [
                {"id": part.node.id, "role": part.role, "name": part.node.name}
                for part in parties[case.id]
            ],
            "staff": [
                {"id": part.node.id, "name": part.node.name, "role": part.role}
                for part in staff[case.id]
            ],
        }
        for case in listed
    ]


async def renamed_since(who: Principal, db: Snapshot, case: Case) -> bool:
    """Whether a party or staff member may have another name than when *case* got its version.

    Their names stand in the case object, but a new name is no new version of their cases. Where
    both happened in the same second it is not known, and counts as yes.
    """
    for relation in (relations.CASE_PARTIES, relations.CASE_STAFF):
        for part in (await whole_lists(who, db, relation, [case.id]))[case.id]:
            if part.node.version > 1 and part.node.updated_at >= case.updated_at:
                return True
    return False


async def whole_lists(
    who: Principal, db: Snapshot, relation: Relation, parents: list[str]
) -> dict[str, list[Any]]:
    """Everything in a relation, which is bounded by the domain; more pages only where needed."""
    pages = await reads.related(who, db, relation, parents, Paging(MAX_LIMIT))
    found = {parent: list(page) for parent, page in pages.items()}
    for parent, page in pages.items():
        while page.has_next:
            paging = Paging(MAX_LIMIT, after=page.end_cursor)
            page = (await reads.related(who, db, relation, [parent], paging))[parent]
            found[parent] += page
    return found


def party(part: CaseParty) -> dict[str, Any]:
    return {
        "id": part.node.id,
        "role": part.role,
        "name": part.node.name,
        "type": part.node.kind,
        "reference": part.reference,
        "added_at": part.added_at,
    }


def staff(part: StaffAssignment) -> dict[str, Any]:
    return {
        "id": part.node.id,
        "name": part.node.name,
        "email": part.node.email,
        "role": part.role,
        "assigned_at": part.assigned_at,
    }


def event(found: TimelineEvent) -> dict[str, Any]:
    return {
        "id": found.id,
        "seq": found.seq,
        "type": found.type,
        "actor": found.actor,
        "at": found.at,
        "occurred_at": found.occurred_at,
        "title": found.title,
        "changes": [
            {"field": change.field, "before": change.before, "after": change.after}
            for change in found.changes
        ],
    }


def link(found: CaseLink) -> dict[str, Any]:
    return {
        "id": found.id,
        "type": found.type,
        "case_id": found.case_id,
        "linked_case_id": found.linked_case_id,
        "linked_case": {
            "id": found.linked.id,
            "name": found.linked.name,
            "file_number": found.linked.file_number,
            "status": found.linked.status,
        },
        "created_at": found.created_at,
    }


SHAPES: dict[str, Callable[[Any], dict[str, Any]]] = {
    relations.CASE_PARTIES.name: party,
    relations.CASE_STAFF.name: staff,
    relations.CASE_TIMELINE.name: event,
    relations.CASE_LINKS.name: link,
}
