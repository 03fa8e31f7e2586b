"""One edit from outside, of any column of any table, is found; the object and the field are named.

The columns are those of the schema: one that is added later is forged here, too.
"""

from itertools import chain

import pytest

from domain.inputs import (
    CaseChanges,
    NewCase,
    NewParty,
    NewStaff,
    NewWebhook,
    PartyRole,
    RoleChanges,
    StaffRole,
    WebhookChanges,
)
from domain.reading import anchors
from domain.storage.opening import opened
from domain.storage.tables import metadata
from domain.transfer.importing import dumped, import_cases
from domain.upkeep import administration
from domain.upkeep.verifying import verify
from domain.webhooks import registering
from domain.webhooks.registering import Terms
from domain.writing import cases, links, merging, register, roles
from tests.databases import EMPTY, Recipe, copied
from tests.domain.conftest import Clock, furnish

LEFT_OUT = {"timeline_erasure", "webhook_delivery"}
"""Tables without rows between transactions, and the log of deliveries, which proves nothing."""
COLUMNS = [
    (table.name, column.name)
    for table in metadata.sorted_tables
    if table.name not in LEFT_OUT
    for column in table.columns
]
TERMS = Terms(query="subscription { caseChanges { cursor } }")
PLAUSIBLE = {
    "status": ["active", "closed"],
    "state": ["active"],
    "kind": ["person", "court"],
    "scopes": ["cases:read", "cases:read cases:write cases:delete"],
    "type": ["parent", "related", "case_updated"],
    "source": ["recorded", "imported"],
}
"""Values that could well be: of the others, any text will do."""
KEYS = {"workspace_id", "id", "entry", "case_id", "number", "seq"}
"""Columns that say which object a row is of: the object itself is missing or is not told of."""


@pytest.fixture
def two_firms(database_kind, request):
    with copied(database_kind, request, Recipe("lived_in", live_in, EMPTY)) as made:
        yield made


@pytest.fixture
def lived_in(database):
    return database


async def live_in(url):
    """A row in each table, in more than one state."""
    people = await furnish(["clerk"], url)
    clock = Clock()
    async with opened(url, clock=clock) as database:
        await work_in(database, people["clerk"], clock)
    return people


async def work_in(database, clerk, clock):
    client = PartyRole(NewParty("Jörg"), "client", "R-1")
    assigned = StaffRole(NewStaff("Anna", "anna@example.org"), "clerk", "until June")
    new = NewCase(
        "Müller",
        file_number="AZ-1",
        type="litigation",
        description="D",
        dezernat="M",
        parties=[client],
        staff=[assigned],
    )
    one = await cases.create_case(clerk, database, new)
    other = await cases.create_case(clerk, database, NewCase("Weiß"))
    clock.now = "2026-01-16T09:00:00Z"
    await links.link_cases(clerk, database, one.id, other.id, "parent")
    party = await register.create_party(clerk, database, NewParty("Court", kind="court"))
    written = await roles.add_parties(clerk, database, one.id, [PartyRole(party.id, "court")])
    await roles.update_party_role(
        clerk, database, (one.id, written.given[0].role.position), RoleChanges(remark="12 C 7/26")
    )
    await register.create_party(clerk, database, NewParty("Again"), idempotency_key="k")
    doubled = await register.create_party(clerk, database, NewParty("Courts"))
    await merging.merge_parties(clerk, database, party.id, doubled.id)
    await cases.update_case(clerk, database, other.id, CaseChanges(name="Weiss"))
    line = {
        "name": "Imported",
        "created_at": "2001-01-01",
        "parties": [{"name": "P", "role": "x"}],
        "timeline": [
            {"type": "hearing", "occurred_at": "2001-02-03", "title": "T", "actor": "notary"}
        ],
    }
    await import_cases(clerk, database, [dumped(line)], source="test")
    _, key = await administration.create_key(
        database, "guest", ["cases:read"], expires_at="2030-01-01"
    )
    await administration.revoke_key(database, key.id)
    url = "https://hooks.example.org/a"
    hook = await registering.create_webhook(clerk, database, TERMS, NewWebhook(url, ["hearing"]))
    await registering.roll_secret(clerk, database, hook.webhook.id)
    await registering.update_webhook(
        clerk, database, TERMS, hook.webhook.id, WebhookChanges(state="paused")
    )
    gone = await registering.create_webhook(clerk, database, TERMS, NewWebhook(url))
    await registering.delete_webhook(clerk, database, gone.webhook.id)


async def findings(database, anchors=()):
    return [str(one) for one in (await verify(database, anchors=anchors)).findings]


async def test_what_nobody_forged_has_no_findings(lived_in):
    assert await findings(lived_in) == []


@pytest.mark.parametrize("table", sorted({table for table, _column in COLUMNS}))
async def test_an_edit_of_any_column_is_found(lived_in, raw, database_kind, table):
    columns = [column for name, column in COLUMNS if name == table]
    if table == "search_entry" and database_kind == "postgresql":
        columns.remove("entry")  # PostgreSQL gives the number itself, and lets nobody change it
    rows = raw.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
    for column in columns:
        forge(raw, table, column)
        tells_of(await findings(lived_in), table, column)
        put_back(raw, table, columns, rows)

        assert await findings(lived_in) == [], f"after {column} was put back"


def forge(raw, table, column):
    """Edit one value of a column."""
    one = "workspace_id = 1" if "workspace_id" in metadata.tables[table].c else "id = 1"
    rows = raw.execute(
        f"SELECT {column} FROM {table} WHERE {one} ORDER BY {column} IS NULL, {column}"
    ).fetchall()
    assert rows, "there is nothing to forge"
    value = rows[0][0]
    forged = next(one for one in candidates(column, value) if one != value)
    mine = f"{column} IS NULL" if value is None else f"{column} = {literal(value)}"
    if column == "entry":
        [[trigger]] = raw.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'search_entry_changed'"
        ).fetchall()
        raw.execute("DROP TRIGGER search_entry_changed")
    raw.tamper(f"UPDATE {table} SET {column} = {literal(forged)} WHERE {one} AND {mine}")
    if column == "entry":
        raw.execute(trigger)


def put_back(raw, table, columns, rows):
    """Make a table what it was."""
    write = raw.tamper
    if table == "search_entry":
        write = raw.execute  # its triggers keep the index
        raw.untamper()
    write(f"DELETE FROM {table}")
    for row in rows:
        values = ", ".join("NULL" if one is None else literal(one) for one in row)
        write(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})")


def tells_of(found, table, column):
    """Check what is found after a column was forged."""
    assert found, column
    if column == "workspace_id":
        assert any("workspace" in one for one in found), found
    elif table == "timeline_event":
        assert any(": event " in one for one in found), found
    elif table == "timeline_head":
        assert any("timeline" in one and ("head" in one or "end" in one) for one in found), found
    elif table == "search_entry":
        assert any("search" in one for one in found), found
    elif column.endswith(("_order", "_key")):
        assert any("a key that it is sorted or found by" in one for one in found), found
    elif column in KEYS or (table, column) == ("workspace", "id"):
        assert any("no event tells" in one or "missing" in one or "id" in one for one in found)
    else:
        assert any(column in one for one in found), found
    assert not any("Müller" in one or "Jörg" in one for one in found)


def candidates(column, value):
    if isinstance(value, int):
        return [value + 97]
    rest = ["x", "y"] if value is None else [f"{value}x"]
    return chain(PLAUSIBLE.get(column, []), rest)


def literal(value):
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM case_party WHERE role = 'client'", "party role 1: it is missing"),
        ("DELETE FROM staff_assignment", "staff role 2: it is missing"),
        ("DELETE FROM party WHERE name = 'Again'", "it is missing"),
        ("DELETE FROM api_key WHERE name = 'guest'", "it is missing"),
        (
            "INSERT INTO party VALUES (1, 'pty_x', 'person', 'X', '2026-01-01T00:00:00Z',"
            " '2026-01-01T00:00:00Z', 1, 'x')",
            "party pty_x: no event tells of it",
        ),
        ("DELETE FROM case_link", "it is missing"),
        ("INSERT INTO timeline_erasure VALUES (1, 3)", "event 3: somebody has prepared"),
    ],
)
async def test_rows_that_went_or_came_from_outside_are_found(lived_in, raw, statement, what):
    raw.tamper(statement)

    found = await findings(lived_in)

    assert any(what in one for one in found), found


def forge_the_chain(raw, workspace_id):
    """What somebody does who knows how the chain is made: edit, and compute all hashes anew."""
    from domain.writing import timeline

    names = ", ".join((*timeline.CONTENT, "hash"))
    rows = raw.execute(
        f"SELECT {names} FROM timeline_event WHERE workspace_id = ? ORDER BY seq", [workspace_id]
    ).fetchall()
    last = timeline.GENESIS
    for row in rows:
        event = dict(zip((*timeline.CONTENT, "hash"), row, strict=True))
        last = timeline.chained(last, event)
        raw.tamper(
            f"UPDATE timeline_event SET hash = '{last}'"
            f" WHERE workspace_id = {workspace_id} AND seq = {event['seq']}"
        )
    raw.tamper(f"UPDATE timeline_head SET hash = '{last}' WHERE workspace_id = {workspace_id}")


async def test_an_anchor_finds_a_chain_that_was_computed_anew(lived_in, raw):
    [early, *_] = await anchors.heads(lived_in)
    raw.tamper("UPDATE timeline_event SET actor = 'somebody else' WHERE type = 'case_linked'")
    forge_the_chain(raw, 1)

    assert await findings(lived_in) == []
    [found] = await findings(lived_in, [early.anchor])
    assert f"anchor {early.anchor.seq}:{early.anchor.hash[:12]}…" in found


async def test_an_anchor_finds_a_timeline_that_was_cut_off(lived_in, raw):
    [head, *_] = await anchors.heads(lived_in)
    assert await findings(lived_in, [head.anchor]) == []
    seq = head.anchor.seq
    [[hash]] = raw.execute(
        "SELECT hash FROM timeline_event WHERE workspace_id = 1 AND seq = ?", [seq - 1]
    )
    [[at]] = raw.execute(
        "SELECT at FROM timeline_event WHERE workspace_id = 1 AND seq = ?", [seq - 1]
    )
    raw.tamper(f"DELETE FROM timeline_event WHERE workspace_id = 1 AND seq = {seq}")
    raw.tamper(
        f"UPDATE timeline_head SET seq = {seq - 1}, hash = '{hash}', at = '{at}'"
        " WHERE workspace_id = 1"
    )

    assert any("anchor" in one for one in await findings(lived_in, [head.anchor]))


async def test_an_anchor_stays_good_while_the_timeline_grows(lived_in, clerk, given_case):
    [head, *_] = await anchors.heads(lived_in)

    await given_case("Later")

    assert await findings(lived_in, [head.anchor]) == []
