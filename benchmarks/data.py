"""Generated databases: N cases of one firm, made by the program's own migrations and writing code.

So the hash chain, the search entries and the positions are right, and casegraph verify is content.
A database is made once, kept, and copied for every server, since some of them write.
"""

import asyncio
import hashlib
import json
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

from benchmarks.people import People
from domain import ids, instants
from domain.access.principal import Principal, Scope
from domain.demo import words
from domain.inputs import CaseOrder
from domain.models import Case, CaseLink, Change, EventSource, LinkType, Party, Staff
from domain.reading import objects
from domain.reading.paging import Paging
from domain.storage.database import Database
from domain.storage.opening import opened
from domain.transfer.batches import ROW_FIELDS
from domain.upkeep import administration
from domain.writing import links, role_rows, rows, timeline
from domain.writing.cases import CASE_FIELDS
from domain.writing.register import PARTY_FIELDS, STAFF_FIELDS
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES, Role, RoleTable
from domain.writing.timeline import NewEvent

SEED = 20261123
BATCH = 2_000  # cases a transaction
EVENTS = 5  # a case
ACTOR = "benchmark"
"""The name of the API key, which the timeline tells of whoever writes with it."""
_ROOT = Path(__file__).parent.parent
_FIRST_DAY = datetime(2015, 1, 5, 8, tzinfo=UTC)
_SPAN = timedelta(days=4_270)
_NOW = "2026-11-02T08:00:00Z"
_PARTY_ROLES = ("client", "opponent", "court", "witness", "insurer", "expert")
_STAFF_ROLES = ("lead_attorney", "associate", "paralegal", "notary")
_People = Sequence[Party | Staff]
_LINK_TYPES = (LinkType.RELATED, LinkType.PREDECESSOR, LinkType.PARENT, LinkType.LOWER_INSTANCE)


@dataclass(frozen=True, slots=True)
class Firm:
    """A generated database: where it is, and what a client needs to know of it.

    *seal* is what casegraph seals the cursors of the list of all cases with. *cases* are one
    firm's; the others in the database have as many. Of a copy on a server, *server_url* says where
    it is, and *path* is the file that it was copied from.
    """

    path: Path
    cases: int
    workspace_id: int
    key: str
    seal: str
    server_url: str | None = None

    @property
    def url(self) -> str:
        return self.server_url or f"sqlite:///{self.path}"

    def copied(self, folder: Path, name: str) -> "Firm":
        """A copy for one server."""
        path = folder / f"{name}.db"
        shutil.copyfile(self.path, path)
        return replace(self, path=path)


def firm(
    folder: Path,
    cases: int,
    tell: Callable[[str], object] = lambda _line: None,
    *,
    firms: int = 1,
) -> Firm:
    """The database with *cases* cases in each of its *firms*; it is made if it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    several = f"{firms}-firms-" if firms > 1 else ""
    path = folder / f"{several}cases-{cases}-{_fingerprint()}.db"
    about = path.with_suffix(".json")
    if not about.exists():
        tell(f"Making {cases * firms:,} cases in {path} ...")
        unfinished = path.with_suffix(".unfinished")
        for left in folder.glob(f"{unfinished.name}*"):
            left.unlink()
        found = asyncio.run(_make(unfinished, cases, firms))
        unfinished.rename(path)
        for left in folder.glob(f"{unfinished.name}*"):
            left.unlink()
        about.write_text(json.dumps(found))
    known = json.loads(about.read_text())
    # Asked anew each time: how cursors are sealed is no matter of the file.
    return Firm(path, cases, seal=asyncio.run(_seal(path)), **known)


def _fingerprint() -> str:
    """Changes with the schema and with what is generated."""
    versions = _ROOT / "domain" / "storage" / "migrations" / "versions"
    here = Path(__file__).parent
    sources = [*sorted(versions.glob("*.py")), here / "data.py", here / "people.py"]
    digest = hashlib.blake2s(b"".join(path.read_bytes() for path in sources), digest_size=5)
    return digest.hexdigest()


async def _make(path: Path, cases: int, firms: int) -> dict[str, object]:
    async with opened(f"sqlite:///{path}", clock=lambda: _NOW) as database:
        for number in range(1, firms):
            slug = f"firm-{number}"
            await administration.create_workspace(database, slug)
            await _fill(database, await administration.operator(database, slug), cases, number)
        await administration.create_workspace(database, administration.DEFAULT_SLUG, "Benchmark")
        who = await administration.operator(database)
        await _fill(database, who, cases)
        key, _ = await administration.create_key(database, ACTOR, list(Scope))
    return {"workspace_id": who.workspace_id, "key": key}


async def _seal(path: Path) -> str:
    async with opened(f"sqlite:///{path}") as database:
        who = await administration.operator(database)
        async with database.read() as db:
            page = await objects.cases(who, db, None, CaseOrder(), Paging(limit=1))
    return page.edges[0].seal.mark


@dataclass(frozen=True, slots=True)
class _File:
    """A case with all that belongs to it."""

    case: Case
    parties: list[Party]
    staff: list[Staff]
    steps: tuple[words.Step, ...]


async def _fill(database: Database, who: Principal, cases: int, number: int = 0) -> None:
    rng = random.Random(SEED + number)  # noqa: S311 (believable, not secret)
    people = People(rng, cases, instants.of(_FIRST_DAY))
    async with database.write() as db:
        await rows.insert_staff(db, who.workspace_id, people.staff)
        told = [_came("staff_imported", one, STAFF_FIELDS) for one in people.staff]
        await timeline.record(db, who.workspace_id, ACTOR, told)
    files = _files(rng, people, cases)
    while batch := list(islice(files, BATCH)):
        party_rows, staff_rows = [], []
        for file in batch:
            party_rows += _roles(file.case, 1, _PARTY_ROLES, file.parties)
            staff_rows += _roles(file.case, 1 + len(file.parties), _STAFF_ROLES, file.staff)
        joined = _links(rng, batch)
        async with database.write() as db:
            await rows.insert_parties(db, who.workspace_id, people.entered)
            told = [_came("party_imported", one, PARTY_FIELDS) for one in people.entered]
            await timeline.record(db, who.workspace_id, ACTOR, told)
            people.entered.clear()
            positions = [len(file.parties) + len(file.staff) for file in batch]
            await rows.insert_cases(db, who.workspace_id, [file.case for file in batch], positions)
            await role_rows.insert_roles(db, who.workspace_id, PARTY_ROLES, party_rows)
            await role_rows.insert_roles(db, who.workspace_id, STAFF_ROLES, staff_rows)
            await links.insert_links(db, who.workspace_id, joined)
            await timeline.record(db, who.workspace_id, ACTOR, _events(rng, batch, joined))


def _files(rng: random.Random, people: People, cases: int) -> Iterator[_File]:
    numbers: Counter[int] = Counter()
    for index in range(cases):
        opened_at = _FIRST_DAY + _SPAN * ((index + rng.random()) / cases)
        created_at = instants.of(opened_at)
        parties = people.parties(rng.randint(1, len(_PARTY_ROLES)), created_at)
        matter = rng.choice(words.MATTERS)
        numbers[opened_at.year] += 1
        told: defaultdict[str, str] = defaultdict(lambda: "…")
        told |= {"client": parties[0].name, "opponent": parties[-1].name}
        # Two of four cases are linked, which made a second version of them.
        is_linked = index % 4 < 2 and index - index % 4 + 1 < cases
        case = Case(
            id=_case_id(rng, opened_at),
            name=" ./. ".join(party.name for party in parties[:2]),
            file_number=f"AZ-{opened_at.year}-{numbers[opened_at.year]:05}"
            if rng.random() < 0.98
            else None,
            status=rng.choices(("active", "closed", "archived"), (6, 3, 1))[0],
            type=matter.type,
            description=rng.choice(matter.descriptions).format_map(told),
            dezernat=matter.dezernat,
            created_at=created_at,
            updated_at=min(_NOW, instants.of(opened_at + timedelta(days=rng.randint(30, 90)))),
            version=2 if is_linked else 1,
        )
        steps = tuple(
            (word, title.format_map(told)) for word, title in rng.choices(matter.steps, k=EVENTS)
        )
        yield _File(case, parties, people.colleagues(rng.randint(1, 4)), steps)


def _roles(case: Case, first: int, words_for: Iterable[str], people: _People) -> list[Role]:
    return [
        Role(case.id, first + index, one.id, role, None, case.created_at)
        for index, (role, one) in enumerate(zip(words_for, people, strict=False))
    ]


def _links(rng: random.Random, batch: list[_File]) -> list[CaseLink]:
    """One link for two of every four cases: half of the cases have one."""
    joined = []
    for one, other in zip(batch[0::4], batch[1::4], strict=False):
        kind = rng.choice(_LINK_TYPES)
        link_id = _id(rng, ids.LINK, other.case.updated_at)
        link = CaseLink(link_id, other.case.id, one.case.id, kind, other.case.updated_at, one.case)
        joined.append(link)
    return joined


def _events(rng: random.Random, batch: list[_File], joined: list[CaseLink]) -> list[NewEvent]:
    """Five events a case: it was created, it was linked if it was, and what was told of it."""
    linked = {event.case_id: event for link in joined for event in _linked(rng, link)}
    events = []
    for file in batch:
        case = file.case
        mine = [_created(rng, file)]
        if case.id in linked:
            mine.append(linked[case.id])
        for days, (word, title) in enumerate(file.steps[len(mine) :], start=1):
            told_at = datetime.fromisoformat(case.created_at) + timedelta(days=5 * days)
            at = instants.of(told_at)
            event_id = _id(rng, ids.EVENT, at)
            mine.append(
                NewEvent(
                    word,
                    case.id,
                    title=title,
                    occurred_at=at,
                    id=event_id,
                    source=EventSource.IMPORTED,
                )
            )
        events += mine
    return events


def _created(rng: random.Random, file: _File) -> NewEvent:
    case = file.case
    changes = timeline.changes_between(None, case, (*CASE_FIELDS, *ROW_FIELDS))
    changes += _told(PARTY_ROLES, _PARTY_ROLES, file.parties, 1, case)
    changes += _told(STAFF_ROLES, _STAFF_ROLES, file.staff, 1 + len(file.parties), case)
    return NewEvent(
        "case_imported",
        case.id,
        changes=changes,
        occurred_at=case.created_at,
        id=_id(rng, ids.EVENT, case.created_at),
    )


def _came(kind: str, one: Party | Staff, fields: tuple[str, ...]) -> NewEvent:
    """The event of a party or staff member that was imported."""
    changes = timeline.changes_between(None, one, (*fields, *ROW_FIELDS))
    return NewEvent(kind, subject_id=one.id, changes=changes)


def _told(
    roles: RoleTable, words_for: Iterable[str], people: _People, first: int, case: Case
) -> list[Change]:
    """Roles, numbered from *first* on, as the timeline tells of them."""
    return [
        Change(
            roles.field,
            None,
            {
                "id": one.id,
                "name": one.name,
                "role": role,
                roles.remark: None,
                "number": number,
                roles.since: case.created_at,
            },
        )
        for number, (role, one) in enumerate(zip(words_for, people, strict=False), start=first)
    ]


def _linked(rng: random.Random, link: CaseLink) -> list[NewEvent]:
    """One event for each end."""
    return [
        replace(event, id=_id(rng, ids.EVENT, link.created_at), occurred_at=link.created_at)
        for event in links.link_events("link_imported", link)
    ]


def _case_id(rng: random.Random, at: datetime) -> str:
    chance = rng.getrandbits(74)
    value = int(at.timestamp() * 1000) << 80 | 7 << 76 | (chance >> 62) << 64
    return str(UUID(int=value | 0b10 << 62 | chance & (1 << 62) - 1))


def _id(rng: random.Random, prefix: str, at: str) -> str:
    milliseconds = int(datetime.fromisoformat(at).timestamp()) * 1000
    return prefix + ids.crockford(milliseconds << 82 | rng.getrandbits(82), 26)
