"""What `casegraph doctor` finds: each check where all is well, and where it is not."""

import os
from datetime import date

import pytest

from domain.inputs import NewWebhook, WebhookChanges
from domain.models import ApiKey, Mode
from domain.upkeep import administration, diagnosing
from domain.upkeep.diagnosing import State
from domain.webhooks import claims, registering
from domain.webhooks.claims import Attempt
from domain.webhooks.registering import Terms

TODAY = date(2026, 11, 29)


async def found(database):
    return {one.about: one async for one in diagnosing.of_database(database)}


async def test_all_is_well(database, given_case):
    await given_case("Müller ./. Weiß")
    await administration.create_key(database, "k", ["cases:read"], expires_at="2099-01-01")

    checks = await found(database)

    expected = {"schema", "clock", "search", "read", "keys"}
    if database.url.get_backend_name() == "sqlite":
        expected |= {"SQLite", "file", "disk", "write"}
    assert checks.keys() == expected
    assert {name for name, one in checks.items() if one.state is State.PROBLEM} <= {"file"}
    for name in ("schema", "clock", "search", "read"):
        assert checks[name].state is State.OK, checks[name]


async def test_webhooks_that_are_paused_or_fail_are_told_of(database, clerk, given_case):
    terms = Terms(query="subscription { caseChanges { cursor } }")
    new = NewWebhook("https://hooks.example.org/a")
    one, other = [
        (await registering.create_webhook(clerk, database, terms, new)).webhook for _ in range(2)
    ]
    check = (await found(database))["webhooks"]
    assert (check.state, check.found) == (State.OK, "2, and their deliveries arrive")

    paused = WebhookChanges(state="paused")
    await registering.update_webhook(clerk, database, terms, one.id, paused)
    await given_case("A")
    turn = await claims.claim(database, clerk.workspace_id, other.id, "me")
    failed = Attempt(3, "evt_3", "case_created", "2026-01-15T09:00:00Z", 12, 500, "Why.")
    await claims.settle(database, turn, "me", [failed], 2)

    checks = [one async for one in diagnosing.of_database(database) if one.about == "webhooks"]
    assert [check.state for check in checks] == [State.NOTE, State.NOTE]
    assert f"1 of 2 webhooks are paused: {one.id}." == checks[0].found
    assert f"1 of 2 webhooks fail: {other.id}." == checks[1].found


async def test_a_clock_that_was_set_back_is_a_problem(database, clerk, given_case):
    await given_case("N")

    early = await diagnosing.clock(clerk, database, "2001-01-01T00:00:00Z")
    late = await diagnosing.clock(clerk, database, "2999-01-01T00:00:00Z")

    assert (early.state, late.state) == (State.PROBLEM, State.OK)
    assert "NTP" in early.advice


async def test_a_search_that_does_not_find_the_newest_case_is_a_problem(
    database, clerk, given_case, raw
):
    assert (await diagnosing.search_index(clerk, database)).state is State.OK
    await given_case("Unmistakable")
    assert (await diagnosing.search_index(clerk, database)).state is State.OK

    raw.tamper("DELETE FROM search_entry")

    assert (await diagnosing.search_index(clerk, database)).state is State.PROBLEM


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ((3, 40, 1), State.NOTE),
        ((3, 44, 5), State.NOTE),
        ((3, 44, 6), State.OK),
        ((3, 50, 6), State.NOTE),
        ((3, 50, 7), State.OK),
        ((3, 51, 2), State.NOTE),
        ((3, 51, 3), State.OK),
        ((3, 53, 0), State.OK),
    ],
)
def test_the_wal_reset_bug_is_known_by_its_versions(version, state):
    assert diagnosing.sqlite_version(version).state is state


def test_a_file_that_others_may_read_is_a_problem(tmp_path):
    path = tmp_path / "cases.db"
    for name, mode in (("cases.db", 0o600), ("cases.db-wal", 0o600)):
        (tmp_path / name).touch()
        os.chmod(tmp_path / name, mode)
    assert diagnosing.file_mode(path).state is State.OK

    os.chmod(tmp_path / "cases.db-wal", 0o640)

    check = diagnosing.file_mode(path)
    assert check.state is State.PROBLEM
    assert "cases.db-wal" in check.found
    assert check.advice == f"Run: chmod 600 {path}*"


@pytest.mark.parametrize(
    ("free", "state"),
    [(10 << 30, State.OK), (1 << 29, State.NOTE), (1 << 20, State.PROBLEM)],
)
def test_little_room_is_told_of(tmp_path, monkeypatch, free, state):
    path = tmp_path / "cases.db"
    path.write_bytes(b"x" * 1000)
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(diagnosing.shutil, "disk_usage", lambda _folder: usage)

    assert diagnosing.free_disk(path).state is state


def test_the_disk_is_timed_and_nothing_is_left(tmp_path):
    path = tmp_path / "cases.db"

    assert "ms" in diagnosing.disk_speed(path).found
    assert [*tmp_path.iterdir()] == []


def key(name, *, created="2026-11-01", ends=None, revoked=None, used=None):
    return ApiKey(
        name,
        name,
        "default",
        Mode.LIVE,
        frozenset(),
        f"{created}T00:00:00Z",
        revoked,
        ends and f"{ends}T00:00:00Z",
        used,
    )


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ([], ["There is no key."]),
        ([key("a", ends="2027-01-01")], ["1, all of them used and with an end"]),
        ([key("a")], ["1 of 1 keys never end: a."]),
        ([key("a", ends="2026-11-29")], ["There is no key."]),
        ([key("a", revoked="2026-11-02T00:00:00Z")], ["There is no key."]),
        (
            [key("a", created="2026-01-01", ends="2027-01-01", used="2026-05-01")],
            ["1 keys have not been used for 90 days: a."],
        ),
        (
            [key(f"k{n}") for n in range(7)],
            ["7 of 7 keys never end: k0, k1, k2, k3, k4 and 2 more."],
        ),
    ],
)
def test_keys_without_an_end_or_a_use_are_told_of(listed, told):
    assert [one.found for one in diagnosing.keys(listed, TODAY)] == told
