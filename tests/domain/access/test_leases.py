"""Rate limits that processes share: each counts by itself what it has leased."""

import asyncio
import logging
import random

import pytest

from domain.access import leases
from domain.access.keys import KeyRing, new_key
from domain.access.leases import Leases
from domain.access.rates import SHARE, Allowance, RateLimiter
from domain.errors import InvalidKey, RateLimited, Unavailable
from domain.models import Mode
from domain.storage.opening import opened
from domain.storage.turns import READING, Reading

LIMIT = 100


class Counting(Leases):
    """Counts how often it is asked, and can be out of reach."""

    asked = 0
    gone = False

    async def lease(self, name, points, limit):
        self.asked += 1
        if self.gone:
            raise Unavailable
        return await super().lease(name, points, limit)


class Seconds:
    now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def ledger(database):
    return Counting(database)


@pytest.fixture
async def others(database):
    """The ledger of another process."""
    password_free = database.url.set(drivername=database.url.get_backend_name())
    async with opened(password_free.render_as_string(hide_password=False)) as there:
        yield Counting(there)


async def accepted(rates, name="key", points=1):
    try:
        await rates.take(name, points)
    except RateLimited:
        return 0
    return points


async def test_two_processes_together_take_what_one_may(ledger, others):
    here, there = RateLimiter(LIMIT, ledger), RateLimiter(LIMIT, others)

    taken = [await accepted(rates) for _ in range(LIMIT) for rates in (here, there)]

    assert sum(taken) == LIMIT
    assert ledger.asked + others.asked <= SHARE + 2
    assert await accepted(here, "another key") == 1


async def test_one_process_alone_may_take_all(ledger):
    rates = RateLimiter(LIMIT, ledger)

    assert await rates.take("key") == Allowance(LIMIT, LIMIT - 1, 60)
    assert sum([await accepted(rates) for _ in range(LIMIT)]) == LIMIT - 1
    assert rates.spend("key", 5).remaining == 0


@pytest.mark.parametrize("seed", range(6))
async def test_no_order_of_calls_takes_more(ledger, others, seed):
    rng = random.Random(seed)
    processes = [RateLimiter(LIMIT, one) for one in (ledger, others, ledger)]
    taken = 0
    for _ in range(150):
        rates, points = rng.choice(processes), rng.choice((1, 1, 2, 7, 30))
        match rng.choice(("take", "take", "spend", "return")):
            case "take":
                taken += await accepted(rates, points=points)
            case "spend" if taken:
                rates.spend("key", points)
            case "return" if taken > points:
                took = await accepted(rates, points=points)
                if took:
                    rates.give_back("key", took)
        assert taken <= LIMIT
    assert taken > 0


async def test_what_was_visited_beyond_a_lease_is_paid_with_the_next(ledger, others):
    here, there = RateLimiter(LIMIT, ledger), RateLimiter(LIMIT, others)
    await here.take("key")
    here.spend("key", 60)

    assert await accepted(here) == 1
    assert sum([await accepted(there) for _ in range(LIMIT)]) <= LIMIT - 62


async def test_who_is_refused_asks_no_more_until_the_window_ends(ledger):
    seconds = Seconds()
    rates = RateLimiter(LIMIT, ledger, clock=seconds)
    await rates.take("key", LIMIT)
    asked = ledger.asked
    seconds.now += 12.5
    for _ in range(5):
        with pytest.raises(RateLimited) as refused:
            await rates.take("key")
        assert 46 <= refused.value.retry_after <= 48
    assert ledger.asked == asked


async def test_a_window_ends_for_all_when_the_first_began_it(ledger, others, raw):
    seconds = Seconds()
    here = RateLimiter(LIMIT, ledger, clock=seconds)
    there = RateLimiter(LIMIT, others, clock=seconds)
    await here.take("key", LIMIT)
    raw.execute("UPDATE rate_window SET began = began - 50")
    commit(raw)
    with pytest.raises(RateLimited) as refused:
        await there.take("key")
    assert 9 <= refused.value.retry_after <= 10

    seconds.now += 11
    raw.execute("UPDATE rate_window SET began = began - 11")
    commit(raw)

    assert await accepted(there) == 1


async def test_a_window_of_the_others_that_has_ended_takes_nothing_of_the_next(ledger, raw):
    rates = RateLimiter(LIMIT, ledger)
    assert sum([await accepted(rates) for _ in range(7)]) == 7
    raw.execute("UPDATE rate_window SET began = began - 61")
    commit(raw)

    # What is left of the lease is of the window before.
    left = [(await rates.take("key")).remaining for _ in range(4)]
    assert left == [LIMIT - 8, LIMIT - 9, LIMIT - 10, LIMIT - 1]
    assert sum([await accepted(rates) for _ in range(2 * LIMIT)]) == LIMIT - 1


async def test_without_the_table_each_process_counts_for_itself(ledger, caplog):
    ledger.gone = True
    rates = RateLimiter(LIMIT, ledger)
    with caplog.at_level(logging.WARNING):
        taken = sum([await accepted(rates) for _ in range(2 * LIMIT)])

    assert (taken, ledger.asked) == (LIMIT, 1)
    assert "counted by this process alone" in caplog.text


async def test_a_key_that_reads_all_it_may_is_counted_with_the_others_all_the_same(
    database, ledger
):
    over = asyncio.Event()

    async def read():
        READING.set(Reading("key"))
        async with database.read(1):
            await over.wait()

    async def take():
        READING.set(Reading("key"))
        await RateLimiter(LIMIT, ledger).take("key")
        return (await ledger.lease("key", 0, LIMIT)).taken

    reads = [asyncio.create_task(read()) for _ in range(20)]
    await asyncio.sleep(0.2)
    try:
        assert await asyncio.create_task(take()) == LIMIT // SHARE
    finally:
        over.set()
        await asyncio.gather(*reads)


async def test_wrong_keys_are_counted_together(database, others):
    rings = KeyRing(database, 6, Leases(database)), KeyRing(database, 6, others)
    raw, _id = new_key(Mode.LIVE)
    told = []
    for ring in rings * 5:
        with pytest.raises((InvalidKey, RateLimited)) as refused:
            await ring.authenticate(raw, "192.0.2.7")
        told.append(refused.type)

    assert told == [InvalidKey] * 6 + [RateLimited] * 4


async def test_wrong_keys_from_an_address_that_is_a_key_s_id_count_against_no_key(database):
    ledger = Leases(database)
    ring, rates = KeyRing(database, 100, ledger), RateLimiter(3, ledger)
    wrong, id = new_key(Mode.LIVE)
    for _ in range(20):
        with pytest.raises(InvalidKey):
            await ring.authenticate(wrong, id)

    assert [await accepted(rates, id) for _ in range(4)] == [1, 1, 1, 0]


async def test_windows_that_have_ended_are_deleted(ledger, raw, monkeypatch):
    monkeypatch.setattr(leases, "TIDY_EVERY", 3)
    await ledger.lease("old", 1, 10)
    raw.execute("UPDATE rate_window SET began = began - 1000")
    commit(raw)
    await ledger.lease("new", 1, 10)
    await ledger.lease("new", 1, 10)

    assert raw.execute("SELECT name, taken FROM rate_window").fetchall() == [("new", 2)]


def commit(raw):
    if hasattr(raw, "commit"):
        raw.commit()
