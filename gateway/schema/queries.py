"""The root query fields."""

from typing import Annotated

import strawberry

from domain.access.principal import Principal
from domain.errors import invalid
from domain.reading import changes, lists, lookups, mixed, relations
from domain.reading.paging import relay_paging
from gateway import globalids
from gateway.execution.context import Info
from gateway.execution.declarations import SHOWN, Caller, shown_as
from gateway.execution.loads import CaseByFileNumber, MixedPage, Nodes, OneById, RootPage, loading
from gateway.schema.connections import After, Before, First, Last
from gateway.schema.inputs import CaseFilter, CaseOrder, ChangeFilter
from gateway.schema.searching import SearchConnection, Types
from gateway.schema.types import (
    Case,
    CaseConnection,
    DeletedCaseConnection,
    Node,
    Party,
    PartyConnection,
    Staff,
    StaffConnection,
    TimelineEventConnection,
    Viewer,
)
from gateway.schema.webhooks import WebhookQueries

MAX_NODES = 100
_READ = " Needs `cases:read`."
Search = Annotated[
    str | None,
    strawberry.argument(
        description="Words in the name (of staff, also in the email address), as in "
        "`CaseFilter.search`; all if absent."
    ),
]


@strawberry.type(description="All read operations.")
class Query(WebhookQueries):
    @strawberry.field(
        description="The caller: the API key of this request. Needs no scope.",
        metadata={SHOWN: Caller()},
    )
    def viewer(self, info: Info) -> Viewer | None:
        who: Principal = info.context.who
        return shown_as(Viewer, who)

    @loading("The object with this global id; null if there is none." + _READ)
    def node(
        id: Annotated[strawberry.ID, strawberry.argument(description="The global id.")],
    ) -> Node | None:
        return shown_as(Node, Nodes([id], single=True))

    @loading(
        "The objects with these global ids, in the same order; null in place of an id without an "
        "object." + _READ
    )
    def nodes(
        ids: Annotated[
            list[strawberry.ID], strawberry.argument(description="The global ids, at most 100.")
        ],
    ) -> list[Node | None]:
        if len(ids) > MAX_NODES:
            raise invalid(f"ids must have at most {MAX_NODES} entries.", "ids")
        return shown_as(list[Node | None], Nodes(ids))

    @loading("One case, by exactly one of `id` and `fileNumber`; null if there is none." + _READ)
    def case(
        id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The global id or the UUID of the case."),
        ] = None,
        file_number: Annotated[
            str | None,
            strawberry.argument(
                description="The file number. Ignores case, and kinds of dashes and spaces; "
                "separators count."
            ),
        ] = None,
    ) -> Case | None:
        if (id is None) == (file_number is None):
            raise invalid("Exactly one of id and fileNumber must be given.", "id")
        if file_number is not None:
            return shown_as(Case, CaseByFileNumber(file_number))
        return shown_as(Case, OneById(lookups.CASE, globalids.local(str(id), "Case")))

    @loading("The workspace's cases, newest first by default, at most 100 per page." + _READ)
    def cases(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[
            CaseFilter | None,
            strawberry.argument(description="Conditions on the cases; all cases if absent."),
        ] = None,
        order_by: Annotated[
            CaseOrder | None,
            strawberry.argument(
                description="The sort order; if absent, the best hits of a search, or the newest "
                "cases, first."
            ),
        ] = None,
    ) -> CaseConnection | None:
        paging = relay_paging(first, after, last, before)
        conditions = filter.to_domain() if filter else None
        order = order_by.to_domain() if order_by else None
        return shown_as(
            CaseConnection, RootPage(lambda who: lists.cases(who, conditions, order), paging)
        )

    @loading(
        "Cases, parties and staff that have all the words, those that fit best first, at most 100 "
        "per page. Cases are searched as by `CaseFilter.search`, people by their names, and staff "
        "also by their email addresses. Without any letter or digit nothing is found." + _READ
    )
    def search(
        query: Annotated[
            str,
            strawberry.argument(
                description="Words, at most 200 characters and 16 words, as in `CaseFilter.search`."
            ),
        ],
        types: Types = None,
        first: First = None,
        after: After = None,
    ) -> SearchConnection:
        paging = relay_paging(first, after, None, None)
        return shown_as(
            SearchConnection, MixedPage(lambda who: mixed.search(who, query, types), paging)
        )

    @loading(
        "Everything that changed in the workspace, oldest first, at most 100 per page: events of "
        "cases, deleted ones included, and of parties and staff. Whoever keeps the last cursor "
        "asks with it, later, for what came after, and misses nothing. Events of cases that are "
        "deleted now have no details for a key without `cases:delete`." + _READ,
        relations.CASE_TIMELINE,
    )
    def changes(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[
            ChangeFilter | None,
            strawberry.argument(description="Conditions on the changes; all of them if absent."),
        ] = None,
    ) -> TimelineEventConnection | None:
        paging = relay_paging(first, after, last, before)
        wanted = filter.to_domain() if filter else None
        return shown_as(
            TimelineEventConnection,
            RootPage(lambda who: changes.changes(who, wanted), paging),
        )

    @loading(
        "The workspace's deleted cases, the last one first, at most 100 per page. Needs "
        "`cases:read` and `cases:delete`."
    )
    def deleted_cases(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> DeletedCaseConnection | None:
        paging = relay_paging(first, after, last, before)
        return shown_as(DeletedCaseConnection, RootPage(lists.deleted_cases, paging))

    @loading("The workspace's parties, by name, at most 100 per page." + _READ)
    def parties(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        search: Search = None,
    ) -> PartyConnection | None:
        paging = relay_paging(first, after, last, before)
        return shown_as(PartyConnection, RootPage(lambda who: lists.parties(who, search), paging))

    @loading("One party; null if there is none with this id." + _READ)
    def party(
        id: Annotated[
            strawberry.ID, strawberry.argument(description="The global id or the `databaseId`.")
        ],
    ) -> Party | None:
        return shown_as(Party, OneById(lookups.PARTY, globalids.local(id, "Party")))

    @loading("The workspace's staff, by name, at most 100 per page." + _READ)
    def staff(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        search: Search = None,
    ) -> StaffConnection | None:
        paging = relay_paging(first, after, last, before)
        return shown_as(StaffConnection, RootPage(lambda who: lists.staff(who, search), paging))

    @loading("One staff member; null if there is none with this id." + _READ)
    def staff_member(
        id: Annotated[
            strawberry.ID, strawberry.argument(description="The global id or the `databaseId`.")
        ],
    ) -> Staff | None:
        return shown_as(Staff, OneById(lookups.STAFF, globalids.local(id, "Staff")))
