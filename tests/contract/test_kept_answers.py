"""What is asked again is answered as it was asked the first time, on both surfaces: with what is
written since, at the same price, and to those alone who may have it."""

import asyncio
from itertools import pairwise

import pytest

from domain.access.keys import CACHED_SECONDS, key_id
from domain.access.principal import Scope
from domain.upkeep import administration
from gateway.app import Surfaces
from gateway.server import edge

PAGE = "{ cases(first: 10) { nodes { id name parties { nodes { party { name } } } } } }"
WIDE = """{ cases(first: 50) { nodes {
  parties(first: 100) { nodes { party { name } } } staff(first: 100) { nodes { staff { name } } }
} } }"""
"""It may read ten thousand rows, and reads some six hundred."""
AGAIN = 6
"""An answer is kept when it is asked a second time, and sent from the third time on. From the
fifth time on, no surface sees a request that is the same, byte for byte."""


@pytest.fixture
def settings(settings):
    return settings.but(rate_limit=100_000)


async def graphql(api, key="all", query=PAGE, **more):
    response = await api.http.post(
        "/graphql", json={"query": query} | more, headers=api.bearer(key)
    )
    assert response.status_code == 200
    return response


async def over_get(api, key="all", query=PAGE, **headers):
    return await api.http.get(
        "/graphql", params={"query": query}, headers=api.bearer(key) | headers
    )


async def listed(api, key="all"):
    response = await api.rest("GET", "/cases", key=key)
    assert response.status_code == 200
    return response


@pytest.mark.parametrize("ask", [graphql, over_get, listed])
async def test_the_answer_is_the_same_and_a_write_is_seen_at_once(api, given_case, ask):
    await given_case(name="One")

    hits = api.services.kept.hits
    answers = [(await ask(api)).content for _ in range(AGAIN)]
    assert api.services.kept.hits - hits == AGAIN - 2
    assert len(set(answers)) == 1

    await given_case(name="Two")
    assert b'"Two"' in (await ask(api)).content
    assert (await api.rest("POST", "/cases", json={"name": "Three"})).status_code == 201
    for _ in range(AGAIN):
        assert b'"Three"' in (await ask(api)).content


@pytest.mark.parametrize("ask", [graphql, over_get, listed])
@pytest.mark.usefixtures("steady")
async def test_a_kept_answer_takes_the_same_points(api, given_case, ask):
    people = {
        "parties": [{"new": {"name": f"P {n}"}, "role": "client"} for n in range(6)],
        "staff": [{"new": {"name": f"S {n}"}, "role": "clerk"} for n in range(6)],
    }
    for n in range(50):
        await given_case(name=f"N {n}", **people)
    more = {} if ask is listed else {"query": WIDE}

    left = [int((await ask(api, **more)).headers["X-RateLimit-Remaining"]) for _ in range(AGAIN)]
    taken = [before - after for before, after in pairwise(left)]

    assert len(set(taken)) == 1
    assert taken[0] > 1


async def tagged(api):
    tag = (await over_get(api)).headers["ETag"]
    return await over_get(api, **{"If-None-Match": tag})


async def unchanged(api):
    """A case, for who has it."""
    [case] = (await listed(api)).json()["data"]
    tag = (await api.rest("GET", f"/cases/{case['id']}")).headers["ETag"]
    return await api.rest("GET", f"/cases/{case['id']}", headers={"If-None-Match": tag})


async def compressed(api):
    return await over_get(api, query=LONG, **{"Accept-Encoding": "gzip"})


async def uncompressed(api):
    return await over_get(api, query=LONG, **{"Accept-Encoding": "identity"})


LONG = f"{{ cases(first: 1) {{ nodes {{ {' '.join(f'name{n}: name' for n in range(100))} }} }} }}"
WAYS = [graphql, over_get, listed, tagged, unchanged, compressed, uncompressed]


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.usefixtures("steady")
async def test_headers_of_a_kept_answer_are_those_of_a_new_one(api, given_case, ask):
    await given_case()
    changing = {"x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset"}

    found = []
    for _ in range(AGAIN):
        answer = await ask(api)
        fixed = [pair for pair in answer.headers.items() if pair[0] not in changing]
        found.append((answer.status_code, fixed, answer.content))

    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.usefixtures("steady")
async def test_the_log_tells_of_a_kept_answer_as_of_a_new_one(api, given_case, ask, monkeypatch):
    await given_case()
    told = []
    monkeypatch.setattr(edge, "access", lambda event, **facts: told.append(facts | {"ms": 0}))

    for _ in range(AGAIN):
        await ask(api)

    mine = told[len(told) // AGAIN - 1 :: len(told) // AGAIN]
    assert len(mine) == AGAIN
    assert [one.pop("kept", None) for one in mine][2:] == [True] * (AGAIN - 2)
    # That a case is unchanged takes less reading, when it is read, than the case.
    mine = mine[2:] if ask is unchanged else mine
    assert [one for one in mine if one != mine[0]] == [], mine[0]


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.usefixtures("steady")
async def test_no_surface_sees_what_is_asked_again_in_the_same_words(
    api, given_case, ask, monkeypatch
):
    await given_case()
    before = [await ask(api) for _ in range(AGAIN)][-1]

    async def see(_self, scope, receive, send):
        raise AssertionError(scope["path"])

    monkeypatch.setattr(Surfaces, "__call__", see)
    again = await ask(api)

    assert (again.status_code, again.content) == (before.status_code, before.content)
    assert again.headers["X-Request-Id"] != before.headers["X-Request-Id"]
    assert (await over_get(api, query="{ __typename }")).status_code == 500


@pytest.mark.parametrize("name", ["Authorization", "Content-Type", "X-Mine"])
async def test_a_field_that_is_there_twice_is_not_the_same_words(api, given_case, name):
    await given_case(name="One")
    head = [("Content-Type", "application/json"), ("X-Mine", "1"), *api.bearer("all").items()]
    twice = [*head, *(pair for pair in head if pair[0] == name)]

    async def ask(headers):
        return await api.http.post("/graphql", json={"query": PAGE}, headers=headers)

    fresh = await ask(twice)
    for _ in range(AGAIN):
        assert (await ask(head)).status_code == 200

    again = await ask(twice)
    assert again.status_code == fresh.status_code == (200 if name == "X-Mine" else 400)
    assert again.content == fresh.content


async def test_a_post_to_another_target_is_not_the_same_words(api, given_case):
    await given_case(name="One")
    for _ in range(AGAIN):
        await graphql(api)

    again = await api.http.post("/graphql?n=%ff", json={"query": PAGE}, headers=api.bearer("all"))

    assert again.status_code == 400


@pytest.mark.parametrize("ask", [graphql, over_get])
async def test_other_words_of_the_same_length_get_their_own_answer(api, given_case, ask):
    await given_case(name="One", description="Two")
    one, other = (f"{{ cases(first: 1) {{ nodes {{ n: {name} }} }} }}" for name in ("type", "name"))
    assert len(one) == len(other)

    answers = [[(await ask(api, query=each)).json() for each in (one, other)] for _ in range(AGAIN)]

    assert all(pair == answers[0] for pair in answers)
    assert answers[0][0] != answers[0][1]


@pytest.mark.parametrize("ask", [graphql, over_get])
@pytest.mark.usefixtures("steady")
async def test_the_bytes_of_a_question_are_counted(api, given_case, ask):
    await given_case()
    long = f"{PAGE}#{'x' * 5_000}"
    for _ in range(3):
        await ask(api, query=long)
    before = api.services.kept.bytes
    for _ in range(AGAIN):
        await ask(api, query=long)

    assert api.services.kept.bytes - before > len(long)


async def test_events_are_as_many_each_time(api, given_case):
    await given_case()
    found = [(await over_get(api, Accept="text/event-stream")).content for _ in range(AGAIN)]

    assert all(one == found[0] for one in found), found
    assert b"event: complete" in found[0]


async def test_a_position_counts_for_what_is_asked_again(api, given_case, monkeypatch):
    await given_case()
    for _ in range(AGAIN):
        await over_get(api, **{"X-Casegraph-Position": "2"})
    told = []
    monkeypatch.setattr(api.services.positions, "begin", lambda *given: told.append(given))

    await over_get(api, **{"X-Casegraph-Position": "2"})

    assert told == [(key_id(api.keys["all"]), "2")]


@pytest.mark.usefixtures("steady")
async def test_the_bytes_of_a_compressed_answer_are_counted(api, given_case):
    await given_case()
    for _ in range(3):
        answer = await compressed(api)
    before = api.services.kept.bytes
    for _ in range(AGAIN):
        await compressed(api)

    assert api.services.kept.bytes - before > int(answer.headers["Content-Length"]) + 600


async def test_no_key_is_kept_with_an_answer(api, given_case):
    await given_case()
    for _ in range(AGAIN):
        await listed(api)
        await graphql(api)

    kept = repr(api.services.kept._answers)

    assert "/api/v1/cases" in kept
    assert api.keys["all"] not in kept


async def test_a_key_that_was_revoked_gets_nothing_a_moment_later(api, owner, given_case):
    await given_case()
    raw, entry = await administration.create_key(owner, "second", list(Scope))
    bearer = {"Authorization": f"Bearer {raw}"}
    for _ in range(AGAIN):
        assert (await api.http.get("/api/v1/cases", headers=bearer)).status_code == 200

    await administration.revoke_key(owner, entry.id)
    await asyncio.sleep(CACHED_SECONDS)

    assert (await api.http.get("/api/v1/cases", headers=bearer)).status_code == 401


@pytest.mark.parametrize("ask", [graphql, over_get, listed])
async def test_no_other_workspace_and_no_other_scope_gets_it(api, given_case, ask):
    await given_case(name="Of this firm")
    for _ in range(AGAIN):
        assert b"Of this firm" in (await ask(api)).content

    assert b"Of this firm" not in (await ask(api, key="stranger")).content
    assert b"Of this firm" not in (await ask(api, key="test")).content
    if ask is listed:
        refused = await api.rest("GET", "/cases", key="write")
        assert refused.status_code == 403
    else:
        refused = await ask(api, key="write")
        assert refused.json()["errors"][0]["extensions"]["code"] == "AUTH_INSUFFICIENT_SCOPE"


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "{ viewer { keyName } }"}',
        b'{"query": "{ vi\\u0065wer { keyName } }"}',
        b'{"query": "query { me: viewer { keyName } }"}',
        b'{"query": "query { ...F } fragment F on Query { viewer { keyName } }"}',
    ],
)
async def test_each_key_sees_itself(api, owner, body):
    # Two keys of one workspace with the same scopes.
    raw, _ = await administration.create_key(owner, "second", list(Scope))
    bearers = {"all": api.bearer("all"), "second": {"Authorization": f"Bearer {raw}"}}
    for _ in range(AGAIN):
        for name, bearer in bearers.items():
            headers = bearer | {"Content-Type": "application/json"}
            answer = await api.http.post("/graphql", content=body, headers=headers)
            assert f'"{name}"' in answer.text


async def test_what_is_refused_or_partial_is_not_kept(api):
    hits = api.services.kept.hits
    for _ in range(AGAIN):
        await graphql(api, query="{ cases(first: 1000) { totalCount } }")
        await graphql(api, query="{ nothing }")
        await graphql(api, query="{ viewer { mode } cases(first: -1) { totalCount } }")
        assert (await api.rest("GET", "/cases?limit=1000")).status_code == 400
        assert (await api.rest("GET", "/cases/01890000-0000-7000-8000-000000000000")).status_code

    assert api.services.kept.hits == hits


async def test_mutations_and_costs_are_not_kept(api):
    hits = api.services.kept.hits
    document = 'mutation { createCase(input: {name: "N"}) { case { id } } }'

    made = [(await graphql(api, query=document)).json() for _ in range(AGAIN)]
    costs = [(await graphql(api, extensions={"cost": True})).json() for _ in range(AGAIN)]

    assert len({one["data"]["createCase"]["case"]["id"] for one in made}) == AGAIN
    assert all("cost" in one["extensions"] for one in costs)
    assert api.services.kept.hits == hits


async def test_a_key_without_points_is_refused_what_is_kept(api, given_case):
    await given_case()
    for _ in range(AGAIN):
        await listed(api)

    api.services.rates.spend(key_id(api.keys["all"]), 100_000)

    assert (await api.rest("GET", "/cases")).status_code == 429


@pytest.mark.parametrize("left", [0, 5])
async def test_what_would_be_refused_for_what_it_may_cost_is_refused_when_kept(
    api, given_case, left
):
    await given_case()
    for _ in range(AGAIN):
        await graphql(api, query=WIDE)

    api.services.rates.spend(key_id(api.keys["all"]), 100_000)
    api.services.rates.give_back(key_id(api.keys["all"]), left)

    response = await api.http.post("/graphql", json={"query": WIDE}, headers=api.bearer("all"))
    assert response.status_code == 429
    # The point for looking at it, if there was one.
    assert api.services.rates.spend(key_id(api.keys["all"]), 0).remaining == max(0, left - 1)


async def test_get_has_a_tag_and_304_for_who_has_it(api, given_case):
    await given_case(name="One")
    first = await over_get(api)
    tag = first.headers["ETag"]

    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        for _ in range(AGAIN):
            same = await over_get(api, **{"If-None-Match": known})
            assert (same.status_code, same.content) == (304, b"")
            assert same.headers["ETag"] == tag
            assert same.headers["Cache-Control"] == "no-store"
            assert int(same.headers["X-RateLimit-Remaining"]) > 0
    for unknown in ('"x"', tag.strip('"'), ""):
        assert (await over_get(api, **{"If-None-Match": unknown})).status_code == 200

    await given_case(name="Two")
    newer = await over_get(api, **{"If-None-Match": tag})
    assert newer.status_code == 200
    assert newer.headers["ETag"] != tag


async def test_each_media_type_has_a_tag_of_its_own(api):
    plain = await over_get(api, Accept="application/json")
    other = await over_get(api, Accept="application/graphql-response+json")

    assert plain.content == other.content
    assert plain.headers["ETag"] != other.headers["ETag"]


async def test_errors_and_posts_have_no_tag(api):
    assert "ETag" not in (await over_get(api, query="{ nothing }")).headers
    assert "ETag" not in (await graphql(api)).headers


async def test_conditions_of_rest_hold_for_kept_answers(api, given_case):
    case = await given_case(name="One")
    path = f"/cases/{case['uuid']}"
    tags = [(await api.rest("GET", path)).headers["ETag"] for _ in range(AGAIN)]
    assert len(set(tags)) == 1

    async def status(**headers):
        return (await api.rest("GET", path, headers=headers)).status_code

    for _ in range(2):
        assert await status(**{"If-None-Match": tags[0]}) == 304
        assert await status(**{"If-None-Match": '"999"'}) == 200
        assert await status(**{"If-Match": tags[0]}) == 200
        assert await status(**{"If-Match": '"999"'}) == 412


async def test_an_answer_without_content_is_kept_for_nobody(api, given_case):
    case = await given_case(name="One")
    path = f"/cases/{case['uuid']}"
    for _ in range(AGAIN):
        same = await api.rest("GET", path, headers={"If-None-Match": f'"{case["version"]}"'})
        assert same.status_code == 304

    assert (await api.rest("GET", path)).status_code == 200
