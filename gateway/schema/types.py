"""The output types. Each describes a domain value, which is what resolvers are given."""

from typing import Annotated, Any

import strawberry
from strawberry import Parent

from domain import models
from domain.models import CaseStatus, LinkType, Mode, PartyKind
from domain.reading import relations
from domain.reading.paging import relay_paging
from domain.reading.relations import NODE
from gateway import globalids
from gateway.execution.declarations import (
    SHOWN,
    Along,
    Column,
    Embedded,
    GlobalId,
    choice,
    column,
    of_item,
    shown_as,
)
from gateway.execution.loads import ItsCase, RelatedPage, loading
from gateway.schema.connections import After, Before, Connection, Edge, First, Last
from gateway.schema.scalars import JSON, DateTime

Role = Annotated[
    str | None, strawberry.argument(description="Only those with this role, like `client`.")
]
StaffRole = Annotated[
    str | None, strawberry.argument(description="Only those with this role, like `lead_attorney`.")
]
_DATABASE_ID = "The id that the REST routes use. Also taken where an id of this type is asked for."


@strawberry.interface(description="An object with a global id (Relay).")
class Node:
    @strawberry.field(
        description="The global id: opaque, and the same for as long as it exists.",
        metadata={SHOWN: GlobalId()},
    )
    def id(root: Parent[Any]) -> strawberry.ID:
        return strawberry.ID(globalids.of(root))


@strawberry.type(description="A person, organization or court, whatever cases it appears in.")
class Party(Node):
    database_id: str = column("id", _DATABASE_ID)
    kind: PartyKind = choice("kind", PartyKind, "What the party is.")
    name: str = strawberry.field(description="The full name, at most 500 characters.")
    created_at: DateTime = strawberry.field(description="When the party was entered.")
    updated_at: DateTime = strawberry.field(description="When it changed last.")
    version: int = strawberry.field(
        description="Raised by one with every change; for `expectedVersion`."
    )

    @loading("The cases the party has a role in, newest id first.")
    def cases(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        role: Role = None,
    ) -> "PartyCaseConnection":
        paging = relay_paging(first, after, last, before)
        return shown_as(PartyCaseConnection, RelatedPage(relations.PARTY_CASES, paging, role))

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Party)


@strawberry.type(description="Someone who works at the firm.")
class Staff(Node):
    database_id: str = column("id", _DATABASE_ID)
    name: str = strawberry.field(description="The full name, at most 500 characters.")
    email: str | None = strawberry.field(description="The address at the firm, if known.")
    created_at: DateTime = strawberry.field(description="When the staff member was entered.")
    updated_at: DateTime = strawberry.field(description="When they changed last.")
    version: int = strawberry.field(
        description="Raised by one with every change; for `expectedVersion`."
    )

    @loading("The cases the staff member is assigned to, newest id first.")
    def cases(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        role: StaffRole = None,
    ) -> "StaffCaseConnection":
        paging = relay_paging(first, after, last, before)
        return shown_as(StaffCaseConnection, RelatedPage(relations.STAFF_CASES, paging, role))

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Staff)


@strawberry.type(description="One field, before and after.")
class Change:
    field: str = strawberry.field(
        description="The field's name as the REST routes spell it, like `file_number`."
    )
    before: JSON | None = strawberry.field(description="The value before; null if there was none.")
    after: JSON | None = strawberry.field(description="The value after; null if it was removed.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Change)


@strawberry.type(description="What happened in a case. Events are never changed.")
class TimelineEvent(Node):
    database_id: str = column("id", _DATABASE_ID)
    seq: int = strawberry.field(
        description="The number of the event in its workspace, without gaps."
    )
    type: str = strawberry.field(
        description="What happened: `case_updated` and the like for what was written here, "
        "or any word for what was imported."
    )
    actor: str = strawberry.field(description="The name of the API key or command that wrote.")
    at: DateTime = strawberry.field(description="When it was written down.")
    occurred_at: DateTime = strawberry.field(
        description="When it took place: as `at`, but for events from elsewhere."
    )
    title: str | None = strawberry.field(description="A heading, for events from elsewhere.")
    changes: list[Change] = strawberry.field(
        description="What the event changed, field by field.",
        metadata={SHOWN: Embedded("changes")},
    )

    @loading("The case it happened in; null for parties and staff.")
    def case() -> "Case | None":
        return shown_as(Case, ItsCase())

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.TimelineEvent)


@strawberry.type(description="A link between two cases, as seen from one of them.")
class CaseLink(Node):
    database_id: str = column("id", _DATABASE_ID + " The same at both ends.")
    type: LinkType = choice("type", LinkType, "What `linkedCase` is to `case`.")
    created_at: DateTime = strawberry.field(description="When the cases were linked.")

    @loading("The case at this end.")
    def case() -> "Case":
        return shown_as(Case, ItsCase())

    @strawberry.field(
        description="The case at the other end.", metadata={SHOWN: Along(NODE, "linked")}
    )
    def linked_case(root: Parent[models.CaseLink]) -> "Case":
        return shown_as(Case, root.linked)

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.CaseLink)


@strawberry.type(description="A matter the firm works on (Akte).")
class Case(Node):
    uuid: str = column(
        "id",
        "The id that the REST routes use, a UUID. Also taken where the id of a case is asked for.",
    )
    name: str = strawberry.field(
        description="The short title, usually the parties; at most 500 characters."
    )
    file_number: str | None = strawberry.field(
        description="The firm's own reference (Aktenzeichen), like `AZ-2026-042`. No two cases of "
        "a workspace have the same; null if none was given."
    )
    status: CaseStatus = choice("status", CaseStatus, "Where the case stands in its life.")
    type: str | None = strawberry.field(
        description="A free lower-case word, like `litigation`; null if none was given."
    )
    description: str | None = strawberry.field(
        description="What it is about, several lines of plain text, or null."
    )
    dezernat: str | None = strawberry.field(
        description="The department (Dezernat) that works on it, or null."
    )
    created_at: DateTime = strawberry.field(description="When the case was opened.")
    updated_at: DateTime = strawberry.field(
        description="When the case, or its parties, staff or links, changed last."
    )
    version: int = strawberry.field(
        description="1 for a new case, raised by one with every change to it, its parties, staff "
        "or links; for `expectedVersion`, and the ETag of the REST routes."
    )

    @loading("Everyone involved, in the order they were added.")
    def parties(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        role: Role = None,
    ) -> "CasePartyConnection":
        paging = relay_paging(first, after, last, before)
        return shown_as(CasePartyConnection, RelatedPage(relations.CASE_PARTIES, paging, role))

    @loading("Who works on the case, in the order they were assigned.")
    def staff(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        role: StaffRole = None,
    ) -> "CaseStaffConnection":
        paging = relay_paging(first, after, last, before)
        return shown_as(CaseStaffConnection, RelatedPage(relations.CASE_STAFF, paging, role))

    @loading("Links to other cases, in the order they were made.")
    def links(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        type: Annotated[
            LinkType | None, strawberry.argument(description="Only links of this type.")
        ] = None,
    ) -> "CaseLinkConnection":
        paging = relay_paging(first, after, last, before)
        only = None if type is None else str(type.value)
        return shown_as(CaseLinkConnection, RelatedPage(relations.CASE_LINKS, paging, only))

    @loading("What happened in the case, newest first.")
    def timeline(
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> "TimelineEventConnection":
        paging = relay_paging(first, after, last, before)
        return shown_as(TimelineEventConnection, RelatedPage(relations.CASE_TIMELINE, paging))

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Case)


@strawberry.type(description="A case in a list of cases.")
class CaseEdge(Edge[Case]):
    pass


@strawberry.type(description="A page of cases.")
class CaseConnection(Connection[CaseEdge, Case]):
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


_PARTY_ROLE = "The party's role in the case, a lower-case word like `client` or `opponent`."
_REFERENCE = "The party's own reference for the case, or null."
_STAFF_ROLE = "Their role in the case, a lower-case word like `lead_attorney`."
_NOTE = "A note on the assignment, or null."


@strawberry.type(description="A party's role in a case.")
class CasePartyEdge(Edge[Party]):
    role: str = of_item("role", _PARTY_ROLE)
    reference: str | None = of_item("reference", _REFERENCE)
    added_at: DateTime = of_item("added_at", "When the party was added to the case.")


@strawberry.type(description="A page of a case's parties.")
class CasePartyConnection(Connection[CasePartyEdge, Party]):
    pass


@strawberry.type(description="A party's role in a case, seen from the party.")
class PartyCaseEdge(Edge[Case]):
    role: str = of_item("role", _PARTY_ROLE)
    reference: str | None = of_item("reference", _REFERENCE)
    added_at: DateTime = of_item("added_at", "When the party was added to the case.")


@strawberry.type(description="A page of a party's cases.")
class PartyCaseConnection(Connection[PartyCaseEdge, Case]):
    pass


@strawberry.type(description="A staff member's role in a case.")
class CaseStaffEdge(Edge[Staff]):
    role: str = of_item("role", _STAFF_ROLE)
    note: str | None = of_item("note", _NOTE)
    assigned_at: DateTime = of_item("assigned_at", "When they were assigned to the case.")


@strawberry.type(description="A page of a case's staff.")
class CaseStaffConnection(Connection[CaseStaffEdge, Staff]):
    pass


@strawberry.type(description="A staff member's role in a case, seen from the staff member.")
class StaffCaseEdge(Edge[Case]):
    role: str = of_item("role", _STAFF_ROLE)
    note: str | None = of_item("note", _NOTE)
    assigned_at: DateTime = of_item("assigned_at", "When they were assigned to the case.")


@strawberry.type(description="A page of a staff member's cases.")
class StaffCaseConnection(Connection[StaffCaseEdge, Case]):
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


@strawberry.type(description="A page of a case's timeline.")
class TimelineEventConnection(Connection[TimelineEventEdge, TimelineEvent]):
    pass


@strawberry.type(description="Who asks: what the API key of this request stands for.")
class Viewer:
    workspace: str = column("workspace_name", "The name of the workspace, the law firm.")
    key_name: str = strawberry.field(description="The name the API key was given.")
    mode: Mode = choice("mode", Mode, "Whether the key sees live or sandbox data.")
    scopes: list[str] = strawberry.field(
        description="What the key may do: `cases:read`, `cases:write`, `cases:delete`.",
        resolver=lambda root: sorted(root.scopes),
        metadata={SHOWN: Column("scopes", sorted)},
    )
