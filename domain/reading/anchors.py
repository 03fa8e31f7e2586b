"""Anchors: the ends that timelines had, kept where who edits the database cannot reach them.

Whoever can write the database can compute a whole chain anew. An anchor, seq:hash, of an earlier
end shows it: it goes to the log on every start and every hour, and into every backup and export.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, text

from domain.access.principal import Principal
from domain.errors import invalid
from domain.models import Mode
from domain.storage.database import Database, Row, Snapshot
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import timeline_head, workspace

_FORM = re.compile(r"\b([0-9]{1,19}):([0-9a-f]{64})\b")


@dataclass(frozen=True, slots=True)
class Anchor:
    """The number and the hash of an event."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a workspace's timeline."""

    workspace: str
    mode: Mode
    anchor: Anchor


def all_heads() -> Fetch:
    """The rows for heads_of(): the ends of all timelines that have events, by workspace."""
    c = timeline_head.c
    joined = timeline_head.join(workspace, workspace.c.id == c.workspace_id)
    statement = select(workspace.c.slug, workspace.c.mode, c.seq, c.hash).select_from(joined)
    ordered = statement.where(c.seq > 0).order_by(workspace.c.slug, workspace.c.mode)
    # The role that serves cannot read all workspaces: this tells it their ends.
    return Fetch(Prepared(ordered, postgresql=text("SELECT * FROM casegraph_heads()")), {})


async def heads(database: Database) -> list[Head]:
    """The ends of all timelines that have events, by workspace."""
    async with database.read() as db:
        return heads_of(await db.fetch(all_heads()))


def heads_of(rows: Sequence[Row]) -> list[Head]:
    return [Head(slug, Mode(mode), Anchor(seq, hash)) for slug, mode, seq, hash in rows]


async def of_workspace(who: Principal, db: Snapshot) -> Anchor | None:
    """The end of the caller's timeline; None if it has no events."""
    c = timeline_head.c
    row = await db.first(select(c.seq, c.hash).where(c.workspace_id == who.workspace_id))
    return Anchor(*row) if row and row[0] else None


def found_in(text: str) -> list[Anchor]:
    """All anchors in a text, such as a log or the last line of an export."""
    return [Anchor(int(seq), hash) for seq, hash in _FORM.findall(text)]


def parsed(text: str) -> Anchor:
    """One anchor. Raises Invalid."""
    found = found_in(text)
    if len(found) != 1 or str(found[0]) != text.strip():
        raise invalid("An anchor is the number and the hash of an event: SEQ:HASH.", "anchor")
    return found[0]
