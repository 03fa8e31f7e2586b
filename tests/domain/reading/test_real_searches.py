"""Real cases are found however people type their names and numbers, and short words as told."""

import random
import re
import unicodedata

import pytest
from sqlalchemy import select

from domain.inputs import CaseFilter, CaseOrder, CaseOrderField
from domain.reading import lists, matches, objects
from domain.reading.paging import Paging
from domain.reading.search import MatchField
from domain.storage.tables import cases
from domain.transfer.importing import OnConflict, import_cases
from tests import real as file
from tests.domain.searching import RULES, has, split

BY_RELEVANCE = CaseOrder(CaseOrderField.RELEVANCE)
TRIED = 50 if file.EVERY == 1 else 10
"""Names, and numbers, that are searched for in every way."""
EVERY_DAY = {
    "as it is": lambda name: name,
    "in capitals": str.upper,
    "in small letters": str.lower,
    "the other way round": lambda name: " ".join(reversed(name.split())),
    "without punctuation": lambda name: re.sub(r"[^\w\s'’-]", "", name),
    "with a slash": lambda name: name.replace(" v. ", " ./. "),
    "without the v.": lambda name: name.replace(" v. ", " "),
    "with a plain v": lambda name: name.replace(" v. ", " v "),
    "its first and its last word": lambda name: f"{name.split()[0]} {name.split()[-1]}",
    "hyphens as blanks": lambda name: name.replace("-", " "),
    "decomposed": lambda name: unicodedata.normalize("NFD", name),
    "the last word begun": lambda name: name[: len(name) - max(0, len(name.split()[-1]) - 4)],
}
AS_TYPED = {
    "as it is": lambda number: number,
    "in small letters": str.lower,
    "with blanks": lambda number: re.sub(r"[-/]", " ", number),
    "with slashes": lambda number: re.sub(r"[- ]", "/", number),
    "without separators": lambda number: re.sub(r"[-/ ]", "", number),
    "with a label": lambda number: f"No. {number}",
    "as a file number": lambda number: f"Az.: {number}",
    "with another hyphen": lambda number: number.replace("-", "\u2011"),
    "with zeros": lambda number: re.sub(r"\d+", lambda run: run[0].zfill(6), number),
}


@pytest.fixture
async def real(database, clerk):
    """Real cases, by name."""
    lines = file.some()
    await import_cases(clerk, database, lines, source="real", on_conflict=OnConflict.SKIP)
    async with database.read(clerk.workspace_id) as db:
        # Unordered rows are in whatever order PostgreSQL read them: another sample in each run.
        stored = await db.rows(select(cases.c.name, cases.c.file_number).order_by(cases.c.id))
    numbered = [(name, number) for name, number in stored if number]
    return random.Random(3).sample(numbered, min(400, len(numbered)))


@file.needed
async def test_real_names_and_numbers_are_found_however_they_are_typed(database, clerk, real):
    names = [name for name, _ in real if len(split(name)) <= 14 and len(name) < 180][:TRIED]
    numbers = [number for _, number in real][:TRIED]
    missed = []
    async with database.read(clerk.workspace_id) as db:
        for texts, variants, field in (
            (names, EVERY_DAY, "name"),
            (numbers, AS_TYPED, "file_number"),
        ):
            assert len(texts) == TRIED
            for text in texts:
                for how, variant in variants.items():
                    query = variant(text)
                    if not await found(clerk, db, query, field, text):
                        missed.append((how, query, text))
                wrong = CaseFilter(search=f"{text} quetzalcoatl")
                assert await objects.count_cases(clerk, db, wrong) == 0
    assert missed == []
    for query in ("Doe", "Roe", "Coe", "Mae", "Sue", "ue"):
        await justified(database, clerk, query)


async def found(clerk, db, query, field, text):
    """Whether a case whose *field* is *text* is among all that *query* finds, on any page."""
    after = None
    while True:
        page = await objects.cases(
            clerk, db, CaseFilter(search=query), BY_RELEVANCE, Paging(100, after)
        )
        if text in [getattr(one, field) for one in page]:
            return True
        if not page.has_next:
            return False
        after = page.end_cursor


async def justified(database, clerk, query):
    """Check that each hit is one by its matches, and that the true ones come first."""
    async with database.read(clerk.workspace_id) as db:
        asked = await lists.cases(clerk, CaseFilter(search=query), None).settled(db)
        page = await objects.page(db, asked, Paging(100))
        told = await matches.of(db, asked, list(page))
    own = []
    for case in page:
        assert told[case.id], case.name
        for one in told[case.id]:
            code = one.field in (MatchField.FILE_NUMBER, MatchField.REFERENCE)
            assert str(one.rule) in (has(query.lower(), one.text, is_code=code), "exact")
            assert [one.text[start:end] for start, end in one.ranges]
        named = [one.rule for one in told[case.id] if one.field is MatchField.NAME]
        own.append(min(map(RULES.index, named), default=len(RULES)))
    # First the whole words of a name, then what begins like that, and so on.
    assert own == sorted(own), list(zip(own, [case.name for case in page], strict=True))
