"""Whatever is changed behind the program's back is found, and no client is named."""

import pytest

from domain.upkeep.verifying import verify
from domain.writing import links


@pytest.fixture
async def sound(database, clerk, given_case):
    """A database with a few events and a link; the id of a case in it."""
    one, two = await given_case("Müller"), await given_case("Weiß")
    await links.link_cases(clerk, database, one.id, two.id, "parent")
    return one.id


async def findings(database):
    return [str(finding) for finding in (await verify(database)).findings]


async def test_a_sound_database_has_no_findings(database, sound):
    checked = await verify(database)

    assert checked.findings == []
    assert (checked.cases, checked.events) == (2, 5)


@pytest.mark.parametrize(
    ("tampering", "place"),
    [
        ("UPDATE timeline_event SET actor = 'x' WHERE seq = 3", "event 3"),
        ("UPDATE timeline_event SET changes = '[]' WHERE seq = 2", "event 2"),
        ("DELETE FROM timeline_event WHERE seq = 2 AND workspace_id = 1", "event 3"),
        ("DELETE FROM timeline_event WHERE seq = 5", "timeline"),
        (
            "UPDATE timeline_event"
            " SET type = 'purged', case_id = NULL, changes = '[]', actor = '' WHERE seq = 2",
            "event 2",
        ),
        ("UPDATE timeline_head SET seq = seq + 1 WHERE workspace_id = 1", "timeline"),
        ("UPDATE timeline_head SET hash = 'x' WHERE workspace_id = 1", "timeline"),
        ("DELETE FROM case_link WHERE type = 'parent'", "link lnk_"),
        ("UPDATE case_link SET type = 'parent'", "link lnk_"),
        ("UPDATE search_entry SET name = 'x' WHERE kind = 'case'", "case "),
        ("DELETE FROM search_entry WHERE kind = 'case'", "case "),
        ("UPDATE cases SET name = 'x'", "case "),
    ],
)
async def test_tampering_is_found(database, sound, raw, tampering, place):
    raw.tamper(tampering)

    found = await findings(database)

    assert any(place in finding for finding in found), found
    assert not any("Müller" in finding or "müller" in finding.lower() for finding in found)


@pytest.mark.sqlite
async def test_a_search_index_that_does_not_fit_its_entries_is_found(database, sound, raw):
    raw.execute("DROP TRIGGER search_entry_removed")
    raw.execute("DELETE FROM search_entry")

    assert any("search index" in finding for finding in await findings(database))


@pytest.mark.postgresql
async def test_what_postgresql_has_lost_track_of_is_found(database, sound, raw):
    raw.tamper("DELETE FROM cases")
    raw.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_cases_number_key'::regclass"
    )

    found = await findings(database)

    assert any("index ix_cases_number_key" in finding for finding in found)
    assert any("table case_link: a row refers to nothing in cases" in one for one in found), found


async def test_a_role_of_nobody_is_found(database, sound, raw):
    raw.tamper(
        "INSERT INTO case_party (workspace_id, case_id, position, party_id, role, added_at, number)"
        " VALUES (1, ?, 9, 'pty_none', 'client', '2026-01-01T00:00:00Z', 9)",
        (sound,),
    )

    found = await findings(database)

    assert any("party role 9 refers to nothing" in finding for finding in found)
