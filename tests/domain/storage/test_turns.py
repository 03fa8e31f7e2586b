"""No key keeps the others from their turn at the connections."""

import asyncio
import os

import pytest

from domain.errors import Unavailable
from domain.storage import turns as turns_
from domain.storage.turns import READING, Reading, Turns


@pytest.fixture(autouse=True)
def crowd(monkeypatch):
    """Nobody has asked for anything yet, whatever other tests did in the last second."""
    monkeypatch.setattr(turns_, "CROWD", turns_.Crowd())
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.fixture
def begin():
    """Begins to read with a key; the task ends when its event is set."""
    tasks = []

    def start(turns, key_id, seconds=5.0):
        done = asyncio.Event()
        held = asyncio.Event()

        async def read():
            READING.set(Reading(key_id) if key_id else None)
            async with turns.turn(seconds):
                held.set()
                await done.wait()

        task = asyncio.get_running_loop().create_task(read())
        tasks.append(task)
        return held, done, task

    yield start
    for task in tasks:
        task.cancel()


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_key_has_half_of_the_turns_and_no_more(begin):
    turns = Turns(4)
    greedy = [begin(turns, "greedy") for _ in range(10)]
    await settle()
    assert [held.is_set() for held, *_ in greedy] == [True, True, *[False] * 8]

    others = [begin(turns, key) for key in ("a", "b")]
    await settle()

    assert all(held.is_set() for held, *_ in others)


async def test_who_holds_none_comes_before_who_asked_earlier_and_holds_one(begin, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    turns = Turns(4)
    _one, *others = [begin(turns, key) for key in ("a", "x", "y", "z")]
    await settle()
    again, new = begin(turns, "a"), begin(turns, "b")
    await settle()

    others[0][1].set()
    await settle()
    assert (again[0].is_set(), new[0].is_set()) == (False, True)
    others[1][1].set()
    await settle()
    assert again[0].is_set()


async def test_who_holds_less_comes_first_then_who_came_first(begin):
    turns = Turns(2)
    first = begin(turns, "a")
    second = begin(turns, "b")
    waiting = [begin(turns, key) for key in ("a", "b", "c", "c")]
    await settle()
    assert not any(held.is_set() for held, *_ in waiting)

    first[1].set()
    await settle()
    assert [held.is_set() for held, *_ in waiting] == [True, False, False, False]
    second[1].set()
    await settle()
    assert [held.is_set() for held, *_ in waiting] == [True, True, False, False]


async def test_who_waits_too_long_is_told_and_takes_no_turn_later(begin):
    turns = Turns(1)
    begin(turns, "a")
    await settle()

    _, _, late = begin(turns, "b", seconds=0.01)
    with pytest.raises(Unavailable, match="Too many reads"):
        await late
    next_ = begin(turns, "c")
    await settle()
    assert not next_[0].is_set()


@pytest.mark.parametrize("granted", [True, False])
async def test_a_cancelled_wait_gives_its_turn_back(begin, granted):
    turns = Turns(1)
    first = begin(turns, "a")
    await settle()
    _, _, cancelled = begin(turns, "b")
    await settle()
    if granted:
        first[1].set()
        await asyncio.sleep(0)
    cancelled.cancel()
    first[1].set()
    with pytest.raises(asyncio.CancelledError):
        await cancelled

    held, *_ = begin(turns, "c")
    await settle()
    assert held.is_set()


async def test_the_operator_is_not_held_back(begin):
    turns = Turns(4)
    held = [begin(turns, "") for _ in range(4)]
    await settle()
    assert all(one.is_set() for one, *_ in held)


async def test_a_request_that_has_a_turn_does_not_wait_for_its_own_key():
    turns = Turns(4)
    READING.set(Reading("a"))
    async with turns.turn(1), turns.turn(1), turns.turn(1):
        pass


async def test_while_several_keys_ask_none_has_more_turns_than_half_of_the_cores(begin):
    turns = Turns(4)
    for key in ("greedy", "other"):
        turns_.begin(key)

    greedy = [begin(turns, "greedy") for _ in range(3)]
    await settle()
    assert [held.is_set() for held, *_ in greedy] == [True, False, False]


def test_a_crowd_is_gone_a_second_later(monkeypatch):
    now = 0.0
    monkeypatch.setattr(turns_.time, "monotonic", lambda: now)
    crowd = turns_.Crowd()
    crowd.saw("a")
    crowd.saw("a")
    assert not crowd
    now = 0.5
    crowd.saw("b")
    assert crowd
    now = 1.2
    crowd.saw("b")
    assert not crowd
    crowd.saw("a")
    assert crowd
