"""The root query fields."""

from typing import Annotated, Any

import strawberry

from domain import reads
from domain.auth import Principal, Scope
from domain.errors import invalid
from domain.inputs import CaseOrder as NewestFirst
from domain.paging import relay_paging
from gateway import globalids
from gateway.connections import After, Before, First, Last, listing
from gateway.context import Context, Info
from gateway.inputs import CaseFilter, CaseOrder
from gateway.types import (
    Case,
    CaseConnection,
    Node,
    Party,
    PartyConnection,
    Staff,
    StaffConnection,
    Viewer,
)

MAX_NODES = 100
_READ = " Needs `cases:read`."
Search = Annotated[
    str | None,
    strawberry.argument(description="Part of the name, folded as in `CaseFilter.search`."),
]


@strawberry.type(description="Everything that can be read.")
class Query:
    @strawberry.field(description="Who asks: what the API key stands for.")
    def viewer(self, info: Info) -> Viewer | None:
        who: Principal = info.context.who
        return who  # type: ignore[return-value]

    @strawberry.field(description="The object with a global id, or null." + _READ)
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> Node | None:
        return (await _nodes(info.context, [id]))[0]  # type: ignore[return-value]

    @strawberry.field(
        description="The objects with these global ids, at most 100, each or null." + _READ
    )
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Their ids.")],
    ) -> list[Node | None]:
        if len(ids) > MAX_NODES:
            raise invalid(f"ids must have at most {MAX_NODES} entries.", "ids")
        return await _nodes(info.context, ids)  # type: ignore[return-value]

    @strawberry.field(
        description="One case, by exactly one of id and file number; null if there is none." + _READ
    )
    async def case(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Its global id or UUID.")
        ] = None,
        file_number: Annotated[
            str | None,
            strawberry.argument(description="Its file number, exactly as it is written."),
        ] = None,
    ) -> Case | None:
        if (id is None) == (file_number is None):
            raise invalid("Exactly one of id and fileNumber must be given.", "id")
        who, db = info.context.who, await info.context.snapshot()
        if file_number is not None:
            return await reads.case_by_file_number(who, db, file_number)  # type: ignore[return-value]
        cases = await reads.cases_by_id(who, db, [globalids.local(str(id), "Case")])
        return next(iter(cases.values()), None)  # type: ignore[return-value]

    @strawberry.field(description="The workspace's cases, newest first." + _READ)
    async def cases(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[
            CaseFilter | None, strawberry.argument(description="Which cases; all if absent.")
        ] = None,
        order_by: Annotated[
            CaseOrder | None,
            strawberry.argument(description="In which order; newest first if absent."),
        ] = None,
    ) -> CaseConnection | None:
        paging = relay_paging(first, after, last, before)
        wanted = filter.to_domain() if filter else None
        order = order_by.to_domain() if order_by else NewestFirst()
        return await listing(  # type: ignore[return-value]
            info.context,
            lambda who, db: reads.cases(who, db, wanted, order, paging),
            lambda who, db: reads.count_cases(who, db, wanted),
        )

    @strawberry.field(description="The workspace's parties, by name." + _READ)
    async def parties(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        search: Search = None,
    ) -> PartyConnection | None:
        paging = relay_paging(first, after, last, before)
        return await listing(  # type: ignore[return-value]
            info.context,
            lambda who, db: reads.parties(who, db, search, paging),
            lambda who, db: reads.count_parties(who, db, search),
        )

    @strawberry.field(description="One party, or null." + _READ)
    async def party(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> Party | None:
        local = globalids.local(id, "Party")
        found = await reads.parties_by_id(info.context.who, await info.context.snapshot(), [local])
        return found.get(local)  # type: ignore[return-value]

    @strawberry.field(description="The workspace's staff, by name." + _READ)
    async def staff(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        search: Search = None,
    ) -> StaffConnection | None:
        paging = relay_paging(first, after, last, before)
        return await listing(  # type: ignore[return-value]
            info.context,
            lambda who, db: reads.staff(who, db, search, paging),
            lambda who, db: reads.count_staff(who, db, search),
        )

    @strawberry.field(description="One staff member, or null." + _READ)
    async def staff_member(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Their id.")]
    ) -> Staff | None:
        local = globalids.local(id, "Staff")
        found = await reads.staff_by_id(info.context.who, await info.context.snapshot(), [local])
        return found.get(local)  # type: ignore[return-value]


async def _nodes(context: Context, global_ids: list[strawberry.ID]) -> list[object | None]:
    """The objects, in the order of *global_ids*; one statement for each type that is asked for."""
    context.who.require(Scope.CASES_READ)
    wanted = [globalids.decode(id) for id in global_ids]
    found: dict[tuple[str, str], object] = {}
    for name, read in _BY_TYPE.items():
        ids = [
            globalids.local(id, name)
            for id, decoded in zip(global_ids, wanted, strict=True)
            if decoded and decoded[0] == name
        ]
        if ids:
            rows = await read(context.who, await context.snapshot(), ids)
            for key, value in rows.items():
                found[name, "/".join(key) if isinstance(key, tuple) else key] = value
    return [found.get(key) if key else None for key in wanted]


_BY_TYPE: dict[str, Any] = {
    "Case": reads.cases_by_id,
    "Party": reads.parties_by_id,
    "Staff": reads.staff_by_id,
    "CaseLink": reads.links_by_id,
    "TimelineEvent": reads.events_by_id,
}
