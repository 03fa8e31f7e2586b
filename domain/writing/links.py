"""Links between cases. A link is two rows, one for each end, with inverse types."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from domain import checks, ids
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import CaseNotFound, LinkExists, LinkNotFound
from domain.ids import canonical_case_id
from domain.inputs import ExpectedVersion
from domain.models import Case, CaseLink, Change, LinkType
from domain.storage.database import Database, Row, Transaction
from domain.storage.spellings import Text
from domain.storage.statements import Prepared
from domain.storage.tables import case_link
from domain.writing import idempotency, rows
from domain.writing.idempotency import Call
from domain.writing.timeline import NewEvent


@dataclass(frozen=True, slots=True)
class Written:
    """A new link, and the case it is seen from, as the call left it."""

    link: CaseLink
    case: Case


@dataclass(frozen=True, slots=True)
class Removed:
    """A removed link, which a retry no longer finds, and the case it was seen from."""

    link: CaseLink | None
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

    Raises CaseNotFound for either case, VersionConflict, Invalid, LinkExists, also if the link
    would make a case its own parent, predecessor or lower instance by way of others;
    IdempotencyKeyReused.
    """
    who.require(Scope.CASES_WRITE)
    check = Check()
    kind = check.one_of(link_type, tuple(LinkType), "type")
    case_id, linked_case_id = (canonical_case_id(id) or id for id in (case_id, linked_case_id))
    async with idempotency.once(
        who, database, check, idempotency_key, "link_cases", case_id, linked_case_id, link_type
    ) as call:
        db = call.db
        if call.before:
            case = await rows.case_to_change(db, who, case_id, field=idempotency.FIELD)
            return Written(await _link_from(db, who, case, call.before), case)
        case = await rows.case_to_change(db, who, case_id, expected_version)
        linked = await _linked(check, db, who, case, linked_case_id)
        check.done()
        assert linked is not None
        await _require_new(db, who, case, linked, LinkType(kind))
        link = CaseLink(ids.new_id(ids.LINK), case.id, linked.id, kind, db.now, linked)
        await insert_links(db, who.workspace_id, [link])
        touched = {one.id: await rows.touch(db, who, one) for one in (case, linked)}
        call.events += link_events("case_linked", link)
        call.result = link.id
        return Written(replace(link, linked=touched[linked.id]), touched[case.id])


async def unlink_cases(
    who: Principal,
    database: Database,
    link_id: str,
    *,
    case_id: str | None = None,
    expected_version: ExpectedVersion = None,
    idempotency_key: str | None = None,
) -> Removed:
    """Unlink two cases; returns the old link, seen from *case_id* or else from either end.

    Raises LinkNotFound, also if *case_id* is at neither end or not a case; VersionConflict,
    IdempotencyKeyReused, Invalid for a bad idempotency key.
    """
    who.require(Scope.CASES_WRITE)
    check = Check()
    case_id = canonical_case_id(case_id) or case_id if case_id is not None else None
    async with idempotency.once(
        who, database, check, idempotency_key, "unlink_cases", link_id, case_id
    ) as call:
        db = call.db
        if call.before:
            was = await rows.case_to_change(db, who, call.before, field=idempotency.FIELD)
            return Removed(None, was)
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
        check.done()
        await _delete(db, who, [end])
        touched = [await rows.touch(db, who, one) for one in (case, linked)]
        call.events += link_events("case_unlinked", end)
        call.result = case.id
        return Removed(replace(end, linked=touched[1]), touched[0])


async def remove_links_of(call: Call, who: Principal, case: Case) -> Case:
    """Remove the links of a case that is about to be deleted, at both ends; return the case.

    Each link is an event and a new version of both cases, as if it were removed alone.
    """
    db = call.db
    ends = [_end(row) for row in await db.rows(_OF_CASE, _mine(who, case.id))]
    if not ends:
        return case
    await _delete(db, who, ends)
    for end in ends:
        # The other case may be deleted, too: links have gone with their cases only since then.
        await rows.touch(db, who, await rows.any_case(db, who, end.linked_case_id))
        case = await rows.touch(db, who, case)
        call.events += link_events("case_unlinked", end)
    return case


async def closes_circle(
    db: Transaction, who: Principal, case_id: str, linked_case_id: str, kind: LinkType
) -> bool:
    """Whether *case_id* can be reached from *linked_case_id* by links of this type.

    Nobody is their own grandparent: parent, predecessor and lower instance put cases in an order.
    """
    if kind.inverse is kind:
        return False
    values = {"workspace_id": who.workspace_id, "start": linked_case_id, "type": str(kind)}
    return await db.first(_REACHED, values | {"end": case_id}) is not None


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


async def _linked(
    check: Check, db: Transaction, who: Principal, case: Case, linked_case_id: str
) -> Case | None:
    """The case to link to; None if it is refused."""
    field = ("linked_case_id",)
    if linked_case_id == case.id:
        check.wrong("A case cannot be linked to itself.", *field)
        return None
    try:
        return await rows.case_to_change(db, who, linked_case_id, field=field)
    except CaseNotFound as refusal:
        check.refuse(refusal)
        return None


async def _require_new(
    db: Transaction, who: Principal, case: Case, linked: Case, kind: LinkType
) -> None:
    """Refuse two links of a type between two cases, either way, and circles of such links."""
    c = case_link.c
    row = await db.first(
        select(c.type, c.id).where(
            c.workspace_id == who.workspace_id,
            c.case_id == case.id,
            c.linked_case_id == linked.id,
            c.type.in_([str(kind), str(kind.inverse)]),
        )
    )
    if row is not None:
        shown = (case.id, row[1]) if who.may(Scope.CASES_READ) else None
        raise LinkExists(f"as {row[0]}", shown)
    if await closes_circle(db, who, case.id, linked.id, kind):
        raise LinkExists(f"as {kind.inverse} by way of other cases")


async def _delete(db: Transaction, who: Principal, ends: Sequence[CaseLink]) -> None:
    """Delete both rows of each link."""
    await db.run(
        _DELETE,
        [
            {"mine": who.workspace_id, "its_case": case_id, "its_id": end.id}
            for end in ends
            for case_id in (end.case_id, end.linked_case_id)
        ],
    )


async def _ends(db: Transaction, who: Principal, link_id: str) -> list[CaseLink]:
    """Both ends of a link, without loading the linked cases."""
    if not checks.may_be_id(link_id):
        return []
    return [_end(row) for row in await db.rows(_BY_ID, _mine(who, link_id))]


def _end(row: Row) -> CaseLink:
    return CaseLink(*row, None)  # type: ignore[call-arg]


def _mine(who: Principal, id: str) -> dict[str, Any]:
    return {"workspace_id": who.workspace_id, "id": id}


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
        content = {
            "id": link.id,
            "linked_case_id": other,
            "type": str(kind),
            "created_at": link.created_at,
        }
        gone = event_type == "case_unlinked"
        change = Change("links", content, None) if gone else Change("links", None, content)
        events.append(NewEvent(event_type, case_id=case_id, subject_id=link.id, changes=[change]))
    return events


_c = case_link.c
_MINE = _c.workspace_id == bindparam("workspace_id")
_END = select(_c.id, _c.case_id, _c.linked_case_id, _c.type, _c.created_at).where(_MINE)
_BY_ID = Prepared(_END.where(_c.id == bindparam("id")))
_OF_CASE = Prepared(_END.where(_c.case_id == bindparam("id")).order_by(_c.id))
_DELETE = Prepared(
    delete(case_link).where(
        _c.workspace_id == bindparam("mine"),
        _c.case_id == bindparam("its_case"),
        _c.id == bindparam("its_id"),
    )
)
_start = select(bindparam("start", type_=Text).label("id")).cte("reached", recursive=True)
_reached = _start.union(
    select(_c.linked_case_id)
    .join(_start, _c.case_id == _start.c.id)
    .where(_MINE, _c.type == bindparam("type"))
)
_REACHED = Prepared(select(_reached.c.id).where(_reached.c.id == bindparam("end")).limit(1))
