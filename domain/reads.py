"""Everything that can be read, each in one statement however many are asked for.

Functions take who asks, then the snapshot to read from. What is absent, deleted or another
workspace's is left out of the answer.
"""

import json
from collections.abc import Collection, Iterable
from typing import Any

from domain import cursors, filters, keyset, lists, relations, texts
from domain.auth import Principal, Scope
from domain.database import Snapshot
from domain.errors import CaseNotFound
from domain.filters import Compiled
from domain.ids import canonical_case_id
from domain.inputs import CaseFilter, CaseOrder
from domain.keyset import Window
from domain.models import Case, CaseLink, Party, Staff, TimelineEvent
from domain.paging import Edge, Page, Paging, page_of
from domain.relations import Relation
from domain.texts import Check


async def case(who: Principal, db: Snapshot, case_id: str) -> Case:
    """One case. Raises CaseNotFound, also for an id that is no UUID."""
    who.require(Scope.CASES_READ)
    found = await cases_by_id(who, db, [case_id])
    canonical = canonical_case_id(case_id)
    if canonical is None or canonical not in found:
        raise CaseNotFound(case_id)
    return found[canonical]


async def cases_by_id(who: Principal, db: Snapshot, ids: Iterable[str]) -> dict[str, Case]:
    """The cases among *ids*, by their canonical id."""
    who.require(Scope.CASES_READ)
    canonical = [found for id in ids if (found := canonical_case_id(id))]
    return {row[0]: Case(*row) for row in await _by_id(who, db, lists.CASES_BY_ID, canonical)}


async def case_by_file_number(who: Principal, db: Snapshot, file_number: str) -> Case | None:
    """The case with this file number, spelled as it is stored but for spaces around it."""
    who.require(Scope.CASES_READ)
    check = Check()
    number = check.optional_line(file_number, texts.FILE_NUMBER_MAX, "file_number")
    if number is None or check.problems:
        return None
    values = {"workspace_id": who.workspace_id, "file_number": number}
    rows = await db.fetch(lists.CASE_BY_FILE_NUMBER, values)
    return Case(*rows[0]) if rows else None


async def parties_by_id(who: Principal, db: Snapshot, ids: Iterable[str]) -> dict[str, Party]:
    who.require(Scope.CASES_READ)
    rows = await _by_id(who, db, lists.REGISTER_BY_ID["party"], ids)
    return {row[0]: Party(*row) for row in rows}


async def staff_by_id(who: Principal, db: Snapshot, ids: Iterable[str]) -> dict[str, Staff]:
    who.require(Scope.CASES_READ)
    rows = await _by_id(who, db, lists.REGISTER_BY_ID["staff"], ids)
    return {row[0]: Staff(*row) for row in rows}


async def links_by_id(
    who: Principal, db: Snapshot, ids: Iterable[str]
) -> dict[tuple[str, str], CaseLink]:
    """Links as seen from each end: by the case that looks, and the link's id."""
    who.require(Scope.CASES_READ)
    links = map(relations.link_of, await _by_id(who, db, lists.LINKS_BY_ID, ids))
    seen = {(link.case_id, link.id): link for link in links}
    # A row tells of the linked case only; the case that looks may be deleted, too.
    return {
        (case_id, id): link
        for (case_id, id), link in seen.items()
        if (link.linked_case_id, id) in seen
    }


async def events_by_id(
    who: Principal, db: Snapshot, ids: Iterable[str]
) -> dict[str, TimelineEvent]:
    """Timeline events of visible cases, and those of no case."""
    who.require(Scope.CASES_READ)
    events = [relations.event_of(row) for row in await _by_id(who, db, lists.EVENTS_BY_ID, ids)]
    owners = {event.case_id for event in events if event.case_id is not None}
    visible = await cases_by_id(who, db, owners) if owners else {}
    return {
        event.id: event for event in events if event.case_id is None or event.case_id in visible
    }


async def cases(
    who: Principal,
    db: Snapshot,
    wanted: CaseFilter | None = None,
    order: CaseOrder = CaseOrder(),  # noqa: B008 - frozen
    paging: Paging = Paging(),  # noqa: B008 - frozen
) -> Page[Case]:
    """A page of the workspace's cases. Raises Invalid for a bad filter or cursor."""
    who.require(Scope.CASES_READ)
    compiled = filters.compile_filter(who.workspace_id, wanted)
    statement = lists.cases_page(order, compiled.shape, Window.of(paging))
    sealed = _seal(who, "cases", compiled, order.field, order.descending)
    return await _page(who, db, statement, compiled, sealed, paging, Case)


async def count_cases(who: Principal, db: Snapshot, wanted: CaseFilter | None = None) -> int:
    who.require(Scope.CASES_READ)
    compiled = filters.compile_filter(who.workspace_id, wanted)
    return await _count(who, db, lists.cases_count(compiled.shape), compiled)


async def parties(
    who: Principal,
    db: Snapshot,
    search: str | None = None,
    paging: Paging = Paging(),  # noqa: B008 - frozen
) -> Page[Party]:
    """A page of the workspace's parties, by name."""
    who.require(Scope.CASES_READ)
    return await _register_page(who, db, "party", search, paging)


async def count_parties(who: Principal, db: Snapshot, search: str | None = None) -> int:
    who.require(Scope.CASES_READ)
    compiled = filters.compile_search(who.workspace_id, "party", search)
    return await _count(who, db, lists.register_count("party", compiled.shape), compiled)


async def staff(
    who: Principal,
    db: Snapshot,
    search: str | None = None,
    paging: Paging = Paging(),  # noqa: B008 - frozen
) -> Page[Staff]:
    """A page of the workspace's staff, by name."""
    who.require(Scope.CASES_READ)
    return await _register_page(who, db, "staff", search, paging)


async def count_staff(who: Principal, db: Snapshot, search: str | None = None) -> int:
    who.require(Scope.CASES_READ)
    compiled = filters.compile_search(who.workspace_id, "staff", search)
    return await _count(who, db, lists.register_count("staff", compiled.shape), compiled)


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
    who.require(Scope.CASES_READ)
    seals = {id: cursors.seal(who.workspace_id, relation.name, id, only) for id in parents}
    values: dict[str, Any] = {}
    for sealed in seals.values():
        values = keyset.values(paging, sealed, relation.key_types)
    statement = relations.page(relation, Window.of(paging), narrowed=only is not None)
    values |= {"workspace_id": who.workspace_id, "parents": json.dumps(list(seals)), "only": only}
    found: dict[str, list[Edge[Any]]] = {id: [] for id in seals}
    width = 1 + len(relation.key)
    for row in await db.fetch(statement, values) if seals else ():
        parent = row[0]
        item = relation.build(row[width:])
        found[parent].append(Edge(item, row[1:width], seals[parent]))
    return {id: page_of(edges, paging) for id, edges in found.items()}


async def count_related(
    who: Principal,
    db: Snapshot,
    relation: Relation,
    parents: Collection[str],
    only: str | None = None,
) -> dict[str, int]:
    """How many there are for each parent, in one statement."""
    who.require(Scope.CASES_READ)
    statement = relations.count(relation, narrowed=only is not None)
    values = {
        "workspace_id": who.workspace_id,
        "parents": json.dumps(list(parents)),
        "only": only,
    }
    counted: dict[str, int] = dict(await db.fetch(statement, values))
    return {id: counted.get(id, 0) for id in parents}


async def _by_id(who: Principal, db: Snapshot, statement: Any, ids: Iterable[str]) -> list[Any]:
    plausible = sorted({id for id in ids if texts.may_be_id(id)})
    if not plausible:
        return []
    values = {"workspace_id": who.workspace_id, "ids": json.dumps(plausible)}
    return await db.fetch(statement, values)


async def _register_page(
    who: Principal, db: Snapshot, kind: str, search: str | None, paging: Paging
) -> Page[Any]:
    compiled = filters.compile_search(who.workspace_id, kind, search)
    statement = lists.register_page(kind, compiled.shape, Window.of(paging))
    _table, model = lists.REGISTER[kind]
    sealed = _seal(who, kind, compiled)
    return await _page(who, db, statement, compiled, sealed, paging, model)


async def _page(
    who: Principal,
    db: Snapshot,
    statement: Any,
    compiled: Compiled,
    sealed: str,
    paging: Paging,
    model: Any,
) -> Page[Any]:
    values = keyset.values(paging, sealed, lists.KEY_TYPES)
    values |= {"workspace_id": who.workspace_id, **compiled.values}
    rows = await db.fetch(statement, values)
    return page_of([Edge(model(*row[2:]), row[:2], sealed) for row in rows], paging)


async def _count(who: Principal, db: Snapshot, statement: Any, compiled: Compiled) -> int:
    rows = await db.fetch(statement, {"workspace_id": who.workspace_id, **compiled.values})
    counted: int = rows[0][0]
    return counted


def _seal(who: Principal, name: str, compiled: Compiled, *order: Any) -> str:
    return cursors.seal(who.workspace_id, name, compiled.shape, compiled.values, *order)
