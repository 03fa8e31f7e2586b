"""The output types. Each describes a domain value, which its resolvers receive.

They are in one file because they refer to each other in a circle.
"""

from typing import Annotated, Any

import strawberry
from strawberry import Parent

from domain import models
from domain.models import CaseStatus, EventSource, LinkType, Mode, PartyKind
from domain.reading import matches, relations
from domain.reading.facets import DEFAULT_VALUES
from domain.reading.paging import relay_paging
from domain.reading.search import MatchField
from domain.reading.terms import MatchRule
from gateway import globalids
from gateway.execution.declarations import (
    SHOWN,
    Column,
    Embedded,
    GlobalId,
    along,
    choice,
    column,
    shown_as,
)
from gateway.execution.loads import Facets, ItsCase, ListedEdge, Listing, RelatedPage, loading
from gateway.limits.costs import PRICE, Price
from gateway.schema.connections import (
    EDGES,
    After,
    Before,
    Connection,
    Edge,
    First,
    Last,
    listed,
)
from gateway.schema.facets import By, Facet, MostValues
from gateway.schema.inputs import CaseFilter, TimelineFilter
from gateway.schema.scalars import JSON, DateTime

Role = Annotated[
    str | None, strawberry.argument(description="Return only items with this role, like `client`.")
]
StaffRole = Annotated[
    str | None,
    strawberry.argument(description="Return only items with this role, like `lead_attorney`."),
]
OnCases = Annotated[
    CaseFilter | None,
    strawberry.argument(description="Conditions on the case; all cases if absent."),
]
_DATABASE_ID = (
    "The plain id, which the REST routes use. Arguments for an id of this type accept it, "
    "too; only `node` and `nodes` need the global id."
)
_READ = " Needs `cases:read`."
_PAGE = " At most 100 per page." + _READ


@strawberry.interface(description="An object with a global id (Relay).")
class Node:
    @strawberry.field(
        description="The global id: opaque, and stable for as long as the object exists.",
        metadata={SHOWN: GlobalId()},
    )
    def id(root: Parent[Any]) -> strawberry.ID:
        return strawberry.ID(globalids.of(root))


@strawberry.type(description="A person, organization or court, independent of any case.")
class Party(Node):
    database_id: str = column("id", _DATABASE_ID)
    kind: PartyKind = choice("kind", PartyKind, "The kind of party.")
    name: str = strawberry.field(description="The full name, at most 500 characters.")
    created_at: DateTime = strawberry.field(description="When the party was created.")
    updated_at: DateTime = strawberry.field(description="When the party last changed.")
    version: int = strawberry.field(
        description="Increases by one with every change; pass it as `expectedVersion`."
    )

    @loading(
        "The roles of the party in cases, by case, newest first." + _PAGE, relations.PARTY_CASES
    )
    def cases(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        role: Role = None,
        filter: OnCases = None,
    ) -> "CasePartyConnection":
        paging = relay_paging(first, after, last, before)
        wanted = filter.to_domain() if filter else None
        load = RelatedPage(relations.PARTY_CASES, paging, role, wanted)
        return shown_as(CasePartyConnection, load)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Party)


@strawberry.type(description="A member of the firm's staff.")
class Staff(Node):
    database_id: str = column("id", _DATABASE_ID)
    name: str = strawberry.field(description="The full name, at most 500 characters.")
    email: str | None = strawberry.field(
        description="The email address at the firm; null if there is none."
    )
    created_at: DateTime = strawberry.field(description="When the staff member was created.")
    updated_at: DateTime = strawberry.field(description="When the staff member last changed.")
    version: int = strawberry.field(
        description="Increases by one with every change; pass it as `expectedVersion`."
    )

    @loading(
        "The roles of the staff member in cases, by case, newest first." + _PAGE,
        relations.STAFF_CASES,
    )
    def cases(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        role: StaffRole = None,
        filter: OnCases = None,
    ) -> "CaseStaffConnection":
        paging = relay_paging(first, after, last, before)
        wanted = filter.to_domain() if filter else None
        load = RelatedPage(relations.STAFF_CASES, paging, role, wanted)
        return shown_as(CaseStaffConnection, load)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Staff)


@strawberry.type(description="A change to one field.")
class Change:
    field: str = strawberry.field(
        description="The name of the field as the REST routes spell it, like `file_number`."
    )
    before: JSON | None = strawberry.field(
        description="The value before the change; null if there was none."
    )
    after: JSON | None = strawberry.field(
        description="The value after the change; null if it was removed."
    )

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Change)


@strawberry.type(
    description="Something that happened to a case, party or staff member. Events never change. "
    "What was recorded is told apart from what an import claims: see `source`."
)
class TimelineEvent(Node):
    database_id: str = column("id", _DATABASE_ID)
    seq: int = strawberry.field(
        description="The event's number in its workspace: rising, without gaps."
    )
    type: str = strawberry.field(
        description="The kind of event: one like `case_updated` for a change made here, or "
        "any word for an imported event."
    )
    source: EventSource = choice(
        "source",
        EventSource,
        "Whether casegraph recorded what it did itself, or took the event from a file.",
    )
    actor: str = strawberry.field(
        description="The name of the API key or command that wrote the event, or imported it."
    )
    claimed_actor: str | None = strawberry.field(
        description="Who acted, as the file of an imported event claims; null if it does not say, "
        "and for recorded events."
    )
    at: DateTime = strawberry.field(description="When the event was recorded, or imported.")
    occurred_at: DateTime = strawberry.field(
        description="When the event took place: the same as `at`, or what the file of an imported "
        "event claims."
    )
    title: str | None = strawberry.field(
        description="The heading of an imported event; null if there is none."
    )
    changes: list[Change] = strawberry.field(
        description="The changes, field by field.",
        metadata={SHOWN: Embedded("changes")},
    )

    case_uuid: str | None = column(
        "case_id",
        "The `uuid` of the case concerned, even if it is deleted now; null for events about "
        "parties and staff as such.",
    )
    subject_id: str | None = strawberry.field(
        description="The `databaseId` of the party, staff member or link concerned, or the `uuid` "
        "of a case that was erased for good; null if the event is about a case and its fields."
    )

    @loading(
        "The case concerned, as it is now; null if it is deleted, and for events about parties "
        "and staff as such." + _READ
    )
    def case() -> "Case | None":
        return shown_as(Case, ItsCase())

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.TimelineEvent)


@strawberry.type(description="A link between two cases, as seen from one of them.")
class CaseLink(Node):
    database_id: str = column("id", _DATABASE_ID + " The same from both cases, unlike `id`.")
    type: LinkType = choice("type", LinkType, "What `linkedCase` is to `case`.")
    created_at: DateTime = strawberry.field(description="When the cases were linked.")

    @loading("The case this link is seen from." + _READ)
    def case() -> "Case":
        return shown_as(Case, ItsCase())

    linked_case: "Case" = along("linked", "The other case.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.CaseLink)


@strawberry.type(description="A matter the firm works on (Akte).")
class Case(Node):
    uuid: str = column(
        "id",
        "The plain id, which the REST routes use. Arguments for a case's id accept it, too; only "
        "`node` and `nodes` need the global id.",
    )
    name: str = strawberry.field(
        description="The short title, usually the parties' names; at most 500 characters."
    )
    file_number: str | None = strawberry.field(
        description="The firm's own reference (Aktenzeichen), like `AZ-2026-042`; unique in the "
        "workspace, null if there is none."
    )
    status: CaseStatus = choice("status", CaseStatus, "The stage the case has reached.")
    type: str | None = strawberry.field(
        description="The type of case: one lower-case word, like `litigation`; null if "
        "there is none."
    )
    description: str | None = strawberry.field(
        description="What the case is about: plain text, at most 20,000 characters; null if "
        "there is none."
    )
    dezernat: str | None = strawberry.field(
        description="The department (Dezernat) that works on the case; null if there is none."
    )
    created_at: DateTime = strawberry.field(description="When the case was opened.")
    updated_at: DateTime = strawberry.field(
        description="When the case or its parties, staff or links last changed."
    )
    version: int = strawberry.field(
        description="1 for a new case; increases by one with every change to it, its "
        "parties, staff or links. Pass it as `expectedVersion`; the REST routes send it as "
        "the ETag."
    )

    @loading(
        "The parties and their roles, in the order they were added." + _PAGE,
        relations.CASE_PARTIES,
    )
    def parties(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        role: Role = None,
    ) -> "CasePartyConnection":
        paging = relay_paging(first, after, last, before)
        return shown_as(CasePartyConnection, RelatedPage(relations.CASE_PARTIES, paging, role))

    @loading(
        "The staff on the case and their roles, in the order they were assigned." + _PAGE,
        relations.CASE_STAFF,
    )
    def staff(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        role: StaffRole = None,
    ) -> "CaseStaffConnection":
        paging = relay_paging(first, after, last, before)
        return shown_as(CaseStaffConnection, RelatedPage(relations.CASE_STAFF, paging, role))

    @loading("The links to other cases, oldest first." + _PAGE, relations.CASE_LINKS)
    def links(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        type: Annotated[
            LinkType | None, strawberry.argument(description="Return only links of this type.")
        ] = None,
    ) -> "CaseLinkConnection":
        paging = relay_paging(first, after, last, before)
        only = None if type is None else str(type.value)
        return shown_as(CaseLinkConnection, RelatedPage(relations.CASE_LINKS, paging, only))

    @loading("The events of the case, newest first." + _PAGE, relations.CASE_TIMELINE)
    def timeline(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[
            TimelineFilter | None,
            strawberry.argument(description="Conditions on the events; all events if absent."),
        ] = None,
    ) -> "TimelineEventConnection":
        paging = relay_paging(first, after, last, before)
        wanted = filter.to_domain() if filter else None
        load = RelatedPage(relations.CASE_TIMELINE, paging, wanted=wanted)
        return shown_as(TimelineEventConnection, load)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Case)


@strawberry.type(
    description="A case that is hidden everywhere else, until it is restored or purged. It is no "
    "`Node`: `node` does not find it."
)
class DeletedCase:
    uuid: str = column("id", "The plain id, which `restoreCase` takes.")
    name: str = strawberry.field(description="The short title.")
    file_number: str | None = strawberry.field(
        description="The file number, which another case may have by now; null if there is none."
    )
    status: CaseStatus = choice("status", CaseStatus, "The stage the case had reached.")
    created_at: DateTime = strawberry.field(description="When the case was opened.")
    deleted_at: DateTime = strawberry.field(description="When the case was deleted.")
    version: int = strawberry.field(description="Its version; pass it as `expectedVersion`.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.DeletedCase)


@strawberry.type(
    description="A party's role in a case. Its id stays when the role or the reference changes."
)
class CaseParty(Node):
    role: str = strawberry.field(
        description="The party's role in the case: one lower-case word, like `client` or "
        "`opponent`."
    )
    reference: str | None = strawberry.field(
        description="The party's own reference for the case; null if there is none."
    )
    added_at: DateTime = strawberry.field(description="When the party was added to the case.")
    case: Case = along("case", "The case.")
    party: Party = along("party", "The party.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.CaseParty)


@strawberry.type(
    description="A staff member's role in a case. Its id stays when the role or the note changes."
)
class CaseStaff(Node):
    role: str = strawberry.field(
        description="The staff member's role in the case: one lower-case word, like "
        "`lead_attorney`."
    )
    note: str | None = strawberry.field(
        description="A note on the assignment; null if there is none."
    )
    assigned_at: DateTime = strawberry.field(
        description="When the staff member was assigned to the case."
    )
    case: Case = along("case", "The case.")
    staff: Staff = along("staff", "The staff member.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.CaseStaff)


@strawberry.type(
    description="A part of a text, in UTF-16 code units, which JavaScript, Java and C# count in."
)
class TextRange:
    start: int = strawberry.field(description="Where it begins; 0 is the start of the text.")
    end: int = strawberry.field(description="Where it ends: the place after its last unit.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, matches.TextRange)


@strawberry.type(description="A text that has a word that was searched for, or several.")
class SearchMatch:
    field: MatchField = choice("field", MatchField, "Where the text is.")
    rule: MatchRule = choice(
        "rule", MatchRule, "By which rule it was found; of several words, the weakest rule."
    )
    text: str = strawberry.field(description="The text.")
    ranges: list[TextRange] = strawberry.field(
        description="The parts of the text that were found, from the left."
    )
    party: Party | None = strawberry.field(
        description="Whose name or reference it is; null unless it is a party's."
    )
    staff: Staff | None = strawberry.field(
        description="Whose name it is; null unless it is a staff member's."
    )

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, matches.Match)


MATCHES = "Where the search has found it, the best match first, at most 20; empty without a search."


async def matches_of(root: strawberry.Parent[ListedEdge]) -> list[SearchMatch]:
    assert root.listing.matches is not None
    told = await root.listing.matches()
    return shown_as(list[SearchMatch], told[root.item.id])


@strawberry.type(description="A case in a list of cases.")
class CaseEdge(Edge[Case]):
    matches: list[SearchMatch] = strawberry.field(
        description=MATCHES, resolver=matches_of, metadata={PRICE: Price.MATCHES}
    )


@strawberry.type(description="A page of cases.")
class CaseConnection(Connection[CaseEdge, Case]):
    @strawberry.field(description=EDGES)
    def edges(root: strawberry.Parent[Listing]) -> list[CaseEdge]:
        return shown_as(list[CaseEdge], listed(root))

    @loading(
        "How many cases of the whole list have each value of a field. A facet is counted without "
        "the filter on its own field: whoever has chosen a status still sees the others. Takes a "
        "count for each field.",
        price=Price.FACETS,
    )
    def facets(by: By, first: MostValues = DEFAULT_VALUES) -> list[Facet]:
        return shown_as(list[Facet], Facets(by, first))


@strawberry.type(description="A case in the list of deleted cases.")
class DeletedCaseEdge(Edge[DeletedCase]):
    pass


@strawberry.type(description="A page of deleted cases.")
class DeletedCaseConnection(Connection[DeletedCaseEdge, DeletedCase]):
    pass


@strawberry.type(description="A party in a list of parties.")
class PartyEdge(Edge[Party]):
    pass


@strawberry.type(description="A page of parties.")
class PartyConnection(Connection[PartyEdge, Party]):
    pass


@strawberry.type(description="A staff member in a list of staff.")
class StaffEdge(Edge[Staff]):
    pass


@strawberry.type(description="A page of staff.")
class StaffConnection(Connection[StaffEdge, Staff]):
    pass


@strawberry.type(description="A role in a list of parties and their roles in cases.")
class CasePartyEdge(Edge[CaseParty]):
    pass


@strawberry.type(description="A page of parties and their roles in cases.")
class CasePartyConnection(Connection[CasePartyEdge, CaseParty]):
    pass


@strawberry.type(description="A role in a list of staff and their roles in cases.")
class CaseStaffEdge(Edge[CaseStaff]):
    pass


@strawberry.type(description="A page of staff and their roles in cases.")
class CaseStaffConnection(Connection[CaseStaffEdge, CaseStaff]):
    pass


@strawberry.type(description="A link in a list of links.")
class CaseLinkEdge(Edge[CaseLink]):
    pass


@strawberry.type(description="A page of a case's links.")
class CaseLinkConnection(Connection[CaseLinkEdge, CaseLink]):
    pass


@strawberry.type(description="An event in a timeline.")
class TimelineEventEdge(Edge[TimelineEvent]):
    pass


@strawberry.type(description="A page of a case's timeline, or of the changes of a workspace.")
class TimelineEventConnection(Connection[TimelineEventEdge, TimelineEvent]):
    pass


@strawberry.type(description="The caller: the API key of this request.")
class Viewer:
    workspace: str = column(
        "workspace_name", "The name of the workspace, that is, of the law firm."
    )
    key_name: str = strawberry.field(description="The name of the API key.")
    mode: Mode = choice("mode", Mode, "Whether the key can access live or sandbox data.")
    scopes: list[str] = strawberry.field(
        description="The scopes of the key, sorted: any of `cases:delete`, `cases:read`, "
        "`cases:write`, `webhooks:write`.",
        resolver=lambda root: sorted(root.scopes),
        metadata={SHOWN: Column("scopes", sorted)},
    )
