"""What can be asked for, as statements ready to be fetched. The one place where reading asks who.

Both surfaces read through these, and so do both ways of executing GraphQL: what differs is only
which columns they want. What is absent, deleted or another workspace's has no rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from domain import checks
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.ids import canonical_case_id
from domain.inputs import CaseFilter, CaseOrder
from domain.reading import cursors, filters, keyset, lists, relations
from domain.reading.filters import Compiled
from domain.reading.keyset import Window
from domain.reading.paging import Paging
from domain.reading.relations import Relation
from domain.storage.statements import Fetch

NEWEST_FIRST = CaseOrder()


@dataclass(frozen=True, slots=True)
class RootList:
    """The workspace's cases, parties or staff: those of a filter, in an order."""

    who: Principal
    kind: str
    compiled: Compiled
    order: CaseOrder = NEWEST_FIRST

    def page(
        self, paging: Paging, columns: tuple[str, ...], *, keyed: bool = False, ahead: int = 1
    ) -> Fetch:
        """Rows: the key if *keyed*, then *columns*; *ahead* more of them than the page holds.

        Raises Invalid for a cursor of another list.
        """
        window = Window.of(paging)
        if self.kind == "case":
            statement = lists.cases_page(
                self.order, self.compiled.shape, window, columns, keyed=keyed
            )
        else:
            statement = lists.register_page(
                self.kind, self.compiled.shape, window, columns, keyed=keyed
            )
        values = keyset.values(paging, self.seal, lists.KEY_TYPES, ahead)
        values |= {"workspace_id": self.who.workspace_id, **self.compiled.values}
        return Fetch(statement, values)

    def count(self) -> Fetch:
        """One row: how many there are in the whole list."""
        if self.kind == "case":
            statement = lists.cases_count(self.compiled.shape)
        else:
            statement = lists.register_count(self.kind, self.compiled.shape)
        return Fetch(statement, {"workspace_id": self.who.workspace_id, **self.compiled.values})

    def seal(self) -> str:
        """What the list's cursors are sealed with."""
        order = (self.order.field, self.order.descending) if self.kind == "case" else ()
        return cursors.seal(
            self.who.workspace_id, self.kind, self.compiled.shape, self.compiled.values, *order
        )


@dataclass(frozen=True, slots=True)
class RelatedList:
    """What hangs on objects: those with the role, or link type, *only*, if that is given."""

    who: Principal
    relation: Relation
    only: str | None = None

    def page(
        self,
        parents: Sequence[str],
        paging: Paging,
        columns: tuple[str, ...],
        *,
        keyed: bool = False,
        ahead: int = 1,
    ) -> Fetch:
        """Rows: the parent's place among *parents*, the key if *keyed*, then *columns*.

        A cursor belongs to one parent's list, so with cursors there is one parent: Invalid is
        raised otherwise. Parents are taken as visible.
        """
        values: dict[str, Any] = {}
        for parent in parents if paging.after or paging.before else parents[:1]:
            seal = partial(self.seal, parent)
            values = keyset.values(paging, seal, relations.key_types(self.relation), ahead)
        return self._page(parents, Window.of(paging), columns, keyed, values)

    def whole(self, parents: Sequence[str], columns: tuple[str, ...]) -> Fetch:
        """All there is, which the domain bounds for roles only."""
        return self._page(parents, None, columns, False, {})

    def _page(
        self,
        parents: Sequence[str],
        window: Window | None,
        columns: tuple[str, ...],
        keyed: bool,
        values: dict[str, Any],
    ) -> Fetch:
        narrowed = self.only is not None
        if len(parents) == 1:
            made = relations.page_of_one(
                self.relation, window, columns, narrowed=narrowed, keyed=keyed
            )
            values["parent"] = parents[0]
        else:
            made = relations.page(self.relation, window, columns, narrowed=narrowed, keyed=keyed)
            values["parents"] = orjson.dumps(parents).decode()
        values["workspace_id"] = self.who.workspace_id
        values["only"] = self.only
        return Fetch(made, values)

    def count(self, parents: Sequence[str]) -> Fetch:
        """Rows: the place of each parent that has any, and how many it has."""
        statement = relations.count(self.relation, narrowed=self.only is not None)
        values = {
            "workspace_id": self.who.workspace_id,
            "parents": orjson.dumps(parents).decode(),
            "only": self.only,
        }
        return Fetch(statement, values)

    def seal(self, parent: str) -> str:
        """What the cursors of one parent's list are sealed with."""
        return cursors.seal(self.who.workspace_id, self.relation.name, parent, self.only)


def cases(
    who: Principal, wanted: CaseFilter | None = None, order: CaseOrder = NEWEST_FIRST
) -> RootList:
    """The workspace's cases. Raises InsufficientScope, Invalid for a bad filter."""
    who.require(Scope.CASES_READ)
    return RootList(who, "case", filters.compile_filter(who.workspace_id, wanted), order)


def parties(who: Principal, search: str | None = None) -> RootList:
    """The workspace's parties, by name. Raises InsufficientScope, Invalid."""
    who.require(Scope.CASES_READ)
    return RootList(who, "party", filters.compile_search(who.workspace_id, "party", search))


def staff(who: Principal, search: str | None = None) -> RootList:
    """The workspace's staff, by name. Raises InsufficientScope, Invalid."""
    who.require(Scope.CASES_READ)
    return RootList(who, "staff", filters.compile_search(who.workspace_id, "staff", search))


def related(who: Principal, relation: Relation, only: str | None = None) -> RelatedList:
    """What hangs on objects. Raises InsufficientScope."""
    who.require(Scope.CASES_READ)
    return RelatedList(who, relation, only)


def by_id(who: Principal, kind: str, ids: Iterable[str], columns: tuple[str, ...]) -> Fetch | None:
    """Rows of those among *ids* that are there; None if none of them can be an id.

    *kind* is case, party, staff, link or event. Raises InsufficientScope.
    """
    who.require(Scope.CASES_READ)
    return _by_id(who, kind, ids, columns)


def case_to_write(who: Principal, case_id: str) -> Fetch | None:
    """A row if the case is there, for who may write it. Raises InsufficientScope."""
    who.require(Scope.CASES_WRITE)
    return _by_id(who, "case", [case_id], ("id",))


def _by_id(who: Principal, kind: str, ids: Iterable[str], columns: tuple[str, ...]) -> Fetch | None:
    if kind == "case":
        plausible = {found for id in ids if (found := canonical_case_id(id))}
    else:
        plausible = {id for id in ids if checks.may_be_id(id)}
    if not plausible:
        return None
    if len(plausible) == 1:
        values = {"workspace_id": who.workspace_id, "id": plausible.pop()}
        return Fetch(lists.by_id(kind, columns, single=True), values)
    values = {"workspace_id": who.workspace_id, "ids": orjson.dumps(sorted(plausible)).decode()}
    return Fetch(lists.by_id(kind, columns, single=False), values)


def case_by_file_number(who: Principal, file_number: str, columns: tuple[str, ...]) -> Fetch | None:
    """The row of the case with this file number, as it is stored but for spaces around it.

    None if it can be no file number. Raises InsufficientScope.
    """
    who.require(Scope.CASES_READ)
    check = Check()
    number = check.optional_line(file_number, checks.FILE_NUMBER_MAX, "file_number")
    if number is None or check.problems:
        return None
    values = {"workspace_id": who.workspace_id, "file_number": number}
    return Fetch(lists.case_by_file_number(columns), values)
