"""Purging erases deleted cases for good, and the chain holds."""

from pathlib import Path

import pytest

from domain import folding
from domain.inputs import NewParty, PartyRole
from domain.reading import objects, relations
from domain.upkeep.purging import Purged, purge
from domain.upkeep.verifying import verify
from domain.writing import cases, links

UNIQUE = "Xaverius Quetzalgroß"


@pytest.fixture
async def deleted(database, clerk, given_case):
    """A deleted case with a unique name, linked to one that stays."""
    parties = [PartyRole(NewParty("Stays in the register"), "client")]
    case = await given_case(UNIQUE, description=f"About {UNIQUE}", parties=parties)
    other = await given_case("Stays")
    await links.link_cases(clerk, database, case.id, other.id, "related")
    await cases.delete_case(clerk, database, case.id)
    return case, other


def traces(path: Path) -> list[str]:
    files = [path, path.with_name(path.name + "-wal")]
    content = b"".join(file.read_bytes() for file in files if file.exists())
    plain = folding.plain(UNIQUE)
    return [text for text in (UNIQUE, plain, folding.loose(plain)) if text.encode() in content]


@pytest.mark.sqlite
async def test_nothing_of_a_purged_case_is_left_in_the_file(database, clerk, deleted):
    assert traces(database.path) != []

    purged = await purge(clerk, database)

    assert purged == Purged(cases=1, events=4, parties=1)
    assert traces(database.path) == []


async def test_the_chain_holds_after_purging(database, clerk, deleted):
    await purge(clerk, database)

    assert (await verify(database)).findings == []


async def test_the_other_end_of_a_link_keeps_its_timeline(database, clerk, deleted):
    _case, other = deleted

    await purge(clerk, database)

    async with database.read() as db:
        pages = await objects.related(clerk, db, relations.CASE_TIMELINE, [other.id])
    assert [event.type for event in pages[other.id]] == [
        "case_unlinked",
        "case_linked",
        "case_created",
    ]


async def test_visible_cases_are_not_purged(database, clerk, given_case, stored):
    await given_case("Stays")
    before = stored()

    assert await purge(clerk, database) == Purged(0, 0)
    assert stored() == before


async def test_a_dry_run_counts_and_changes_nothing(database, clerk, deleted, stored):
    before = stored()

    assert await purge(clerk, database, dry_run=True) == Purged(cases=1, events=4, parties=1)
    assert stored() == before


async def test_only_cases_deleted_before_the_date_are_purged(database, clerk, deleted, clock):
    assert await purge(clerk, database, before=clock.now) == Purged(0, 0)
    assert await purge(clerk, database, before="2026-01-15T09:00:01Z") == Purged(1, 4, 1)


async def test_another_workspace_is_left_alone(database, clerk, stranger, deleted):
    assert await purge(stranger, database) == Purged(0, 0)
    assert await purge(clerk, database, dry_run=True) == Purged(1, 4, 1)
