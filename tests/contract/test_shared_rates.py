"""Rate limits hold for all processes that serve a database together, on both surfaces."""

from contextlib import AsyncExitStack

import httpx2
import pytest

from gateway.app import create_app

LIMIT = 40


@pytest.fixture
async def processes(settings):
    """Clients of two applications on one database, which share nothing else."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            app = create_app(settings.but(rate_limit=LIMIT, failed_auth_limit=10, workers=2))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx2.ASGITransport(app)
            client = httpx2.AsyncClient(transport=transport, base_url="http://testserver")
            clients.append(await stack.enter_async_context(client))
        yield clients


@pytest.mark.usefixtures("steady")
async def test_a_key_is_limited_in_all_processes_together(processes, firms):
    headers = {"Authorization": f"Bearer {firms[1]['all']}"}
    statuses, left = [], []
    for number in range(LIMIT):
        for client in processes:
            if number % 2:
                answer = await client.get("/api/v1/cases", headers=headers)
            else:
                body = {"query": "{ viewer { mode } }"}
                answer = await client.post("/graphql", json=body, headers=headers)
            statuses.append(answer.status_code)
            left.append(int(answer.headers["X-RateLimit-Remaining"]))

    assert statuses.count(200) == LIMIT
    assert set(statuses) == {200, 429}
    assert left[0] == LIMIT - 1
    assert left[-1] == 0


async def test_an_address_with_wrong_keys_is_limited_in_all_processes_together(processes, firms):
    wrong = {"Authorization": f"Bearer {firms[1]['all'][:-1]}!"}
    told = []
    for _ in range(10):
        for client in processes:
            told.append((await client.get("/api/v1/cases", headers=wrong)).status_code)
    good = {"Authorization": f"Bearer {firms[1]['all']}"}

    assert (told.count(401), told.count(429)) == (10, 10)
    for client in processes:
        assert (await client.get("/api/v1/cases", headers=good)).status_code == 200
