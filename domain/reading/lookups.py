"""Look-ups of single objects by id, and of a case by its file number.

Also the one table of the kinds of object that have an id. Absent and deleted objects, and those of
another workspace, have no rows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import ColumnElement, FromClause, Integer, Table, Text, and_, bindparam, or_, select

from domain import checks, folding
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.ids import canonical_case_id
from domain.models import Case, CaseLink, Party, Staff, TimelineEvent
from domain.reading.relations import CASE_LINKS, CASE_TIMELINE, NODE
from domain.storage import tables
from domain.storage.spellings import each, filed_under
from domain.storage.statements import Fetch, Prepared


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of object with an id: its table, and how to build a *model* from a row."""

    name: str
    model: type
    table: Table
    columns: tuple[str, ...]
    build: Callable[[Sequence[Any]], Any]
    key: tuple[str, ...] = ("id",)
    """The fields that identify one object; a link also needs the case it is seen from."""

    def visible(self, table: Any) -> list[ColumnElement[bool]]:
        """The condition that a row of *table* is not deleted, if its rows can be deleted."""
        return [table.c.deleted_at.is_(None)] if "deleted_at" in table.c else []

    def key_of(self, value: Any) -> Any:
        """An object's key: its id, or a tuple if the key has several parts."""
        parts = tuple(getattr(value, name) for name in self.key)
        return parts if len(parts) > 1 else parts[0]


def _plain(name: str, model: Any, table: Table) -> Kind:
    """A kind whose columns are the fields of its model."""
    columns = tuple(field.name for field in fields(model))
    return Kind(name, model, table, columns, lambda row: model(*row))


CASE = _plain("case", Case, tables.cases)
PARTY = _plain("party", Party, tables.party)
STAFF = _plain("staff", Staff, tables.staff)
LINK = Kind(
    "link",
    CaseLink,
    tables.case_link,
    CASE_LINKS.all_columns,
    CASE_LINKS.build,
    key=("case_id", "id"),
)
EVENT = Kind(
    "event",
    TimelineEvent,
    tables.timeline_event,
    CASE_TIMELINE.all_columns,
    CASE_TIMELINE.build,
)
KINDS = (CASE, PARTY, STAFF, LINK, EVENT)


def by_id(who: Principal, kind: Kind, ids: Iterable[str], columns: tuple[str, ...]) -> Fetch | None:
    """Rows of the visible objects among *ids*; None if none of them can be an id.

    A link has one row for each end. Raises InsufficientScope.
    """
    who.require(Scope.CASES_READ)
    return _by_id(who, kind, ids, columns)


def case_to_write(who: Principal, case_id: str) -> Fetch | None:
    """One row if the case is visible. Requires the scope to write; raises InsufficientScope."""
    who.require(Scope.CASES_WRITE)
    return _by_id(who, CASE, [case_id], ("id",))


def case_by_file_number(who: Principal, file_number: str, columns: tuple[str, ...]) -> Fetch | None:
    """The row of the case with this file number, by the key that file numbers are unique by.

    Where several cases have had it since before there was that key, the one that spells it the
    same comes first, then the oldest. None if it cannot be a file number. Raises InsufficientScope.
    """
    who.require(Scope.CASES_READ)
    check = Check()
    number = check.optional_line(file_number, checks.FILE_NUMBER_MAX, "file_number")
    key = folding.number_key(number)
    if key is None or check.problems:
        return None
    values = {
        "workspace_id": who.workspace_id,
        "number_keys": orjson.dumps([key]).decode(),
        "file_number": number,
    }
    return Fetch(_case_by_file_number(columns), values)


def _by_id(
    who: Principal, kind: Kind, ids: Iterable[str], columns: tuple[str, ...]
) -> Fetch | None:
    if kind is CASE:
        plausible = {canonical for id in ids if (canonical := canonical_case_id(id))}
    else:
        plausible = {id for id in ids if checks.may_be_id(id)}
    if not plausible:
        return None
    if len(plausible) == 1:
        values = {"workspace_id": who.workspace_id, "id": plausible.pop()}
        return Fetch(_statement_by_id(kind, columns, single=True), values)
    values = {"workspace_id": who.workspace_id, "ids": orjson.dumps(sorted(plausible)).decode()}
    return Fetch(_statement_by_id(kind, columns, single=False), values)


@lru_cache(maxsize=256)
def _statement_by_id(kind: Kind, columns: tuple[str, ...], *, single: bool) -> Prepared:
    """*columns* of the visible objects among *ids*, or of the one with *id* if *single*.

    A link is visible if both of its cases are; an event with a case, if that case is.
    """
    c = kind.table.c
    source: FromClause = kind.table
    listed_ids = select(each.value(bindparam("ids")).c.value)
    matches = c.id == bindparam("id") if single else c.id.in_(listed_ids)
    mine = [c.workspace_id == bindparam("workspace_id"), matches, *kind.visible(kind.table)]
    cases = tables.cases
    if kind is LINK:
        here = cases.alias("here")
        source = source.join(cases, _is_visible(cases, c.workspace_id, c.linked_case_id))
        source = source.join(here, _is_visible(here, c.workspace_id, c.case_id))
    elif kind is EVENT:
        source = source.outerjoin(cases, _is_visible(cases, c.workspace_id, c.case_id))
        mine.append(or_(c.case_id.is_(None), cases.c.id.is_not(None)))
    selected = [
        cases.c[name.removeprefix(NODE)] if name.startswith(NODE) else c[name] for name in columns
    ]
    return Prepared(select(*selected).select_from(source).where(*mine))


@lru_cache(maxsize=64)
def _case_by_file_number(columns: tuple[str, ...]) -> Prepared:
    c = tables.cases.c
    workspace_id = bindparam("workspace_id", type_=Integer)
    filed = filed_under.of(workspace_id, bindparam("number_keys", type_=Text))
    return Prepared(
        select(*(c[name] for name in columns))
        .where(c.workspace_id == workspace_id, c.id.in_(select(filed.c.id)))
        .order_by(c.file_number != bindparam("file_number"), c.id)
        .limit(1)
    )


def _is_visible(visible: Any, workspace_id: Any, case_id: Any) -> ColumnElement[bool]:
    return and_(
        visible.c.workspace_id == workspace_id,
        visible.c.id == case_id,
        visible.c.deleted_at.is_(None),
    )
