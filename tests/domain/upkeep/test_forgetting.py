"""Nothing is left of a party that was erased, in any spelling, and the record still holds."""

import asyncio
import sqlite3
from contextlib import closing

import orjson
import pytest

from domain import folding
from domain.errors import PartyNotFound, Unavailable
from domain.inputs import (
    CaseChanges,
    CaseFilter,
    NewParty,
    NewWebhook,
    PartyChanges,
    PartyRole,
    RoleChanges,
    StaffChanges,
    StaffRole,
    WebhookChanges,
)
from domain.reading import objects, relations
from domain.storage.sqlite import file
from domain.transfer.importing import dumped, import_cases
from domain.upkeep import administration, forgetting
from domain.upkeep.forgetting import FEW, forget_party
from domain.upkeep.purging import Purged, purge
from domain.upkeep.redacting import ERASED
from domain.upkeep.verifying import verify
from domain.webhooks import registering
from domain.webhooks.registering import Terms
from domain.writing import cases, merging, register, roles

NAME, OLD, OTHER = "Xaverius Quetzalgroß", "Xaver Qetzal-Kleinert", "X. Q. Zwergauer"
REFERENCE = "QZ/4711-Ref"
KEPT = "Bleibt hier GmbH"


def spellings():
    for text in (NAME, OLD, OTHER, REFERENCE):
        plain = folding.plain(text)
        yield from {text, plain, folding.loose(plain)}


def left_in(raw, database, database_kind):
    """The spellings that somebody finds who reads the files, or the tables and indexes."""
    if database_kind == "sqlite":
        paths = database.path.parent.glob(f"{database.path.name}*")
        content = b"".join(path.read_bytes() for path in paths)
    else:
        content = raw.everything().encode()
        content += str(raw.execute("SELECT * FROM search_gram").fetchall()).encode()
        # What the planner remembers of values, too.
        remembered = "SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats"
        content += str(raw.execute(f"{remembered} WHERE schemaname = 'public'").fetchall()).encode()
    # A JSON text within a JSON text has its quotes escaped, but its letters as they are.
    return [text for text in spellings() if text.encode() in content]


@pytest.fixture
async def party(database, clerk, given_case):
    """The id of a party that has left traces everywhere."""
    first = await register.create_party(
        clerk, database, NewParty(OLD), idempotency_key=f"create {1}"
    )
    other = await register.create_party(clerk, database, NewParty(OTHER))
    case = await given_case(
        "Stays", parties=[PartyRole(first.id, "client", REFERENCE), PartyRole(NewParty(KEPT), "x")]
    )
    await register.update_party(clerk, database, first.id, PartyChanges(name=NAME))
    await roles.add_parties(
        clerk, database, case.id, [PartyRole(first.id, "witness")], idempotency_key="add"
    )
    second = await given_case("Merged", parties=[PartyRole(other.id, "client", REFERENCE)])
    await merging.merge_parties(clerk, database, first.id, other.id)
    await roles.update_party_role(
        clerk, database, (second.id, 1), RoleChanges(remark=f"{REFERENCE} 2")
    )
    line = {
        "name": "Imported",
        "parties": [
            {
                "id": first.id,
                "name": NAME,
                "role": "client",
                "timeline": [
                    {"type": "party_seen", "occurred_at": "2001-01-01", "title": f"Met {NAME}"}
                ],
            }
        ],
        "timeline": [
            {"type": "letter", "occurred_at": "2002-01-01", "title": f"To {NAME.upper()}, Berlin"},
            {"type": "call", "occurred_at": "2002-01-02", "actor": NAME},
            {
                "type": "note",
                "occurred_at": "2002-01-03",
                "changes": [{"field": "who", "before": None, "after": [{"n": OLD}]}],
            },
            {"type": "hearing", "occurred_at": "2002-01-04", "title": f"Only {KEPT}"},
        ],
    }
    await import_cases(clerk, database, [dumped(line)], source="f")
    return first.id


async def sound(database):
    assert [str(one) for one in (await verify(database)).findings] == []


async def test_no_spelling_of_the_name_is_left_and_the_chain_holds(
    database, database_kind, clerk, party, raw
):
    assert set(left_in(raw, database, database_kind)) >= {NAME, OLD, REFERENCE}
    before = (await verify(database)).events

    forgotten = await forget_party(clerk, database, party)
    await database.rewrite()

    assert left_in(raw, database, database_kind) == []
    assert (forgotten.cases, forgotten.mentions) == (3, ())
    checked = await verify(database)
    assert (checked.findings, checked.events) == ([], before + 2)
    async with database.read() as db:
        [found] = (await objects.by_id(clerk, db, objects.lookups.PARTY, [party])).values()
        pages = await objects.related(clerk, db, relations.PARTY_CASES, [party])
        search = await objects.cases(clerk, db, CaseFilter(search="quetzal"))
        assert list(search) == []
        [kept] = [one for one in await objects.parties(clerk, db) if one.name != ERASED]
    assert (found.name, kept.name) == (ERASED, KEPT)
    assert {(one.party.name, one.reference) for one in pages[party]} == {(ERASED, None)}
    assert len(pages[party].edges) == 4


async def test_what_is_told_of_others_stays(database, clerk, party, raw):
    await forget_party(clerk, database, party)

    events = raw.execute("SELECT type, changes, title, hash, at, actor, seq FROM timeline_event")
    told = [(kind, changes, title) for kind, changes, title, *rest in events if all(rest)]
    assert any(KEPT in changes for _kind, changes, _title in told)
    assert ("hearing", "[]", f"Only {KEPT}") in told
    assert ("letter", "[]", None) in told
    created = [orjson.loads(changes) for kind, changes, _ in told if kind == "case_created"]
    assert any(one["after"] == "Stays" for changes in created for one in changes)
    assert any(f'"name":"{ERASED}"' in changes for _, changes, _ in told)


async def test_a_party_whom_no_case_names_goes_altogether(database, clerk, given_party, raw):
    gone = await given_party(NAME)

    forgotten = await forget_party(clerk, database, gone.id)

    assert forgotten.cases == 0
    assert raw.execute("SELECT count(*) FROM party").fetchone() == (0,)
    await sound(database)
    assert (await forget_party(clerk, database, gone.id)).events == 0
    with pytest.raises(PartyNotFound):
        await forget_party(clerk, database, "pty_none")


async def test_names_that_people_wrote_into_cases_are_told_of(database, clerk, party, given_case):
    one = await given_case(f"{NAME} ./. Weiß")
    two = await given_case("Another")
    await cases.update_case(
        clerk, database, two.id, CaseChanges(description=f"About\n{OLD.lower()}!")
    )

    forgotten = await forget_party(clerk, database, party)

    assert set(forgotten.mentions) == {one.id, two.id}


TERMS = Terms(query="subscription { caseChanges { cursor } }")
WRITTEN = f"Akte {NAME}"
"""A text that people wrote, with the name in it."""


@pytest.fixture
async def mentioned(database, clerk, party, given_case, given_party, given_staff):
    """The ids of objects whose own texts have the name, everywhere that people can write it."""
    case = await given_case(WRITTEN)
    number = await given_case("Numbered")
    await cases.update_case(
        clerk,
        database,
        number.id,
        CaseChanges(file_number=f"{OLD} 1", description=WRITTEN, dezernat=WRITTEN),
    )
    heirs = await given_party(f"Erben nach {NAME.upper()}")
    member = await given_staff(f"Kanzlei {NAME}")
    remarked = await given_case(
        "Remarked",
        parties=[PartyRole(heirs.id, "heir", f"wg. {NAME}")],
        staff=[StaffRole(member.id, "lead", f"kennt {OLD}")],
    )
    new = NewWebhook("https://hooks.example.org/", query=f"# wegen {NAME}\n{TERMS.query}")
    hook = (await registering.create_webhook(clerk, database, TERMS, new)).webhook
    return case, number, heirs, member, remarked, hook


async def change_all(database, clerk, mentioned):
    case, number, heirs, member, remarked, hook = mentioned
    await cases.update_case(clerk, database, case.id, CaseChanges(name="Akte"))
    cleared = CaseChanges(file_number=None, description=None, dezernat="1")
    await cases.update_case(clerk, database, number.id, cleared)
    await register.update_party(clerk, database, heirs.id, PartyChanges(name="Erben"))
    await register.update_staff(clerk, database, member.id, StaffChanges(name="Kanzlei"))
    plain = RoleChanges(remark="none")
    await roles.update_party_role(clerk, database, (remarked.id, 1), plain)
    await roles.update_staff_role(clerk, database, (remarked.id, 2), plain)
    usual = WebhookChanges(query=None)
    await registering.update_webhook(clerk, database, TERMS, hook.id, usual)


async def test_texts_that_were_changed_before_are_erased_from_the_record(
    database, database_kind, clerk, party, mentioned, raw
):
    await change_all(database, clerk, mentioned)

    forgotten = await forget_party(clerk, database, party)
    await database.rewrite()

    assert (forgotten.mentions, left_in(raw, database, database_kind)) == ((), [])
    await sound(database)


async def test_texts_that_stand_are_told_of_and_erased_once_they_are_changed(
    database, database_kind, clerk, party, mentioned, raw, monkeypatch
):
    monkeypatch.setattr(forgetting, "BLOCK", 1)
    forgotten = await forget_party(clerk, database, party)

    assert set(forgotten.mentions) == {one.id for one in mentioned}
    told = raw.execute("SELECT changes FROM timeline_event WHERE type = 'case_created'").fetchall()
    assert sum(f"Erben nach {NAME.upper()}" in changes for (changes,) in told) == 1
    await sound(database)

    await change_all(database, clerk, mentioned)
    again = await forget_party(clerk, database, party, [NAME, OLD])
    await database.rewrite()

    assert (again.mentions, left_in(raw, database, database_kind)) == ((), [])
    await sound(database)


@pytest.mark.parametrize("renamed", [False, True])
async def test_what_is_written_between_the_scan_and_the_purge_is_erased_too(
    database, database_kind, clerk, party, mentioned, given_case, raw, monkeypatch, renamed
):
    if renamed:
        case = await given_case("Weichselbaumer ./. Kanzlei")
        await cases.update_case(clerk, database, case.id, CaseChanges(name="Kanzlei"))
    scanned = forgetting._scanned

    async def slow(*arguments):
        found = await scanned(*arguments)
        await change_all(database, clerk, mentioned)
        if renamed:  # under a name that the scan did not look for, and back
            for name in ("Weichselbaumer", NAME):
                await register.update_party(clerk, database, party, PartyChanges(name=name))
        return found

    monkeypatch.setattr(forgetting, "_scanned", slow)

    forgotten = await forget_party(clerk, database, party)
    await database.rewrite()

    assert (forgotten.mentions, left_in(raw, database, database_kind)) == ((), [])
    assert "Weichselbaumer" not in raw.everything()
    await sound(database)


async def test_a_key_that_is_called_like_the_party_is_told_of(database, clerk, given_party):
    gone = await given_party(NAME)
    _, key = await administration.create_key(database, f"App of {NAME}", ["cases:read"])

    assert (await forget_party(clerk, database, gone.id)).mentions == (key.id,)
    await sound(database)


async def test_a_reference_with_the_name_in_it_is_the_party_s_own(database, clerk, given_case):
    await given_case("Case", parties=[PartyRole(NewParty(NAME), "x", f"re {NAME}")])
    async with database.read() as db:
        [gone] = await objects.parties(clerk, db)

    assert (await forget_party(clerk, database, gone.id)).mentions == ()
    await sound(database)


async def test_a_purge_of_what_was_deleted_erases_no_texts_of_others(
    database, clerk, given_party, given_case, raw
):
    # So many parties that all events are read.
    for _ in range(FEW + 1):
        bank = await given_party("Bank")
        await register.delete_party(clerk, database, bank.id)
    case = await given_case("Bankrecht")
    await cases.update_case(clerk, database, case.id, CaseChanges(name="Other"))

    await purge(clerk, database)

    told = raw.execute("SELECT changes FROM timeline_event WHERE type LIKE 'case%'").fetchall()
    assert sum("Bankrecht" in changes for (changes,) in told) == 2
    await sound(database)


@pytest.mark.sqlite
async def test_nothing_is_left_while_others_read(database, clerk, party, raw, database_kind):
    """Readers come and go; one of them reads an old state for a while."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM party").fetchall()
        waits = []
        await forget_party(clerk, database, party)
        rewriting = asyncio.ensure_future(database.rewrite(waits.append))
        await asyncio.sleep(0.5)
        assert not rewriting.done()
        assert waits == ["Waiting for others to end what they read of the state before."]
        reader.execute("ROLLBACK")
        await rewriting

    assert left_in(raw, database, database_kind) == []


@pytest.mark.sqlite
async def test_what_readers_kept_is_told_and_the_next_purge_ends_it(
    database, clerk, party, raw, database_kind, monkeypatch
):
    monkeypatch.setattr(file, "PATIENT_SECONDS", 0.3)
    await forget_party(clerk, database, party)
    with closing(sqlite3.connect(database.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM party").fetchall()
        with pytest.raises(Unavailable, match="casegraph purge"):
            await purge(clerk, database)
        assert left_in(raw, database, database_kind) != []

    assert await purge(clerk, database) == Purged(0, 0, 0)
    assert left_in(raw, database, database_kind) == []


async def test_purging_a_client_s_only_case_erases_the_client(
    database, clerk, given_case, given_party, raw, database_kind
):
    stays = await given_party("Stays")
    case = await given_case(
        "Gone",
        parties=[PartyRole(NewParty(NAME), "client", REFERENCE), PartyRole(stays.id, "court")],
    )
    await given_case("Here", parties=[PartyRole(stays.id, "court")])
    was = await register.create_party(clerk, database, NewParty(OLD))
    await roles.add_parties(clerk, database, case.id, [PartyRole(was.id, "witness")])
    await roles.remove_parties(clerk, database, case.id, [was.id])
    fresh = await given_party("Not yet in a case")
    deleted = await given_party(OTHER)
    await register.delete_party(clerk, database, deleted.id)
    await cases.delete_case(clerk, database, case.id)
    assert (await purge(clerk, database, dry_run=True)).parties == 3

    purged = await purge(clerk, database)

    assert (purged.cases, purged.parties) == (1, 3)
    assert left_in(raw, database, database_kind) == []
    async with database.read() as db:
        names = {one.name for one in await objects.parties(clerk, db)}
    assert names == {stays.name, fresh.name}
    await sound(database)
    assert (await purge(clerk, database)).parties == 0


async def test_a_party_that_was_merged_and_then_deleted_is_erased_with_what_it_took_over(
    database, clerk, given_case, given_party, raw, database_kind
):
    first, second, last = [await given_party(name) for name in (OLD, OTHER, NAME)]
    case = await given_case("Stays", parties=[PartyRole(first.id, "client", REFERENCE)])
    await merging.merge_parties(clerk, database, second.id, first.id)
    await merging.merge_parties(clerk, database, last.id, second.id)
    await roles.remove_parties(clerk, database, case.id, [first.id])
    await register.delete_party(clerk, database, last.id)

    assert (await purge(clerk, database)).parties == 1

    assert left_in(raw, database, database_kind) == []
    await sound(database)


async def test_a_short_name_and_what_a_file_claims_erase_nothing_of_others(
    database, clerk, given_party, raw
):
    # Of parties that are there, a file's own timelines are not read: this one comes with it.
    other = await given_party("Other")
    claims = [
        {
            "type": "party_absorbed",
            "occurred_at": "2001-01-01",
            "changes": [{"field": "merged", "before": None, "after": other.id}],
        },
        {
            "type": "party_updated",
            "occurred_at": "2001-01-02",
            "changes": [{"field": "name", "before": "e", "after": "a"}],
        },
    ]
    line = {
        "name": "N",
        "parties": [{"id": "pty_short", "name": "Li", "role": "x", "timeline": claims}],
        "timeline": [
            {"type": "letter", "occurred_at": "2002-01-01", "title": "A reliable client"},
            {"type": "call", "occurred_at": "2002-01-02", "title": "From Li, again"},
        ],
    }
    await import_cases(clerk, database, [dumped(line)], source="f")

    await forget_party(clerk, database, "pty_short")

    titles = {title for (title,) in raw.execute("SELECT title FROM timeline_event")}
    assert titles == {None, "A reliable client"}
    async with database.read() as db:
        assert {one.name for one in await objects.parties(clerk, db)} == {ERASED, "Other"}
    told = raw.execute(
        "SELECT changes FROM timeline_event WHERE subject_id = ?", [other.id]
    ).fetchall()
    assert any("Other" in changes for (changes,) in told)
    await sound(database)


async def test_an_erased_event_that_is_edited_again_is_found(database, clerk, party, raw):
    await forget_party(clerk, database, party)
    [[seq]] = raw.execute(
        "SELECT min(seq) FROM timeline_event WHERE type = 'party_created' AND workspace_id = 1"
    )

    raw.tamper(f"UPDATE timeline_event SET actor = 'x' WHERE seq = {seq} AND workspace_id = 1")

    found = [str(one) for one in (await verify(database)).findings]
    assert any(f"event {seq}: its content" in one for one in found)
