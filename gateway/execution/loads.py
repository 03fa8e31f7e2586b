"""What a field loads, as data: a declared field returns one of these, however it is executed.

graphql-core resolves it, batched with its siblings by a DataLoader. A compiled plan loads it once
for all parents of a layer.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import strawberry
from strawberry.extensions import FieldExtension

from domain.access.principal import Principal, Scope
from domain.models import CaseStatus
from domain.reading import facets, lookups, matches, mixed, objects, related
from domain.reading.changes import ChangeList
from domain.reading.facets import Facet, FacetField
from domain.reading.lists import RootList
from domain.reading.lookups import Kind
from domain.reading.matches import Match
from domain.reading.mixed import MixedList
from domain.reading.narrowing import Wanted
from domain.reading.paging import Edge, Page, Paging
from domain.reading.related import RelatedList
from domain.reading.relations import Relation
from domain.storage.database import Snapshot
from domain.storage.statements import Fetch
from gateway import globalids
from gateway.execution.context import Context
from gateway.limits.costs import PRICE, Price

T = TypeVar("T")

RELATION = "casegraph.relation"
"""The metadata key of the relation that a field loads."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page, and functions for what is asked on demand: the size of the whole list, whether items
    precede the cursor *after* and follow the cursor *before*, and a list of cases' facets."""

    page: Page[Any]
    count: Callable[[], Any]
    outside: Callable[[], Any]
    facets: Callable[["Facets"], Any] | None = None
    matches: Callable[[], Any] | None = None
    """By the id of each item, where a search has found it."""


@dataclass(frozen=True, slots=True)
class ListedEdge(Edge[Any]):
    """An edge that knows the page it is on."""

    listing: Listing


@dataclass(frozen=True, slots=True)
class RootPage:
    """A page of a list at the root."""

    ask: Callable[[Principal], RootList | ChangeList]
    paging: Paging

    async def resolve(self, context: Context, _root: Any) -> Listing:
        db = await context.snapshot()
        asked = self.ask(context.who)
        listing = await asked.settled(db, self.paging, asked.columns)
        page = await objects.page(db, listing, self.paging)

        async def count() -> int:
            return await objects.count(await context.snapshot(), listing)

        async def outside() -> tuple[bool, bool]:
            return await objects.outside(await context.snapshot(), listing, self.paging)

        if not isinstance(listing, RootList):
            return Listing(page, once(count), outside)

        async def told() -> dict[str, list[Match]]:
            return await matches.of(await context.snapshot(), listing, list(page))

        async def facets(asked: "Facets") -> list[Facet]:
            return await shown_facets(await context.snapshot(), listing, asked)

        return Listing(page, once(count), outside, facets, once(told))


@dataclass(frozen=True, slots=True)
class Facets:
    """Facets of a list of cases."""

    by: Sequence[FacetField]
    first: int

    async def resolve(self, _context: Context, root: Listing) -> list[Facet]:
        assert root.facets is not None
        found: list[Facet] = await root.facets(self)
        return found


async def shown_facets(db: Snapshot, listing: RootList, asked: Facets) -> list[Facet]:
    """The facets, with values as filters take them: names of an enum, and global ids."""
    return [
        replace(
            facet,
            values=[
                replace(one, value=_as_filtered(facet.field, one.value)) for one in facet.values
            ],
        )
        for facet in await facets.facets(db, listing, asked.by, asked.first)
    ]


def _as_filtered(field: FacetField, value: str | None) -> str | None:
    if value is None:
        return None
    if field is FacetField.STATUS:
        return CaseStatus(value).name
    return globalids.encode("Staff", value) if field is FacetField.STAFF else value


@dataclass(frozen=True, slots=True)
class MixedPage:
    """A page of what a search has found of several types."""

    ask: Callable[[Principal], MixedList]
    paging: Paging

    async def resolve(self, context: Context, _root: Any) -> Listing:
        db = await context.snapshot()
        listing = await mixed.settled(db, self.ask(context.who), self.paging)
        page = await mixed.page(db, listing, self.paging)

        async def count() -> int:
            return await mixed.count(await context.snapshot(), listing)

        async def told() -> dict[str, list[Match]]:
            return await mixed.found_in(await context.snapshot(), listing, list(page))

        async def outside() -> tuple[bool, bool]:
            return await mixed.outside(await context.snapshot(), listing, self.paging)

        return Listing(page, once(count), outside, matches=once(told))


def once(work: Callable[[], Coroutine[Any, Any, T]]) -> Callable[[], asyncio.Future[T]]:
    """A function that does the work when it is called first, even under several aliases."""
    begun: list[asyncio.Future[T]] = []

    def result() -> asyncio.Future[T]:
        if not begun:
            begun.append(asyncio.ensure_future(work()))
        return begun[0]

    return result


@dataclass(frozen=True, slots=True)
class RelatedPage:
    """A page of the objects related to an object, found by its *id*."""

    relation: Relation
    paging: Paging
    only: str | None = None
    wanted: Wanted = None

    def ask(self, who: Principal) -> RelatedList:
        return related.items(who, self.relation, self.only, self.wanted)

    async def resolve(self, context: Context, root: Any) -> Listing:
        page = await context.related(self.relation, root.id, self.paging, self.only, self.wanted)

        async def outside() -> tuple[bool, bool]:
            db = await context.snapshot()
            return await objects.outside_related(
                context.who, db, self.relation, root.id, self.paging, self.only, self.wanted
            )

        def count() -> Any:
            return context.count_related(self.relation, root.id, self.only, self.wanted)

        return Listing(page, count, outside)


@dataclass(frozen=True, slots=True)
class OneById:
    """One object of *kind* by the id within its type."""

    kind: Kind
    id: str

    def fetch(self, who: Principal, columns: tuple[str, ...]) -> Fetch | None:
        return lookups.by_id(who, self.kind, [self.id], columns)

    async def resolve(self, context: Context, _root: Any) -> Any:
        rows = await objects.by_id(context.who, await context.snapshot(), self.kind, [self.id])
        return next(iter(rows.values()), None)


@dataclass(frozen=True, slots=True)
class CaseByFileNumber:
    """The case with a file number."""

    file_number: str

    def fetch(self, who: Principal, columns: tuple[str, ...]) -> Fetch | None:
        return lookups.case_by_file_number(who, self.file_number, columns)

    async def resolve(self, context: Context, _root: Any) -> Any:
        return await objects.case_by_file_number(
            context.who, await context.snapshot(), self.file_number
        )


@dataclass(frozen=True, slots=True)
class ItsCase:
    """The case whose id is the object's *case_id*, if it has one."""

    async def resolve(self, context: Context, root: Any) -> Any:
        return None if root.case_id is None else await context.case(root.case_id)


@dataclass(frozen=True, slots=True)
class Nodes:
    """Objects of any type by their global ids; if *single*, the first one and no list."""

    ids: Sequence[str]
    single: bool = False

    def wanted(self) -> list[tuple[str, Any]]:
        """The type and the key within it for each; type "" for a text that is not a global id."""
        return [globalids.decode(id) or ("", None) for id in self.ids]

    async def resolve(self, context: Context, _root: Any) -> Any:
        wanted = self.wanted()
        found: dict[str, dict[Any, Any]] = {}
        for name, kind in globalids.KINDS.items():
            keys = keys_of(wanted, name)
            # Even for no ids: a caller who may not read is refused whatever the ids are.
            found[name] = await objects.by_id(context.who, await context.snapshot(), kind, keys)
        listed = [found[name].get(key) if name else None for name, key in wanted]
        return listed[0] if self.single else listed


def keys_of(wanted: Sequence[tuple[str, Any]], type_name: str) -> list[Any]:
    """The keys of one type."""
    return [key for name, key in wanted if name == type_name]


Load = RootPage | MixedPage | Facets | RelatedPage | OneById | CaseByFileNumber | ItsCase | Nodes


class _Loads(FieldExtension):
    """Resolves the Load that a declared field returns."""

    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: Any, **arguments: Any
    ) -> Any:
        info.context.who.require(Scope.CASES_READ)  # before its arguments are checked
        load: Load = await next_(source, info, **arguments)
        return await load.resolve(info.context, source)


def loading(
    description: str, relation: Relation | None = None, price: Price = Price.LOADS
) -> Callable[[Callable[..., Any]], Any]:
    """A field that loads. The function takes only the field's arguments and returns a Load.

    *relation* is the one whose pages a field below the root loads.
    """

    def field(declared: Callable[..., Any]) -> Any:
        return strawberry.field(
            resolver=declared,
            description=description,
            extensions=[_Loads()],
            metadata={PRICE: price, RELATION: relation},
        )

    return field
