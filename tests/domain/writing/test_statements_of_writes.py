"""How many SQL statements each write runs, its timeline included."""

import logging

import pytest

from domain.inputs import (
    CaseChanges,
    NewCase,
    NewParty,
    NewStaff,
    PartyChanges,
    PartyRole,
    StaffChanges,
    StaffRole,
)
from domain.writing import cases, links, register, roles

PARTY, STAFF = PartyRole(NewParty("P"), "client"), StaffRole(NewStaff("S"), "clerk")


@pytest.fixture
async def office(database, clerk, given_case):
    """Two linked cases, the first with a party and a staff member."""
    case = await given_case("A", parties=[PARTY], staff=[STAFF])
    other, free = await given_case("B"), await given_case("C")
    party = await register.create_party(clerk, database, NewParty("Q"))
    staff = await register.create_staff(clerk, database, NewStaff("R"))
    await roles.add_parties(clerk, database, case.id, [PartyRole(party.id, "client")])
    await roles.assign_staff(clerk, database, case.id, [StaffRole(staff.id, "clerk")])
    link = (await links.link_cases(clerk, database, case.id, other.id, "related")).link
    return case.id, free.id, party.id, staff.id, link.id


WRITES = {
    "create_case, bare": (5, lambda w, d, *_: cases.create_case(w, d, NewCase("N", "AZ-1"))),
    "create_case": (
        14,
        lambda w, d, *_: cases.create_case(
            w, d, NewCase("N", "AZ-1", parties=[PARTY], staff=[STAFF]), idempotency_key="1"
        ),
    ),
    "update_case": (
        5,
        lambda w, d, case, *_: cases.update_case(w, d, case, CaseChanges(name="X")),
    ),
    "update_case, no change": (
        1,
        lambda w, d, case, *_: cases.update_case(w, d, case, CaseChanges(name="A")),
    ),
    "delete_case": (11, lambda w, d, case, *_: cases.delete_case(w, d, case)),
    "create_party": (4, lambda w, d, *_: register.create_party(w, d, NewParty("N"))),
    "update_party": (
        5,
        lambda w, d, _case, _free, party, *_: register.update_party(
            w, d, party, PartyChanges(name="X")
        ),
    ),
    "create_staff": (4, lambda w, d, *_: register.create_staff(w, d, NewStaff("N"))),
    "update_staff": (
        5,
        lambda w, d, _case, _free, _party, staff, _link: register.update_staff(
            w, d, staff, StaffChanges(name="X")
        ),
    ),
    "add_parties": (
        8,
        lambda w, d, _case, free, party, *_: roles.add_parties(
            w, d, free, [PartyRole(party, "client")]
        ),
    ),
    "replace_parties": (
        10,
        lambda w, d, case, _free, party, *_: roles.replace_parties(
            w, d, case, [PartyRole(party, "witness")]
        ),
    ),
    "remove_parties": (
        7,
        lambda w, d, case, _free, party, *_: roles.remove_parties(w, d, case, [party]),
    ),
    "assign_staff": (
        8,
        lambda w, d, _case, free, _party, staff, _link: roles.assign_staff(
            w, d, free, [StaffRole(staff, "clerk")]
        ),
    ),
    "unassign_staff": (
        7,
        lambda w, d, case, _free, _party, staff, _link: roles.unassign_staff(w, d, case, [staff]),
    ),
    "link_cases": (
        9,
        lambda w, d, case, free, *_: links.link_cases(w, d, case, free, "parent"),
    ),
    "unlink_cases": (8, lambda w, d, _c, _f, _p, _s, link: links.unlink_cases(w, d, link)),
}


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_runs_no_more_statements_than_it_needs(database, clerk, office, caplog, name):
    statements, write = WRITES[name]
    caplog.set_level(logging.DEBUG, logger="casegraph.sql")
    caplog.clear()

    await write(clerk, database, *office)

    assert len(caplog.records) == statements, caplog.text
