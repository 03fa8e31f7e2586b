import json
import sqlite3

import asyncpg
import pytest

from domain.errors import FileNumberTaken
from domain.inputs import CaseChanges, NewParty, PartyChanges, PartyRole
from domain.models import Change, EventSource
from domain.reading import objects
from domain.reading.relations import CASE_TIMELINE
from domain.writing import cases, links, register, timeline
from domain.writing.timeline import NewEvent


@pytest.fixture
def events(raw):
    """The events of a workspace as they are stored, by seq."""

    def read(who):
        columns = ", ".join((*timeline.CONTENT, "hash"))
        rows = raw.execute(
            f"SELECT {columns} FROM timeline_event WHERE workspace_id = ? ORDER BY seq",
            [who.workspace_id],
        )
        return [dict(zip((*timeline.CONTENT, "hash"), row, strict=True)) for row in rows]

    return read


@pytest.fixture
def head(raw):
    def read(who):
        return raw.execute(
            "SELECT seq, hash FROM timeline_head WHERE workspace_id = ?", [who.workspace_id]
        ).fetchone()

    return read


@pytest.fixture
async def history(database, clerk, given_case):
    """Something of everything; the cases it is about."""
    one = await given_case("One", parties=[PartyRole(NewParty("Jörg"), "client")])
    other = await given_case("Other")
    await links.link_cases(clerk, database, one.id, other.id, "parent")
    await cases.update_case(clerk, database, one.id, CaseChanges(name="Neu: Müller"))
    await cases.delete_case(clerk, database, other.id)
    return one, other


def broken_at(events):
    """The seq of the first event whose hash does not follow from what precedes it, or None."""
    last = timeline.GENESIS
    for event in events:
        if event["hash"] != timeline.chained(last, event):
            return event["seq"]
        last = event["hash"]
    return None


async def test_seq_counts_from_one_without_a_gap(clerk, stranger, given_case, history, events):
    await given_case(who=stranger)

    assert [event["seq"] for event in events(clerk)] == list(range(1, 11))
    assert [event["seq"] for event in events(stranger)] == [1, 2]


async def test_every_write_is_told_once_and_in_order(clerk, history, events):
    one, other = history

    told = [(event["type"], event["case_id"], event["actor"]) for event in events(clerk)]

    assert told == [
        ("key_created", None, "casegraph"),
        ("party_created", None, "clerk"),
        ("case_created", one.id, "clerk"),
        ("case_created", other.id, "clerk"),
        ("case_linked", one.id, "clerk"),
        ("case_linked", other.id, "clerk"),
        ("case_updated", one.id, "clerk"),
        ("case_unlinked", other.id, "clerk"),
        ("case_unlinked", one.id, "clerk"),
        ("case_deleted", other.id, "clerk"),
    ]


async def test_a_refused_write_takes_no_number(database, clerk, given_case, events):
    await given_case(file_number="AZ-1")
    before = events(clerk)

    with pytest.raises(FileNumberTaken):
        await given_case(file_number="AZ-1", parties=[PartyRole(NewParty("Jörg"), "client")])
    after = await given_case("After")

    assert events(clerk)[:-1] == before
    assert (events(clerk)[-1]["seq"], events(clerk)[-1]["case_id"]) == (3, after.id)


async def test_the_hashes_are_a_chain_that_ends_in_the_head(
    clerk, stranger, given_case, history, events, head
):
    await given_case(who=stranger)

    for who, count in ((clerk, 10), (stranger, 2)):
        found = events(who)
        assert broken_at(found) is None
        assert head(who) == (count, found[-1]["hash"])


def test_a_hash_is_the_sha256_of_the_predecessor_and_the_content():
    event = {
        "seq": 1,
        "id": "evt_1",
        "case_id": None,
        "subject_id": "pty_1",
        "type": "party_created",
        "actor": "clerk",
        "at": "2026-01-15T09:00:00Z",
        "occurred_at": "2026-01-15T09:00:00Z",
        "title": None,
        "changes": '[{"field":"name","before":null,"after":"Jörg"}]',
        "source": "recorded",
        "claimed_actor": None,
    }

    # printf '%064d\\n%s' 0 '[1,"evt_1",null,"pty_1",...]' | sha256sum
    assert timeline.chained("0" * 64, event) == (
        "0ab199a3dc7ea95e43f8de73ffedcb9bbdc4ad49fbafd04dbfaf8eccac17231a"
    )


@pytest.mark.parametrize("column", timeline.CONTENT)
async def test_an_edit_from_outside_breaks_the_chain(clerk, history, events, raw, column):
    value = "99" if column == "seq" else "'forged'"

    raw.tamper(
        f"UPDATE timeline_event SET {column} = {value} WHERE workspace_id = ? AND seq = 4",
        [clerk.workspace_id],
    )

    assert broken_at(events(clerk)) is not None


async def test_a_dropped_event_breaks_the_chain(clerk, history, events, raw):
    raw.tamper(
        "DELETE FROM timeline_event WHERE workspace_id = ? AND seq = 4", [clerk.workspace_id]
    )

    assert broken_at(events(clerk)) == 5


async def test_a_dropped_last_event_shows_in_the_head(clerk, history, events, head, raw):
    raw.tamper(
        "DELETE FROM timeline_event WHERE workspace_id = ? AND seq = 10", [clerk.workspace_id]
    )

    assert broken_at(events(clerk)) is None
    assert head(clerk) != (9, events(clerk)[-1]["hash"])


async def test_exchanged_events_break_the_chain(clerk, history, events):
    found = events(clerk)
    found[4], found[5] = found[5] | {"seq": 5}, found[4] | {"seq": 6}

    assert broken_at(found) == 5


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE timeline_event SET title = 'x' WHERE seq = 3",
        "UPDATE timeline_event SET hash = hash",
        "UPDATE timeline_event SET seq = 100 WHERE seq = 8",
        "UPDATE timeline_event SET title = 'x' WHERE type = 'case_deleted'",
        "DELETE FROM timeline_event WHERE seq = 1",
        "DELETE FROM timeline_event WHERE type = 'case_updated'",
        "DELETE FROM timeline_event",
        "INSERT OR REPLACE INTO timeline_event SELECT * FROM timeline_event WHERE seq = 3",
    ],
)
async def test_the_timeline_is_append_only(database_kind, history, stored, raw, statement):
    if "OR REPLACE" in statement and database_kind != "sqlite":
        pytest.skip("only SQLite knows it")
    if database_kind == "sqlite":
        raw.execute("PRAGMA recursive_triggers=ON")
    elif "OR REPLACE" in statement:
        pytest.skip("PostgreSQL does not know this")
    before = stored()

    refused = sqlite3.IntegrityError, asyncpg.RaiseError
    with pytest.raises(refused, match="timeline events are append-only"):
        raw.execute(statement)

    assert stored() == before


async def test_an_event_tells_before_and_after(database, clerk, given_case):
    case = await given_case("Old", dezernat="Mietrecht")
    await cases.update_case(clerk, database, case.id, CaseChanges(name="New", dezernat=None))

    async with database.read() as db:
        [event, _] = (await objects.related(clerk, db, CASE_TIMELINE, [case.id]))[case.id]

    assert (event.seq, event.type, event.actor, event.at) == (
        3,
        "case_updated",
        "clerk",
        "2026-01-15T09:00:00Z",
    )
    assert event.changes == (Change("name", "Old", "New"), Change("dezernat", "Mietrecht", None))


async def test_a_case_tells_its_own_story_newest_first(database, clerk, history):
    one, _ = history

    async with database.read() as db:
        page = (await objects.related(clerk, db, CASE_TIMELINE, [one.id]))[one.id]

    assert [event.type for event in page] == [
        "case_unlinked",
        "case_updated",
        "case_linked",
        "case_created",
    ]


async def test_what_happened_earlier_is_written_down_now(database, clerk, given_case, events):
    case = await given_case()
    old = NewEvent(
        "hearing",
        case.id,
        title="Hearing",
        occurred_at="1999-12-31T10:00:00Z",
        source=EventSource.IMPORTED,
        claimed_actor="court",
    )

    async with database.write() as db:
        await timeline.record(db, clerk.workspace_id, "clerk", [old])

    last = events(clerk)[-1]
    assert (last["type"], last["title"]) == ("hearing", "Hearing")
    assert (last["source"], last["actor"], last["claimed_actor"]) == ("imported", "clerk", "court")
    assert (last["at"], last["occurred_at"]) == ("2026-01-15T09:00:00Z", "1999-12-31T10:00:00Z")
    assert broken_at(events(clerk)) is None


async def test_a_workspace_without_a_timeline_cannot_be_written(database, clerk, raw, stored):
    raw.execute("DELETE FROM timeline_head WHERE workspace_id = ?", [clerk.workspace_id])
    before = stored()

    with pytest.raises(AssertionError):
        await register.create_party(clerk, database, NewParty("N"))

    assert stored() == before


async def test_a_change_of_a_party_is_told_under_its_id(database, clerk, given_party, events):
    party = await given_party("Old")

    await register.update_party(clerk, database, party.id, PartyChanges("New"))

    last = events(clerk)[-1]
    assert (last["type"], last["case_id"], last["subject_id"]) == ("party_updated", None, party.id)
    assert json.loads(last["changes"]) == [{"field": "name", "before": "Old", "after": "New"}]


async def test_a_clock_that_is_set_back_writes_nothing_earlier(
    database, clerk, stranger, clock, given_case, events
):
    case = await given_case()
    clock.now = "2026-03-01T00:00:00Z"
    await cases.update_case(clerk, database, case.id, CaseChanges(name="Later"))
    clock.now = "2020-01-01T00:00:00Z"

    changed = await cases.update_case(clerk, database, case.id, CaseChanges(name="Set back"))
    theirs = await given_case(who=stranger)

    assert changed.updated_at == "2026-03-01T00:00:00Z"
    at = [event["at"] for event in events(clerk)]
    assert at == sorted(at)
    assert theirs.created_at == "2026-01-15T09:00:00Z"  # each workspace has its own
