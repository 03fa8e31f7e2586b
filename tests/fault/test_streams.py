"""Streams of changes across processes, on both databases: nobody misses a change of anybody."""

import asyncio
import contextlib
import json
import random
import time

import httpx2
import pytest

from tests.fault.servers import Gateway

LIVE = "subscription { caseChanges { cursor node { seq type case { name } } } }"
CASES = 40


@pytest.fixture
def pair(tmp_path, firms):
    """Two gateways over one database."""
    url, keys = firms
    made = []
    for n in range(2):
        folder = tmp_path / str(n)
        folder.mkdir()
        gateway = Gateway(folder, database_url=url)
        gateway.key = keys["all"]
        gateway.start()
        made.append(gateway)
    yield made
    for gateway in made:
        if gateway.process is not None:
            gateway.kill()


def client(gateway):
    headers = {"Authorization": f"Bearer {gateway.key}"}
    return httpx2.AsyncClient(base_url=gateway.url, headers=headers, timeout=30)


async def listening(gateway, seen, ids):
    """Note the changes that a gateway tells of, going on after each interruption."""
    while True:
        with contextlib.suppress(httpx2.TransportError):
            headers = {"Accept": "text/event-stream"}
            if ids:
                headers["Last-Event-ID"] = ids[-1]
            async with (
                client(gateway) as http,
                http.stream("POST", "/graphql", json={"query": LIVE}, headers=headers) as events,
            ):
                async for line in events.aiter_lines():
                    if line.startswith("id: "):
                        ids.append(line[4:])
                    elif line.startswith("data: {"):
                        node = json.loads(line[6:])["data"]["caseChanges"]["node"]
                        seen.append((node["seq"], (node["case"] or {}).get("name")))
        await asyncio.sleep(0.05)


async def until(condition, seconds=20):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it is what a stream has told
            await asyncio.sleep(0.02)


async def test_what_one_process_stores_the_other_tells_of_within_a_moment(pair):
    one, other = pair
    seen, ids = [], []
    task = asyncio.create_task(listening(other, seen, ids))
    try:
        await until(lambda: ids)
        async with client(one) as http:
            for n in range(CASES):
                began = time.monotonic()
                answer = await http.post("/api/v1/cases", json={"name": f"Case {n}"})
                assert answer.status_code == 201
                await until(lambda n=n: len(seen) > n)
                # A notification is on its way, and not the look once a second.
                assert n < 3 or time.monotonic() - began < 0.9
    finally:
        task.cancel()

    assert [name for _seq, name in seen] == [f"Case {n}" for n in range(CASES)]
    assert [seq for seq, _name in seen] == list(range(seen[0][0], seen[0][0] + CASES))


async def test_a_stream_goes_on_where_it_was_after_its_gateway_was_killed(pair):
    one, other = pair
    seen, ids = [], []
    port = other.url.rpartition(":")[2]
    task = asyncio.create_task(listening(other, seen, ids))
    chance = random.Random(7)
    written = []
    try:
        await until(lambda: ids)
        async with client(one) as http:
            for n in range(CASES):
                if n in (10, 25):
                    other.kill()
                    restart = asyncio.create_task(asyncio.to_thread(other.start, "--port", port))
                answer = await http.post("/api/v1/cases", json={"name": f"Case {n}"})
                written.append(answer.json()["name"])
                if n in (15, 30):
                    await restart
                await asyncio.sleep(chance.uniform(0, 0.05))
            await until(lambda: len(seen) >= CASES)
    finally:
        task.cancel()

    assert [name for _seq, name in seen] == written
