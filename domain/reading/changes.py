"""The feed of changes: all events of a workspace in the order in which they were committed.

Those of parties, staff, links and deleted cases are among them; those about keys and webhooks are
not. Numbers of events rise with their commits, without gaps: who has read up to
one has read all before it, and misses nothing by going on from there.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from domain.access.principal import Principal, Scope
from domain.errors import invalid
from domain.inputs import ChangeFilter
from domain.reading import conditions, cursors, filters
from domain.reading.cursors import Seal
from domain.reading.filters import Compiled, Shape
from domain.reading.lookups import OF_OPERATORS
from domain.reading.paging import Paging, Window, outside, page_values
from domain.reading.relations import CASE_TIMELINE
from domain.storage.database import Snapshot
from domain.storage.spellings import each
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import case_party, cases, party_alias, timeline_event

_KEY_TYPES = (int,)
_VEILED = {"changes": literal("[]"), "title": null(), "claimed_actor": null()}
"""What is told of a deleted case instead, to who may not read it any more."""
_LOST = (
    "after is a cursor of changes that this database does not have: it was restored from a backup "
    "since. Begin anew: read what there is, and go on from the last cursor of changes."
)
_e = timeline_event.c
_MINE = _e.workspace_id == bindparam("workspace_id")
_LAST = Prepared(select(func.max(_e.seq)).where(_MINE))
_NEXT = Prepared(
    select(_e.seq, _e.at).where(_MINE, _e.seq >= bindparam("seq")).order_by(_e.seq).limit(1)
)


@dataclass(frozen=True, slots=True)
class ChangeList:
    """The workspace's events that match a filter, the oldest first."""

    who: Principal
    compiled: Compiled
    bounds: Shape = ()
    """Numbers between which all of them are, if that is known; cursors do not depend on it."""

    columns = CASE_TIMELINE.columns
    build = staticmethod(CASE_TIMELINE.build)
    key_width = len(_KEY_TYPES)

    def page(
        self, paging: Paging, columns: tuple[str, ...], *, keyed: bool = False, ahead: int = 1
    ) -> Fetch:
        """Rows: the number of the event if *keyed*, then *columns*; see RootList.page()."""
        values = self.values | page_values(paging, self.seal, _KEY_TYPES, ahead)
        statement = _page(self._shape, Window.of(paging), columns, keyed=keyed, veiled=self.veiled)
        return Fetch(statement, values)

    def outside(self, paging: Paging, name: str) -> Fetch | None:
        """A row if anything is at the cursor *name* or beyond it; see RootList.outside()."""
        if getattr(paging, name) is None:
            return None
        values = self.values | page_values(paging, self.seal, _KEY_TYPES)
        return Fetch(_outside(self._shape, name), values)

    def count(self) -> Fetch:
        """One row: the number of events in the whole list."""
        return Fetch(_count(self._shape), self.values)

    async def settled(
        self, db: Snapshot, _paging: Paging | None = None, _columns: tuple[str, ...] = ()
    ) -> "ChangeList":
        """The same list, with the numbers between which a span of time lies.

        No event is recorded earlier than its predecessor, so that they are found without reading
        what lies in between.
        """
        parts = [part for part in self.compiled.shape[1:] if part[0] == "at"]
        if self.bounds or not parts:
            return self
        bounds: list[Shape] = []
        values = dict(self.compiled.values)
        for _at, sign, name in parts:
            # The first event that is later, or not earlier; what is sought begins or ends there.
            later = sign in ("gt", "lte")
            first = await self._first(db, values[name], later=later)
            values[f"{name}_seq"] = first
            bounds.append(("seq", "gte" if sign[0] == "g" else "lt", f"{name}_seq"))
        compiled = Compiled(self.compiled.shape, values, self.compiled.sought)
        return replace(self, compiled=compiled, bounds=tuple(bounds))

    async def _first(self, db: Snapshot, at: str, *, later: bool) -> int:
        """The number of the first event at or after an instant, or after it if *later*."""
        mine = {"workspace_id": self.who.workspace_id}
        low, high = 1, await self.last(db) + 1
        while low < high:
            middle = (low + high) // 2
            # An event that was erased has left its number.
            [(seq, its)] = await db.fetch(Fetch(_NEXT, {**mine, "seq": middle}))
            if its > at if later else its >= at:
                high = middle
            else:
                low = seq + 1
        return low

    async def end(self, db: Snapshot) -> str:
        """The cursor to read what comes next with, whatever the filter."""
        return cursor(self.who, await self.last(db))

    def number(self, after: str) -> int:
        """The number of the event that a cursor is of. Raises Invalid."""
        [seq] = cursors.decode(after, self.seal(), _KEY_TYPES, "after")
        return int(seq)

    async def require_reached(self, db: Snapshot, after: str) -> None:
        """Raise Invalid for a cursor of another list, and for one beyond the last event."""
        if self.number(after) > await self.last(db):
            raise invalid(_LOST, "after")

    async def last(self, db: Snapshot) -> int:
        """The number of the last event, whatever the filter; 0 if there is none."""
        [(last,)] = await db.fetch(Fetch(_LAST, {"workspace_id": self.who.workspace_id}))
        return last or 0

    @property
    def veiled(self) -> bool:
        """Whether what is told of deleted cases is only that something happened."""
        return Scope.CASES_DELETE not in self.who.scopes

    @property
    def values(self) -> dict[str, Any]:
        return {"workspace_id": self.who.workspace_id, **self.compiled.values}

    def seal(self) -> Seal:
        """The seal of the cursors. They are places in the workspace's order, whatever the filter:
        who goes on from one may ask for other changes from there."""
        return _seal(self.who)

    @property
    def _shape(self) -> Shape:
        return (*self.compiled.shape, *self.bounds)


def cursor(who: Principal, seq: int) -> str:
    """The cursor to read what comes after the event with this number."""
    return cursors.encode((seq,), _seal(who))


def _seal(who: Principal) -> Seal:
    return cursors.seal(who.secret, "changes")


def changes(who: Principal, wanted: ChangeFilter | None = None) -> ChangeList:
    """The workspace's changes. Raises InsufficientScope, Invalid for a bad filter."""
    who.require(Scope.CASES_READ)
    return ChangeList(who, filters.compile_changes(wanted or ChangeFilter()))


@lru_cache(maxsize=256)
def _page(
    shape: Shape, window: Window, columns: tuple[str, ...], *, keyed: bool, veiled: bool
) -> Prepared:
    key = [_e.seq]
    shown = [_shown(name, veiled=veiled) for name in columns]
    statement = (
        select(*(key if keyed else ()), *shown)
        .where(*window.conditions(key, descending=False))
        .order_by(*window.order(key, descending=False))
    )
    return Prepared(_matching(statement.limit(bindparam("limit")), shape))


@lru_cache(maxsize=64)
def _outside(shape: Shape, name: str) -> Prepared:
    condition, nearest = outside([_e.seq], name, descending=False)
    return Prepared(_matching(select(_e.seq).where(condition).order_by(*nearest).limit(1), shape))


@lru_cache(maxsize=64)
def _count(shape: Shape) -> Prepared:
    return Prepared(_matching(select(func.count()).select_from(timeline_event), shape))


def _shown(name: str, *, veiled: bool) -> Any:
    if not veiled or name not in _VEILED:
        return _e[name]
    deleted = exists().where(
        cases.c.workspace_id == _e.workspace_id,
        cases.c.id == _e.case_id,
        cases.c.deleted_at.is_not(None),
    )
    return case((deleted, _VEILED[name]), else_=_e[name]).label(name)


def _matching(statement: Select[Any], shape: Shape) -> Select[Any]:
    of_files = and_(*(_e.type != literal(name) for name in OF_OPERATORS))
    shown = or_(_e.case_id.is_not(None), of_files)
    return statement.where(_MINE, shown, *(_condition(part) for part in shape[1:]))


def _condition(part: Shape) -> ColumnElement[bool]:
    name, *rest = part
    match name:
        case "seq":
            return conditions.compared(_e.seq, *rest)
        case "case":
            # Of a case that was erased for good, there is only an event that tells that.
            listed = select(each.value(bindparam(rest[0])).c.value)
            purged = and_(_e.case_id.is_(None), _e.subject_id.in_(listed))
            return or_(_e.case_id.in_(listed), purged)
        case "party":
            return _e.seq.in_(_of_party(rest[0]))
    return conditions.event_condition(part, timeline_event)


def _of_party(parameter: str) -> Any:
    """The numbers of the events about a party, and of those of its cases."""
    asked = select(each.value(bindparam(parameter)).c.value)
    kept = select(party_alias.c.party_id).where(
        party_alias.c.workspace_id == bindparam("workspace_id"), party_alias.c.id.in_(asked)
    )
    its = or_(case_party.c.party_id.in_(asked), case_party.c.party_id.in_(kept))
    of_it = timeline_event.alias("of_it").c
    of_cases = timeline_event.alias("of_its_cases").c
    return union_all(
        select(of_it.seq).where(
            of_it.workspace_id == bindparam("workspace_id"),
            of_it.case_id.is_(None),
            or_(of_it.subject_id.in_(asked), of_it.subject_id.in_(kept)),
        ),
        select(of_cases.seq).where(
            of_cases.workspace_id == bindparam("workspace_id"),
            of_cases.case_id.in_(
                select(case_party.c.case_id).where(
                    case_party.c.workspace_id == bindparam("workspace_id"), its
                )
            ),
        ),
    )
