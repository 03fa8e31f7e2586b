"""A database from before the record could prove itself becomes one that verifies."""

import hashlib

import orjson
import pytest

from domain.reading import objects, relations
from domain.storage.opening import opened
from domain.transfer.marks import known, mark_of
from domain.upkeep import administration
from domain.upkeep.purging import purge
from domain.upkeep.verifying import verify
from domain.writing import cases

CASE, OTHER = "01a21e55-3ad6-7000-a946-000000000001", "01a21e55-3ad6-7000-a946-000000000002"
NOW = "2026-01-01T00:00:00Z"
LATER = "2026-01-03T00:00:00Z"
CREATED = [
    {"field": "name", "before": None, "after": "Müller"},
    {"field": "parties", "before": None, "after": {"id": "pty_1", "name": "P", "role": "client"}},
]
EVENTS = [
    ("key_created", None, "KEY000000001", NOW, NOW, "casegraph", "[]"),
    ("case_created", CASE, None, NOW, NOW, "web", orjson.dumps(CREATED).decode()),
    ("purged", None, None, NOW, NOW, "", "[]"),
    ("hearing", CASE, None, "2019-05-01T00:00:00Z", "2019-04-01T00:00:00Z", "judge", "[]"),
    ("case_updated", CASE, None, LATER, LATER, "web", "[]"),
]
"""Type, case, subject, at, occurred_at, actor and changes of each event."""


def rows():
    yield (
        "INSERT INTO workspace (id, slug, mode, name, created_at)"
        f" VALUES (1, 'default', 'live', 'W', '{NOW}')"
    )
    for table, columns, values in (
        ("party", "kind, name, name_order", "'pty_1', 'person', 'P', 'p'"),
        ("staff", "email, name, name_order", "'usr_1', 'a@b.de', 'S', 's'"),
        *(
            (
                "cases",
                "name, status, name_order, number_order, last_position, deleted_at",
                f"'{id}', '{name}', 'active', '{name}', '~', 9, {deleted}",
            )
            for id, name, deleted in ((CASE, "m", "NULL"), (OTHER, "o", f"'{LATER}'"))
        ),
    ):
        yield (
            f"INSERT INTO {table} (workspace_id, id, {columns}, created_at, updated_at, version)"
            f" VALUES (1, {values}, '{NOW}', '{LATER}', 4)"
        )
    for kind, id, texts in (
        ("party", "pty_1", "p"),
        ("staff", "usr_1", "s\na@b.de"),
        ("case", CASE, "m"),
    ):
        scope = chr(0xE000 + 3 + ("case", "party", "staff").index(kind))
        loose = texts if kind != "staff" else "s\na@b.de"
        yield (
            "INSERT INTO search_entry (workspace_id, kind, id, scope, plain, loose, number)"
            f" VALUES (1, '{kind}', '{id}', '\ue000\ue000{scope}', '{texts}', '{loose}', '')"
        )
    yield (
        "INSERT INTO case_party (workspace_id, case_id, position, party_id, role, added_at, number)"
        f" VALUES (1, '{CASE}', 7, 'pty_1', 'client', '{LATER}', 3)"
    )
    yield (
        "INSERT INTO staff_assignment"
        " (workspace_id, case_id, position, staff_id, role, note, assigned_at, number)"
        f" VALUES (1, '{CASE}', 9, 'usr_1', 'clerk', 'n', '{NOW}', 9)"
    )
    for here, there, kind in ((CASE, OTHER, "parent"), (OTHER, CASE, "child")):
        yield (
            "INSERT INTO case_link (workspace_id, case_id, id, linked_case_id, type, created_at)"
            f" VALUES (1, '{here}', 'lnk_1', '{there}', '{kind}', '{NOW}')"
        )
    yield (
        "INSERT INTO api_key (workspace_id, id, name, scopes, digest, created_at)"
        f" VALUES (1, 'KEY000000001', 'web', 'cases:read cases:write', 'd', '{NOW}')"
    )
    yield (
        "INSERT INTO idempotency_key (workspace_id, id, request, result_id, created_at)"
        f" VALUES (1, 'KEY000000001:k', 'r', '{CASE}', '{NOW}')"
    )
    mark = mark_of("party", "file", "P")
    yield f"INSERT INTO imported (workspace_id, id, object_id) VALUES (1, '{mark}', 'pty_1')"
    last = "0" * 64
    for seq, (kind, case, subject, at, occurred, actor, changes) in enumerate(EVENTS, start=1):
        content = [seq, f"evt_{seq}", case, subject, kind, actor, at, occurred, None, changes]
        hashed = last.encode() + b"\n" + orjson.dumps(content)
        # What is left of a purged event no longer leads to its hash.
        last = "f" * 64 if kind == "purged" else hashlib.sha256(hashed).hexdigest()
        values = ["NULL" if one is None else f"'{one}'" for one in content[1:]]
        yield (
            "INSERT INTO timeline_event (workspace_id, seq, id, case_id, subject_id, type, actor,"
            " at, occurred_at, title, changes, hash)"
            f" VALUES (1, {seq}, {', '.join(values)}, '{last}')"
        )
    yield (
        "INSERT INTO timeline_head (workspace_id, seq, hash, at)"
        f" VALUES (1, {len(EVENTS)}, '{last}', '{LATER}')"
    )


@pytest.fixture
async def old(empty, at_revision):
    url, raw = empty
    await at_revision(url, "0005")
    for row in rows():
        raw.execute(row)
    return url


async def test_an_old_database_verifies_and_goes_on(old):
    async with opened(old) as database:
        assert [str(one) for one in (await verify(database)).findings] == []

        who = await administration.operator(database)
        await purge(who, database)  # the other case, which was deleted with its link
        assert [str(one) for one in (await verify(database)).findings] == []
        await cases.delete_case(who, database, CASE)
        assert [str(one) for one in (await verify(database)).findings] == []
        await purge(who, database)
        assert [str(one) for one in (await verify(database)).findings] == []


async def test_what_was_imported_before_is_known_and_told_apart(old):
    async with opened(old) as database:
        who = await administration.operator(database)
        async with database.write(who.workspace_id) as db:
            mark = mark_of("party", "file", "P")
            assert await known(db, who, [mark]) == {mark: "pty_1"}
        async with database.read(who.workspace_id) as db:
            page = (await objects.related(who, db, relations.CASE_TIMELINE, [CASE]))[CASE]
        told = {(one.type, one.source, one.claimed_actor) for one in page}

    assert told == {
        ("case_created", "recorded", None),
        ("hearing", "imported", "judge"),
        ("case_updated", "recorded", None),
        ("case_migrated", "recorded", None),
        ("link_migrated", "recorded", None),
    }
