"""A stock Strawberry server, as the documentation of its parts teaches.

Strawberry's relay types, DataLoaders, FastAPI and GraphQLRouter; SQLAlchemy's ORM with async
sessions over aiosqlite. Nothing in it is slow on purpose: pages are limited in SQL, which the
documentation's own examples do not do, and every relation is loaded once for all its parents. One
file, since it is one application.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Self

import strawberry
import typer
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from strawberry import relay
from strawberry.dataloader import DataLoader
from strawberry.fastapi import BaseContext, GraphQLRouter
from strawberry.scalars import JSON

from domain.models import CaseStatus, LinkType

Sessions = async_sessionmaker[AsyncSession]
strawberry.enum(CaseStatus, name="CaseStatus")
strawberry.enum(LinkType, name="CaseLinkType")


class Base(DeclarativeBase):
    pass


class CaseRow(Base):
    __tablename__ = "cases"

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    file_number: Mapped[str | None]
    status: Mapped[str]
    type: Mapped[str | None]
    description: Mapped[str | None]
    dezernat: Mapped[str | None]
    created_at: Mapped[str]
    updated_at: Mapped[str]
    version: Mapped[int]
    deleted_at: Mapped[str | None]


class PartyRow(Base):
    __tablename__ = "party"

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class StaffRow(Base):
    __tablename__ = "staff"

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class CasePartyRow(Base):
    __tablename__ = "case_party"

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    party_id: Mapped[str]
    role: Mapped[str]
    number: Mapped[int]


class StaffAssignmentRow(Base):
    __tablename__ = "staff_assignment"

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[str]
    role: Mapped[str]
    number: Mapped[int]


class CaseLinkRow(Base):
    __tablename__ = "case_link"

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    linked_case_id: Mapped[str]
    type: Mapped[str]


class TimelineEventRow(Base):
    __tablename__ = "timeline_event"

    workspace_id: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str]
    case_id: Mapped[str | None]
    type: Mapped[str]
    actor: Mapped[str]
    at: Mapped[str]
    occurred_at: Mapped[str]
    title: Mapped[str | None]
    changes: Mapped[str]


class Context(BaseContext):
    """One request: its sessions and its DataLoaders, each of which answers for many cases."""

    def __init__(self, sessions: Sessions, workspace_id: int) -> None:
        super().__init__()
        self.sessions = sessions
        self.workspace_id = workspace_id
        self.parties = DataLoader(load_fn=self._parties)
        self.staff = DataLoader(load_fn=self._staff)
        self.links = DataLoader(load_fn=self._links)
        self.timeline = DataLoader(load_fn=self._timeline)
        self.party_cases = DataLoader(load_fn=self._party_cases)

    async def rows(self, statement: Any) -> Sequence[Any]:
        async with self.sessions() as session:
            found: Sequence[Any] = (await session.execute(statement)).all()
            return found

    async def _parties(self, case_ids: list[str]) -> list[list[Any]]:
        statement = (
            select(CasePartyRow.case_id, CasePartyRow.number, CasePartyRow.role, PartyRow)
            .join(
                PartyRow,
                (PartyRow.workspace_id == CasePartyRow.workspace_id)
                & (PartyRow.id == CasePartyRow.party_id),
            )
            .where(
                CasePartyRow.workspace_id == self.workspace_id, CasePartyRow.case_id.in_(case_ids)
            )
            .order_by(CasePartyRow.case_id, CasePartyRow.position)
        )
        return _grouped(case_ids, await self.rows(statement))

    async def _staff(self, case_ids: list[str]) -> list[list[Any]]:
        statement = (
            select(
                StaffAssignmentRow.case_id,
                StaffAssignmentRow.number,
                StaffAssignmentRow.role,
                StaffRow,
            )
            .join(
                StaffRow,
                (StaffRow.workspace_id == StaffAssignmentRow.workspace_id)
                & (StaffRow.id == StaffAssignmentRow.staff_id),
            )
            .where(
                StaffAssignmentRow.workspace_id == self.workspace_id,
                StaffAssignmentRow.case_id.in_(case_ids),
            )
            .order_by(StaffAssignmentRow.case_id, StaffAssignmentRow.position)
        )
        return _grouped(case_ids, await self.rows(statement))

    async def _links(self, case_ids: list[str]) -> list[list[Any]]:
        statement = (
            select(CaseLinkRow.case_id, CaseLinkRow, CaseRow)
            .join(
                CaseRow,
                (CaseRow.workspace_id == CaseLinkRow.workspace_id)
                & (CaseRow.id == CaseLinkRow.linked_case_id),
            )
            .where(
                CaseLinkRow.workspace_id == self.workspace_id,
                CaseLinkRow.case_id.in_(case_ids),
                CaseRow.deleted_at.is_(None),
            )
            .order_by(CaseLinkRow.case_id, CaseLinkRow.id)
        )
        return _grouped(case_ids, await self.rows(statement))

    async def _timeline(self, case_ids: list[str]) -> list[list[Any]]:
        statement = (
            select(TimelineEventRow.case_id, TimelineEventRow)
            .where(
                TimelineEventRow.workspace_id == self.workspace_id,
                TimelineEventRow.case_id.in_(case_ids),
            )
            .order_by(TimelineEventRow.case_id, TimelineEventRow.seq.desc())
        )
        return _grouped(case_ids, await self.rows(statement))

    async def _party_cases(self, party_ids: list[str]) -> list[list[Any]]:
        """The newest hundred of each party, which is the longest page: a court has many."""
        place = func.row_number().over(
            partition_by=CasePartyRow.party_id,
            order_by=(CasePartyRow.case_id.desc(), CasePartyRow.role.desc()),
        )
        numbered = (
            select(
                CasePartyRow.party_id,
                CasePartyRow.case_id,
                CasePartyRow.number,
                CasePartyRow.role,
                place.label("place"),
            )
            .where(
                CasePartyRow.workspace_id == self.workspace_id,
                CasePartyRow.party_id.in_(party_ids),
            )
            .subquery()
        )
        statement = (
            select(numbered.c.party_id, numbered.c.number, numbered.c.role, CaseRow)
            .join(CaseRow, CaseRow.id == numbered.c.case_id)
            .where(
                CaseRow.workspace_id == self.workspace_id,
                CaseRow.deleted_at.is_(None),
                numbered.c.place <= 100,
            )
            .order_by(numbered.c.party_id, numbered.c.place)
        )
        return _grouped(party_ids, await self.rows(statement))


def _grouped(parents: list[str], rows: Iterable[Any]) -> list[list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for parent, *row in rows:
        found[parent].append(row)
    return [found[parent] for parent in parents]


Info = strawberry.Info[Context, None]


class Rows:
    """The rows of a statement, of which a connection takes the slice that was asked for."""

    def __init__(self, context: Context, statement: Select[Any]) -> None:
        self._context = context
        self._statement = statement

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._found(self._statement)

    def __getitem__(self, part: slice) -> AsyncIterator[Any]:
        return self._found(self._statement.offset(part.start).limit(part.stop - part.start))

    async def _found(self, statement: Select[Any]) -> AsyncIterator[Any]:
        for (row,) in await self._context.rows(statement):
            yield Case.of(row)


@strawberry.type
class Party(relay.Node):
    local_id: relay.NodeID[str]
    name: str

    @relay.connection(relay.ListConnection["CaseParty"])
    async def cases(self, info: Info) -> Iterable["CaseParty"]:
        return [
            CaseParty(local_id=f"{row.id}/{number}", role=role, party=self, case=Case.of(row))
            for number, role, row in await info.context.party_cases.load(self.local_id)
        ]


@strawberry.type
class Staff(relay.Node):
    local_id: relay.NodeID[str]
    name: str


@strawberry.type
class CaseParty(relay.Node):
    local_id: relay.NodeID[str]
    role: str
    party: Party
    case: "Case"


@strawberry.type
class CaseStaff(relay.Node):
    local_id: relay.NodeID[str]
    role: str
    staff: Staff


@strawberry.type
class Change:
    field: str
    before: JSON | None
    after: JSON | None


@strawberry.type
class TimelineEvent(relay.Node):
    local_id: relay.NodeID[str]
    seq: int
    type: str
    actor: str
    at: str
    occurred_at: str
    title: str | None
    changes: list[Change]

    @classmethod
    def of(cls, row: TimelineEventRow) -> Self:
        return cls(
            local_id=row.id,
            seq=row.seq,
            type=row.type,
            actor=row.actor,
            at=row.at,
            occurred_at=row.occurred_at,
            title=row.title,
            changes=[Change(**change) for change in json.loads(row.changes)],
        )


@strawberry.type
class CaseLink(relay.Node):
    local_id: relay.NodeID[str]
    type: LinkType
    linked_case: "Case"


@strawberry.type
class Case(relay.Node):
    uuid: strawberry.Private[str]
    name: str
    file_number: str | None
    status: CaseStatus
    type: str | None
    description: str | None
    dezernat: str | None
    created_at: str
    updated_at: str
    version: int

    @classmethod
    def of(cls, row: CaseRow) -> Self:
        return cls(
            uuid=row.id,
            name=row.name,
            file_number=row.file_number,
            status=CaseStatus(row.status),
            type=row.type,
            description=row.description,
            dezernat=row.dezernat,
            created_at=row.created_at,
            updated_at=row.updated_at,
            version=row.version,
        )

    @classmethod
    def resolve_id(cls, root: Any, *, info: Any) -> str:
        return str(root.uuid)

    @strawberry.field(name="uuid")
    def plain_id(self) -> str:
        return self.uuid

    @relay.connection(relay.ListConnection[CaseParty])
    async def parties(self, info: Info) -> Iterable[CaseParty]:
        return [
            CaseParty(
                local_id=f"{self.uuid}/{number}",
                role=role,
                party=Party(local_id=row.id, name=row.name),
                case=self,
            )
            for number, role, row in await info.context.parties.load(self.uuid)
        ]

    @relay.connection(relay.ListConnection[CaseStaff])
    async def staff(self, info: Info) -> Iterable[CaseStaff]:
        return [
            CaseStaff(
                local_id=f"{self.uuid}/{number}",
                role=role,
                staff=Staff(local_id=row.id, name=row.name),
            )
            for number, role, row in await info.context.staff.load(self.uuid)
        ]

    @relay.connection(relay.ListConnection[CaseLink])
    async def links(self, info: Info) -> Iterable[CaseLink]:
        return [
            CaseLink(
                local_id=f"{link.case_id}/{link.id}",
                type=LinkType(link.type),
                linked_case=Case.of(linked),
            )
            for link, linked in await info.context.links.load(self.uuid)
        ]

    @relay.connection(relay.ListConnection[TimelineEvent])
    async def timeline(self, info: Info) -> Iterable[TimelineEvent]:
        return [TimelineEvent.of(row) for (row,) in await info.context.timeline.load(self.uuid)]


@strawberry.type
class Query:
    @strawberry.field
    async def case(self, info: Info, id: relay.GlobalID) -> Case | None:
        rows = await info.context.rows(_cases(info.context).where(CaseRow.id == id.node_id))
        return next((Case.of(row) for (row,) in rows), None)

    @relay.connection(relay.ListConnection[Case])
    def cases(self, info: Info) -> AsyncIterable[Case]:
        newest_first = CaseRow.created_at.desc(), CaseRow.id.desc()
        return Rows(info.context, _cases(info.context).order_by(*newest_first))


def _cases(context: Context) -> Select[Any]:
    return select(CaseRow).where(
        CaseRow.workspace_id == context.workspace_id, CaseRow.deleted_at.is_(None)
    )


def application(database: Path, workspace_id: int) -> FastAPI:
    # Without statistics SQLite reads whole tables for a case's timeline and a party's cases, which
    # is the fault of this schema and not of this server.
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("ANALYZE")
    sessions = async_sessionmaker(create_async_engine(f"sqlite+aiosqlite:///{database}"))

    async def context() -> Context:
        return Context(sessions, workspace_id)

    app = FastAPI()
    app.include_router(
        GraphQLRouter(strawberry.Schema(Query), context_getter=context), prefix="/graphql"
    )
    return app


def main(
    database: Annotated[Path, typer.Option()],
    workspace: Annotated[int, typer.Option()],
    port: Annotated[int, typer.Option()],
) -> None:
    """Serve the stock server; started by the benchmark."""
    uvicorn.run(application(database, workspace), port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    typer.run(main)
