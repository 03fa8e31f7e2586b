"""One batch of an import: the lines of one transaction, and the rows they become.

One file, since every step looks up and adds to the same state of the batch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import count
from typing import Any

from sqlalchemy import select

from domain import folding, ids
from domain.access.principal import Principal
from domain.models import Case, Change, Party, Staff
from domain.storage.database import Transaction
from domain.storage.tables import cases, party, staff, timeline_event
from domain.transfer.lines import Involved, Line
from domain.transfer.marks import known, mark_of, present, remember
from domain.writing import role_rows, rows, timeline
from domain.writing.cases import CASE_FIELDS, owners_of_numbers
from domain.writing.register import PARTY_FIELDS, STAFF_FIELDS
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES, Role, RoleTable
from domain.writing.timeline import NewEvent

ROW_FIELDS = ("created_at", "updated_at", "version")
"""The fields that an import may set, beside those that callers write."""


class OnConflict(StrEnum):
    """How to treat a line whose file number or id already belongs to another case."""

    REJECT = "reject"
    SKIP = "skip"
    UPDATE = "update"


@dataclass(slots=True)
class Report:
    """Counts of an import. *unchanged* lines were imported before or brought nothing new."""

    imported: int = 0
    updated: int = 0
    skipped: int = 0
    unchanged: int = 0
    rejected: int = 0
    parties: int = 0
    staff: int = 0
    links: int = 0
    guessed: int = 0
    """Parties of which the file does not tell the kind, but their names do."""


@dataclass(slots=True)
class Batch:
    """The lines of one transaction, the existing rows they meet, and the rows to insert."""

    who: Principal
    db: Transaction
    source: str
    on_conflict: OnConflict
    report: Report
    reject: Callable[[Line, str], None]
    linked: list[tuple[Line, str]] = field(default_factory=list)
    # What the workspace already holds, or will hold after flush().
    marks: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, list[str]] = field(default_factory=dict)
    case_ids: set[str] = field(default_factory=set)
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    event_ids: set[str] = field(default_factory=set)
    kept: dict[str, str] = field(default_factory=dict)
    # Rows for flush().
    new_marks: dict[str, str] = field(default_factory=dict)
    parties: list[Party] = field(default_factory=list)
    staff: list[Staff] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    party_roles: list[Role] = field(default_factory=list)
    staff_roles: list[Role] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)

    async def load(self, lines: list[Line]) -> None:
        """Look up everything the lines name, with one statement per table."""
        names = [
            mark_of(kind, self.source, one.name)
            for line in lines
            for kind, involved in (("party", line.parties), ("staff", line.staff))
            for one in involved
            if one.name
        ]
        marks = [*(line.mark for line in lines), *names]
        self.marks = await known(self.db, self.who, marks)
        case_ids = [line.id for line in lines if line.id]
        self.case_ids = {row[0] for row in await self._present(cases.c.id, case_ids)}
        numbers = [number for line in lines if (number := line.values.get("file_number"))]
        self.numbers = await owners_of_numbers(self.db, self.who, numbers)
        party_ids = {one.id for line in lines for one in line.parties if one.id}
        self.kept = await rows.kept_ids(self.db, self.who, party_ids)
        for kind, table in (("parties", party), ("staff", staff)):
            node_ids = {one.id for line in lines for one in getattr(line, kind) if one.id}
            node_ids |= set(self.marks.values()) | set(self.kept.values())
            self.names[kind] = dict(await self._present(table.c.id, [*node_ids], table.c.name))
        event_ids = [event.id for line in lines for event in _events(line) if event.id]
        self.event_ids = {row[0] for row in await self._present(timeline_event.c.id, event_ids)}

    async def take(self, line: Line) -> None:
        """Queue a line's rows for flush(), update its case, or reject the line."""
        if any(one.id in self.kept for one in line.parties):
            parties = [replace(one, id=self.kept.get(one.id or "", one.id)) for one in line.parties]
            line = replace(line, parties=parties)
        if line.mark in self.marks:
            self.report.unchanged += 1
            if line.links:
                self.linked.append((line, self.marks[line.mark]))
            return
        event_ids = [event.id for event in line.events if event.id]
        of_all = [event.id for event in _events(line) if event.id]
        if len(set(of_all)) < len(of_all):
            self.reject(line, "timeline: Two events have the same id.")
            return
        numbers = [one.number for one in (*line.parties, *line.staff) if one.number]
        if len(set(numbers)) < len(numbers):
            self.reject(line, "number: Two roles have the same number.")
            return
        if refusal := self._unknown_id(line) or self._known_event(line):
            self.reject(line, refusal)
            return
        if not line.is_case:
            self._involve(line.parties, "parties")
            self._involve(line.staff, "staff")
            self._mark(line.mark, "")
            return
        conflict = self._conflict(line)
        if conflict is None and self.event_ids & set(event_ids):
            self.reject(line, "timeline: An event with this id already exists.")
        elif conflict is None:
            self._open(line)
        elif self.on_conflict is OnConflict.SKIP:
            self.report.skipped += 1
        elif self.on_conflict is OnConflict.UPDATE and conflict[0] is not None:
            await self.flush()
            await self._update(line, conflict[0])
        else:
            self.reject(line, conflict[1])

    def _conflict(self, line: Line) -> tuple[str | None, str] | None:
        """The case a line conflicts with, if any, and the reason to reject the line."""
        number = line.values.get("file_number")
        owners = self.numbers.get(folding.number_key(number) or "", [])
        if line.id is not None and line.id in self.case_ids:
            if owners and line.id not in owners:
                return None, "id: The id and the file number belong to two different cases."
            return line.id, "id: A case with this id already exists or was deleted."
        if owners:
            owner = owners[0] if len(owners) == 1 else None
            return owner, f"file_number: Another case has the file number {number}."
        return None

    def _unknown_id(self, line: Line) -> str | None:
        """The reason to reject a line that names someone only by an unknown id."""
        for kind in ("parties", "staff"):
            for one in getattr(line, kind):
                if one.name is None and one.id not in self.names[kind]:
                    return f"{kind}: There is no {one.id}; give a name as well."
        return None

    def _known_event(self, line: Line) -> str | None:
        """The reason to reject a line that gives a new party or staff member a recorded event."""
        for kind in ("parties", "staff"):
            for one in getattr(line, kind):
                new = self._known_id(one, kind) not in self.names[kind]
                if new and any(event.id in self.event_ids for event in one.events):
                    return f"{kind}: An event with this id already exists."
        return None

    def _open(self, line: Line) -> None:
        now = self.db.now
        created_at = line.created_at or (min(now, line.updated_at) if line.updated_at else now)
        case = Case(
            id=line.id or ids.new_case_id(),
            **line.values,
            created_at=created_at,
            updated_at=line.updated_at or created_at,
            version=line.version,
        )
        party_ids = self._involve(line.parties, "parties")
        staff_ids = self._involve(line.staff, "staff")
        # Two names on one line may be the same party, who gets each role only once.
        party_roles = self._roles(case.id, 1, line.parties, party_ids)
        staff_roles = self._roles(case.id, 1 + len(party_roles), line.staff, staff_ids)
        numbered = _numbered([*party_roles, *staff_roles])
        self.party_roles += numbered[: len(party_roles)]
        self.staff_roles += numbered[len(party_roles) :]
        self.cases.append(case)
        self.positions.append(max((role.number for role in numbered), default=0))
        self.case_ids.add(case.id)
        if key := folding.number_key(case.file_number):
            self.numbers[key] = [case.id]
        self.event_ids |= {event.id for event in line.events if event.id}
        changes = timeline.changes_between(None, case, (*CASE_FIELDS, *ROW_FIELDS))
        for table, roles in (
            (PARTY_ROLES, numbered[: len(party_roles)]),
            (STAFF_ROLES, numbered[len(party_roles) :]),
        ):
            changes += self._changes(table, roles, whole=True)
        self.events.append(NewEvent("case_imported", case_id=case.id, changes=changes))
        self.events += [replace(event, case_id=case.id) for event in line.events]
        self._mark(line.mark, case.id)
        self.report.imported += 1
        if line.links:
            self.linked.append((line, case.id))

    async def _update(self, line: Line, case_id: str) -> None:
        """Update an existing case from a line; nothing is removed from the case."""
        if await self._is_deleted(case_id):
            self.reject(line, "id: The case with this id was deleted.")
            return
        case = await rows.case_to_change(self.db, self.who, case_id)
        changed = {
            name: value
            for name, value in line.values.items()
            if name in line.mentioned and value != getattr(case, name)
        }
        events = await self._new_events(line, case_id)
        if self.event_ids & {event.id for event in events if event.id}:
            self.reject(line, "timeline: An event with this id already exists.")
            return
        lists = ((PARTY_ROLES, line.parties), (STAFF_ROLES, line.staff))
        present = [
            await role_rows.roles_of(self.db, self.who, table, case_id) for table, _ in lists
        ]
        missing = [
            self._missing(table, there, involved)
            for (table, involved), there in zip(lists, present, strict=True)
        ]
        for (table, _), there, more in zip(lists, present, missing, strict=True):
            if len(there) + len(more) > table.most:
                self.reject(line, f"{table.field}: A case may have at most {table.most:,}.")
                return
        changes = [Change(name, getattr(case, name), value) for name, value in changed.items()]
        for (table, _), more in zip(lists, missing, strict=True):
            changes += await self._add_roles(case_id, table, more)
        if not changes and not events:
            self.report.unchanged += 1
        else:
            await rows.touch(self.db, self.who, case, **changed)
            self.events.append(NewEvent("case_updated", case_id=case_id, changes=changes))
            self.events += events
            self.event_ids |= {event.id for event in events if event.id}
            self.report.updated += 1
        if "file_number" in changed:
            if key := folding.number_key(case.file_number):
                self.numbers[key] = [id for id in self.numbers.get(key, []) if id != case_id]
            if key := folding.number_key(changed["file_number"]):
                self.numbers[key] = [*self.numbers.get(key, []), case_id]
        self._mark(line.mark, case_id)
        if line.links:
            self.linked.append((line, case_id))
        await self.flush()

    def _missing(
        self, table: RoleTable, present: Iterable[Role], involved: Iterable[Involved]
    ) -> list[Involved]:
        """The entries of a line whose roles the case does not have yet."""
        occupied = {(role.node_id, role.role) for role in present}
        return [
            one for one in involved if (self._known_id(one, table.field), one.role) not in occupied
        ]

    async def _add_roles(
        self, case_id: str, table: RoleTable, involved: Sequence[Involved]
    ) -> list[Change]:
        # The numbers of a file are those of another case.
        involved = [replace(one, number=None) for one in involved]
        node_ids = self._involve(involved, table.field)
        await self.flush()
        # Two names on one line may be the same party, who gets each role only once.
        count = len({(id, one.role) for id, one in zip(node_ids, involved, strict=True)})
        first = await role_rows.next_position(self.db, self.who, case_id, count)
        new = self._roles(case_id, first, involved, node_ids)
        await role_rows.insert_roles(self.db, self.who.workspace_id, table, new)
        return self._changes(table, new)

    async def _new_events(self, line: Line, case_id: str) -> list[NewEvent]:
        c = timeline_event.c
        rows = await self.db.rows(
            select(c.type, c.occurred_at, c.title).where(
                c.workspace_id == self.who.workspace_id, c.case_id == case_id
            )
        )
        existing = {tuple(row) for row in rows}
        return [
            replace(event, case_id=case_id)
            for event in line.events
            if event.type != "case_created"
            and (event.type, event.occurred_at, event.title) not in existing
        ]

    def _involve(self, involved: Iterable[Involved], kind: str) -> list[str]:
        """The ids of parties or staff; new ones are queued for flush()."""
        return [self._node(one, kind) for one in involved]

    def _name_mark(self, one: Involved, kind: str) -> str:
        table = "party" if kind == "parties" else "staff"
        return mark_of(table, self.source, one.name) if one.name else ""

    def _known_id(self, one: Involved, kind: str) -> str | None:
        """The id of a party or staff member, or None for a new one."""
        return one.id or self.marks.get(self._name_mark(one, kind))

    def _node(self, one: Involved, kind: str) -> str:
        is_party = kind == "parties"
        names = self.names[kind]
        mark = self._name_mark(one, kind)
        if one.id is None and mark in self.marks:
            self._tell([event for event in one.events if event.id], self.marks[mark])
            return self.marks[mark]
        if one.id is not None and mark and mark not in self.marks:
            # From here on, the name alone also means this one.
            self._mark(mark, one.id)
        if one.id is not None and one.id in names:
            self._tell([event for event in one.events if event.id], one.id)
            return one.id
        id = one.id or ids.new_id(ids.PARTY if is_party else ids.STAFF)
        name = one.name or id
        created_at = one.created_at or self.db.now
        updated_at = max(created_at, one.updated_at or created_at)
        if is_party:
            new_party = Party(id, str(one.detail), name, created_at, updated_at, one.version)
            self.parties.append(new_party)
            told = timeline.changes_between(None, new_party, (*PARTY_FIELDS, *ROW_FIELDS))
            self.report.parties += 1
            self.report.guessed += one.guessed
        else:
            member = Staff(id, name, one.detail, created_at, updated_at, one.version)
            self.staff.append(member)
            told = timeline.changes_between(None, member, (*STAFF_FIELDS, *ROW_FIELDS))
            self.report.staff += 1
        imported = "party_imported" if is_party else "staff_imported"
        self.events.append(NewEvent(imported, subject_id=id, changes=told))
        self._tell(one.events, id)
        names[id] = name
        if one.id is None:
            self._mark(mark, id)
        return id

    def _tell(self, events: Iterable[NewEvent], id: str) -> None:
        """Queue the events of a party or staff member, unless they are recorded already."""
        for event in events:
            if event.id not in self.event_ids:
                self.events.append(replace(event, subject_id=id))
                if event.id:
                    self.event_ids.add(event.id)

    def _roles(
        self, case_id: str, first: int, involved: Iterable[Involved], node_ids: Iterable[str]
    ) -> list[Role]:
        rows: dict[tuple[str, str], Role] = {}
        for one, node_id in zip(involved, node_ids, strict=True):
            rows.setdefault(
                (node_id, one.role),
                Role(
                    case_id,
                    first + len(rows),
                    node_id,
                    one.role,
                    one.remark,
                    one.since or self.db.now,
                    one.number or 0,
                ),
            )
        return list(rows.values())

    def _changes(
        self, table: RoleTable, new: Sequence[Role], *, whole: bool = False
    ) -> list[Change]:
        """New roles as the timeline shows them; *whole* with what the file said of their rows."""
        told = role_rows.described(table, new, self.names[table.field])
        if whole:
            for one, role in zip(told, new, strict=True):
                one |= {"position": role.position, table.since: role.since}
        return [Change(table.field, None, one) for one in told]

    def _mark(self, mark: str, object_id: str) -> None:
        self.marks[mark] = self.new_marks[mark] = object_id

    async def _is_deleted(self, case_id: str) -> bool:
        deleted = select(cases.c.deleted_at).where(
            cases.c.workspace_id == self.who.workspace_id, cases.c.id == case_id
        )
        row = await self.db.first(deleted)
        return row is not None and row[0] is not None

    async def flush(self) -> None:
        """Insert the queued rows, in an order the foreign keys allow."""
        workspace_id = self.who.workspace_id
        await rows.insert_parties(self.db, workspace_id, self.parties)
        await rows.insert_staff(self.db, workspace_id, self.staff)
        await rows.insert_cases(self.db, workspace_id, self.cases, self.positions)
        await role_rows.insert_roles(self.db, workspace_id, PARTY_ROLES, self.party_roles)
        await role_rows.insert_roles(self.db, workspace_id, STAFF_ROLES, self.staff_roles)
        await timeline.record(self.db, workspace_id, self.who.key_name, self.events)
        await remember(self.db, self.who, self.new_marks)
        for pending in (
            self.parties,
            self.staff,
            self.cases,
            self.positions,
            self.party_roles,
            self.staff_roles,
            self.events,
            self.new_marks,
        ):
            pending.clear()

    async def _present(
        self, column: Any, values: list[str], *more: Any, where: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """The workspace's rows whose *column* is one of *values*: that column, then *more*."""
        return await present(self.db, self.who, column, values, *more, where=where)


def _events(line: Line) -> list[NewEvent]:
    """The events of a line: those of its case, and those of its parties and staff."""
    involved = (*line.parties, *line.staff)
    return [*line.events, *(event for one in involved for event in one.events)]


def _numbered(roles: list[Role]) -> list[Role]:
    """The roles of a new case, at positions from 1 on; who has no number gets a free one."""
    fresh = count(1 + max((max(role.number, role.position) for role in roles), default=0))
    given = any(role.number for role in roles)
    return [
        role if role.number else replace(role, number=next(fresh) if given else role.position)
        for role in roles
    ]
