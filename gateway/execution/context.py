"""What a GraphQL request carries: who asks, the services, and what it has read so far."""

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
from domain.reading.paging import Page, Paging
from domain.reading.relations import Relation
from domain.services import Services
from domain.storage.database import Snapshot


class Context:
    """One for each operation. Everything it reads comes from one snapshot.

    A mutation reads its payload from a snapshot taken after its write: see forget().
    """

    def __init__(self, who: Principal, services: Services) -> None:
        self.who = who
        self.services = services
        # The mutations of this operation that were executed already, by response name: what each
        # answered or raised. They are never executed twice.
        self.done: dict[str, Any] = {}
        # Why the whole request may be sent again: nothing was changed, and nothing will be.
        self.refusal: Unavailable | None = None
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._snapshot: Snapshot | None = None
        self._loaders: dict[Any, DataLoader[Any, Any]] = {}

    async def snapshot(self) -> Snapshot:
        async with self._opening:
            if self._snapshot is None:
                reading = self.services.database.read(self.who.workspace_id)
                self._snapshot = await self._stack.enter_async_context(reading)
            return self._snapshot

    async def forget(self) -> None:
        """Let go of the snapshot and all that was loaded from it."""
        self._loaders.clear()
        self._snapshot = None
        await self._stack.aclose()

    async def case(self, case_id: str) -> Case | None:
        """A visible case, loaded together with the others that are asked for now."""

        async def load(ids: list[str]) -> list[Case | None]:
            found = await objects.by_id(self.who, await self.snapshot(), lookups.CASE, ids)
            return [found.get(id) for id in ids]

        found: Case | None = await self._loaded("case", load, case_id)
        return found

    async def related(
        self, relation: Relation, parent: str, paging: Paging, only: str | None
    ) -> Page[Any]:
        """A page of a relation, loaded together with those of the other parents."""

        async def load(parents: list[str]) -> list[Page[Any]]:
            db = await self.snapshot()
            pages = await objects.related(self.who, db, relation, parents, paging, only)
            return [pages[parent] for parent in parents]

        page: Page[Any] = await self._loaded((relation.name, paging, only), load, parent)
        return page

    async def count_related(self, relation: Relation, parent: str, only: str | None) -> int:
        """How many there are in a relation, counted together with the other parents'."""

        async def load(parents: list[str]) -> list[int]:
            db = await self.snapshot()
            counts = await objects.count_related(self.who, db, relation, parents, only)
            return [counts[parent] for parent in parents]

        counted: int = await self._loaded(("count", relation.name, only), load, parent)
        return counted

    async def _loaded(
        self, name: Any, load: Callable[[list[Any]], Awaitable[list[Any]]], key: str
    ) -> Any:
        loader = self._loaders.get(name)
        if loader is None:
            loader = self._loaders[name] = DataLoader(load_fn=load)
        shared = asyncio.ensure_future(loader.load(key))
        # graphql-core cancels the siblings of a field that failed. What they wait for is others'
        # too, and may fail when nobody waits for it any more.
        mine = asyncio.shield(shared)
        for future in (shared, mine):
            future.add_done_callback(_looked_at)
        return await mine


def _looked_at(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


Info = strawberry.Info[Context, None]
