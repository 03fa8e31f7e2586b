"""Look-ups of single objects by id, and of a case by its file number.

Also the one table of the kinds of object that have an id. Absent and deleted objects, and those of
another workspace, have no rows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    cast,
    func,
    literal,
    or_,
    select,
)

from domain import checks, folding
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.ids import canonical_case_id
from domain.models import (
    Case,
    CaseLink,
    CaseParty,
    CaseStaff,
    DeletedCase,
    Party,
    Staff,
    TimelineEvent,
)
from domain.reading.fences import rows_of
from domain.reading.relations import CASE_LINKS, CASE_PARTIES, CASE_STAFF, CASE_TIMELINE, Relation
from domain.storage import tables
from domain.storage.spellings import Text, each, filed_under
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
    """The fields that identify one object: of a link, its id and the case it is seen from; of a
    role, its number and its case."""
    merges: bool = False
    """Whether objects are merged: then an id may lead to another object, and the column *asked* has
    the id that was asked for."""
    deleted: bool = False
    """Whether these are the rows that are hidden from all other kinds."""
    relation: Relation | None = None
    """The list below a case that the object is an item of; its *columns* are the relation's."""

    def visible(self, table: Any) -> list[ColumnElement[bool]]:
        """The condition that a row of *table* is not deleted, if its rows can be deleted."""
        if self.deleted:
            return [table.c.deleted_at.is_not(None)]
        return [table.c.deleted_at.is_(None)] if "deleted_at" in table.c else []

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns in which a row tells which of the keys it answers."""
        return ("asked",) if self.merges else self.key

    def key_of(self, value: Any) -> Any:
        """An object's key: its id, or a tuple if the key has several parts."""
        parts = tuple(getattr(value, name) for name in self.key)
        return parts if len(parts) > 1 else parts[0]


def _plain(name: str, model: Any, table: Table, **more: Any) -> Kind:
    """A kind whose columns are the fields of its model."""
    columns = tuple(field.name for field in fields(model))
    return Kind(name, model, table, columns, lambda row: model(*row), **more)


def _item(name: str, model: type, relation: Relation, *key: str) -> Kind:
    """A kind whose objects are the items of a list below a case."""
    return Kind(
        name, model, relation.edges, relation.all_columns, relation.build, key, relation=relation
    )


CASE = _plain("case", Case, tables.cases)
DELETED_CASE = _plain("deleted case", DeletedCase, tables.cases, deleted=True)
PARTY = _plain("party", Party, tables.party, merges=True)
STAFF = _plain("staff", Staff, tables.staff)
LINK = _item("link", CaseLink, CASE_LINKS, "case_id", "id")
EVENT = _item("event", TimelineEvent, CASE_TIMELINE, "id")
CASE_PARTY = _item("case party", CaseParty, CASE_PARTIES, "case_id", "number")
CASE_STAFF_MEMBER = _item("case staff", CaseStaff, CASE_STAFF, "case_id", "number")
OF_OPERATORS = (
    "key_created",
    "key_revoked",
    "webhook_created",
    "webhook_updated",
    "webhook_deleted",
)
"""Events about who may read or is told, and not about the firm's files: nobody reads them here."""
KINDS = (CASE, PARTY, STAFF, LINK, EVENT, CASE_PARTY, CASE_STAFF_MEMBER)


def by_id(who: Principal, kind: Kind, ids: Iterable[Any], columns: tuple[str, ...]) -> Fetch | None:
    """Rows of the visible objects among *ids*, their keys; None if none of them can exist.

    A link may have rows for both ends. Raises InsufficientScope.
    """
    who.require(Scope.CASES_READ)
    return _by_id(who, kind, ids, columns)


def case_to_write(who: Principal, case_id: str) -> Fetch | None:
    """One row if the case is visible. Requires the scope to write; raises InsufficientScope."""
    who.require(Scope.CASES_WRITE)
    return _by_id(who, CASE, [case_id], ("id",))


def case_to_delete(who: Principal, case_id: str) -> Fetch | None:
    """One row if the case is visible. Requires the scope to delete; raises InsufficientScope."""
    who.require(Scope.CASES_DELETE)
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
    who: Principal, kind: Kind, ids: Iterable[Any], columns: tuple[str, ...]
) -> Fetch | None:
    if kind is CASE:
        plausible = {canonical for id in ids if (canonical := canonical_case_id(id))}
    elif "number" in kind.key:
        return _roles_by_number(who, kind, ids, columns)
    else:
        plain = (id[-1] if isinstance(id, tuple) else id for id in ids)
        plausible = {id for id in plain if checks.may_be_id(id)}
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
    mine = [c.workspace_id == bindparam("workspace_id"), *kind.visible(kind.table)]
    cases = tables.cases
    if kind is LINK:
        here = cases.alias("here")
        source = source.join(cases, _is_visible(cases, c.workspace_id, c.linked_case_id))
        source = source.join(here, _is_visible(here, c.workspace_id, c.case_id))
    elif kind is EVENT:
        source = source.outerjoin(cases, _is_visible(cases, c.workspace_id, c.case_id))
        of_files = and_(*(c.type != literal(name) for name in OF_OPERATORS))
        mine.append(or_(and_(c.case_id.is_(None), of_files), cases.c.id.is_not(None)))
    elif kind.merges:
        return Prepared(_with_merged(kind, columns, single=single))
    statement = select(*_columns(kind, columns)).select_from(source).where(*mine)
    found = rows_of(kind.table, _asked(single=single))
    return Prepared(statement.where(matches), postgresql=statement.add_cte(found))


def _asked(*, single: bool) -> Any:
    """The ids that are asked for, as a column *value*."""
    if single:
        return select(bindparam("id", type_=Text).label("value")).subquery("asked")
    return each.value(bindparam("ids"), "asked")


def _with_merged(kind: Kind, columns: tuple[str, ...], *, single: bool) -> Select[Any]:
    """The same, if an id may be one of an object that was merged into another."""
    alias, c = tables.party_alias, kind.table.c
    workspace_id = bindparam("workspace_id", type_=Integer)
    asked = _asked(single=single)
    merged = and_(alias.c.workspace_id == workspace_id, alias.c.id == asked.c.value)
    kept = and_(
        c.workspace_id == workspace_id, c.id == func.coalesce(alias.c.party_id, asked.c.value)
    )
    source = asked.outerjoin(alias, merged).join(kind.table, kept)
    own = {"asked": asked.c.value}
    return select(*(own[name] if name in own else c[name] for name in columns)).select_from(source)


def _roles_by_number(
    who: Principal, kind: Kind, keys: Iterable[tuple[str, int]], columns: tuple[str, ...]
) -> Fetch | None:
    """Rows of the roles with these keys, a case and a number each."""
    plausible = {(case_id, number) for id, number in keys if (case_id := canonical_case_id(id))}
    if not plausible:
        return None
    ids = sorted({case_id for case_id, _number in plausible})
    numbered = [f"{case_id}/{number}" for case_id, number in sorted(plausible)]
    values = {
        "workspace_id": who.workspace_id,
        "cases": orjson.dumps(ids).decode(),
        "numbered": orjson.dumps(numbered).decode(),
    }
    return Fetch(_statement_by_number(kind, columns), values)


@lru_cache(maxsize=64)
def _statement_by_number(kind: Kind, columns: tuple[str, ...]) -> Prepared:
    assert kind.relation is not None
    source: FromClause = kind.table
    c = kind.table.c
    for one in kind.relation.joined:
        if one.table is tables.cases:
            source = source.join(tables.cases, _is_visible(tables.cases, c.workspace_id, c.case_id))
        elif any(name.startswith(f"{one.name}.") for name in columns):
            its = one.table.c
            same = and_(its.workspace_id == c.workspace_id, its.id == c[one.id])
            source = source.join(one.table, same)
    # The cases come first: the index has them, and no case has more than a thousand roles.
    mine = (
        c.workspace_id == bindparam("workspace_id"),
        c.case_id.in_(select(each.value(bindparam("cases")).c.value)),
        (c.case_id + "/" + cast(c.number, Text)).in_(
            select(each.value(bindparam("numbered")).c.value)
        ),
    )
    return Prepared(select(*_columns(kind, columns)).select_from(source).where(*mine))


def _columns(kind: Kind, names: tuple[str, ...]) -> list[Any]:
    if kind.relation is None:
        return [kind.table.c[name] for name in names]
    return [kind.relation.column(name) for name in names]


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
