"""Random histories in two firms, beside a model in plain Python of what must come of them."""

import asyncio
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from domain import folding
from domain.errors import DomainError
from domain.inputs import (
    CaseChanges,
    CaseFilter,
    NewCase,
    NewParty,
    NewStaff,
    PartyChanges,
    PartyRole,
    RoleChanges,
    StaffChanges,
    StaffRole,
)
from domain.models import CaseParty, LinkType
from domain.reading import lookups, objects, relations
from domain.reading.paging import Paging
from domain.storage.opening import opened
from domain.storage.tables import metadata
from domain.upkeep import administration
from domain.writing import cases, links, register, roles, timeline
from tests.domain.searching import finds

HISTORIES = int(os.environ.get("CASEGRAPH_HISTORIES", "15"))
"""How many are lived through."""
GOOD = ["Müller ./. Weiß", "Mueller GmbH", "muller", "100% OR_", 'Straße "7"', "Łódź", "Az 2"]
BAD = ["", " ", "NUL \0", "two\nlines", "\ud800", "x" * 501]
NUMBERS = [
    None,
    None,
    None,
    "AZ-2026-042",
    "az 2026/042",
    "az–2026‑042",
    "M 7",
    "M 8",
    "Ü-9",
    "x" * 101,
]
ROLES = ["client", "client", "client", "witness", "Bad Role"]
TYPES = ["parent", "parent", "child", "related", *LinkType, "sibling"]
SEARCHES = [
    "müller",
    "Mueller",
    "eller",
    "weiss",
    "ß",
    "az2026042",
    "Z 2",
    "%",
    "OR",
    '"',
    "lodz",
    "z–2026",
    "m\u00adüller",
]
MISSING = {"cases": "019bc8f0-0000-7000-8000-000000000000", "links": "lnk_0"}
EVERYTHING = Paging(100)


@dataclass
class Firm:
    """What a workspace must hold; a case's people are (id, role) in order.

    A case's *numbers* are those of its roles, as they were first read.
    """

    cases: dict = field(default_factory=dict)
    parties: dict = field(default_factory=dict)
    staff: dict = field(default_factory=dict)
    links: dict = field(default_factory=dict)

    def has_number(self, number, but=None):
        return number is not None and any(
            folding.number_key(case["number"]) == folding.number_key(number)
            for id, case in self.cases.items()
            if id != but
        )

    def linked(self, one, other, kind):
        """Whether two cases are linked so, from either end, or in the opposite order."""
        kind = LinkType(kind)
        ends = {
            end
            for first, second, seen in self.links.values()
            for end in ((first, second, seen), (second, first, LinkType(seen).inverse))
        }
        if kind.inverse is kind:
            return (one, other, kind) in ends
        above = {other}
        for _ in self.cases:
            above |= {end[1] for end in ends if end[0] in above and end[2] == kind}
        return one in above or (one, other, kind) in ends

    def links_of(self, case_id):
        return sorted(
            (id, other, str(kind))
            for id, (first, second, seen) in self.links.items()
            for here, other, kind in (
                (first, second, seen),
                (second, first, LinkType(seen).inverse),
            )
            if here == case_id and first in self.cases and second in self.cases
        )


@dataclass(frozen=True)
class Action:
    """One operation. Numbers pick from the ids made last in either firm, or one of nothing."""

    name: str
    firm: int
    first: int
    second: int
    text: str
    number: str | None
    role: str
    kind: str
    stale: bool


WEIGHTS = {
    "create_case": 2,
    "update_case": 4,
    "delete_case": 1,
    "create_party": 2,
    "update_party": 2,
    "create_staff": 2,
    "update_staff": 2,
    "add_parties": 6,
    "replace_parties": 4,
    "update_party_role": 4,
    "remove_parties": 4,
    "assign_staff": 5,
    "unassign_staff": 3,
    "link": 6,
    "unlink": 3,
}


def history(seed):
    """Some people and cases, then fifty actions; most of what they are given is good."""
    random = Random(seed)
    start = ["create_party", "create_staff", "create_case"] * 3
    for name in start + random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=50):
        yield Action(
            name=name,
            firm=int(random.random() < 0.15),
            first=random.randrange(5),
            second=random.randrange(5),
            text=random.choice(GOOD if random.random() < 0.9 else BAD),
            number=random.choice(NUMBERS),
            role=random.choice(ROLES),
            kind=random.choice(TYPES),
            stale=random.random() < 0.1,
        )


class World:
    """Two firms in a database, and what must be in them."""

    def __init__(self, database, principals):
        self.database = database
        self.who = principals
        self.firms = [Firm(), Firm()]
        self.made = {kind: [] for kind in ("cases", "parties", "staff", "links")}

    def pick(self, kind, index):
        ids = [MISSING.get(kind, "none"), *self.made[kind]]
        return ids[-1 - index % len(ids)]

    def dump(self):
        with closing(sqlite3.connect(self.database.path)) as raw:
            return {
                table.name: raw.execute(f"SELECT * FROM {table.name}").fetchall()
                for table in metadata.sorted_tables
            }

    async def run(self, action):
        """Do it, and hold the outcome against the model's."""
        firm = self.firms[action.firm]
        before = self.dump()
        call, allowed, changed, then = getattr(self, action.name)(firm, action)
        try:
            result = await call(self.who[action.firm], self.database)
        except DomainError:
            assert not allowed, action
            assert self.dump() == before
            return
        assert allowed, action
        if changed:
            then(result)
        else:
            assert self.dump() == before
        await self.compare(action.firm)

    # Each returns the call, whether it is allowed, whether it changes anything, and the change
    # to the model.

    def create_case(self, firm, action):
        new = NewCase(action.text, file_number=action.number)
        allowed = action.text in GOOD and action.number != NUMBERS[-1]
        allowed = allowed and not firm.has_number(action.number)

        def then(case):
            firm.cases[case.id] = {
                "name": action.text,
                "number": action.number,
                "version": 1,
                "parties": [],
                "staff": [],
                "numbers": {},
            }
            self.made["cases"].append(case.id)

        return lambda who, db: cases.create_case(who, db, new), allowed, True, then

    def update_case(self, firm, action):
        id = self.pick("cases", action.first)
        case = firm.cases.get(id)
        changes = CaseChanges(name=action.text, file_number=action.number)
        allowed = (
            case is not None
            and not action.stale
            and action.text in GOOD
            and action.number != NUMBERS[-1]
            and not firm.has_number(action.number, but=id)
        )
        changed = case and (case["name"], case["number"]) != (action.text, action.number)

        def then(_):
            case.update(name=action.text, number=action.number, version=case["version"] + 1)

        def call(who, db):
            version = self.expected(case, action)
            return cases.update_case(who, db, id, changes, expected_version=version)

        return call, allowed, changed, then

    def delete_case(self, firm, action):
        id = self.pick("cases", action.first)
        case = firm.cases.get(id)

        def call(who, db):
            version = self.expected(case, action)
            return cases.delete_case(who, db, id, expected_version=version)

        def then(_):
            gone = {link: ends for link, ends in firm.links.items() if id in ends[:2]}
            for link in gone:
                del firm.links[link]
            del firm.cases[id]
            for other in [end for ends in gone.values() for end in ends[:2] if end != id]:
                firm.cases[other]["version"] += 1

        return call, case and not action.stale, True, then

    def create_party(self, firm, action):
        def then(party):
            firm.parties[party.id] = [action.text, 1]
            self.made["parties"].append(party.id)

        new = NewParty(action.text)
        return (
            lambda who, db: register.create_party(who, db, new),
            action.text in GOOD,
            True,
            then,
        )

    def create_staff(self, firm, action):
        def then(staff):
            firm.staff[staff.id] = [action.text, 1]
            self.made["staff"].append(staff.id)

        new = NewStaff(action.text)
        return (
            lambda who, db: register.create_staff(who, db, new),
            action.text in GOOD,
            True,
            then,
        )

    def update_party(self, firm, action):
        id = self.pick("parties", action.first)
        return self._rename(firm.parties, id, action, register.update_party, PartyChanges)

    def update_staff(self, firm, action):
        id = self.pick("staff", action.first)
        return self._rename(firm.staff, id, action, register.update_staff, StaffChanges)

    def _rename(self, people, id, action, update, changes):
        known = people.get(id)

        def then(_):
            known[:] = [action.text, known[1] + 1]

        def call(who, db):
            version = known[1] + 1 if known and action.stale else None
            return update(who, db, id, changes(name=action.text), expected_version=version)

        allowed = known and not action.stale and action.text in GOOD
        return call, allowed, known and known[0] != action.text, then

    def add_parties(self, firm, action):
        return self._add(firm, action, "parties", roles.add_parties, PartyRole)

    def assign_staff(self, firm, action):
        return self._add(firm, action, "staff", roles.assign_staff, StaffRole)

    def _add(self, firm, action, kind, add, role):
        case_id, id = self.pick("cases", action.first), self.pick(kind, action.second)
        case = firm.cases.get(case_id)
        allowed = (
            case
            and not action.stale
            and id in getattr(firm, kind)
            and action.role != ROLES[-1]
            and (id, action.role) not in case[kind]
        )

        def then(_):
            case[kind].append((id, action.role))
            case["version"] += 1

        def call(who, db):
            version = self.expected(case, action)
            return add(who, db, case_id, [role(id, action.role)], expected_version=version)

        return call, allowed, True, then

    def replace_parties(self, firm, action):
        case_id = self.pick("cases", action.first)
        case = firm.cases.get(case_id)
        wanted = [
            (self.pick("parties", action.second + step), action.role)
            for step in range(action.first % 3)
        ]
        allowed = (
            case
            and not action.stale
            and len(set(wanted)) == len(wanted)
            and all(id in firm.parties and role != ROLES[-1] for id, role in wanted)
        )

        def then(_):
            gone = set(case["parties"]) - set(wanted)
            for one in gone:
                del case["numbers"][one]
            case.update(parties=list(wanted), version=case["version"] + 1)

        def call(who, db):
            given = [PartyRole(id, role) for id, role in wanted]
            version = self.expected(case, action)
            return roles.replace_parties(who, db, case_id, given, expected_version=version)

        return call, allowed, case and case["parties"] != wanted, then

    def update_party_role(self, firm, action):
        case_id = self.pick("cases", action.first)
        case = firm.cases.get(case_id)
        there = case["parties"] if case else []
        place = action.second % len(there) if there else None
        before = there[place] if there else (None, None)
        after = (before[0], action.role)
        number = case["numbers"][before] if there else 7

        def then(written):
            assert (written.number, written.role) == (number, action.role)
            there[place] = after
            case["numbers"][after] = case["numbers"].pop(before)
            case["version"] += 1

        def call(who, db):
            version = self.expected(case, action)
            return roles.update_party_role(
                who, db, (case_id, number), RoleChanges(action.role), expected_version=version
            )

        allowed = (
            there
            and not action.stale
            and action.role != ROLES[-1]
            and (after == before or after not in there)
        )
        return call, allowed, after != before, then

    def remove_parties(self, firm, action):
        return self._remove(firm, action, "parties", roles.remove_parties)

    def unassign_staff(self, firm, action):
        return self._remove(firm, action, "staff", roles.unassign_staff)

    def _remove(self, firm, action, kind, remove):
        case_id, id = self.pick("cases", action.first), self.pick(kind, action.second)
        case = firm.cases.get(case_id)
        role = action.role if action.number is None else None

        def leaves(one):
            return one[0] == id and role in (None, one[1])

        by_key = kind == "parties" and action.second % 2
        keys = (
            [(case_id, case["numbers"][one]) for one in case[kind] if leaves(one)] if case else []
        )

        def then(_):
            case["numbers"] = {
                one: number for one, number in case["numbers"].items() if not leaves(one)
            }
            case[kind] = [one for one in case[kind] if not leaves(one)]
            case["version"] += 1

        def call(who, db):
            version = self.expected(case, action)
            named = keys if by_key and keys else [id]
            return remove(who, db, case_id, named, role=role, expected_version=version)

        return call, case and not action.stale and any(map(leaves, case[kind])), True, then

    def link(self, firm, action):
        one, other = self.pick("cases", action.first), self.pick("cases", action.second)
        case = firm.cases.get(one)
        allowed = (
            case
            and other in firm.cases
            and one != other
            and not action.stale
            and action.kind != TYPES[-1]
            and not firm.linked(one, other, action.kind)
        )

        def then(written):
            link = written.link
            firm.links[link.id] = (one, other, action.kind)
            self.made["links"].append(link.id)
            firm.cases[one]["version"] += 1
            firm.cases[other]["version"] += 1

        def call(who, db):
            version = self.expected(case, action)
            return links.link_cases(who, db, one, other, action.kind, expected_version=version)

        return call, allowed, True, then

    def unlink(self, firm, action):
        id = self.pick("links", action.first)
        ends = firm.links.get(id, ())[:2]

        def then(_):
            del firm.links[id]
            for end in ends:
                firm.cases[end]["version"] += 1

        allowed = ends and all(end in firm.cases for end in ends)
        return lambda who, db: links.unlink_cases(who, db, id), allowed, True, then

    def expected(self, case, action):
        return case["version"] + 1 if case and action.stale else None

    async def compare(self, index):
        """What a firm can read is what the model says, and nothing else."""
        firm, who = self.firms[index], self.who[index]
        async with self.database.read() as db:
            listed = await objects.cases(who, db, paging=EVERYTHING)
            ids = [case.id for case in listed]
            parties = await objects.related(who, db, relations.CASE_PARTIES, ids, EVERYTHING)
            staff = await objects.related(who, db, relations.CASE_STAFF, ids, EVERYTHING)
            links = await objects.related(who, db, relations.CASE_LINKS, ids, EVERYTHING)
            people = await objects.parties(who, db, None, EVERYTHING)
            colleagues = await objects.staff(who, db, None, EVERYTHING)
        for case in listed:
            known = firm.cases[case.id]["numbers"]
            for role in (*parties[case.id], *staff[case.id]):
                one = (role.party_id if isinstance(role, CaseParty) else role.staff_id, role.role)
                number = known.setdefault(one, role.number)
                assert (number, list(known.values()).count(number)) == (role.number, 1)
        assert {
            case.id: {
                "name": case.name,
                "number": case.file_number,
                "version": case.version,
                "parties": [(edge.party_id, edge.role) for edge in parties[case.id]],
                "staff": [(edge.staff_id, edge.role) for edge in staff[case.id]],
                "numbers": firm.cases[case.id]["numbers"],
            }
            for case in listed
        } == firm.cases
        assert {
            id: sorted((link.id, link.linked_case_id, link.type) for link in page)
            for id, page in links.items()
        } == {id: firm.links_of(id) for id in firm.cases}
        assert {one.id: [one.name, one.version] for one in people} == firm.parties
        assert {one.id: [one.name, one.version] for one in colleagues} == firm.staff

    async def compare_searches(self, index):
        firm, who = self.firms[index], self.who[index]
        async with self.database.read() as db:
            for term in SEARCHES:
                cases = await objects.cases(who, db, CaseFilter(search=term), paging=EVERYTHING)
                assert {case.id for case in cases} == {
                    id
                    for id, case in firm.cases.items()
                    if finds(
                        term,
                        case["name"],
                        case["number"],
                        parties=[(firm.parties[id][0], None) for id, _ in case["parties"]],
                    )
                }, term
                for kind, read in (("parties", objects.parties), ("staff", objects.staff)):
                    people = await read(who, db, term, EVERYTHING)
                    assert {one.id for one in people} == {
                        id for id, (name, _) in getattr(firm, kind).items() if finds(term, name)
                    }, term

    async def compare_strangers(self, index):
        """The ids of the other firm lead nowhere."""
        other, who = self.firms[1 - index], self.who[index]
        async with self.database.read() as db:
            assert await objects.by_id(who, db, lookups.CASE, other.cases) == {}
            assert await objects.by_id(who, db, lookups.PARTY, other.parties) == {}
            assert await objects.by_id(who, db, lookups.STAFF, other.staff) == {}
            assert await objects.by_id(who, db, lookups.LINK, other.links) == {}

    def check_tables(self):
        """What holds of the rows whatever happened."""
        with closing(sqlite3.connect(self.database.path, isolation_level=None)) as raw:
            raw.row_factory = sqlite3.Row
            for who in self.who:
                mine = [who.workspace_id]
                events = raw.execute(
                    "SELECT * FROM timeline_event WHERE workspace_id = ? ORDER BY seq", mine
                ).fetchall()
                assert [event["seq"] for event in events] == [*range(1, len(events) + 1)]
                last = timeline.GENESIS
                for event in events:
                    last = timeline.chained(last, dict(event))
                    assert event["hash"] == last
                head = raw.execute(
                    "SELECT seq, hash FROM timeline_head WHERE workspace_id = ?", mine
                ).fetchone()
                assert tuple(head) == (len(events), last)
                ends = raw.execute(
                    "SELECT id, case_id, linked_case_id, type FROM case_link"
                    " WHERE workspace_id = ?",
                    mine,
                ).fetchall()
                assert {tuple(end) for end in ends} == {
                    (id, other, case_id, str(LinkType(kind).inverse))
                    for id, case_id, other, kind in ends
                }
            assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
            raw.execute("INSERT INTO search_index(search_index, rank) VALUES('integrity-check', 1)")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A migrated database with two firms: copying it is faster than making it."""
    path = tmp_path_factory.mktemp("template") / "cases.db"

    async def make():
        async with opened(f"sqlite:///{path}") as database:
            for slug in ("north", "south"):
                await administration.create_workspace(database, slug)
            return [await administration.operator(database, slug) for slug in ("north", "south")]

    return path, asyncio.run(make())


async def live(path, principals, seed):
    async with opened(f"sqlite:///{path}") as database:
        world = World(database, principals)
        for action in history(seed):
            await world.run(action)
        for index in (0, 1):
            await world.compare(index)
            await world.compare_searches(index)
            await world.compare_strangers(index)
        world.check_tables()


# No shrinking: a seed is either good or bad, and no smaller one is simpler.
@settings(max_examples=HISTORIES, deadline=None, derandomize=True, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_whatever_happens_the_rules_hold(template, tmp_path_factory, seed):
    path, principals = template
    copy = tmp_path_factory.mktemp("world") / "cases.db"
    shutil.copy(path, copy)

    asyncio.run(live(copy, principals, seed))
