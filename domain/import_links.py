"""The links of an import: made after all lines, since a case may be linked to a later one."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from domain import ids, linking, timeline
from domain.auth import Principal
from domain.database import Transaction
from domain.errors import CaseNotFound, LinkExists, Refused, invalid
from domain.import_batch import Tally, remember
from domain.import_lines import LinkWanted
from domain.models import Case, CaseLink
from domain.prepared import each
from domain.tables import case_link, cases, timeline_event


@dataclass(frozen=True, slots=True)
class LinkedLine:
    """A line whose case is in, and its links, each with the mark by which it is remembered."""

    number: int
    raw: bytes
    case_id: str
    links: Sequence[tuple[LinkWanted, str]]


@dataclass(slots=True)
class _Known:
    """What the database says about the cases and links at hand."""

    cases: dict[str, Case] = field(default_factory=dict)
    types: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # by both ends
    seen: dict[str, set[tuple[str, str, str]]] = field(default_factory=dict)  # by the link's id
    told: set[tuple[str, str | None]] = field(default_factory=set)  # case and link of case_linked

    def add(self, id: str, case_id: str, linked_case_id: str, kind: str) -> None:
        self.types.setdefault((case_id, linked_case_id), set()).add(kind)
        self.seen.setdefault(id, set()).add((case_id, linked_case_id, kind))


class Linking:
    """Makes the links of some lines in one transaction.

    *made* holds the cases that this import made, and whether their lines gave a version. A case
    in whose timeline a link was told of already (an export's) counted it in its version then.
    """

    def __init__(self, db: Transaction, who: Principal, made: dict[str, bool]) -> None:
        self.tally = Tally()
        self._db = db
        self._who = who
        self._made = made
        self._known = _Known()
        self._links: list[CaseLink] = []
        self._events: list[timeline.NewEvent] = []
        self._touched: list[str] = []
        self._marks: dict[str, str] = {}

    async def write(self, lines: Sequence[LinkedLine]) -> list[str | None]:
        """Make the links that can be made; for each line why some cannot, or None."""
        await self._look_up(lines)
        reasons = []
        for line in lines:
            problems = []
            for link, mark in line.links if line.case_id in self._known.cases else ():
                try:
                    self._marks[mark] = self._link(line.case_id, link)
                except Refused as error:
                    problems.append(f"links: {error.message}")
            reasons.append(" ".join(problems) or None)
        await self._flush()
        return reasons

    async def _look_up(self, lines: Sequence[LinkedLine]) -> None:
        ends = {line.case_id for line in lines}
        ends |= {link.linked_case_id for line in lines for link, _mark in line.links}
        link_ids = {link.id for line in lines for link, _mark in line.links if link.id}
        c = cases.c
        mine = [c[one.name] for one in fields(Case)]
        rows = await self._rows(
            select(*mine).where(c.id.in_(_listed("ends")), c.deleted_at.is_(None)), cases, ends
        )
        self._known.cases = {row.id: Case(*row) for row in rows}
        links = case_link.c
        for row in await self._rows(
            select(links.id, links.case_id, links.linked_case_id, links.type).where(
                or_(links.case_id.in_(_listed("ends")), links.id.in_(_listed("links")))
            ),
            case_link,
            ends,
            link_ids,
        ):
            self._known.add(row.id, row.case_id, row.linked_case_id, row.type)
        e = timeline_event.c
        rows = await self._rows(
            select(e.case_id, e.subject_id).where(
                e.case_id.in_(_listed("ends")), e.type == "case_linked"
            ),
            timeline_event,
            ends,
        )
        self._known.told = {(row.case_id, row.subject_id) for row in rows}

    def _link(self, case_id: str, wanted: LinkWanted) -> str:
        """The id of the link, which is new or was there before. Raises Refused."""
        known, other = self._known, wanted.linked_case_id
        if other == case_id:
            raise invalid("A case cannot be linked to itself.", "linked_case_id")
        if other not in known.cases:
            raise CaseNotFound(other, ("linked_case_id",))
        types = known.types.get((case_id, other), set())
        if wanted.type in types:
            return next(
                id for id, seen in known.seen.items() if (case_id, other, wanted.type) in seen
            )
        if wanted.type.inverse in types:
            raise LinkExists(wanted.type.inverse)
        if wanted.id in known.seen:
            raise invalid("Another link has this id.", "id")
        id = wanted.id or ids.new_id(ids.LINK)
        kind, inverse = str(wanted.type), str(wanted.type.inverse)
        since = wanted.created_at or self._db.now
        link = CaseLink(id, case_id, other, kind, since, known.cases[other])
        known.add(id, case_id, other, kind)
        known.add(id, other, case_id, inverse)
        self._links.append(link)
        for event in linking.told("case_linked", link):
            if (event.case_id, id) not in known.told and event.case_id is not None:
                self._events.append(event)
                self._touched.append(event.case_id)
        return id

    async def _flush(self) -> None:
        db, workspace_id = self._db, self._who.workspace_id
        self.tally.links += len(self._links)
        self.tally.events += len(self._events)
        await linking.insert_links(db, workspace_id, self._links)
        # Whoever read a case before its links were made must be able to tell.
        touch = update(cases).where(
            cases.c.workspace_id == workspace_id, cases.c.id == bindparam("touched")
        )
        raised = touch.values(version=cases.c.version + 1)
        imported = [id for id in self._touched if self._made.get(id) is False]
        present = [id for id in self._touched if id not in self._made]
        await db.run(raised, [{"touched": id} for id in imported])
        await db.run(raised.values(updated_at=db.now), [{"touched": id} for id in present])
        await timeline.record(db, workspace_id, self._who.key_name, self._events)
        await remember(db, workspace_id, self._marks)

    async def _rows(
        self, statement: Any, table: Any, ends: Iterable[str], links: Iterable[str] = ()
    ) -> Sequence[Any]:
        return await self._db.rows(
            statement.where(table.c.workspace_id == self._who.workspace_id),
            {"ends": json.dumps(sorted(ends)), "links": json.dumps(sorted(links))},
        )


def _listed(name: str) -> Any:
    return select(each.value(bindparam(name), f"each_{name}").c.value)
