"""Waiting for what is committed next: in this process, in another one, and in another's name."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domain.access.principal import Scope
from domain.reading.following import EVERY_SECONDS, Following
from domain.storage.opening import opened
from domain.upkeep import administration

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def following(owner):
    made = Following(owner)
    yield made
    await made.close()


async def change(database, n):
    await administration.create_key(database, f"key {n}", [Scope.CASES_READ])


async def first_seen(follower):
    """Wait until the end of the timeline is known."""
    follower.note()
    while follower.note() is None:
        await follower.moved(1)


async def test_whoever_waits_is_woken_at_once_by_a_commit(following, owner):
    who = await administration.operator(owner)
    with following.follow(who.workspace_id) as follower:
        await first_seen(follower)
        for n in range(5):
            follower.note()
            waiting = asyncio.create_task(follower.moved(5))
            await asyncio.sleep(0.02)
            assert not waiting.done()
            began = time.monotonic()
            await change(owner, n)
            assert await waiting
            assert time.monotonic() - began < EVERY_SECONDS


async def test_a_commit_between_the_note_and_the_wait_is_not_missed(following, owner):
    who = await administration.operator(owner)
    with following.follow(who.workspace_id) as follower:
        await first_seen(follower)
        for n in range(10):
            follower.note()
            await change(owner, n)
            assert await follower.moved(5)


async def test_nobody_is_woken_by_another_workspace(following, owner):
    who = await administration.operator(owner)
    with following.follow(who.workspace_id) as follower:
        await first_seen(follower)
        follower.note()
        await administration.create_key(owner, "theirs", [Scope.CASES_READ], slug="other")
        assert not await follower.moved(EVERY_SECONDS * 1.5)


async def test_a_commit_of_another_process_is_seen(following, owner, firms):
    who = await administration.operator(owner)
    with following.follow(who.workspace_id) as follower:
        await first_seen(follower)
        follower.note()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "CASEGRAPH_DATABASE_URL": firms[0]}
        command = [sys.executable, "-m", "gateway", "keys", "create", "theirs"]
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=subprocess.DEVNULL
        )
        assert await follower.moved(20)
        assert await process.wait() == 0


async def test_when_nobody_follows_any_more_nothing_is_asked(following, owner):
    who = await administration.operator(owner)
    for _ in range(3):
        with following.follow(who.workspace_id) as follower:
            await first_seen(follower)
    await asyncio.sleep(EVERY_SECONDS * 1.2)

    assert following._task is None
    assert following.heads == {}


@pytest.mark.postgresql
async def test_after_its_connection_is_lost_it_listens_again(following, owner, firms, postgresql):
    who = await administration.operator(owner)
    with following.follow(who.workspace_id) as follower:
        await first_seen(follower)
        await follower.moved(0.2)
        name = owner.url.database
        postgresql.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{name}' AND query LIKE 'LISTEN%'"
        )
        async with opened(firms[0]) as other:
            for n in range(3):
                follower.note()
                await change(other, n)
                assert await follower.moved(5)
            await asyncio.sleep(EVERY_SECONDS * 1.5)
            began = time.monotonic()
            follower.note()
            await change(other, 9)
            assert await follower.moved(5)
            assert time.monotonic() - began < EVERY_SECONDS


async def test_whatever_goes_wrong_while_looking_it_is_looked_again(following, owner, monkeypatch):
    who = await administration.operator(owner)
    heads, failures = owner.heads, [RuntimeError("odd"), KeyError("odder")]

    async def failing(ids):
        if failures:
            raise failures.pop()
        return await heads(ids)

    with following.follow(who.workspace_id) as follower:
        await first_seen(follower)
        follower.note()
        monkeypatch.setattr(owner, "heads", failing)
        await change(owner, 1)
        assert await follower.moved(3 * EVERY_SECONDS + 1)
    assert failures == []
