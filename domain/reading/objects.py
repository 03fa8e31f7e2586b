"""Everything that can be read, as domain objects, each in one statement however many are asked for.

Functions take who asks, then the snapshot to read from. What is absent, deleted or another
workspace's is left out of the answer.
"""

from collections.abc import Collection, Iterable
from dataclasses import fields
from typing import Any

from domain.access.principal import Principal
from domain.errors import CaseNotFound
from domain.ids import canonical_case_id
from domain.inputs import CaseFilter, CaseOrder
from domain.models import Case, CaseLink, Party, Staff, TimelineEvent
from domain.reading import asking, relations
from domain.reading.asking import NEWEST_FIRST, RootList
from domain.reading.paging import Edge, Page, Paging, page_of
from domain.reading.relations import Relation
from domain.storage.database import Snapshot
from domain.storage.statements import Fetch


def columns_of(model: type) -> tuple[str, ...]:
    """The columns that a domain object is made of, in its order."""
    return tuple(field.name for field in fields(model))


CASE = columns_of(Case)
PARTY = columns_of(Party)
STAFF = columns_of(Staff)
_MODELS: dict[str, Any] = {"case": Case, "party": Party, "staff": Staff}


async def case(who: Principal, db: Snapshot, case_id: str) -> Case:
    """One case. Raises CaseNotFound, also for an id that is no UUID."""
    found = await cases_by_id(who, db, [case_id])
    canonical = canonical_case_id(case_id)
    if canonical is None or canonical not in found:
        raise CaseNotFound(case_id)
    return found[canonical]


async def require_case_to_write(who: Principal, db: Snapshot, case_id: str) -> None:
    """Raise CaseNotFound unless a case is there that *who* may write."""
    if not await _rows(db, asking.case_to_write(who, case_id)):
        raise CaseNotFound(case_id)


async def cases_by_id(who: Principal, db: Snapshot, ids: Iterable[str]) -> dict[str, Case]:
    """The cases among *ids*, by their canonical id."""
    rows = await _rows(db, asking.by_id(who, "case", ids, CASE))
    return {row[0]: Case(*row) for row in rows}


async def case_by_file_number(who: Principal, db: Snapshot, file_number: str) -> Case | None:
    """The case with this file number, spelled as it is stored but for spaces around it."""
    rows = await _rows(db, asking.case_by_file_number(who, file_number, CASE))
    return Case(*rows[0]) if rows else None


async def parties_by_id(who: Principal, db: Snapshot, ids: Iterable[str]) -> dict[str, Party]:
    rows = await _rows(db, asking.by_id(who, "party", ids, PARTY))
    return {row[0]: Party(*row) for row in rows}


async def staff_by_id(who: Principal, db: Snapshot, ids: Iterable[str]) -> dict[str, Staff]:
    rows = await _rows(db, asking.by_id(who, "staff", ids, STAFF))
    return {row[0]: Staff(*row) for row in rows}


async def links_by_id(
    who: Principal, db: Snapshot, ids: Iterable[str]
) -> dict[tuple[str, str], CaseLink]:
    """Links as seen from each end: by the case that looks, and the link's id."""
    columns = relations.CASE_LINKS.all_columns
    links = map(relations.link_of, await _rows(db, asking.by_id(who, "link", ids, columns)))
    return {(link.case_id, link.id): link for link in links}


async def events_by_id(
    who: Principal, db: Snapshot, ids: Iterable[str]
) -> dict[str, TimelineEvent]:
    """Timeline events of visible cases, and those of no case."""
    columns = relations.CASE_TIMELINE.all_columns
    events = map(relations.event_of, await _rows(db, asking.by_id(who, "event", ids, columns)))
    return {event.id: event for event in events}


async def cases(
    who: Principal,
    db: Snapshot,
    wanted: CaseFilter | None = None,
    order: CaseOrder = NEWEST_FIRST,
    paging: Paging = Paging(),  # noqa: B008 - frozen
) -> Page[Case]:
    """A page of the workspace's cases. Raises Invalid for a bad filter or cursor."""
    return await page(db, asking.cases(who, wanted, order), paging)


async def count_cases(who: Principal, db: Snapshot, wanted: CaseFilter | None = None) -> int:
    return await count(db, asking.cases(who, wanted))


async def parties(
    who: Principal,
    db: Snapshot,
    search: str | None = None,
    paging: Paging = Paging(),  # noqa: B008 - frozen
) -> Page[Party]:
    """A page of the workspace's parties, by name."""
    return await page(db, asking.parties(who, search), paging)


async def staff(
    who: Principal,
    db: Snapshot,
    search: str | None = None,
    paging: Paging = Paging(),  # noqa: B008 - frozen
) -> Page[Staff]:
    """A page of the workspace's staff, by name."""
    return await page(db, asking.staff(who, search), paging)


async def page(db: Snapshot, asked: RootList, paging: Paging) -> Page[Any]:
    """A page of a list at the root."""
    model = _MODELS[asked.kind]
    rows = await db.fetch(asked.page(paging, columns_of(model), keyed=True))
    sealed = asked.seal()
    return page_of([Edge(model(*row[2:]), row[:2], sealed) for row in rows], paging)


async def count(db: Snapshot, asked: RootList) -> int:
    """How many there are in a list at the root."""
    rows = await db.fetch(asked.count())
    counted: int = rows[0][0]
    return counted


async def related(
    who: Principal,
    db: Snapshot,
    relation: Relation,
    parents: Collection[str],
    paging: Paging = Paging(),  # noqa: B008 - frozen
    only: str | None = None,
) -> dict[str, Page[Any]]:
    """A page for each parent, in one statement: the batch loader behind every nested list.

    *only* narrows to one role or link type. A cursor belongs to one parent's list, so with
    cursors there is one parent; Invalid is raised otherwise. Parents are taken as visible.
    """
    asked = asking.related(who, relation, only)
    listed = list(dict.fromkeys(parents))
    if not listed:
        return {}
    seals = [asked.seal(parent) for parent in listed]
    found: list[list[Edge[Any]]] = [[] for _ in listed]
    width = 1 + len(relation.key)
    for row in await db.fetch(asked.page(listed, paging, relation.all_columns, keyed=True)):
        place = row[0]
        found[place].append(Edge(relation.build(row[width:]), row[1:width], seals[place]))
    return {parent: page_of(edges, paging) for parent, edges in zip(listed, found, strict=True)}


async def count_related(
    who: Principal,
    db: Snapshot,
    relation: Relation,
    parents: Collection[str],
    only: str | None = None,
) -> dict[str, int]:
    """How many there are for each parent, in one statement."""
    listed = list(parents)
    counted: dict[int, int] = dict(
        await db.fetch(asking.related(who, relation, only).count(listed))
    )
    return {parent: counted.get(place, 0) for place, parent in enumerate(listed)}


async def _rows(db: Snapshot, wanted: Fetch | None) -> list[Any]:
    return [] if wanted is None else await db.fetch(wanted)
