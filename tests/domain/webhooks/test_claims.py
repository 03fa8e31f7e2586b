"""One process at a time delivers; what was noted is not delivered again, and failures wait."""

from datetime import datetime, timedelta

import pytest

from domain import instants
from domain.errors import Invalid
from domain.inputs import NewWebhook, WebhookChanges
from domain.models import WebhookState
from domain.reading import changes
from domain.reading.paging import Paging
from domain.upkeep.verifying import verify
from domain.webhooks import claims, listing, registering
from domain.webhooks.claims import Attempt
from domain.webhooks.registering import Terms

TERMS = Terms(query="subscription { caseChanges { cursor } }")
URL = "https://hooks.example.org/a"


@pytest.fixture
async def hook(database, clerk, given_case):
    made = await registering.create_webhook(clerk, database, TERMS, NewWebhook(URL))
    for name in ("A", "B", "C"):
        await given_case(name)
    return made


@pytest.fixture
def now(database, clerk, hook):
    async def read():
        async with database.read(clerk.workspace_id) as db:
            return await listing.webhook_by_id(clerk, db, hook.webhook.id)

    return read


@pytest.fixture
def claim(database, clerk, hook):
    async def claimed(holder="one"):
        return await claims.claim(database, clerk.workspace_id, hook.webhook.id, holder)

    return claimed


def delivered(seq, at="2026-01-15T09:00:00Z"):
    return Attempt(seq, f"evt_{seq}", "case_created", at, 12, 200)


def failed(seq, error="The receiver answered 500.", **values):
    return Attempt(
        seq, f"evt_{seq}", "case_created", "2026-01-15T09:00:00Z", 12, 500, error, **values
    )


def later(clock, **span):
    clock.now = instants.before(clock.now, -timedelta(**span))


async def test_one_that_is_behind_is_due(database, hook):
    [one] = await claims.active(database, "two")
    assert (one.id, one.workspace_id, one.is_due) == (hook.webhook.id, 1, True)


async def test_one_holder_at_a_time(claim, clock, database):
    assert await claim("one") is not None
    assert await claim("two") is None
    assert await claim("one") is not None
    assert not (await claims.active(database, "two"))[0].is_due
    assert (await claims.active(database, "one"))[0].is_due  # nobody waits for itself
    later(clock, seconds=claims.HELD_SECONDS + 1)
    assert (await claims.active(database, "two"))[0].is_due
    assert await claim("two") is not None
    assert await claim("one") is None


async def test_who_lost_its_hold_notes_nothing(claim, clock, database, now, hook):
    mine = await claim("one")
    later(clock, seconds=claims.HELD_SECONDS + 1)
    theirs = await claim("two")

    assert await claims.settle(database, mine, "one", [delivered(2)], 2) is None
    assert (await now()).seq == hook.webhook.seq
    assert await claims.settle(database, theirs, "two", [delivered(2)], 2) is not None


async def test_what_is_noted_goes_on_from_there(claim, database, clerk, now):
    turn = await claim()
    turn = await claims.settle(database, turn, "one", [delivered(2), delivered(3)], 3)
    assert turn.webhook.seq == 3
    assert await claims.settle(database, turn, "one", [], 4, done=True) is None
    assert (await now()).seq == 4
    assert await claim("two") is not None  # it was let go
    async with database.read(clerk.workspace_id) as db:
        log = await listing.deliveries(clerk, db, turn.webhook.id, Paging(10))
    assert [(one.number, one.seq, one.attempt, one.status, one.error) for one in log] == [
        (2, 3, 1, 200, None),
        (1, 2, 1, 200, None),
    ]
    assert (await verify(database)).findings == []


async def test_failures_wait_longer_and_longer(claim, database, clock, now):
    waits = []
    for attempt in range(1, 13):
        turn = await claim()
        assert await claims.settle(database, turn, "one", [failed(2)], 1) is None
        assert await claim() is None  # not yet
        one = await now()
        assert one.failures == attempt
        due = datetime.fromisoformat(one.due_at) - datetime.fromisoformat(clock.now)
        waits.append(due.total_seconds())
        clock.now = one.due_at
    for wait, least in zip(waits, (*claims.RETRIES, 28_800, 28_800), strict=True):
        assert least <= wait <= least * 1.1 + 1


async def test_a_success_forgets_failures(claim, database, clock, now, clerk):
    await claims.settle(database, await claim(), "one", [failed(2)], 1)
    later(clock, minutes=1)
    turn = await claims.settle(database, await claim(), "one", [delivered(2)], 2)
    one = await now()
    assert (one.failures, one.failing_since, one.seq) == (0, None, 2)
    await claims.settle(database, turn, "one", [delivered(3), failed(4)], 3)
    one = await now()
    assert (one.failures, one.seq) == (1, 3)
    async with database.read(clerk.workspace_id) as db:
        log = await listing.deliveries(clerk, db, turn.webhook.id, Paging(10))
    assert [one.attempt for one in log] == [1, 1, 2, 1]


async def test_after_three_days_it_is_paused_and_says_so(claim, database, clock, now, hook):
    began = clock.now
    while (one := await now()).state is WebhookState.ACTIVE:
        clock.now = one.due_at
        await claims.settle(database, await claim(), "one", [failed(2)], 1)
    span = datetime.fromisoformat(clock.now) - datetime.fromisoformat(began)
    assert timedelta(days=3) <= span < timedelta(days=3.5)
    assert one.reason == "For three days no delivery has succeeded: The receiver answered 500."
    assert await claims.active(database, "two") == []
    assert await claim() is None
    assert (await verify(database)).findings == []  # an event tells of it


async def test_who_is_gone_is_told_no_more(claim, database, now):
    await claims.settle(database, await claim(), "one", [failed(2, is_last=True)], 1)
    one = await now()
    assert (one.state, one.reason) == (WebhookState.PAUSED, "The receiver answered 410 Gone.")


@pytest.mark.parametrize(("asked", "waited"), [(120, 120), (10**9, 28_800), (0, 1)])
async def test_a_receiver_may_ask_to_be_left_alone(claim, database, clock, now, asked, waited):
    await claims.settle(database, await claim(), "one", [failed(2, retry_after=asked)], 1)
    due = datetime.fromisoformat((await now()).due_at) - datetime.fromisoformat(clock.now)
    assert due.total_seconds() == pytest.approx(waited, abs=1)


async def begins_after(database, clerk, seq):
    async with database.read(clerk.workspace_id):
        return changes.cursor(clerk, seq)


@pytest.mark.parametrize("seq", [0, 1, 2, 3])
async def test_what_was_changed_meanwhile_begins_where_it_was_told(
    claim, database, clerk, now, hook, seq
):
    """Also where it stands already: a delivery to the old address is under way."""
    turn = await claim()
    after = WebhookChanges(after=await begins_after(database, clerk, seq))
    await registering.update_webhook(clerk, database, TERMS, hook.webhook.id, after)
    assert await claims.settle(database, turn, "one", [delivered(2)], 2) is None
    assert (await now()).seq == seq
    async with database.read(clerk.workspace_id) as db:
        assert await listing.count_deliveries(clerk, db, hook.webhook.id) == 1
    assert await claim("two") is not None  # it is free


@pytest.mark.parametrize("is_last", [True, False])
async def test_what_the_old_address_says_is_nothing_to_the_new_one(
    claim, database, clerk, now, hook, is_last
):
    turn = await claim()
    mended = WebhookChanges(url=URL + "/new")
    await registering.update_webhook(clerk, database, TERMS, hook.webhook.id, mended)
    await claims.settle(database, turn, "one", [failed(2, is_last=is_last)], 1)
    one = await now()
    assert (one.state, one.failures, one.seq) == (WebhookState.ACTIVE, 0, hook.webhook.seq)
    assert await claim("two") is not None


async def test_one_that_was_paused_meanwhile_stays_so(claim, database, clerk, now, hook):
    turn = await claim()
    paused = WebhookChanges(state="paused")
    await registering.update_webhook(clerk, database, TERMS, hook.webhook.id, paused)
    assert await claims.settle(database, turn, "one", [delivered(2)], 2) is None
    one = await now()
    assert (one.state, one.reason) == (WebhookState.PAUSED, "Paused by clerk.")
    assert one.seq == hook.webhook.seq  # what was under way comes again


async def test_one_that_was_deleted_meanwhile_is_gone(claim, database, clerk, hook):
    turn = await claim()
    await registering.delete_webhook(clerk, database, hook.webhook.id)
    assert await claims.settle(database, turn, "one", [delivered(2)], 2) is None
    await claims.pause(database, turn, "one", "Why.")


async def test_pausing_says_why(claim, database, now):
    await claims.pause(database, await claim(), "one", "The key was revoked.")
    one = await now()
    assert (one.state, one.reason) == (WebhookState.PAUSED, "The key was revoked.")
    assert (await verify(database)).findings == []


async def test_what_was_mended_meanwhile_is_not_paused(claim, database, clerk, now, hook):
    turn = await claim()
    changed = WebhookChanges(events=["hearing"])
    await registering.update_webhook(clerk, database, TERMS, hook.webhook.id, changed)
    await claims.pause(database, turn, "one", "The key was revoked.")
    assert (await now()).state is WebhookState.ACTIVE
    assert await claim("two") is not None  # it was let go


async def test_a_rolled_secret_signs_for_a_day_yet(claim, database, clerk, clock, hook):
    rolled = await registering.roll_secret(clerk, database, hook.webhook.id)
    assert (await claim()).secrets == (rolled.secret, hook.secret)
    later(clock, hours=24, seconds=1)
    assert (await claim()).secrets == (rolled.secret,)


async def test_the_log_keeps_the_last_attempts(claim, database, clerk, monkeypatch, hook):
    monkeypatch.setattr(claims, "LOGGED", 3)
    turn = await claim()
    for seq in (2, 3):
        turn = await claims.settle(database, turn, "one", [delivered(seq), delivered(seq)], seq)
    async with database.read(clerk.workspace_id) as db:
        log = await listing.deliveries(clerk, db, hook.webhook.id, Paging(10))
        assert [one.number for one in log] == [4, 3, 2]


async def test_the_log_is_read_page_by_page(claim, database, clerk, hook):
    id = hook.webhook.id
    await claims.settle(database, await claim(), "one", [delivered(2) for _ in range(5)], 2)
    async with database.read(clerk.workspace_id) as db:
        first = await listing.deliveries(clerk, db, id, Paging(2))
        assert ([one.number for one in first], first.has_next) == ([5, 4], True)
        after = Paging(2, first.end_cursor)
        second = await listing.deliveries(clerk, db, id, after)
        assert ([one.number for one in second], second.has_next) == ([3, 2], True)
        assert await listing.outside_deliveries(clerk, db, id, after) == (True, False)
        before = Paging(1, before=second.start_cursor, backwards=True)
        back = await listing.deliveries(clerk, db, id, before)
        assert ([one.number for one in back], back.has_previous) == ([4], True)
        assert await listing.outside_deliveries(clerk, db, id, before) == (False, True)
        last = await listing.deliveries(clerk, db, id, Paging(2, backwards=True))
        assert [one.number for one in last] == [2, 1]
        assert await listing.count_deliveries(clerk, db, id) == 5
        with pytest.raises(Invalid, match="after must be a cursor of this list"):
            await listing.deliveries(clerk, db, "whk_other", after)


async def test_events_by_number(database, clerk, hook):
    found = await claims.events(database, clerk.workspace_id, 1, 3)
    assert sorted(found) == [1, 2, 3]
    assert all(id.startswith("evt_") for id, _type in found.values())
    assert await claims.events(database, 2, 1, 3) != found
