"""Search by words: an oracle in plain Python says what is found, in which order, and why."""

import os
import random
import re
import unicodedata

import pytest

from domain.errors import Invalid
from domain.inputs import (
    CaseFilter,
    CaseOrder,
    CaseOrderField,
    NewParty,
    NewStaff,
    PartyFilter,
    PartyRole,
    StaffFilter,
    StaffRole,
)
from domain.reading import lists, lookups, matches, objects, search
from domain.reading.paging import Paging
from domain.reading.search import DEFAULT_FIELDS, MatchField
from tests.domain.searching import (
    RULES,
    found_in,
    normal,
    score,
    split,
    terms_of,
    texts_of,
)

BY_RELEVANCE = CaseOrder(CaseOrderField.RELEVANCE)
SEARCHES = int(os.environ.get("CASEGRAPH_SEARCHES", "15"))
"""Random ones, for each database."""


# What is made, and what is sought.

SYLLABLES = [
    "Mü",
    "mue",
    "mu",
    "ller",
    "We",
    "is",
    "iß",
    "Anna",
    "lena",
    "O'",
    "Ne",
    "ill",
    "ae",
    "Groß",
]
PIECES = [
    "Müller",
    "Mueller",
    "Muller",
    "Weiß",
    "Weiss",
    "Anna",
    "Lena",
    "O’Neill",
    "ONeill",
    "Ma",
    "Maer",
]
BETWEEN = [" ", " ", "-", " ./. ", " & ", ", ", "\u2011", "'"]
NUMBERS = [
    "AZ-2026-042",
    "az 2026/42",
    "2026/0042",
    "LG012/05",
    "007",
    "12 C 7/26",
    "907 Js 123456/22",
    "AZ1",
]


def made_name(chance):
    pieces = [
        chance.choice(PIECES)
        if chance.random() < 0.6
        else "".join(chance.choices(SYLLABLES, k=chance.randint(1, 3)))
        for _ in range(chance.randint(1, 4))
    ]
    return "".join(
        piece + (chance.choice(BETWEEN) if index + 1 < len(pieces) else "")
        for index, piece in enumerate(pieces)
    )


def made_number(chance):
    number = chance.choice(NUMBERS)
    return (
        re.sub(r"\d", lambda _: chance.choice("01247"), number) if chance.random() < 0.6 else number
    )


def made_query(chance):
    parts = []
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.35:
            part = made_number(chance)
            if chance.random() < 0.3:
                part = re.sub(r"[-/ ]", chance.choice(["", "/", " ", "-"]), part)
            if chance.random() < 0.2:
                part = chance.choice(["Az.: ", "Nr. ", "#", "No "]) + part
        else:
            part = made_name(chance)
        start = chance.randint(0, 3) if chance.random() < 0.4 else 0
        part = part[start : start + chance.randint(1, 12)] if chance.random() < 0.5 else part
        part = part.upper() if chance.random() < 0.2 else part
        if chance.random() < 0.2:
            part = unicodedata.normalize("NFD", part)
        parts.append(f'"{part}"' if chance.random() < 0.15 else part)
    return " ".join(parts)[:190]


@pytest.fixture
async def firm(database, clerk, given_case, clock):
    """Cases with everything that is searched, by their ids."""
    chance = random.Random(5)
    made = {}
    taken = set()
    for n in range(70):
        clock.now = f"2026-01-{1 + n // 3:02}T09:00:00Z"
        number = made_number(chance) if chance.random() < 0.7 else None
        if number is not None and normal(number) in taken:
            number = None
        taken.add(normal(number or ""))
        parties = [
            (made_name(chance), made_number(chance) if chance.random() < 0.4 else None)
            for _ in range(chance.randint(0, 3))
        ]
        staff = [made_name(chance) for _ in range(chance.randint(0, 1))]
        name = made_name(chance)
        case = await given_case(
            name,
            file_number=number,
            parties=[
                PartyRole(NewParty(one), f"r{i}", ref) for i, (one, ref) in enumerate(parties)
            ],
            staff=[StaffRole(NewStaff(one), "clerk") for one in staff],
        )
        made[case.id] = {
            "name": name,
            "number": number,
            "parties": parties,
            "staff": staff,
            "created": case.created_at,
        }
    return made


async def found(database, clerk, wanted, order=BY_RELEVANCE, size=100):
    """The ids that a filter finds, page by page."""
    ids, cursor = [], None
    async with database.read() as db:
        while True:
            page = await objects.cases(clerk, db, wanted, order, Paging(size, after=cursor))
            ids += [case.id for case in page]
            if not page.has_next:
                return ids
            cursor = page.end_cursor


@pytest.mark.parametrize(("few", "known"), [(0, 0), (5, 3), (500, 2_000)])
async def test_an_oracle_says_what_is_found_and_in_which_order(
    database, clerk, firm, monkeypatch, few, known
):
    monkeypatch.setattr(search, "MOST_KNOWN", known)
    monkeypatch.setattr(lists, "FEW", few)
    monkeypatch.setattr(lists, "MANY", 2 * few)
    chance = random.Random(few)
    hits = 0
    for n in range(SEARCHES):
        query = made_query(chance)
        chosen = None
        if chance.random() < 0.4:
            chosen = chance.sample(list(MatchField), chance.randint(1, 4))
        fields = chosen or DEFAULT_FIELDS
        scores = {id: score(query, case, fields) for id, case in firm.items()}
        if not terms_of(query):
            scores = dict.fromkeys(firm, 0)
        expected = [id for id, value in scores.items() if value is not None]
        expected.sort(key=lambda id: (scores[id], firm[id]["created"], id), reverse=True)
        wanted = CaseFilter(search=query, in_=chosen)

        got = await found(database, clerk, wanted, size=chance.choice([3, 7, 100]))

        told = (n, query, chosen, {id: firm[id] for id in set(expected) ^ set(got)})
        assert set(got) == set(expected), told
        assert got == expected, (n, query, chosen, [(scores[id], firm[id]) for id in got])
        async with database.read() as db:
            assert await objects.count_cases(clerk, db, wanted) == len(expected)
        hits += 0 < len(expected) < len(firm)
    assert hits > SEARCHES / 6


async def test_every_hit_is_justified_by_its_matches(database, clerk, firm):
    chance = random.Random(1)
    justified = 0
    for _ in range(SEARCHES // 2):
        query = made_query(chance)
        terms = terms_of(query)
        fields = list(MatchField)
        async with database.read() as db:
            wanted = CaseFilter(search=query, in_=fields)
            asked = await lists.cases(clerk, wanted, BY_RELEVANCE).settled(db)
            page = await objects.page(db, asked, Paging(100))
            told = await matches.of(db, asked, list(page))
        for case in page if terms else ():
            texts = texts_of(firm[case.id], fields)
            expected = {
                (field, text)
                for field, text, code in texts
                if any(found_in(term, number, text, code) for term, number in terms)
            }
            assert {(one.field, one.text) for one in told[case.id]} == expected, query
            for one in told[case.id]:
                code = one.field in (MatchField.FILE_NUMBER, MatchField.REFERENCE)
                rules = [found_in(term, number, one.text, code) for term, number in terms]
                weakest = max((rule for rule in rules if rule), key=RULES.index)
                words_asked = [word for term, _ in terms_of(query) for word in term.split()]
                if [word for word, _ in split(one.text)] == words_asked:
                    weakest = "exact"
                assert str(one.rule) == weakest, (query, one)
                assert one.ranges
                ends = [0, *(end for part in one.ranges for end in part), len(one.text)]
                assert ends == sorted(ends)
                justified += 1
    assert justified > SEARCHES / 2


SPELLINGS = [
    ("Müller", "Mueller", "Muller", "MÜLLER", "Mu\u0308ller"),
    ("Weiß", "WEISS", "weiss", "Weiß"),
    ("O'Neill", "O’Neill", "ONeill", "O\u2018Neill"),
    ("Anna-Lena", "Anna Lena", "Annalena", "ANNA\u2011LENA"),
]
NUMBERED = ["AZ-2026-042", "AZ\u20112026\u2011042", "Az.: AZ-2026-042", "2026/42", "az 2026 42"]


async def test_every_spelling_finds_every_other(database, clerk, given_case):
    for group in SPELLINGS:
        for name in group:
            await given_case(f"{name} Schmidt", file_number=None)
    for group in SPELLINGS:
        for query in group:
            names = {f"{name} Schmidt" for name in group}
            ids = await found(database, clerk, CaseFilter(search=query))
            async with database.read() as db:
                by_id = await objects.by_id(clerk, db, lookups.CASE, ids)
            stored = {unicodedata.normalize("NFC", name) for name in names}
            assert stored <= {case.name for case in by_id.values()}, query


async def test_every_way_to_write_a_file_number_finds_it(database, clerk, given_case):
    case = await given_case("Found", file_number="AZ-2026-042")
    await given_case("Other", file_number="AZ-2026-041")

    for query in NUMBERED:
        assert await found(database, clerk, CaseFilter(search=query)) == [case.id], query


@pytest.mark.parametrize(
    "wanted",
    [
        CaseFilter(search=" ".join("abcdefghijklmnopq")),
        CaseFilter(search="x" * 201),
        CaseFilter(search="x", in_=["names"]),
        CaseFilter(party=PartyFilter(reference="x" * 201)),
        CaseFilter(staff=StaffFilter(search=" ".join("abcdefghijklmnopq"))),
    ],
)
async def test_what_cannot_be_searched_is_refused(clerk, wanted):
    with pytest.raises(Invalid):
        lists.cases(clerk, wanted)
