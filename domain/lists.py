"""The lists at the root: cases, parties and staff of a workspace, as statements."""

from dataclasses import fields
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select

from domain import filters
from domain.filters import Shape
from domain.inputs import CaseOrder, CaseOrderField
from domain.keyset import Window
from domain.models import Case, Party, Staff
from domain.prepared import Prepared, each
from domain.relations import CASE_LINKS, CASE_TIMELINE
from domain.tables import case_link, cases, party, staff, timeline_event

_ORDER_COLUMN = {
    CaseOrderField.NAME: "name_order",
    CaseOrderField.FILE_NUMBER: "number_order",
    CaseOrderField.CREATED_AT: "created_at",
    CaseOrderField.UPDATED_AT: "updated_at",
}
REGISTER = {"party": (party, Party), "staff": (staff, Staff)}
KEY_TYPES = (str, str)
"""Every list at the root is ordered by a text and then by id."""


@lru_cache(maxsize=1024)
def cases_page(order: CaseOrder, shape: Shape, window: Window) -> Prepared:
    """The two parts of the key, then a Case."""
    key = [cases.c[_ORDER_COLUMN[order.field]], cases.c.id]
    statement = select(*key, *_columns(cases, Case)).where(
        *_visible(),
        filters.condition(shape),
        *window.conditions(key, descending=order.descending),
    )
    statement = statement.order_by(*window.order(key, descending=order.descending))
    return Prepared(statement.limit(bindparam("limit")))


@lru_cache(maxsize=512)
def cases_count(shape: Shape) -> Prepared:
    return Prepared(
        select(func.count()).select_from(cases).where(*_visible(), filters.condition(shape))
    )


@lru_cache(maxsize=128)
def register_page(kind: str, shape: Shape, window: Window) -> Prepared:
    """Parties or staff by name: the two parts of the key, then a Party or Staff."""
    table, model = REGISTER[kind]
    key = [table.c.name_order, table.c.id]
    statement = select(*key, *_columns(table, model)).where(
        table.c.workspace_id == bindparam("workspace_id"),
        filters.searched(kind, table, shape),
        *window.conditions(key, descending=False),
    )
    statement = statement.order_by(*window.order(key, descending=False))
    return Prepared(statement.limit(bindparam("limit")))


@lru_cache(maxsize=64)
def register_count(kind: str, shape: Shape) -> Prepared:
    table, _model = REGISTER[kind]
    statement = select(func.count()).select_from(table)
    return Prepared(
        statement.where(
            table.c.workspace_id == bindparam("workspace_id"),
            filters.searched(kind, table, shape),
        )
    )


def _columns(table: Any, model: Any) -> list[ColumnElement[Any]]:
    return [table.c[field.name] for field in fields(model)]


def _visible() -> list[ColumnElement[bool]]:
    return [cases.c.workspace_id == bindparam("workspace_id"), cases.c.deleted_at.is_(None)]


def _listed() -> Any:
    return select(each.value(bindparam("ids")).c.value)


CASES_BY_ID = Prepared(select(*_columns(cases, Case)).where(*_visible(), cases.c.id.in_(_listed())))
CASE_BY_FILE_NUMBER = Prepared(
    select(*_columns(cases, Case)).where(
        *_visible(), cases.c.file_number == bindparam("file_number")
    )
)
REGISTER_BY_ID = {
    kind: Prepared(
        select(*_columns(table, model)).where(
            table.c.workspace_id == bindparam("workspace_id"), table.c.id.in_(_listed())
        )
    )
    for kind, (table, model) in REGISTER.items()
}
LINKS_BY_ID = Prepared(
    select(*(case_link.c[name] for name in CASE_LINKS.columns), *_columns(cases, Case))
    .join(
        cases,
        (cases.c.workspace_id == case_link.c.workspace_id)
        & (cases.c.id == case_link.c.linked_case_id),
    )
    .where(
        *_visible(),
        case_link.c.workspace_id == bindparam("workspace_id"),
        case_link.c.id.in_(_listed()),
    )
)
EVENTS_BY_ID = Prepared(
    select(*(timeline_event.c[name] for name in CASE_TIMELINE.columns)).where(
        timeline_event.c.workspace_id == bindparam("workspace_id"),
        timeline_event.c.id.in_(_listed()),
    )
)
