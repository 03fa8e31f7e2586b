"""Why a search has found something: which of its texts have the terms, by which rule, and where."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, or_, select

from domain import words
from domain.models import Case, Party, Staff
from domain.reading import lookups, objects, search, terms
from domain.reading.lists import RootList
from domain.reading.search import MatchField, Wanted
from domain.reading.terms import Found, MatchRule, Sought
from domain.storage.database import Snapshot
from domain.storage.spellings import each
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import case_party, staff_assignment

MOST = 20
"""Matches that are told of one object: the best of them."""


class TextRange(NamedTuple):
    """A part of a text: from *start* up to, and not including, *end*, in UTF-16 code units.

    These are what JavaScript, Java and C# count; for nearly all texts, they are the characters.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Match:
    """A text that has a term, or several: where it is, the weakest of the rules by which it has
    them, and the places. *party* and *staff* are whose name or reference it is."""

    field: MatchField
    rule: MatchRule
    text: str
    ranges: Sequence[TextRange]
    party: Party | None = None
    staff: Staff | None = None


async def of(
    db: Snapshot, asked: RootList, items: Sequence[Case | Party | Staff]
) -> dict[str, list[Match]]:
    """By the id of each item of a list, its matches, the best first; none without a search."""
    if asked.kind is lookups.CASE:
        cases = [(one.id, one.name, one.file_number) for one in items if isinstance(one, Case)]
        return await of_cases(db, asked, cases)
    found = {}
    for one in items:
        if isinstance(one, Party):
            found[one.id] = of_party(asked, one)
        elif isinstance(one, Staff):
            found[one.id] = of_staff(asked, one)
    return found


async def of_cases(
    db: Snapshot, asked: RootList, cases: Sequence[tuple[str, str, str | None]]
) -> dict[str, list[Match]]:
    """The same for cases: of each, the id, the name and the file number."""
    wanted = asked.compiled.search
    if wanted is None or not cases:
        return {id: [] for id, _name, _number in cases}
    sought = asked.compiled.sought[wanted.name]
    kinds = {source.kind for source in wanted.sources}
    own = next((source.columns for source in wanted.sources if source.kind == "case"), ())
    found: dict[str, list[Match | None]] = {}
    for id, name, number in cases:
        found[id] = [
            match(sought, MatchField.NAME, name) if "name" in own else None,
            match(sought, MatchField.FILE_NUMBER, number) if "code" in own else None,
        ]
    values = {**asked.values, "cases": json.dumps(list(found))}
    if kinds & {"party", "reference"}:
        rows = await db.fetch(Fetch(_involved(wanted, "party"), values))
        people = await objects.by_id(asked.who, db, lookups.PARTY, {id for _, id, _ in rows})
        for case_id, id, reference in rows:
            party: Party = people[id]
            if "party" in kinds:
                found[case_id].append(match(sought, MatchField.PARTY, party.name, party=party))
            if "reference" in kinds:
                found[case_id].append(match(sought, MatchField.REFERENCE, reference, party=party))
    if "staff" in kinds:
        rows = await db.fetch(Fetch(_involved(wanted, "staff"), values))
        members = await objects.by_id(asked.who, db, lookups.STAFF, {id for _, id, _ in rows})
        for case_id, id, _note in rows:
            member: Staff = members[id]
            found[case_id].append(match(sought, MatchField.STAFF, member.name, staff=member))
    return {id: best(listed) for id, listed in found.items()}


def of_party(asked: RootList, party: Party) -> list[Match]:
    """The matches of a party that a search of parties has found."""
    sought = _sought(asked)
    return best([match(sought, MatchField.PARTY, party.name, party=party)]) if sought else []


def of_staff(asked: RootList, member: Staff) -> list[Match]:
    """The matches of a staff member that a search of staff has found."""
    sought = _sought(asked)
    texts = (member.name, member.email) if sought else ()
    return best([match(sought, MatchField.STAFF, text, staff=member) for text in texts])


def match(
    sought: Sought | None,
    field: MatchField,
    text: str | None,
    *,
    party: Party | None = None,
    staff: Staff | None = None,
) -> Match | None:
    """The match of one text; None if it has none of the terms."""
    if not text or sought is None:
        return None
    found = words.words(text)
    is_code = field in (MatchField.FILE_NUMBER, MatchField.REFERENCE)
    by_term = [terms.find(term, found, is_code=is_code) for term in sought.terms]
    rules = [places[0].rule for places in by_term if places]
    if not rules:
        return None
    rule = max(rules, key=_RULES.index)
    if tuple(word.plain for word in found) == sought.words:
        rule = MatchRule.EXACT
    best_places = [one for places in by_term for one in places if one.rule is places[0].rule]
    return Match(field, rule, text, _ranges(text, best_places), party, staff)


def best(found: Iterable[Match | None]) -> list[Match]:
    """The best of the matches, each once."""
    listed = {
        (one.field, one.text, one.party and one.party.id, one.staff and one.staff.id): one
        for one in found
        if one is not None
    }
    # Sorting keeps the order of those that are alike: the case's own texts come first.
    return sorted(listed.values(), key=lambda one: _RULES.index(one.rule))[:MOST]


def _sought(asked: RootList) -> Sought | None:
    wanted = asked.compiled.search
    return asked.compiled.sought[wanted.name] if wanted is not None else None


def _ranges(text: str, found: Sequence[Found]) -> list[TextRange]:
    """The places, from left to right; those that touch are one."""
    merged: list[list[int]] = []
    for one in sorted(found, key=lambda one: (one.start, one.end)):
        if merged and one.start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], one.end)
        else:
            merged.append([one.start, one.end])
    return [TextRange(_units(text[:start]), _units(text[:end])) for start, end in merged]


def _units(text: str) -> int:
    """The length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


@lru_cache(maxsize=64)
def _involved(wanted: Wanted, kind: str) -> Prepared:
    """The case, the person and the reference or note of roles in *cases* with any of the terms."""
    roles, node, remark = _ROLES[kind]
    c = roles.c
    kinds = ("party", "reference") if kind == "party" else (kind,)
    sources = [one for one in wanted.sources if one.kind in kinds]
    has_any = [
        search.role_has(wanted, n, source, c[node], c.case_id, c.position)
        for source in sources
        for n in range(len(wanted.modes))
    ]
    cases = select(each.value(bindparam("cases")).c.value)
    mine = (c.workspace_id == bindparam("workspace_id"), c.case_id.in_(cases))
    statement = select(c.case_id, c[node], c[remark]).where(*mine, or_(*has_any))
    return Prepared(statement.order_by(c.case_id, c.position))


_ROLES: dict[str, tuple[Any, str, str]] = {
    "party": (case_party, "party_id", "reference"),
    "staff": (staff_assignment, "staff_id", "note"),
}
_RULES = tuple(MatchRule)
