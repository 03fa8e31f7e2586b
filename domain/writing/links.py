"""Links between cases. A link is two rows, one for each end, with inverse types."""

from dataclasses import dataclass, replace

from sqlalchemy import delete, insert, select

from domain import checks, ids
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import CaseNotFound, LinkExists, LinkNotFound, invalid
from domain.ids import canonical_case_id
from domain.inputs import ExpectedVersion
from domain.models import Case, CaseLink, Change, LinkType
from domain.storage.database import Database, Transaction
from domain.storage.tables import case_link
from domain.writing import idempotency, rows, timeline
from domain.writing.timeline import NewEvent


@dataclass(frozen=True, slots=True)
class Written:
    """A created or removed link, and the case it is seen from, as the call left it."""

    link: CaseLink
    case: Case


async def link_cases(
    who: Principal,
    database: Database,
    case_id: str,
    linked_case_id: str,
    link_type: str,
    *,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Written:
    """Link two cases; *link_type* says what the linked case is to the first.

    Raises CaseNotFound for either case, VersionConflict, Invalid, LinkExists, IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    key = idempotency.checked(idempotency_key)
    ends = [canonical_case_id(id) or id for id in (case_id, linked_case_id)]
    request = idempotency.fingerprint(key, "link_cases", *ends, link_type)
    async with timeline.recorded(who, database) as (db, events):
        if before := await idempotency.replayed(db, who, key, request):
            case = await rows.case_to_change(db, who, case_id)
            return Written(await _link_from(db, who, case, before), case)
        case = await rows.case_to_change(db, who, case_id, expected_version)
        check = Check()
        kind = check.one_of(link_type, tuple(LinkType), "type")
        check.done()
        linked = await rows.case_to_change(db, who, linked_case_id, field=("linked_case_id",))
        if linked.id == case.id:
            raise invalid("A case cannot be linked to itself.", "linked_case_id")
        await _require_new(db, who, case, linked, LinkType(kind))
        link = CaseLink(ids.new_id(ids.LINK), case.id, linked.id, kind, db.now, linked)
        await insert_links(db, who.workspace_id, [link])
        touched = {one.id: await rows.touch(db, who, one) for one in (case, linked)}
        events += link_events("case_linked", link)
        await idempotency.remember(db, who, key, request, link.id)
        return Written(replace(link, linked=touched[linked.id]), touched[case.id])


async def unlink_cases(
    who: Principal,
    database: Database,
    link_id: str,
    *,
    case_id: str | None = None,
    expected_version: ExpectedVersion = None,
) -> Written:
    """Unlink two cases; returns the old link, seen from *case_id* or else from either end.

    Raises LinkNotFound, also if *case_id* is at neither end or not a case; VersionConflict.
    """
    who.require(Scope.CASES_WRITE)
    async with timeline.recorded(who, database) as (db, events):
        case = None
        if case_id is not None:
            case = await _case_at(db, who, link_id, case_id, expected_version)
        ends = await _ends(db, who, link_id)
        mine = [end for end in ends if case is None or end.case_id == case.id]
        if not mine:
            raise LinkNotFound(link_id)
        end = mine[0]
        if case is None:
            case = await _case_at(db, who, link_id, end.case_id, expected_version)
        linked = await _case_at(db, who, link_id, end.linked_case_id)
        c = case_link.c
        await db.run(delete(case_link).where(c.workspace_id == who.workspace_id, c.id == link_id))
        touched = [await rows.touch(db, who, one) for one in (case, linked)]
        link = CaseLink(end.id, end.case_id, end.linked_case_id, end.type, end.created_at, linked)
        events += link_events("case_unlinked", link)
        return Written(link, touched[0])


async def insert_links(db: Transaction, workspace_id: int, links: list[CaseLink]) -> None:
    """Store both ends of each link."""
    rows = [
        {
            "workspace_id": workspace_id,
            "id": link.id,
            "case_id": case_id,
            "linked_case_id": linked_case_id,
            "type": kind,
            "created_at": link.created_at,
        }
        for link in links
        for case_id, linked_case_id, kind in (
            (link.case_id, link.linked_case_id, str(link.type)),
            (link.linked_case_id, link.case_id, str(LinkType(link.type).inverse)),
        )
    ]
    await db.run(insert(case_link), rows)


async def _require_new(
    db: Transaction, who: Principal, case: Case, linked: Case, kind: LinkType
) -> None:
    """Refuse two links of a type between two cases, either way: no case is its parent's parent."""
    c = case_link.c
    row = await db.first(
        select(c.type).where(
            c.workspace_id == who.workspace_id,
            c.case_id == case.id,
            c.linked_case_id == linked.id,
            c.type.in_([str(kind), str(kind.inverse)]),
        )
    )
    if row is not None:
        raise LinkExists(row[0])


async def _ends(db: Transaction, who: Principal, link_id: str) -> list[CaseLink]:
    """Both ends of a link, without loading the linked cases."""
    if not checks.may_be_id(link_id):
        return []
    c = case_link.c
    rows = await db.rows(
        select(c.id, c.case_id, c.linked_case_id, c.type, c.created_at).where(
            c.workspace_id == who.workspace_id, c.id == link_id
        )
    )
    return [CaseLink(*row, None) for row in rows]  # type: ignore[call-arg]


async def _link_from(db: Transaction, who: Principal, case: Case, link_id: str) -> CaseLink:
    for end in await _ends(db, who, link_id):
        if end.case_id == case.id:
            linked = await _case_at(db, who, link_id, end.linked_case_id)
            return CaseLink(link_id, case.id, linked.id, end.type, end.created_at, linked)
    raise LinkNotFound(link_id, idempotency.FIELD)


async def _case_at(
    db: Transaction,
    who: Principal,
    link_id: str,
    case_id: str,
    expected_version: ExpectedVersion = None,
) -> Case:
    """The case at one end of a link."""
    try:
        return await rows.case_to_change(db, who, case_id, expected_version)
    except CaseNotFound:
        # That case was deleted, which hides the link too.
        raise LinkNotFound(link_id) from None


def link_events(event_type: str, link: CaseLink) -> list[NewEvent]:
    """One event for each end, since each case has its own timeline."""
    events = []
    for case_id, other, kind in (
        (link.case_id, link.linked_case_id, LinkType(link.type)),
        (link.linked_case_id, link.case_id, LinkType(link.type).inverse),
    ):
        content = {"id": link.id, "linked_case_id": other, "type": str(kind)}
        linked = event_type == "case_linked"
        change = Change("links", None, content) if linked else Change("links", content, None)
        events.append(NewEvent(event_type, case_id=case_id, subject_id=link.id, changes=[change]))
    return events
