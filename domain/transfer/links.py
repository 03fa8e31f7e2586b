"""The links of an import, made after all lines: a link may point to a later line."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from domain import ids
from domain.access.principal import Principal
from domain.ids import canonical_case_id
from domain.models import CaseLink, Change, LinkType
from domain.storage.database import Transaction
from domain.storage.tables import case_link, cases
from domain.transfer.lines import Line, LineLink
from domain.transfer.marks import known, mark_of, present, remember
from domain.writing import links, rows, timeline

BATCH = 200
Begin = Callable[[], AbstractAsyncContextManager[Transaction]]


async def import_links(
    who: Principal,
    begin: Begin,
    linked: Sequence[tuple[Line, str]],
    reject: Callable[[Line, str], None],
) -> int:
    """Link the cases in *linked*, a line and its case's id each; return the number of new links.

    *begin* begins the transaction of a block.

    If a link cannot be made, its line is rejected but its case stays. A link made by an earlier
    import is not made again, even if it was removed since.
    """
    count = 0
    for start in range(0, len(linked), BATCH):
        block = linked[start : start + BATCH]
        async with begin() as db:
            existing = await _Existing.load(db, who, block)
            for line, case_id in block:
                for index, link in enumerate(line.links):
                    wrong = await _take(db, who, existing, line, case_id, link)
                    if wrong is None:
                        continue
                    if wrong:
                        reject(line, f"links.{index}: {wrong} The case itself was imported.")
                        break
                    count += 1
    return count


class _Existing:
    """The cases, links and marks that exist already, of those a batch names."""

    def __init__(self) -> None:
        self.visible: set[str] = set()
        self.marks: set[str] = set()
        self.links: set[str] = set()
        self.pairs: set[tuple[str, str, str]] = set()

    @classmethod
    async def load(
        cls, db: Transaction, who: Principal, block: Sequence[tuple[Line, str]]
    ) -> "_Existing":
        existing = cls()
        new_links = [(case_id, link) for line, case_id in block for link in line.links]
        case_ids = [id for case_id, link in new_links for id in (case_id, _other(link))]
        visible = await present(db, who, cases.c.id, case_ids, where=[cases.c.deleted_at.is_(None)])
        existing.visible = {row[0] for row in visible}
        marks = [_mark(case_id, link) for case_id, link in new_links]
        existing.marks = set(await known(db, who, marks))
        link_ids = [link.id for _case_id, link in new_links if link.id]
        existing.links = {row[0] for row in await present(db, who, case_link.c.id, link_ids)}
        columns: tuple[Any, ...] = (case_link.c.linked_case_id, case_link.c.type)
        existing.pairs = set(await present(db, who, case_link.c.case_id, case_ids, *columns))
        return existing


async def _take(
    db: Transaction, who: Principal, existing: _Existing, line: Line, case_id: str, link: LineLink
) -> str | None:
    """Make a link; return "" if it was made, None if there is nothing to do, else what is wrong."""
    other, mark = _other(link), _mark(case_id, link)
    kind = LinkType(link.type)
    if (
        mark in existing.marks
        or case_id not in existing.visible
        or (case_id, other, kind) in existing.pairs
    ):
        return None
    if other not in existing.visible:
        return f"There is no case {link.linked_case_id}."
    if other == case_id:
        return "A case cannot be linked to itself."
    if (case_id, other, kind.inverse) in existing.pairs:
        return f"The cases are already linked as {kind.inverse}."
    if link.id in existing.links:
        return "Another link has this id."
    if await links.closes_circle(db, who, case_id, other, kind):
        return f"The cases are already linked as {kind.inverse} by way of others."
    case = await rows.case_to_change(db, who, case_id)
    linked = await rows.case_to_change(db, who, other)
    new = CaseLink(
        link.id or ids.new_id(ids.LINK), case_id, other, kind, link.created_at or db.now, linked
    )
    await links.insert_links(db, who.workspace_id, [new])
    told: dict[str | None, list[Change]] = {case_id: [], other: []}
    # An export carries the versions of its cases, counting its links; other files do not.
    counted = any(event.subject_id == new.id for event in line.events)
    for one in () if counted else (case, linked):
        updated_at = max(one.updated_at, new.created_at)
        await rows.touch(db, who, one, updated_at=updated_at)
        told[one.id].append(Change("updated_at", one.updated_at, updated_at))
    events = [
        replace(event, changes=[*event.changes, *told[event.case_id]])
        for event in links.link_events("link_imported" if counted else "case_linked", new)
    ]
    await timeline.record(db, who.workspace_id, who.key_name, events)
    await remember(db, who, {mark: new.id})
    existing.marks.add(mark)
    existing.links.add(new.id)
    existing.pairs |= {(case_id, other, kind), (other, case_id, kind.inverse)}
    return ""


def _other(link: LineLink) -> str:
    return canonical_case_id(link.linked_case_id) or link.linked_case_id


def _mark(case_id: str, link: LineLink) -> str:
    return mark_of("link", case_id, _other(link), link.type)
