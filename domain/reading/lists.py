"""The lists at the root: cases, parties and staff of a workspace, as statements."""

from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, func, or_, select

from domain.inputs import CaseOrder, CaseOrderField
from domain.reading import filters
from domain.reading.filters import Shape
from domain.reading.keyset import Window
from domain.reading.relations import NODE
from domain.storage.spellings import each
from domain.storage.statements import Prepared
from domain.storage.tables import case_link, cases, party, staff, timeline_event

_ORDER_COLUMN = {
    CaseOrderField.NAME: "name_order",
    CaseOrderField.FILE_NUMBER: "number_order",
    CaseOrderField.CREATED_AT: "created_at",
    CaseOrderField.UPDATED_AT: "updated_at",
}
REGISTER = {"party": party, "staff": staff}
BY_ID = {
    "case": cases,
    "party": party,
    "staff": staff,
    "link": case_link,
    "event": timeline_event,
}
KEY_TYPES = (str, str)
"""Every list at the root is ordered by a text and then by id."""


@lru_cache(maxsize=256)
def cases_page(
    order: CaseOrder, shape: Shape, window: Window, columns: tuple[str, ...], *, keyed: bool
) -> Prepared:
    """The two parts of the key if *keyed*, then *columns* of cases."""
    key = [cases.c[_ORDER_COLUMN[order.field]], cases.c.id]
    statement = select(*(key if keyed else ()), *(cases.c[name] for name in columns)).where(
        *_visible(),
        filters.condition(shape),
        *window.conditions(key, descending=order.descending),
    )
    statement = statement.order_by(*window.order(key, descending=order.descending))
    return Prepared(statement.limit(bindparam("limit")))


@lru_cache(maxsize=128)
def cases_count(shape: Shape) -> Prepared:
    return Prepared(
        select(func.count()).select_from(cases).where(*_visible(), filters.condition(shape))
    )


@lru_cache(maxsize=256)
def register_page(
    kind: str, shape: Shape, window: Window, columns: tuple[str, ...], *, keyed: bool
) -> Prepared:
    """Parties or staff by name: the two parts of the key if *keyed*, then *columns*."""
    table = REGISTER[kind]
    key = [table.c.name_order, table.c.id]
    statement = select(*(key if keyed else ()), *(table.c[name] for name in columns)).where(
        table.c.workspace_id == bindparam("workspace_id"),
        filters.searched(kind, table, shape),
        *window.conditions(key, descending=False),
    )
    statement = statement.order_by(*window.order(key, descending=False))
    return Prepared(statement.limit(bindparam("limit")))


@lru_cache(maxsize=64)
def register_count(kind: str, shape: Shape) -> Prepared:
    table = REGISTER[kind]
    statement = select(func.count()).select_from(table)
    return Prepared(
        statement.where(
            table.c.workspace_id == bindparam("workspace_id"),
            filters.searched(kind, table, shape),
        )
    )


@lru_cache(maxsize=256)
def by_id(kind: str, columns: tuple[str, ...], *, single: bool) -> Prepared:
    """*columns* of those among *ids*, or of the one that is *id*, that can be seen.

    Of a link, both ends' cases must be there, and a row is had for each end; of an event, its
    case, if it has one.
    """
    table = BY_ID[kind]
    c = table.c
    source: FromClause = table
    wanted = c.id == bindparam("id") if single else c.id.in_(_listed())
    mine = [c.workspace_id == bindparam("workspace_id"), wanted]
    if kind == "case":
        mine.append(c.deleted_at.is_(None))
    elif kind == "link":
        here = cases.alias("here")
        source = source.join(cases, _same(cases, c.workspace_id, c.linked_case_id))
        source = source.join(here, _same(here, c.workspace_id, c.case_id))
    elif kind == "event":
        source = source.outerjoin(cases, _same(cases, c.workspace_id, c.case_id))
        mine.append(or_(c.case_id.is_(None), cases.c.id.is_not(None)))
    selected = [
        cases.c[name.removeprefix(NODE)] if name.startswith(NODE) else c[name] for name in columns
    ]
    return Prepared(select(*selected).select_from(source).where(*mine))


def _same(visible: Any, workspace_id: Any, case_id: Any) -> ColumnElement[bool]:
    return and_(
        visible.c.workspace_id == workspace_id,
        visible.c.id == case_id,
        visible.c.deleted_at.is_(None),
    )


@lru_cache(maxsize=64)
def case_by_file_number(columns: tuple[str, ...]) -> Prepared:
    return Prepared(
        select(*(cases.c[name] for name in columns)).where(
            *_visible(), cases.c.file_number == bindparam("file_number")
        )
    )


def _visible() -> list[ColumnElement[bool]]:
    return [cases.c.workspace_id == bindparam("workspace_id"), cases.c.deleted_at.is_(None)]


def _listed() -> Any:
    return select(each.value(bindparam("ids")).c.value)
