"""The X-RateLimit headers, and what happens when the calls are used up."""

import time

import pytest

HEADERS = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


def rates(response):
    """The limit, what is left, and the seconds until it is whole again."""
    limit, left, reset = (
        int(response.headers[name])
        for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    )
    return [limit, left, reset - time.time()]


@pytest.fixture
def rate_limit():
    return 3


async def test_calls_beyond_the_limit_are_refused_and_told_when_to_come_back(rest):
    for left in (2, 1, 0):
        assert rates(await rest("GET", "/cases"))[:2] == [3, left]

    response = await rest("POST", "/cases", json={"name": "N"})

    error = response.json()["error"]
    assert response.status_code == 429
    assert (error["code"], error["details"]) == ("RATE_LIMIT_EXCEEDED", [])
    assert 1 <= error["retry_after"] <= 60
    assert response.headers["Retry-After"] == str(error["retry_after"])
    limit, left, seconds = rates(response)
    assert (limit, left) == (3, 0)
    assert error["retry_after"] - 1 <= seconds + 1 <= error["retry_after"] + 1
    assert (await rest.get("/cases", key="read"))["data"] == []


async def test_the_rate_is_checked_before_the_scope(rest):
    statuses = [(await rest("GET", "/cases", key="write")).status_code for _ in range(4)]

    assert statuses == [403, 403, 403, 429]


async def test_every_response_tells_the_rate(rest):
    case = (await rest("POST", "/cases", json={"name": "N"}, key="write")).json()
    path = f"/cases/{case['id']}"

    for response in (
        await rest("GET", "/cases"),
        await rest("GET", "/cases/nothing"),
        await rest("GET", path, headers={"If-None-Match": "*"}),
        await rest("DELETE", path, key="delete"),
        await rest("POST", "/cases", key="read"),
        await rest("GET", "/cases", key=None),
        await rest("GET", "/nothing", key=None),
        await rest("PATCH", "/cases", key=None),
        await rest("GET", "/openapi.json", key=None),
    ):
        assert set(map(str.lower, HEADERS)) <= set(response.headers), response.status_code


async def test_a_caller_without_a_key_uses_nothing_up(rest):
    for _ in range(5):
        limit, left, seconds = rates(await rest("GET", "/cases", key=None))
        assert (limit, left) == (3, 3)
        assert 58 < seconds <= 60

    assert rates(await rest("GET", "/cases"))[:2] == [3, 2]
