"""Exporting, and that importing an export gives the same answers."""

import json

import pytest

from domain.demo.firm import demo_cases
from domain.inputs import (
    CaseChanges,
    CaseFilter,
    CaseOrder,
    CaseOrderField,
    NewParty,
    PartyChanges,
    PartyRole,
    RoleChanges,
    StaffChanges,
)
from domain.reading import anchors, objects, relations
from domain.reading.paging import Paging
from domain.storage.opening import opened
from domain.transfer import formats
from domain.transfer.exporting import export_cases
from domain.transfer.importing import OnConflict, dumped, import_cases
from domain.upkeep import administration
from domain.upkeep.verifying import verify
from domain.writing import cases, links, register, roles
from tests import real


async def exported(who, database):
    """The lines of an export, without the anchor, which is the last."""
    lines = []
    await export_cases(who, database, lines.append)
    assert formats.is_anchor(lines[-1].strip())
    return lines[:-1]


async def answers(who, database):
    """What a client could read, the numbers and hashes of events excepted."""
    async with database.read() as db:
        told = {}
        for field in CaseOrderField:
            page = await objects.cases(who, db, None, CaseOrder(field), Paging(100))
            told[field] = list(page)
        ids = [case.id for case in told[CaseOrderField.NAME]]
        for relation in (relations.CASE_PARTIES, relations.CASE_STAFF, relations.CASE_LINKS):
            pages = await objects.related(who, db, relation, ids, Paging(100))
            told[relation.name] = {id: list(page) for id, page in pages.items()}
        pages = await objects.related(who, db, relations.CASE_TIMELINE, ids, Paging(100))
        told["timeline"] = {
            id: [
                (one.id, one.type, one.occurred_at, one.title, one.changes)
                for one in page
                if not one.type.endswith("_imported")
            ]
            for id, page in pages.items()
        }
        parties = list(await objects.parties(who, db, None, Paging(100)))
        told["parties"] = parties
        told["staff"] = list(await objects.staff(who, db, None, Paging(100)))
        party_ids = [party.id for party in parties]
        pages = await objects.related(who, db, relations.PARTY_CASES, party_ids, Paging(100))
        told["party cases"] = {id: list(page) for id, page in pages.items()}
        found = await objects.cases(who, db, CaseFilter(search="muller"), paging=Paging(100))
        told["search"] = list(found)
        return told


@pytest.fixture
async def lived_in(database, clerk, given_case, given_party):
    """A workspace where all sorts of things have happened."""
    await import_cases(clerk, database, [dumped(case) for case in demo_cases(60)], source="demo")
    one, two, gone = [await given_case(f"Own {index}") for index in range(3)]
    await roles.add_parties(
        clerk, database, one.id, [PartyRole(NewParty("Späte Müller AG"), "witness", "X-1")]
    )
    await cases.update_case(clerk, database, two.id, CaseChanges(description="New\nlines"))
    await links.link_cases(clerk, database, two.id, one.id, "parent")
    await links.link_cases(clerk, database, two.id, gone.id, "related")
    await cases.delete_case(clerk, database, gone.id)
    await given_party("In no case")
    return database


async def test_importing_an_export_gives_the_same_answers(lived_in, clerk, tmp_path):
    lines = await exported(clerk, lived_in)

    async with opened(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        await administration.create_workspace(copy, "default")
        who = await administration.operator(copy)
        rejects = []
        await import_cases(who, copy, lines, source="export", on_reject=rejects.append)

        assert rejects == []
        assert await answers(who, copy) == await answers(clerk, lived_in)
        assert await exported(who, copy) == lines
        assert (await verify(copy)).findings == []


async def test_an_export_leaves_out_deleted_cases_and_other_workspaces(
    lived_in, clerk, stranger, given_case
):
    await given_case("Theirs", who=stranger)

    lines = [json.loads(line) for line in await exported(clerk, lived_in)]

    names = [line.get("name") for line in lines]
    assert "Own 2" not in names
    assert "Theirs" not in names
    assert {"parties": [lines[-1]["parties"][0]]} == lines[-1]
    assert lines[-1]["parties"][0]["name"] == "In no case"


async def test_the_last_line_is_the_anchor_of_the_timeline(lived_in, clerk, given_case, tmp_path):
    lines = []
    await export_cases(clerk, lived_in, lines.append)

    [anchor] = anchors.found_in(lines[-1].decode())
    await given_case("Later")
    checked = await verify(lived_in, anchors=[anchor])
    assert (checked.findings, checked.anchored) == ([], {anchor})
    async with opened(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        await administration.create_workspace(copy, "default")
        who = await administration.operator(copy)
        rejects = []
        await import_cases(who, copy, lines, source="export", on_reject=rejects.append)
    assert rejects == []


async def test_a_long_timeline_is_exported_whole(database, clerk, given_case):
    case = await given_case("Busy")
    for index in range(230):
        await cases.update_case(clerk, database, case.id, CaseChanges(name=f"Busy {index}"))

    [line] = [json.loads(line) for line in await exported(clerk, database)]

    assert len(line["timeline"]) == 231
    assert line["timeline"][0]["type"] == "case_created"
    assert line["version"] == 231


async def again(lines, tmp_path, name):
    """What a new database exports that has imported *lines*."""
    async with opened(f"sqlite:///{tmp_path / name}") as copy:
        await administration.create_workspace(copy, "default")
        who = await administration.operator(copy)
        rejects = []
        await import_cases(who, copy, lines, source="export", on_reject=rejects.append)
        assert rejects == []
        assert (await verify(copy)).findings == []
        exported_again = await exported(who, copy)
        report = await import_cases(who, copy, lines, source="export")
        assert (report.imported, report.updated, report.parties, report.links) == (0, 0, 0, 0)
        assert await exported(who, copy) == exported_again
        return exported_again


async def test_an_export_of_an_import_of_an_export_is_the_same_to_the_byte(
    lived_in, clerk, given_party, given_staff, tmp_path
):
    alone, member = await given_party("Alone GmbH"), await given_staff("Nobody's")
    await register.update_party(clerk, lived_in, alone.id, PartyChanges(name="Renamed GmbH"))
    await register.update_staff(clerk, lived_in, member.id, StaffChanges(email="n@example.org"))
    async with lived_in.read() as db:
        page = await objects.cases(clerk, db, paging=Paging(5))
        lists_ = await objects.related(
            clerk, db, relations.CASE_PARTIES, [case.id for case in page], Paging(100)
        )
    case = next(case for case in page if len(lists_[case.id].edges) > 1)
    first, *others = lists_[case.id]
    await register.update_party(clerk, lived_in, first.party_id, PartyChanges(name="New Name"))
    # The numbers of the roles are no longer their places.
    wanted = [PartyRole(one.party_id, one.role) for one in (*reversed(others), first)]
    await roles.replace_parties(clerk, lived_in, case.id, wanted)
    await roles.update_party_role(
        clerk, lived_in, (case.id, first.number), RoleChanges(role="guarantor")
    )

    lines = await exported(clerk, lived_in)

    told = {
        event["type"]
        for line in map(json.loads, lines)
        for kind in ("parties", "staff")
        for one in line.get(kind, ())
        for event in one.get("timeline", ())
    }
    assert told == {"party_created", "party_updated", "staff_created", "staff_updated"}
    assert await again(lines, tmp_path, "copy.db") == lines


@pytest.mark.sqlite
@real.needed
async def test_the_real_cases_come_out_as_they_went_in(database, clerk, tmp_path):
    lines = real.some()
    await import_cases(clerk, database, lines, source="real", on_conflict=OnConflict.SKIP)

    lines = await exported(clerk, database)

    assert len(lines) > 5_000 / real.EVERY
    assert await again(lines, tmp_path, "copy.db") == lines
