"""The context of a GraphQL request: the caller, the services, and everything read so far."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import strawberry
from strawberry.dataloader import DataLoader

from domain.access.principal import Principal
from domain.errors import Unavailable
from domain.models import Case
from domain.reading import lookups, objects
from domain.reading.narrowing import Wanted
from domain.reading.paging import Page, Paging
from domain.reading.relations import Relation
from domain.services import Services
from domain.storage.database import Snapshot


class Context:
    """One for each operation. Everything it reads comes from one snapshot.

    A mutation reads its payload from a snapshot taken after its write; see forget(). Whoever
    executes the operation calls end().
    """

    def __init__(self, who: Principal, services: Services) -> None:
        self.who = who
        self.services = services
        # The answer or exception of each mutation already executed in this operation, by response
        # name. No mutation is executed twice.
        self.done: dict[str, Any] = {}
        # Whether the answer is the same until something is written that the timeline tells of.
        self.lasting = True
        # The search entries of the workspace, if a search has to compare them all.
        self.entries = 0
        # Why the client may send the whole request again: nothing was changed, or will be.
        self.refusal: Unavailable | None = None
        # The name of the operation and its type, once they are known.
        self.operation: str | None = None
        self.type = ""
        self._opened: AsyncExitStack | None = None
        self._lock: asyncio.Lock | None = None
        self._snapshot: Snapshot | None = None
        self._over = False
        self._loaders: dict[Any, DataLoader[Any, Any]] = {}

    @property
    def _stack(self) -> AsyncExitStack:
        # Made when it is needed: plans need neither this nor the lock.
        if self._opened is None:
            self._opened = AsyncExitStack()
        return self._opened

    @property
    def _opening(self) -> asyncio.Lock:
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    def anew(self) -> "Context":
        """One for the same query, from the beginning."""
        context = Context(self.who, self.services)
        context.entries = self.entries
        return context

    async def snapshot(self) -> Snapshot:
        """The snapshot, opened now if there is none. Raises Unavailable after end()."""
        async with self._opening:
            if self._snapshot is None:
                if self._over:
                    raise Unavailable
                reading = self.services.database.read(self.who.workspace_id)
                self._snapshot = await self._stack.enter_async_context(reading)
                if self._over:  # since it began to open: nobody else would close it
                    await self.end()
                    raise Unavailable
            return self._snapshot

    async def forget(self) -> None:
        """Drop the snapshot and everything loaded from it."""
        async with self._opening:  # one that is being opened is of before, too
            await self._drop()

    async def end(self) -> None:
        """Drop the snapshot for good: the operation is answered.

        After an error graphql-core may leave a field's task behind, which still loads.
        """
        self._over = True
        await self._drop()

    async def _drop(self) -> None:
        self._loaders.clear()
        self._snapshot = None
        if self._opened is not None:
            await self._opened.aclose()

    async def case(self, case_id: str) -> Case | None:
        """A visible case, loaded in one batch with the others requested at the same time."""

        async def load(ids: list[str]) -> list[Case | None]:
            cases = await objects.by_id(self.who, await self.snapshot(), lookups.CASE, ids)
            return [cases.get(id) for id in ids]

        case: Case | None = await self._loaded("case", load, case_id)
        return case

    async def related(
        self,
        relation: Relation,
        parent: str,
        paging: Paging,
        only: str | None,
        wanted: Wanted,
    ) -> Page[Any]:
        """A page of a relation, loaded in one batch with the pages of the other parents."""

        async def load(parents: list[str]) -> list[Page[Any]]:
            db = await self.snapshot()
            pages = await objects.related(self.who, db, relation, parents, paging, only, wanted)
            return [pages[parent] for parent in parents]

        page: Page[Any] = await self._loaded(
            (relation.name, paging, only, repr(wanted)), load, parent
        )
        return page

    async def count_related(
        self, relation: Relation, parent: str, only: str | None, wanted: Wanted
    ) -> int:
        """The size of a relation, counted in one batch with those of the other parents."""

        async def load(parents: list[str]) -> list[int]:
            db = await self.snapshot()
            counts = await objects.count_related(self.who, db, relation, parents, only, wanted)
            return [counts[parent] for parent in parents]

        count: int = await self._loaded(("count", relation.name, only, repr(wanted)), load, parent)
        return count

    async def _loaded(
        self, name: Any, load: Callable[[list[Any]], Awaitable[list[Any]]], key: str
    ) -> Any:
        loader = self._loaders.get(name)
        if loader is None:
            loader = self._loaders[name] = DataLoader(load_fn=load)
        shared = asyncio.ensure_future(loader.load(key))
        # graphql-core cancels the siblings of a field that failed. Others may share the load they
        # wait for, and it may fail after the last of them has gone.
        mine = asyncio.shield(shared)
        for future in (shared, mine):
            future.add_done_callback(_looked_at)
        return await mine


def _looked_at(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


Info = strawberry.Info[Context, None]
