"""Exporting cases: everything in a workspace, as lines that an import can read.

A new database that imports them gives the same answers, except for the timeline's numbers.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import bindparam, select

from domain.access.principal import Principal, Scope
from domain.inputs import CaseOrder, CaseOrderField
from domain.models import Case, CaseLink, EventSource, Party, Staff, TimelineEvent
from domain.reading import anchors, objects, relations
from domain.reading.paging import MAX_LIMIT, Page, Paging
from domain.reading.relations import Relation
from domain.storage.database import Database, Snapshot
from domain.storage.spellings import each
from domain.storage.statements import Prepared
from domain.storage.tables import timeline_event
from domain.transfer import formats

OLDEST_FIRST = CaseOrder(CaseOrderField.CREATED_AT, descending=False)
_CASE = tuple(name for name in Case.__dataclass_fields__)
_c = timeline_event.c
_ABOUT = Prepared(
    select(*(_c[name] for name in relations.CASE_TIMELINE.all_columns))
    .where(
        _c.workspace_id == bindparam("workspace_id"),
        _c.case_id.is_(None),
        _c.subject_id.in_(select(each.value(bindparam("ids")).c.value)),
    )
    .order_by(_c.seq)
)
REGISTER_LINE = 500
"""The most parties or staff without a case on one line."""


async def export_cases(
    who: Principal,
    database: Database,
    write: Callable[[bytes], object],
    *,
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> int:
    """Write a line per visible case, then everyone who is in no case; return the number of cases.

    The last line has the anchor of the workspace's timeline. All lines come from one snapshot.
    *on_progress* takes the cases written and their total.
    """
    who.require(Scope.CASES_READ)
    done = 0
    seen: dict[str, set[str]] = {"parties": set(), "staff": set()}
    async with database.read(who.workspace_id) as db:
        total = await objects.count_cases(who, db)
        paging: Paging | None = Paging(MAX_LIMIT)
        while paging is not None:
            page = await objects.cases(who, db, None, OLDEST_FIRST, paging)
            lines = await _lines(who, db, list(page))
            for kind in seen:
                met = [one for line in lines for one in line[kind]]
                await _with_timelines(who, db, met, seen[kind])
            for line in lines:
                write(orjson.dumps(line) + b"\n")
                done += 1
            on_progress(done, total)
            paging = _next(page)
        for line in await _register_lines(who, db, seen):
            write(orjson.dumps(line) + b"\n")
        if anchor := await anchors.of_workspace(who, db):
            write(orjson.dumps({formats.ANCHOR: str(anchor)}) + b"\n")
    return done


async def _lines(who: Principal, db: Snapshot, cases: Sequence[Case]) -> list[dict[str, Any]]:
    ids = [case.id for case in cases]
    parties = await _all(who, db, relations.CASE_PARTIES, ids)
    staff = await _all(who, db, relations.CASE_STAFF, ids)
    links = await _all(who, db, relations.CASE_LINKS, ids)
    timeline = await _all(who, db, relations.CASE_TIMELINE, ids)
    return [
        {
            **{name: getattr(case, name) for name in _CASE},
            "parties": [
                {
                    **_party(part.party),
                    "number": part.number,
                    "role": part.role,
                    "reference": part.reference,
                    "added_at": part.added_at,
                }
                for part in parties[case.id]
            ],
            "staff": [
                {
                    **_member(part.staff),
                    "number": part.number,
                    "role": part.role,
                    "note": part.note,
                    "assigned_at": part.assigned_at,
                }
                for part in staff[case.id]
            ],
            # Both cases have the link; only one of them exports it.
            "links": [_link(link) for link in links[case.id] if case.id < link.linked_case_id],
            "timeline": [
                _event(event) | {"subject_id": event.subject_id}
                for event in reversed(timeline[case.id])
                if not _tells_of_import(event)
            ],
        }
        for case in cases
    ]


async def _register_lines(
    who: Principal, db: Snapshot, seen: dict[str, set[str]]
) -> list[dict[str, Any]]:
    """The parties and staff in no case, as lines without a case."""
    lines: list[dict[str, Any]] = []
    registers: tuple[tuple[str, Any, Callable[[Any], dict[str, Any]]], ...] = (
        ("parties", objects.parties, _party),
        ("staff", objects.staff, _member),
    )
    for kind, read, described in registers:
        alone: list[dict[str, Any]] = []
        paging: Paging | None = Paging(MAX_LIMIT)
        while paging is not None:
            page = await read(who, db, None, paging)
            rest = [described(one) for one in page if one.id not in seen[kind]]
            await _with_timelines(who, db, rest, seen[kind])
            alone += rest
            paging = _next(page)
        left = iter(alone)
        while block := list(islice(left, REGISTER_LINE)):
            lines.append({kind: block})
    return lines


async def _with_timelines(
    who: Principal, db: Snapshot, people: Sequence[dict[str, Any]], seen: set[str]
) -> None:
    """Give each of *people* who was not *seen* before the events about them as such."""
    new = {one["id"]: one for one in reversed(people) if one["id"] not in seen}
    if not new:
        return
    seen.update(new)
    values = {"workspace_id": who.workspace_id, "ids": orjson.dumps(sorted(new)).decode()}
    for row in await db.rows(_ABOUT, values):
        event = relations.CASE_TIMELINE.build(row)
        if _tells_of_import(event):
            continue
        new[event.subject_id].setdefault("timeline", []).append(_event(event))


async def _all(
    who: Principal, db: Snapshot, relation: Relation, ids: Sequence[str]
) -> dict[str, list[Any]]:
    pages = await objects.related(who, db, relation, ids, Paging(MAX_LIMIT))
    items = {id: list(page) for id, page in pages.items()}
    for id, page in pages.items():
        paging = _next(page)
        while paging is not None:
            more = (await objects.related(who, db, relation, [id], paging))[id]
            items[id] += more
            paging = _next(more)
    return items


def _next(page: Page[Any]) -> Paging | None:
    return Paging(MAX_LIMIT, after=page.end_cursor) if page.has_next else None


def _party(party: Party) -> dict[str, Any]:
    return {
        "id": party.id,
        "name": party.name,
        "kind": party.kind,
        "created_at": party.created_at,
        "updated_at": party.updated_at,
        "version": party.version,
    }


def _member(staff: Staff) -> dict[str, Any]:
    return {
        "id": staff.id,
        "name": staff.name,
        "email": staff.email,
        "created_at": staff.created_at,
        "updated_at": staff.updated_at,
        "version": staff.version,
    }


def _tells_of_import(event: TimelineEvent) -> bool:
    """Whether an event is about how an object came into this database: another will tell its own.

    It holds the object's whole state then, which the line has anyway.
    """
    came = event.type.endswith(("_imported", "_migrated"))
    return came and event.source == EventSource.RECORDED


def _event(event: TimelineEvent) -> dict[str, Any]:
    """An event as a file has it: whoever imports it takes all of it for a claim."""
    imported = event.source == EventSource.IMPORTED
    return {
        "id": event.id,
        "type": event.type,
        "actor": event.claimed_actor if imported else event.actor,
        "at": event.occurred_at if imported else event.at,
        "occurred_at": event.occurred_at,
        "title": event.title,
        "changes": event.changes,
    }


def _link(link: CaseLink) -> dict[str, Any]:
    return {
        "id": link.id,
        "type": link.type,
        "linked_case_id": link.linked_case_id,
        "created_at": link.created_at,
    }
