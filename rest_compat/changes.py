"""The feed of changes: an addition to the published contract.

Its pages always tell a cursor, the last one too: a client that keeps it asks later for what came
after, and misses nothing.
"""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from domain import checks
from domain.errors import Invalid
from domain.inputs import ChangeFilter, DateRange
from domain.models import EventSource, TimelineEvent
from domain.reading import changes, objects
from domain.storage.database import Pace
from rest_compat import models
from rest_compat.answers import answer, event
from rest_compat.documentation import LINE, documented
from rest_compat.door import Domain, Door, Reader
from rest_compat.parameters import as_parameters, paging_of, several, single

router = APIRouter(route_class=Door)
_PACE = Pace()
_NAMES = {"gte": "since", "lt": "until", "case": "case_id", "party": "party_id"}
"""The parameters for what the domain's filter calls otherwise."""
_SOME = "with commas between several; at most 100."


def _some(name: str, text: str) -> tuple[str, Any, str]:
    # One value may have so many characters.
    return name, {"type": "string", "maxLength": checks.DEZERNAT_MAX, "pattern": LINE}, text


@router.get(
    "/changes",
    **documented(
        "listChanges",
        "Timeline",
        "List what changed in the workspace, oldest first",
        "cases:read",
        model=models.Changes,
        parameters=[
            _some("case_id", "Only changes of this case, a deleted or erased one included."),
            _some("party_id", "Only changes of this party, and of the cases it has a role in."),
            _some("type", f"Only changes of these types, like `case_updated`, {_SOME}"),
            _some("actor", f"Only changes by these actors, names of API keys, {_SOME}"),
            (
                "source",
                {"type": "string", "enum": [str(one) for one in EventSource]},
                "Only what casegraph recorded itself, or what was taken from files.",
            ),
            (
                "since",
                {"type": "string", "format": "date-time"},
                "Only changes recorded at or after this instant.",
            ),
            (
                "until",
                {"type": "string", "format": "date-time"},
                "Only changes recorded before this instant.",
            ),
        ],
        paged=True,
        about="Every page has a cursor, the last one too: ask again with it, later, for what came "
        "after. Changes of cases that are deleted now, their deletion among them, have no details "
        "for a key without `cases:delete`.",
    ),
)
async def list_changes(request: Request, who: Reader, services: Domain) -> Response:
    since, until = single(request, "since"), single(request, "until")
    wanted = ChangeFilter(
        at=DateRange(gte=since, lt=until) if since or until else None,
        type=several(request, "type"),
        actor=several(request, "actor"),
        case=several(request, "case_id"),
        party=several(request, "party_id"),
        source=several(request, "source"),
    )
    paging = paging_of(request)
    try:
        asked = changes.changes(who, wanted)
        page = await services.database.run(
            lambda db: objects.page(db, asked, paging), _PACE, who.workspace_id
        )
    except Invalid as error:
        raise as_parameters(error, _NAMES) from None
    pagination: dict[str, Any] = {"has_more": page.has_next}
    if (cursor := page.end_cursor or paging.after) is not None:
        pagination["cursor"] = cursor
    return answer({"data": [_change(one) for one in page], "pagination": pagination})


def _change(found: TimelineEvent) -> dict[str, Any]:
    return {**event(found), "case_id": found.case_id, "subject_id": found.subject_id}
