"""Whatever is changed behind the program's back is found, and no client is named."""

import pytest

from domain import linking
from domain.verifying import verify


@pytest.fixture
async def sound(database, clerk, given_case):
    """A database with a few events and a link; the id of a case in it."""
    one, two = await given_case("Müller"), await given_case("Weiß")
    await linking.link_cases(clerk, database, one.id, two.id, "parent")
    return one.id


async def findings(database):
    return [str(finding) for finding in (await verify(database)).findings]


async def test_a_sound_database_has_no_findings(database, sound):
    checked = await verify(database)

    assert checked.findings == []
    assert (checked.cases, checked.events) == (2, 5)


NO_TRIGGERS = "DROP TRIGGER timeline_event_is_final; DROP TRIGGER timeline_event_is_kept;"


@pytest.mark.parametrize(
    ("tampering", "place"),
    [
        (f"{NO_TRIGGERS} UPDATE timeline_event SET actor = 'x' WHERE seq = 3", "event 3"),
        (f"{NO_TRIGGERS} UPDATE timeline_event SET changes = '[]' WHERE seq = 2", "event 2"),
        (f"{NO_TRIGGERS} DELETE FROM timeline_event WHERE seq = 2 AND workspace_id = 1", "event 3"),
        (f"{NO_TRIGGERS} DELETE FROM timeline_event WHERE seq = 5", "timeline"),
        (
            f"{NO_TRIGGERS} UPDATE timeline_event"
            " SET type = 'purged', case_id = NULL, changes = '[]', actor = '' WHERE seq = 2",
            "event 2",
        ),
        ("UPDATE timeline_head SET seq = seq + 1 WHERE workspace_id = 1", "timeline"),
        ("UPDATE timeline_head SET hash = 'x' WHERE workspace_id = 1", "timeline"),
        ("DELETE FROM case_link WHERE type = 'parent'", "link lnk_"),
        ("UPDATE case_link SET type = 'parent'", "link lnk_"),
        ("UPDATE search_entry SET plain = 'x' WHERE kind = 'case'", "case "),
        ("DELETE FROM search_entry WHERE kind = 'case'", "case "),
        ("UPDATE cases SET name = 'x'", "case "),
        ("DROP TRIGGER search_entry_removed; DELETE FROM search_entry", "search index"),
    ],
)
async def test_tampering_is_found(database, sound, raw, tampering, place):
    raw.execute("PRAGMA foreign_keys=OFF")
    raw.executescript(tampering)

    found = await findings(database)

    assert any(place in finding for finding in found), found
    assert not any("Müller" in finding or "müller" in finding.lower() for finding in found)


async def test_a_role_of_nobody_is_found(database, sound, raw):
    raw.execute("PRAGMA foreign_keys=OFF")
    raw.execute(
        "INSERT INTO case_party (workspace_id, case_id, position, party_id, role, added_at)"
        " VALUES (1, ?, 9, 'pty_none', 'client', '2026-01-01T00:00:00Z')",
        (sound,),
    )

    found = await findings(database)

    assert any("party role 9 refers to nothing" in finding for finding in found)
