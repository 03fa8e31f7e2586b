"""Making, changing and deleting webhooks."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from domain.access.principal import Scope
from domain.errors import (
    IdempotencyKeyReused,
    InsufficientScope,
    Invalid,
    WebhookNotFound,
)
from domain.inputs import NewWebhook, WebhookChanges
from domain.models import WebhookState
from domain.reading.changes import changes
from domain.reading.paging import Paging
from domain.storage.tables import timeline_event
from domain.upkeep.verifying import verify
from domain.webhooks import listing, registering, signing
from domain.webhooks.registering import Terms

URL = "https://hooks.example.org/a"
QUERY = "subscription { caseChanges { cursor } }"
TERMS = Terms(wrong=lambda query, _events: "It is bad." if query == "bad" else None, query=QUERY)


@pytest.fixture
def create(database, clerk):
    async def created(who=clerk, terms=TERMS, idempotency_key=None, **values):
        new = NewWebhook(**{"url": URL, **values})
        return await registering.create_webhook(
            who, database, terms, new, idempotency_key=idempotency_key
        )

    return created


@pytest.fixture
def update(database, clerk):
    async def updated(id, who=clerk, idempotency_key=None, **values):
        return await registering.update_webhook(
            who, database, TERMS, id, WebhookChanges(**values), idempotency_key=idempotency_key
        )

    return updated


@pytest.fixture
def listed(database):
    async def read(who):
        async with database.read(who.workspace_id) as db:
            return await listing.webhooks(who, db)

    return read


async def events_of(database, who, id):
    e = timeline_event.c
    async with database.read(who.workspace_id) as db:
        return await db.rows(
            select(e.type, e.actor, e.changes).where(e.subject_id == id).order_by(e.seq)
        )


async def test_a_new_webhook_is_told_of_what_comes(database, clerk, create, listed, given_case):
    await given_case("Before")
    made = await create(events=["case_created", "hearing", "hearing"])
    one = made.webhook

    assert one.id.startswith("whk_")
    assert (one.url, one.events, one.query) == (URL, ("case_created", "hearing"), QUERY)
    assert (one.state, one.reason, one.failures) == (WebhookState.ACTIVE, None, 0)
    assert made.secret.startswith("whsec_")
    assert await listed(clerk) == [one]


async def test_one_may_begin_at_a_cursor(database, clerk, create, given_case):
    await given_case("First")
    async with database.read(clerk.workspace_id) as db:
        after = await changes(clerk).end(db)
        last = await changes(clerk).last(db)
    await given_case("Second")

    assert (await create(after=after)).webhook.seq == last
    assert (await create()).webhook.seq > last


async def test_what_is_in_the_timeline_of_it(database, clerk, create, update):
    made = await create()
    id = made.webhook.id
    await update(id, url=URL + "b", state="paused")
    await registering.roll_secret(clerk, database, id)
    await registering.delete_webhook(clerk, database, id)

    told = await events_of(database, clerk, id)

    assert [type for type, _actor, _changes in told] == [
        "webhook_created",
        "webhook_updated",
        "webhook_updated",
        "webhook_deleted",
    ]
    assert {actor for _type, actor, _changes in told} == {"clerk"}
    everything = str(told)
    assert made.secret not in everything
    assert made.secret.removeprefix("whsec_") not in everything
    assert signing.digest(made.secret) in everything
    assert (await verify(database)).findings == []


async def test_nobody_is_told_of_webhooks_by_the_feed(database, clerk, create):
    from domain.reading import objects

    await create()
    async with database.read(clerk.workspace_id) as db:
        page = await objects.page(db, changes(clerk), Paging(100))
    assert [one.type for one in page if "webhook" in one.type] == []


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"url": "http://hooks.example.org/"}, ("url",)),
        ({"url": "https://127.0.0.1/"}, ("url",)),
        ({"url": ""}, ("url",)),
        ({"events": []}, ("events",)),
        ({"events": ["not a word!"]}, ("events", "0")),
        ({"events": ["x"] * 101}, ("events",)),
        ({"query": "bad"}, ("query",)),
        ({"query": "x" * 20_001}, ("query",)),
        ({"query": " \n "}, ("query",)),
        ({"query": ""}, ("query",)),
        ({"after": "nonsense"}, ("after",)),
        ({"idempotency_key": "x" * 300}, ("idempotency_key",)),
    ],
)
async def test_what_a_webhook_may_not_be(create, listed, clerk, values, field):
    with pytest.raises(Invalid) as refusal:
        await create(**values)
    assert [problem.field for problem in refusal.value.problems] == [field]
    assert await listed(clerk) == []


async def test_all_that_is_wrong_is_said_at_once(create):
    with pytest.raises(Invalid) as refusal:
        await create(url="x", events=[], query="bad", after="?")
    assert len(refusal.value.problems) >= 3


async def test_a_workspace_may_have_so_many(create, monkeypatch):
    monkeypatch.setattr(registering, "MOST", 2)
    await create()
    await create()
    with pytest.raises(Invalid, match="at most 2 webhooks"):
        await create()


@pytest.mark.parametrize("missing", [Scope.WEBHOOKS_WRITE, Scope.CASES_READ])
async def test_both_scopes_are_needed(database, clerk, create, update, missing):
    id = (await create()).webhook.id
    who = replace(clerk, scopes=clerk.scopes - {missing})
    for call in (
        create(who),
        update(id, who, url=URL),
        registering.delete_webhook(who, database, id),
        registering.roll_secret(who, database, id),
    ):
        with pytest.raises(InsufficientScope):
            await call


async def test_reading_them_needs_the_scope(database, clerk, create):
    id = (await create()).webhook.id
    who = replace(clerk, scopes=clerk.scopes - {Scope.WEBHOOKS_WRITE})
    async with database.read(clerk.workspace_id) as db:
        for call in (
            listing.webhooks(who, db),
            listing.webhook_by_id(who, db, id),
            listing.deliveries(who, db, id, Paging(10)),
        ):
            with pytest.raises(InsufficientScope):
                await call


async def test_another_workspace_sees_none_of_it(database, stranger, create, update, listed):
    id = (await create()).webhook.id

    assert await listed(stranger) == []
    for call in (
        update(id, stranger, url=URL),
        registering.delete_webhook(stranger, database, id),
        registering.roll_secret(stranger, database, id),
    ):
        with pytest.raises(WebhookNotFound):
            await call
    async with database.read(stranger.workspace_id) as db:
        with pytest.raises(WebhookNotFound):
            await listing.webhook_by_id(stranger, db, id)
        assert list(await listing.deliveries(stranger, db, id, Paging(10))) == []


async def test_a_retry_makes_no_second_one(create, listed, clerk):
    first = await create(idempotency_key="k")
    again = await create(idempotency_key="k")

    assert again == first  # with the secret, in case the first answer was lost
    assert len(await listed(clerk)) == 1
    with pytest.raises(IdempotencyKeyReused):
        await create(idempotency_key="k", url=URL + "2")


async def test_a_retried_roll_rolls_once(database, clerk, create):
    made = await create()
    first = await registering.roll_secret(clerk, database, made.webhook.id, idempotency_key="k")
    again = await registering.roll_secret(clerk, database, made.webhook.id, idempotency_key="k")

    assert first == again
    assert first.secret != made.secret


async def test_a_retry_shows_no_secret_that_was_made_since(database, clerk, create):
    made = await create(idempotency_key="k")
    id = made.webhook.id
    await registering.roll_secret(clerk, database, id, idempotency_key="r")
    assert (await create(idempotency_key="k")).secret is None
    assert (await registering.roll_secret(clerk, database, id, idempotency_key="r")).secret
    await registering.roll_secret(clerk, database, id)
    again = await registering.roll_secret(clerk, database, id, idempotency_key="r")
    assert (again.webhook.id, again.secret) == (id, None)


async def test_who_changes_it_gives_it_their_rights(database, clerk, create, update):
    made = await create()
    other = replace(clerk, key_id="0000000000AB", key_name="other")

    after = await update(made.webhook.id, other, events=["hearing"])

    assert after.key_id == other.key_id
    assert after.events == ("hearing",)
    assert (await update(made.webhook.id, events=None)).events is None


async def test_null_is_for_the_usual_query(create, update):
    own = "subscription { caseChanges { node { id } } }"
    made = await create(query=own)
    assert (await update(made.webhook.id, events=["hearing"])).query == own
    assert (await update(made.webhook.id, query=None)).query == QUERY


async def test_pausing_and_resuming(create, update):
    made = await create()
    paused = await update(made.webhook.id, state="paused")
    assert (paused.state, paused.reason) == (WebhookState.PAUSED, "Paused by clerk.")
    assert await update(made.webhook.id, url=URL) == paused

    resumed = await update(made.webhook.id, state="active")

    assert (resumed.state, resumed.reason) == (WebhookState.ACTIVE, None)
    assert resumed.seq == made.webhook.seq  # it is told of what it has missed


@pytest.mark.parametrize("state", ["gone", "", None, 7])
async def test_a_state_that_does_not_exist(create, update, state):
    made = await create()
    with pytest.raises(Invalid):
        await update(made.webhook.id, state=state)


async def test_a_deleted_webhook_is_gone_with_its_log(database, clerk, create, update, listed):
    id = (await create()).webhook.id
    assert await registering.delete_webhook(clerk, database, id, idempotency_key="k") == id
    assert await registering.delete_webhook(clerk, database, id, idempotency_key="k") == id
    assert await listed(clerk) == []
    with pytest.raises(WebhookNotFound):
        await update(id, url=URL)
    with pytest.raises(WebhookNotFound):
        await registering.delete_webhook(clerk, database, id)
