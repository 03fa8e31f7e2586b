"""All reads, as domain objects; one statement each, however many objects it loads.

Functions take the caller, then the snapshot to read from. Absent and deleted objects, and those of
another workspace, are left out of the result.
"""

from collections.abc import Collection, Iterable
from typing import Any

from domain.access.principal import Principal
from domain.errors import CaseNotFound
from domain.ids import canonical_case_id
from domain.inputs import CaseFilter, CaseOrder
from domain.models import Case, Party, Staff
from domain.reading import lists, lookups
from domain.reading.changes import ChangeList
from domain.reading.lists import NEWEST_FIRST, RootList
from domain.reading.lookups import Kind
from domain.reading.narrowing import Wanted
from domain.reading.paging import Edge, Page, Paging, page_of
from domain.reading.related import items
from domain.reading.relations import Relation
from domain.storage.database import Snapshot
from domain.storage.statements import Fetch


async def case(who: Principal, db: Snapshot, case_id: str) -> Case:
    """One case. Raises CaseNotFound, also for an id that is not a UUID."""
    cases_by_id: dict[str, Case] = await by_id(who, db, lookups.CASE, [case_id])
    canonical = canonical_case_id(case_id)
    if canonical is None or canonical not in cases_by_id:
        raise CaseNotFound(case_id)
    return cases_by_id[canonical]


async def require_case_to_write(who: Principal, db: Snapshot, case_id: str) -> None:
    """Raise CaseNotFound unless the case is visible; requires the scope to write."""
    if not await _rows(db, lookups.case_to_write(who, case_id)):
        raise CaseNotFound(case_id)


async def require_case_to_delete(who: Principal, db: Snapshot, case_id: str) -> None:
    """Raise CaseNotFound unless the case is visible; requires the scope to delete."""
    if not await _rows(db, lookups.case_to_delete(who, case_id)):
        raise CaseNotFound(case_id)


async def by_id(who: Principal, db: Snapshot, kind: Kind, ids: Iterable[Any]) -> dict[Any, Any]:
    """The objects of a kind among *ids*, by the key that was asked for (see Kind.key).

    A link's case may be left out.
    """
    if not kind.merges:
        rows = await _rows(db, lookups.by_id(who, kind, ids, kind.columns))
        return {kind.key_of(value): value for value in map(kind.build, rows)}
    rows = await _rows(db, lookups.by_id(who, kind, ids, (*kind.asked, *kind.columns)))
    return {row[0]: kind.build(row[1:]) for row in rows}


async def case_by_file_number(who: Principal, db: Snapshot, file_number: str) -> Case | None:
    """The case with this file number, exact except for surrounding spaces."""
    rows = await _rows(db, lookups.case_by_file_number(who, file_number, lookups.CASE.columns))
    return Case(*rows[0]) if rows else None


async def cases(
    who: Principal,
    db: Snapshot,
    wanted: CaseFilter | None = None,
    order: CaseOrder = NEWEST_FIRST,
    paging: Paging = Paging(),  # noqa: B008 - frozen
) -> Page[Case]:
    """A page of the workspace's cases. Raises Invalid for a bad filter or cursor."""
    return await page(db, lists.cases(who, wanted, order), paging)


async def count_cases(who: Principal, db: Snapshot, wanted: CaseFilter | None = None) -> int:
    return await count(db, lists.cases(who, wanted))


async def parties(
    who: Principal,
    db: Snapshot,
    search: str | None = None,
    paging: Paging = Paging(),  # noqa: B008 - frozen
) -> Page[Party]:
    """A page of the workspace's parties, by name."""
    return await page(db, lists.parties(who, search), paging)


async def staff(
    who: Principal,
    db: Snapshot,
    search: str | None = None,
    paging: Paging = Paging(),  # noqa: B008 - frozen
) -> Page[Staff]:
    """A page of the workspace's staff, by name."""
    return await page(db, lists.staff(who, search), paging)


async def page(db: Snapshot, asked: RootList | ChangeList, paging: Paging) -> Page[Any]:
    """A page of a root list."""
    asked = await asked.settled(db, paging, asked.columns)
    [rows] = await db.fetch_each([asked.page(paging, asked.columns, keyed=True)])
    build, sealed, width = asked.build, asked.seal(), asked.key_width
    return page_of([Edge(build(row[width:]), row[:width], sealed) for row in rows], paging)


async def outside(db: Snapshot, asked: RootList | ChangeList, paging: Paging) -> tuple[bool, bool]:
    """Whether items precede the page's cursor *after*, or are at it; the same for *before*."""
    wanted = [asked.outside(paging, "after"), asked.outside(paging, "before")]
    preceding, following = await db.fetch_each(wanted)
    return bool(preceding), bool(following)


async def count(db: Snapshot, asked: RootList | ChangeList) -> int:
    """The number of items in a root list."""
    asked = await asked.settled(db)
    [rows] = await db.fetch_each([asked.count()])
    total: int = rows[0][0]
    return total


async def related(
    who: Principal,
    db: Snapshot,
    relation: Relation,
    parents: Collection[str],
    paging: Paging = Paging(),  # noqa: B008 - frozen
    only: str | None = None,
    wanted: Wanted = None,
) -> dict[str, Page[Any]]:
    """A page for each parent, in one statement: the batch loader behind every nested list.

    *only* selects one role or link type, *wanted* events or cases. A cursor belongs to one parent's
    list: raises Invalid for a cursor with several parents. The caller has checked that the parents
    are visible.
    """
    related_list = items(who, relation, only, wanted)
    unique = list(dict.fromkeys(parents))
    if not unique:
        return {}
    seals = [related_list.seal(parent) for parent in unique]
    edges: list[list[Edge[Any]]] = [[] for _ in unique]
    width = 1 + len(relation.key)
    for row in await db.fetch(related_list.page(unique, paging, relation.all_columns, keyed=True)):
        place = row[0]
        edges[place].append(Edge(relation.build(row[width:]), row[1:width], seals[place]))
    return {parent: page_of(own, paging) for parent, own in zip(unique, edges, strict=True)}


async def outside_related(
    who: Principal,
    db: Snapshot,
    relation: Relation,
    parent: str,
    paging: Paging,
    only: str | None = None,
    wanted: Wanted = None,
) -> tuple[bool, bool]:
    """What outside() tells, for one parent's list."""
    asked = items(who, relation, only, wanted)
    fetches = [asked.outside(parent, paging, name) for name in ("after", "before")]
    preceding, following = await db.fetch_each(fetches)
    return bool(preceding), bool(following)


async def count_related(
    who: Principal,
    db: Snapshot,
    relation: Relation,
    parents: Collection[str],
    only: str | None = None,
    wanted: Wanted = None,
) -> dict[str, int]:
    """The number of items for each parent, in one statement."""
    ordered = list(parents)
    counts: dict[int, int] = dict(await db.fetch(items(who, relation, only, wanted).count(ordered)))
    return {parent: counts.get(place, 0) for place, parent in enumerate(ordered)}


async def _rows(db: Snapshot, wanted: Fetch | None) -> list[Any]:
    return [] if wanted is None else await db.fetch(wanted)
