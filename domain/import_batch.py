"""A batch of an import: checked lines against the database, and then into it.

All that the lines refer to is looked up first, in a few statements; then line after line is
decided in memory and, if it stands, put on the heap of rows to be written. A line that is refused
leaves nothing on the heap, so it does not touch the others.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, insert, select

from domain import ids, register, store, texts, timeline
from domain.auth import Principal
from domain.casework import CASE_FIELDS
from domain.database import Transaction
from domain.errors import CaseNotFound, FileNumberTaken, Invalid, Refused, invalid
from domain.import_lines import (
    CaseLine,
    LinkWanted,
    Part,
    Person,
    RegisterLine,
    link_mark,
    name_mark,
    reason_of,
)
from domain.models import Case, CaseStatus, Change, Party, Staff
from domain.prepared import each
from domain.store import PARTY_ROLES, STAFF_ROLES, Role, RoleTable
from domain.tables import cases, imported, timeline_event
from domain.timeline import NewEvent

_REGISTERED = "register"
"""What the mark of a register line points to."""
_Roles = list[tuple[str, Part]]


class OnConflict(StrEnum):
    """What becomes of a line whose case id or file number is taken."""

    REJECT = "reject"
    UPDATE = "update"
    SKIP = "skip"


@dataclass(slots=True)
class Tally:
    imported: int = 0
    updated: int = 0
    skipped: int = 0
    unchanged: int = 0
    parties: int = 0
    staff: int = 0
    links: int = 0
    events: int = 0

    def add(self, other: "Tally") -> None:
        for one in fields(Tally):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a line: why it was refused, or its case and the links still to be made."""

    reason: str | None = None
    case_id: str | None = None
    links: Sequence[tuple[LinkWanted, str]] = ()


@dataclass(slots=True)
class _People:
    """The parties, or the staff, that the lines of a batch name."""

    kind: str
    names: dict[str, str] = field(default_factory=dict)  # of those that are there, by id
    new: list[Any] = field(default_factory=list)  # to be written

    def made(self, person: Person, id: str, now: str) -> Party | Staff:
        created_at = person.created_at or now
        since = (created_at, person.updated_at or created_at, person.version)
        assert person.name is not None
        if self.kind == "party":
            return Party(id, person.detail or "", person.name, *since)
        return Staff(id, person.name, person.detail, *since)

    def new_id(self) -> str:
        return ids.new_id(ids.PARTY if self.kind == "party" else ids.STAFF)


@dataclass(slots=True)
class _Found:
    """Who the people of one line are, and what is to be remembered if the line stands."""

    who: list[str] = field(default_factory=list)
    new: dict[str, Party | Staff] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)


class Batch:
    """One transaction of an import. *made* tells of each new case whether its line gave a version.

    After write(), *tally* holds what was done; it counts only once the transaction is committed.
    """

    def __init__(
        self, db: Transaction, who: Principal, source: str, on_conflict: OnConflict
    ) -> None:
        self.tally = Tally()
        self.made: dict[str, bool] = {}
        self._db = db
        self._who = who
        self._source = source
        self._on_conflict = on_conflict
        self._marks: dict[str, str] = {}
        self._ids: dict[str, bool] = {}  # case ids that are taken; whether the case is visible
        self._numbers: dict[str, str] = {}  # file numbers that are taken, by which case
        self._event_ids: dict[str, str | None] = {}
        self._people = {PARTY_ROLES.field: _People("party"), STAFF_ROLES.field: _People("staff")}
        self._cases: dict[str, tuple[Case, int]] = {}
        self._changed: set[str] = set()
        self._roles: dict[str, list[Role]] = {PARTY_ROLES.field: [], STAFF_ROLES.field: []}
        self._events: list[NewEvent] = []
        self._new_marks: dict[str, str] = {}

    async def write(self, lines: Sequence[CaseLine | RegisterLine]) -> list[Outcome]:
        """Write those lines that stand; what became of each."""
        await self._look_up(lines)
        outcomes = []
        for line in lines:
            try:
                if isinstance(line, RegisterLine):
                    outcomes.append(self._registered(line))
                else:
                    outcomes.append(await self._case(line))
            except Invalid as error:
                outcomes.append(Outcome(reason_of(error)))
            except Refused as error:
                outcomes.append(Outcome(error.message))
        await self._flush()
        return outcomes

    async def _look_up(self, lines: Sequence[CaseLine | RegisterLine]) -> None:
        of_cases = [line for line in lines if isinstance(line, CaseLine)]
        people = [(kind, one) for line in lines for kind, one in _people_of(line)]
        marks = {line.mark for line in lines}
        marks |= {
            link_mark(line.mark, index) for line in of_cases for index in range(len(line.links))
        }
        marks |= {
            name_mark(self._people[kind].kind, self._source, one.name)
            for kind, one in people
            if one.name is not None
        }
        rows = await self._listed(imported, imported.c.id, marks, imported.c.object_id)
        self._marks = {row.id: row.object_id for row in rows}
        case_ids = {line.id for line in of_cases if line.id}
        for row in await self._listed(cases, cases.c.id, case_ids, cases.c.deleted_at):
            self._ids[row.id] = row.deleted_at is None
        numbers = {number for line in of_cases if (number := line.values.get("file_number"))}
        taken = await self._listed(
            cases, cases.c.file_number, numbers, cases.c.id, cases.c.deleted_at
        )
        for row in taken:
            if row.deleted_at is None:
                self._numbers[row.file_number] = row.id
                self._ids[row.id] = True
        events = {event.id for line in of_cases for event in line.events if event.id}
        c = timeline_event.c
        for row in await self._listed(timeline_event, c.id, events, c.case_id):
            self._event_ids[row.id] = row.case_id
        for field_name, group in self._people.items():
            named = {one.id for kind, one in people if kind == field_name and one.id}
            named |= set(self._marks.values())
            group.names = await store.names_of(
                self._db, self._who.workspace_id, group.kind, named
            )

    def _registered(self, line: RegisterLine) -> Outcome:
        if line.mark in self._marks:
            self.tally.unchanged += 1
            return Outcome()
        found = {
            PARTY_ROLES.field: self._find(PARTY_ROLES.field, line.parties),
            STAFF_ROLES.field: self._find(STAFF_ROLES.field, line.staff),
        }
        self._enter(found)
        self._remember({line.mark: _REGISTERED})
        return Outcome()

    async def _case(self, line: CaseLine) -> Outcome:
        if (known := self._marks.get(line.mark)) is not None:
            self.tally.unchanged += 1
            return self._outcome(line, known)
        target = self._conflict(line)
        if target is None:
            return self._outcome(line, self._new_case(line))
        if self._on_conflict is OnConflict.SKIP:
            self.tally.skipped += 1
            return Outcome()
        return self._outcome(line, await self._update(line, target))

    def _conflict(self, line: CaseLine) -> str | None:
        """The case that has the line's id or else its file number. Raises Refused if it must."""
        number = line.values.get("file_number")
        owner = self._numbers.get(number) if number else None
        if line.id is not None and line.id in self._ids:
            if self._on_conflict is OnConflict.REJECT:
                raise invalid(f"There is or was a case with the id {line.id} already.", "id")
            if self._on_conflict is OnConflict.UPDATE and not self._ids[line.id]:
                raise CaseNotFound(line.id)
            return line.id
        if owner is not None and self._on_conflict is OnConflict.REJECT:
            raise FileNumberTaken(str(number))
        return owner

    def _new_case(self, line: CaseLine) -> str:
        now = self._db.now
        created_at = line.created_at or now
        values = dict.fromkeys(CASE_FIELDS) | {"status": CaseStatus.ACTIVE.value} | line.values
        case = Case(
            id=line.id or ids.new_case_id(),
            **values,
            created_at=created_at,
            updated_at=line.updated_at or created_at,
            version=line.version or 1,
        )
        events = self._own_events(line, case.id, set())
        found, wanted = self._find_roles(line)
        told = [event.type for event in events]
        position = 1
        rows: dict[str, list[Role]] = {}
        for table in (PARTY_ROLES, STAFF_ROLES):
            rows[table.field] = _rows(
                table, case.id, wanted[table.field], position, case.created_at
            )
            position += len(rows[table.field])
        self._enter(found)
        if "case_created" not in told:
            changes = timeline.changes_between(None, case, CASE_FIELDS)
            changes += self._described(rows)
            first = NewEvent(
                "case_created", case_id=case.id, changes=changes, occurred_at=case.created_at
            )
            events.insert(0, first)
        self._cases[case.id] = (case, position - 1)
        self._ids[case.id] = True
        if case.file_number is not None:
            self._numbers[case.file_number] = case.id
        self.made[case.id] = line.version is not None
        self.tally.imported += 1
        self._put(line, case.id, rows, events)
        return case.id

    async def _update(self, line: CaseLine, target: str) -> str:
        if target in self._changed:
            # What an earlier line put on the heap for this case must be seen below.
            await self._flush()
        db, who = self._db, self._who
        case = await store.case_to_change(db, who, target)
        values = {
            name: value for name, value in line.values.items() if value != getattr(case, name)
        }
        number = values.get("file_number")
        if number is not None and self._numbers.get(number, case.id) != case.id:
            raise FileNumberTaken(number)
        present = await self._events_of(case.id)
        events = self._own_events(line, case.id, present)
        found, wanted = self._find_roles(line)
        rows: dict[str, list[Role]] = {}
        for table in (PARTY_ROLES, STAFF_ROLES):
            before = await store.roles_of(db, who, table, case.id)
            taken = {(role.node_id, role.role) for role in before}
            added = [one for one in wanted[table.field] if (one[0], one[1].role) not in taken]
            if len(before) + len(added) > table.most:
                raise invalid(
                    f"A case may have at most {table.most} {table.field}.", table.field
                )
            rows[table.field] = _rows(table, case.id, added, 1, db.now)
        count = sum(map(len, rows.values()))
        if not (values or count or events):
            self.tally.unchanged += 1
            self._remember({line.mark: case.id})
            return case.id
        if count:
            first = await store.next_position(db, who, case.id, count)
            for table in (PARTY_ROLES, STAFF_ROLES):
                rows[table.field] = [
                    replace(role, position=first + index)
                    for index, role in enumerate(rows[table.field])
                ]
                first += len(rows[table.field])
        touched = await store.touch(db, who, case, **values)
        if case.file_number is not None and "file_number" in values:
            del self._numbers[case.file_number]
        if touched.file_number is not None:
            self._numbers[touched.file_number] = case.id
        self._enter(found)
        changes = timeline.changes_between(case, touched, CASE_FIELDS) + self._described(rows)
        if changes:
            events.insert(0, NewEvent("case_updated", case_id=case.id, changes=changes))
        self.tally.updated += 1
        self._put(line, case.id, rows, events)
        return case.id

    def _own_events(
        self, line: CaseLine, case_id: str, present: set[tuple[str, str, str | None]]
    ) -> list[NewEvent]:
        """The line's entries which the case does not have yet. Raises Invalid for a taken id."""
        own: list[NewEvent] = []
        given: set[str] = set()
        types = {kind for kind, _at, _title in present}
        for index, event in enumerate(line.events):
            at = event.occurred_at or event.at or self._db.now
            if (event.type, at, event.title) in present:
                continue
            if event.type == "case_created" and "case_created" in types:
                continue
            if event.id is not None:
                if event.id in given or event.id in self._event_ids:
                    if self._event_ids.get(event.id) == case_id and event.id not in given:
                        continue
                    raise invalid(
                        "Another event has this id.", "timeline", str(index), "id"
                    )
                given.add(event.id)
            own.append(replace(event, case_id=case_id))
        return own

    async def _events_of(self, case_id: str) -> set[tuple[str, str, str | None]]:
        c = timeline_event.c
        rows = await self._db.rows(
            select(c.type, c.occurred_at, c.title).where(
                c.workspace_id == self._who.workspace_id, c.case_id == case_id
            )
        )
        return {(row.type, row.occurred_at, row.title) for row in rows}

    def _find_roles(self, line: CaseLine) -> tuple[dict[str, _Found], dict[str, _Roles]]:
        found: dict[str, _Found] = {}
        wanted: dict[str, _Roles] = {}
        for table, parts in ((PARTY_ROLES, line.parties), (STAFF_ROLES, line.staff)):
            people = self._find(table.field, [part.person for part in parts])
            found[table.field] = people
            wanted[table.field] = _merged(zip(people.who, parts, strict=True))
        return found, wanted

    def _find(self, field_name: str, people: Sequence[Person]) -> _Found:
        """Who these people are: those with a known id or name, or else new ones."""
        group = self._people[field_name]
        found = _Found()
        for index, person in enumerate(people):
            mark = name_mark(group.kind, self._source, person.name) if person.name else None
            by_name = mark and (self._marks.get(mark) or found.marks.get(mark))
            id = person.id or by_name or group.new_id()
            if id not in group.names and id not in found.new:
                if person.name is None:
                    raise invalid(
                        f"No {group.kind} has this id, and a new one needs a name.",
                        field_name,
                        str(index),
                        "name",
                    )
                found.new[id] = group.made(person, id, self._db.now)
            if mark and not by_name:
                found.marks[mark] = id
            found.who.append(id)
        return found

    def _enter(self, found: dict[str, _Found]) -> None:
        for field_name, people in found.items():
            group = self._people[field_name]
            for person in people.new.values():
                group.names[person.id] = person.name
                group.new.append(person)
                told = (
                    register.party_created(person)
                    if isinstance(person, Party)
                    else register.staff_created(person)
                )
                self._events.append(replace(told, occurred_at=person.created_at))
            self._remember(people.marks)
        self.tally.parties += len(found[PARTY_ROLES.field].new)
        self.tally.staff += len(found[STAFF_ROLES.field].new)

    def _described(self, rows: dict[str, list[Role]]) -> list[Change]:
        """New roles as the timeline tells of them."""
        changes = []
        for table in (PARTY_ROLES, STAFF_ROLES):
            names = self._people[table.field].names
            for role in rows[table.field]:
                told = {"id": role.node_id, "name": names[role.node_id], "role": role.role}
                changes.append(Change(table.field, None, told | {table.remark: role.remark}))
        return changes

    def _put(
        self, line: CaseLine, case_id: str, rows: dict[str, list[Role]], events: list[NewEvent]
    ) -> None:
        for field_name, added in rows.items():
            self._roles[field_name] += added
        self._events += events
        self._event_ids |= {event.id: case_id for event in events if event.id}
        self._changed.add(case_id)
        self._remember({line.mark: case_id})

    def _remember(self, marks: dict[str, str]) -> None:
        self._marks |= marks
        self._new_marks |= marks

    def _outcome(self, line: CaseLine, case_id: str) -> Outcome:
        marked = [(link, link_mark(line.mark, index)) for index, link in enumerate(line.links)]
        return Outcome(
            case_id=case_id, links=[one for one in marked if one[1] not in self._marks]
        )

    async def _flush(self) -> None:
        """Write the heap, in the order in which rows refer to each other."""
        db, workspace_id = self._db, self._who.workspace_id
        await store.insert_parties(db, workspace_id, self._people[PARTY_ROLES.field].new)
        await store.insert_staff(db, workspace_id, self._people[STAFF_ROLES.field].new)
        new = list(self._cases.values())
        await store.insert_cases(
            db, workspace_id, [case for case, _last in new], [last for _case, last in new]
        )
        for table in (PARTY_ROLES, STAFF_ROLES):
            await store.insert_roles(db, workspace_id, table, self._roles[table.field])
            self._roles[table.field] = []
            self._people[table.field].new = []
        self.tally.events += len(self._events)
        await timeline.record(db, workspace_id, self._who.key_name, self._events)
        await remember(db, workspace_id, self._new_marks)
        self._cases, self._changed, self._events, self._new_marks = {}, set(), [], {}

    async def _listed(
        self, table: Any, column: Any, wanted: Iterable[str], *more: Any
    ) -> Sequence[Any]:
        """*column* and *more* of the rows whose column is among *wanted*."""
        values = sorted(wanted)
        if not values:
            return []
        return await self._db.rows(
            select(column, *more).where(
                table.c.workspace_id == self._who.workspace_id,
                column.in_(select(each.value(bindparam("wanted")).c.value)),
            ),
            {"wanted": json.dumps(values)},
        )


async def remember(db: Transaction, workspace_id: int, marks: dict[str, str]) -> None:
    """Note what an import brought in."""
    rows = [
        {"workspace_id": workspace_id, "id": mark, "object_id": object_id}
        for mark, object_id in marks.items()
    ]
    await db.run(insert(imported), rows)


def _people_of(line: CaseLine | RegisterLine) -> Iterable[tuple[str, Person]]:
    for field_name, people in (("parties", line.parties), ("staff", line.staff)):
        for one in people:
            yield field_name, one.person if isinstance(one, Part) else one


def _merged(given: Iterable[tuple[str, Part]]) -> _Roles:
    """Each person once in each role; what was noted several times is joined."""
    kept: dict[tuple[str, str], Part] = {}
    for node_id, part in given:
        key = (node_id, part.role)
        if (first := kept.get(key)) is None:
            kept[key] = part
            continue
        remarks = [remark for remark in (first.remark, part.remark) if remark]
        if len(remarks) == 2 and remarks[1] in remarks[0].split("; "):
            remarks.pop()
        joined = "; ".join(remarks)[: texts.REFERENCE_MAX].strip()
        kept[key] = replace(first, remark=joined or None)
    return [(node_id, part) for (node_id, _role), part in kept.items()]


def _rows(
    table: RoleTable, case_id: str, wanted: _Roles, position: int, since: str
) -> list[Role]:
    return [
        Role(case_id, position + index, node_id, part.role, part.remark, part.since or since)
        for index, (node_id, part) in enumerate(wanted)
    ]
