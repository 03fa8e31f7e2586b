"""Webhooks over both surfaces, with a real receiver."""

import asyncio
import base64
import hashlib
import hmac
import inspect
import json
import re
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select

from domain.access.keys import change_key
from domain.errors import Damaged, TimedOut, Unavailable
from domain.storage.tables import timeline_event
from domain.upkeep import administration, purging
from domain.webhooks import claims
from gateway.app import create_app
from gateway.execution.operations import Operation
from gateway.http.feeding import Refused
from gateway.telemetry import metrics
from gateway.webhooks import delivering, telling
from tests.gateway.execution.failing_reads import fail_on
from tests.receivers import Answer, receiver

CREATE = """mutation($input: CreateWebhookInput!) { createWebhook(input: $input) {
  secret userErrors { code message field }
  webhook { id url events query keyId state reason cursor failures failingSince dueAt createdAt }
} }"""
SHOWN = """query($id: ID!) { webhook(id: $id) { id state reason failures failingSince dueAt cursor
  deliveries(first: 100) { totalCount nodes { eventId type attempt status error durationMs at } }
} }"""
UPDATE = """mutation($input: UpdateWebhookInput!) { updateWebhook(input: $input) {
  webhook { id url events query state reason keyId } userErrors { code message field } } }"""
ROLL = """mutation($id: ID!) { rollWebhookSecret(input: {id: $id}) { secret
  userErrors { code } } }"""
DELETE = """mutation($id: ID!) { deleteWebhook(input: {id: $id}) { deletedWebhookId
  userErrors { code } } }"""


@pytest.fixture
def settings(settings, monkeypatch):
    """A new webhook is seen sooner than within a second: most of these tests waited for that."""
    monkeypatch.setattr(delivering, "EVERY_SECONDS", 0.1)
    return settings.but(webhooks=True, webhook_networks=("127.0.0.0/8",))


@pytest.fixture
def hooked():
    with receiver() as made:
        yield made


@pytest.fixture
def create(api):
    async def created(url, key="all", **values):
        payload = (await api.data(CREATE, {"input": {"url": url, **values}}, key=key))[
            "createWebhook"
        ]
        assert payload["userErrors"] == []
        return payload

    return created


async def until(holds, seconds=15):
    """What *holds* tells, as soon as that is something; it may be asynchronous."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.02)


def signature_of(secret, message):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    headers = message.headers
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + message.body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


async def test_a_change_is_delivered_signed(api, create, hooked, given_case):
    made = await create(hooked.url, events=["case_created"])
    case = await given_case(name="Weiß ./. Müller")
    [message, *_rest] = await until(lambda: hooked.messages)

    assert message.node["type"] == "case_created"
    assert message.node["caseUuid"] == case["uuid"]
    assert message.headers["content-type"] == "application/json"
    assert message.headers["webhook-signature"] == signature_of(made["secret"], message)
    assert abs(int(message.headers["webhook-timestamp"]) - time.time()) < 30
    assert message.headers["casegraph-event"] == "case_created"
    assert message.headers["casegraph-webhook"] == made["webhook"]["id"]
    assert message.headers["casegraph-attempt"] == "1"
    assert message.headers["webhook-id"] == (
        f"{message.node['databaseId']}_{made['webhook']['id']}"
    )


async def test_what_the_documentation_says_tells_genuine_from_forged(create, hooked, given_case):
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```python\n(def is_genuine.*?)```", page, re.DOTALL)
    scope = {"base64": base64, "hmac": hmac, "time": time, "Mapping": Mapping}
    exec(shown, scope)
    is_genuine = scope["is_genuine"]
    secret = (await create(hooked.url))["secret"]
    await given_case()
    [message, *_rest] = await until(lambda: hooked.messages)
    headers = message.headers

    assert is_genuine(secret, headers, message.body)
    assert not is_genuine(secret, headers, message.body + b" ")
    assert not is_genuine(secret, headers | {"webhook-id": "evt_1"}, message.body)
    assert not is_genuine("whsec_" + "A" * 43 + "=", headers, message.body)
    late = str(int(headers["webhook-timestamp"]) - 1_000)
    assert not is_genuine(secret, headers | {"webhook-timestamp": late}, message.body)


async def test_the_payload_is_what_the_query_selects(api, create, hooked, given_case):
    query = """subscription { change: caseChanges { node { type case { ...c } } } }
      fragment c on Case { name version parties { nodes { role party { name } } } }"""
    await create(hooked.url, query=query, events=["case_created"])
    await given_case(name="Weiß ./. Müller")
    [message, *_rest] = await until(lambda: hooked.messages)
    assert json.loads(message.body) == {
        "data": {
            "change": {
                "node": {
                    "type": "case_created",
                    "case": {
                        "name": "Weiß ./. Müller",
                        "version": 1,
                        "parties": {
                            "nodes": [{"role": "client", "party": {"name": "Jörg Müller"}}]
                        },
                    },
                }
            }
        }
    }


async def test_all_come_once_and_in_order(api, create, hooked, given_case):
    await create(hooked.url)
    for number in range(30):
        await given_case(name=f"Case {number}")
    feed = """{ changes(first: 100) { nodes { databaseId } } }"""
    expected = [one["databaseId"] for one in (await api.data(feed))["changes"]["nodes"]]
    await until(lambda: len(hooked.messages) >= len(expected))
    await asyncio.sleep(0.2)
    assert [one.node["databaseId"] for one in hooked.messages] == expected


async def test_a_turn_is_held_for_longer_while_much_is_read(
    api, create, hooked, given_case, monkeypatch
):
    monkeypatch.setattr(telling, "RENEWED_SECONDS", 0)
    await create(hooked.url, events=["case_created"])
    for number in range(25):
        await given_case(name=f"Case {number}")
    await until(lambda: len(hooked.messages) >= 25)
    ids = [one.node["databaseId"] for one in hooked.messages]
    assert len(set(ids)) == 25
    assert ids == sorted(ids)


async def test_events_narrow_it(api, create, hooked, given_case):
    made = await create(hooked.url, events=["case_deleted"])
    case = await given_case()
    await api.rest("DELETE", f"/cases/{case['uuid']}")
    await until(lambda: hooked.messages)
    assert [one.node["type"] for one in hooked.messages] == ["case_deleted"]
    # What it is not told of is noted as well.
    await given_case()
    page = await api.data("{ changes(last: 1) { pageInfo { endCursor } } }")
    end = page["changes"]["pageInfo"]["endCursor"]

    async def reached():
        shown = await api.data(SHOWN, {"id": made["webhook"]["id"]})
        return shown["webhook"]["cursor"] == end

    await until(reached)


async def test_a_failure_is_tried_again_and_logged(api, create, given_case):
    with receiver(lambda number: Answer(503 if number == 0 else 200)) as flaky:
        made = await create(flaky.url, events=["case_created"])
        await given_case()
        await until(lambda: len(flaky.messages) >= 2)
        first, second = flaky.messages
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
        assert second.headers["casegraph-attempt"] == "2"

        async def log():
            shown = await api.data(SHOWN, {"id": made["webhook"]["id"]})
            found = shown["webhook"]["deliveries"]
            return found["nodes"] if found["totalCount"] >= 2 else None

        ok, failed = await until(log)
        assert (ok["attempt"], ok["status"], ok["error"]) == (2, 200, None)
        assert (failed["attempt"], failed["status"]) == (1, 503)
        assert failed["error"] == "The receiver answered 503."


async def test_a_redirect_is_not_followed(api, create, hooked, given_case):
    away = Answer(302, (("location", hooked.url),))
    with receiver(lambda _number: away) as redirecting:
        made = await create(redirecting.url)
        await given_case()
        await until(lambda: redirecting.messages)

        async def failed():
            shown = await api.data(SHOWN, {"id": made["webhook"]["id"]})
            return shown["webhook"]["deliveries"]["nodes"]

        log = await until(failed)
        assert log[-1]["error"] == "The receiver answered 302; redirects are not followed."
        assert hooked.messages == []


async def test_a_revoked_key_pauses_its_webhook(api, create, hooked, given_case, owner):
    raw, key = await administration.create_key(
        owner, "guest", ["cases:read", "webhooks:write"], slug="default"
    )
    made = await create(hooked.url, key=raw)
    await administration.revoke_key(owner, key.id)
    await given_case()

    async def paused():
        shown = await api.data(SHOWN, {"id": made["webhook"]["id"]})
        return shown["webhook"]["state"] == "PAUSED" and shown["webhook"]["reason"]

    assert "revoked" in await until(paused)
    assert hooked.messages == []

    # Another key takes it over: it is told of all that it missed.
    await api.data(UPDATE, {"input": {"id": made["webhook"]["id"], "state": "ACTIVE"}})
    await until(lambda: hooked.messages)


async def test_a_rolled_secret_signs_beside_the_old_one(api, create, hooked, given_case):
    made = await create(hooked.url)
    rolled = (await api.data(ROLL, {"id": made["webhook"]["id"]}))["rollWebhookSecret"]
    await given_case()
    [message, *_rest] = await until(lambda: hooked.messages)
    assert message.headers["webhook-signature"].split(" ") == [
        signature_of(rolled["secret"], message),
        signature_of(made["secret"], message),
    ]


async def test_a_deleted_webhook_is_told_nothing(api, create, hooked, given_case):
    made = await create(hooked.url)
    await given_case()
    await until(lambda: hooked.messages)
    data = await api.data(DELETE, {"id": made["webhook"]["id"]})
    assert data["deleteWebhook"]["deletedWebhookId"] == made["webhook"]["id"]
    await asyncio.sleep(0.3)
    count = len(hooked.messages)
    await given_case()
    await asyncio.sleep(1.5)
    assert len(hooked.messages) == count
    assert (await api.data(SHOWN, {"id": made["webhook"]["id"]}))["webhook"] is None


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"url": "https://127.0.0.1/"}, ["url"], None),
        ({"query": "{ viewer { keyName } }"}, ["query"], "not a subscription"),
        ({"query": "subscription {"}, ["query"], "Syntax"),
        ({"query": "subscription { caseChanges { nonsense } }"}, ["query"], "nonsense"),
        (
            {"query": "subscription($t: [String!]!) { caseChanges(types: $t) { cursor } }"},
            ["query"],
            None,
        ),
        ({"query": 'subscription { caseChanges(after: "x") { cursor } }'}, ["query"], "after"),
        (
            {"query": 'subscription { caseChanges(types: ["a"]) { cursor } }', "events": ["a"]},
            ["query"],
            "types",
        ),
        ({"query": "subscription { caseChanges(types: []) { cursor } }"}, ["query"], "type"),
        ({"events": []}, ["events"], None),
        ({"events": ["No Word!"]}, ["events", "0"], None),
        ({"after": "nonsense"}, ["after"], "cursor"),
    ],
)
async def test_what_cannot_be_is_refused_in_words(api, values, field, message):
    given = {"url": "http://127.0.0.1:9/", **values}
    if given["url"].startswith("https://127"):
        given["url"] = "https://10.0.0.1/"
    payload = (await api.data(CREATE, {"input": given}))["createWebhook"]
    assert payload["webhook"] is None
    assert payload["secret"] is None
    [error] = payload["userErrors"]
    assert (error["code"], error["field"]) == ("VALIDATION_ERROR", field)
    assert message is None or message in error["message"]


@pytest.mark.parametrize("key", ["read", "write", "delete"])
async def test_a_key_without_the_scope_learns_nothing(api, create, hooked, key):
    made = await create(hooked.url)
    id = made["webhook"]["id"]
    for document, variables in (
        (CREATE, {"input": {"url": hooked.url}}),
        (SHOWN, {"id": id}),
        ("{ webhooks { id } }", {}),
        (UPDATE, {"input": {"id": id}}),
        (ROLL, {"id": id}),
        (DELETE, {"id": id}),
    ):
        answer = await api.graphql(document, variables, key=key)
        [error] = answer["errors"]
        assert error["extensions"]["code"] == "AUTH_INSUFFICIENT_SCOPE"


async def test_another_firm_sees_none(api, create, hooked):
    id = (await create(hooked.url))["webhook"]["id"]
    assert (await api.data("{ webhooks { id } }", key="stranger"))["webhooks"] == []
    assert (await api.data(SHOWN, {"id": id}, key="stranger"))["webhook"] is None
    for document in (ROLL, DELETE):
        answer = await api.data(document, {"id": id}, key="stranger")
        [payload] = answer.values()
        assert [one["code"] for one in payload["userErrors"]] == ["WEBHOOK_NOT_FOUND"]


WHOLE = """subscription { caseChanges { node { type
  case { name parties(first: 1) { nodes { role } } timeline(first: 1) { nodes { id } } } } } }"""


NEW = """mutation { createCase(input: {name: "Weiß ./. Müller",
  parties: [{new: {name: "Jörg"}, role: "client"}]}) { userErrors { code } } }"""


@pytest.fixture(params=["a plan", "graphql-core"])
def executed_by(request, monkeypatch):
    if request.param == "graphql-core":

        async def run(self, context, given):
            return None

        monkeypatch.setattr(Operation, "run", run)


@pytest.mark.parametrize("error", [TimedOut, Unavailable])
async def test_what_could_not_be_read_in_time_is_told_later_and_whole(
    api, create, hooked, monkeypatch, executed_by, error
):
    monkeypatch.setattr(telling, "AGAIN_SECONDS", 0.2)
    made = await create(hooked.url, query=WHOLE, events=["case_created"])
    with monkeypatch.context() as failing:
        fail_on(failing, "case_party", error)
        await api.data(NEW)
        await asyncio.sleep(1.2)
    assert hooked.messages == []
    shown = await api.data(SHOWN, {"id": made["webhook"]["id"]})
    assert shown["webhook"]["state"] == "ACTIVE"
    log = shown["webhook"]["deliveries"]["nodes"]
    # A query that always takes too long is not tried for ever, without a word.
    assert bool(log) == (error is TimedOut)
    assert {one["error"] for one in log} <= {"What its query selects could not be read in time."}

    [message, *_rest] = await until(lambda: hooked.messages)
    case = message.node["case"]
    assert (case["name"], case["parties"]["nodes"]) == ("Weiß ./. Müller", [{"role": "client"}])
    assert "errors" not in json.loads(message.body)


async def test_a_backlog_that_takes_too_long_at_once_is_read_one_by_one(
    api, create, given_case, hooked, monkeypatch
):
    real = telling.read

    async def read(services, subscription, who, cursor, most, *, whole):
        if most > 1:
            raise TimedOut
        return await real(services, subscription, who, cursor, most, whole=whole)

    monkeypatch.setattr(telling, "read", read)
    made = await create(hooked.url, events=["case_created"])
    for _ in range(5):
        await given_case()
    await until(lambda: len(hooked.messages) >= 5)
    shown = await api.data(SHOWN, {"id": made["webhook"]["id"]})
    assert {one["error"] for one in shown["webhook"]["deliveries"]["nodes"]} <= {None}


@pytest.mark.parametrize("error", [Damaged, lambda: RuntimeError("lost")])
async def test_what_cannot_be_read_at_all_is_tried_again_and_told_of(
    api, create, hooked, monkeypatch, error
):
    """The list of changes itself: damaged, or a defect here."""
    made = await create(hooked.url, events=["case_created"])
    real = telling.read

    async def read(*arguments, **options):
        if (raised := error()).__class__ is RuntimeError:
            raise Refused([{"message": "x", "extensions": {"code": "INTERNAL_ERROR"}}])
        raise raised

    async def failed():
        shown = (await api.data(SHOWN, {"id": made["webhook"]["id"]}))["webhook"]
        assert shown["state"] == "ACTIVE"
        return shown["deliveries"]["nodes"]

    monkeypatch.setattr(telling, "read", read)
    await api.data(NEW)
    [first, *_rest] = (await until(failed))[::-1]
    assert (first["type"], first["status"], first["attempt"]) == ("case_created", None, 1)
    assert "lost" not in first["error"]
    monkeypatch.setattr(telling, "read", real)
    await until(lambda: hooked.messages)


async def test_what_it_does_not_want_costs_its_key_nothing(
    api, create, hooked, given_case, monkeypatch
):
    monkeypatch.setattr(telling, "QUIET_SECONDS", 0.0)
    await create(hooked.url, events=["never_happens"], key="all")
    rates = api.services.rates
    who = await api.services.keys.authenticate(api.keys["all"])
    before = rates.spend(who.key_id, 0).remaining
    for _ in range(5):
        await given_case(key="all")
    spent = before - rates.spend(who.key_id, 0).remaining
    await asyncio.sleep(1.5)
    assert before - rates.spend(who.key_id, 0).remaining == spent


async def test_an_id_that_none_can_have_is_none(api, create, hooked):
    await create(hooked.url)
    for id in ("%00", "whk_%00", "%ED%A0%80", "x" * 5_000):
        for method, path in (
            ("GET", f"/webhooks/{id}"),
            ("PUT", f"/webhooks/{id}"),
            ("DELETE", f"/webhooks/{id}"),
            ("GET", f"/webhooks/{id}/deliveries"),
            ("POST", f"/webhooks/{id}/secret"),
        ):
            body = {"json": {"state": "paused"}} if method == "PUT" else {}
            response = await api.rest(method, path, **body)
            assert response.status_code == 404, (method, path)
    for id in ("\0", "x" * 5_000):
        assert (await api.data(SHOWN, {"id": id}))["webhook"] is None
        for document in (ROLL, DELETE):
            [payload] = (await api.data(document, {"id": id})).values()
            assert [one["code"] for one in payload["userErrors"]] == ["WEBHOOK_NOT_FOUND"]


async def test_a_defect_is_a_failure_and_nothing_is_left_out(api, create, hooked, monkeypatch):
    made = await create(hooked.url, query=WHOLE, events=["case_created"])
    with monkeypatch.context() as failing:
        fail_on(failing, "case_party", lambda: RuntimeError("lost"))
        await api.data(NEW)

        async def failed():
            shown = await api.data(SHOWN, {"id": made["webhook"]["id"]})
            return shown["webhook"]["deliveries"]["nodes"]

        [first, *_rest] = await until(failed)
    assert "an internal error" in first["error"]
    assert "lost" not in first["error"]
    [message, *_rest] = await until(lambda: hooked.messages)
    assert "errors" not in json.loads(message.body)


async def test_a_revoked_key_ends_it_between_two_deliveries(api, create, given_case, owner):
    raw, key = await administration.create_key(
        owner, "guest", ["cases:read", "webhooks:write"], slug="default"
    )
    with receiver(lambda _number: Answer(delay=0.7)) as slow:
        made = await create(slow.url, key=raw, events=["case_created"])
        for _ in range(8):
            await given_case()
        await until(lambda: slow.messages)
        await administration.revoke_key(owner, key.id)
        count = len(slow.messages)

        async def paused():
            shown = await api.data(SHOWN, {"id": made["webhook"]["id"]})
            return shown["webhook"]["state"] == "PAUSED"

        await until(paused)
        assert len(slow.messages) <= count + 1


async def test_what_is_erased_is_not_told_of(api, create, given_case, owner):
    with receiver(lambda _number: Answer(delay=0.7)) as slow:
        await create(slow.url)
        await given_case(name="First")
        gone = await given_case(name="ERASED")
        await until(lambda: slow.messages)
        await api.rest("DELETE", f"/cases/{gone['uuid']}")
        await purging.purge(await administration.operator(owner), owner)
        count = len(slow.messages)
        await until(lambda: any(b"case_purged" in one.body for one in slow.messages), 30)
        later = slow.messages[count:]
        assert not [one for one in later if b"ERASED" in one.body]


async def test_one_firm_s_slow_receivers_hold_up_nobody_else(
    api, create, hooked, given_case, monkeypatch
):
    monkeypatch.setattr(delivering, "AT_ONCE", 4)
    monkeypatch.setattr(delivering, "OF_ONE", 2)
    with receiver(lambda _number: Answer(delay=1.0)) as slow:
        for _ in range(6):
            await create(slow.url, key="stranger")
        for _ in range(4):
            await given_case(key="stranger")
        await until(lambda: len(slow.messages) >= 2)
        await create(hooked.url, events=["case_created"])
        await given_case()
        await until(lambda: hooked.messages, 5)
        # Nor does one of them hold up the others.
        await until(lambda: len({one.headers["casegraph-webhook"] for one in slow.messages}) == 6)


async def test_the_attempt_is_told_of_each_delivery(api, create, given_case):
    with receiver(lambda number: Answer(500 if number == 0 else 200)) as flaky:
        await create(flaky.url, events=["case_created"])
        for _ in range(4):
            await given_case()
        await until(lambda: len(flaky.messages) >= 5)
        told = [one.headers["casegraph-attempt"] for one in flaky.messages]
        assert told == ["1", "2", "1", "1", "1"]


async def test_an_answer_that_is_too_long_pauses_it(api, create, hooked, given_case, monkeypatch):
    monkeypatch.setattr(telling, "BODY_BYTES", 1_000)
    query = "subscription { caseChanges { node { type case { name description } } } }"
    made = await create(hooked.url, query=query, events=["case_created"])
    await given_case(name="Short")
    await given_case(name="Long", description="x" * 2_000)

    async def reason():
        shown = await api.data(SHOWN, {"id": made["webhook"]["id"]})
        return shown["webhook"]["reason"]

    assert await until(reason) == "A change takes more than 1 MiB; have the query select less."
    assert [one.node["case"]["name"] for one in hooked.messages] == ["Short"]


@pytest.mark.parametrize(
    "arguments",
    [
        f"types: {json.dumps(['x'] * 600)}",
        'types: ["a\\u0000b"]',
        f'types: ["{"x" * 500}"]',
        f'caseId: "{"x" * 5_000}"',
    ],
)
async def test_what_nobody_could_ask_for_is_refused_at_once(api, arguments):
    query = f"subscription {{ caseChanges({arguments}) {{ cursor }} }}"
    given = {"url": "http://127.0.0.1:9/", "query": query}
    payload = (await api.data(CREATE, {"input": given}))["createWebhook"]
    assert [(one["code"], one["field"]) for one in payload["userErrors"]] == [
        ("VALIDATION_ERROR", ["query"])
    ]


async def test_a_key_without_the_scope_reads_no_event_of_a_webhook(api, create, hooked, owner):
    made = await create(hooked.url)
    async with owner.read(1) as db:
        [(id,)] = await db.rows(
            select(timeline_event.c.id).where(timeline_event.c.subject_id == made["webhook"]["id"])
        )
    global_id = base64.b64encode(f"TimelineEvent:{id}".encode()).decode()
    for key in ("read", "all"):
        found = await api.data(
            "query($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }",
            {"id": global_id},
            key=key,
        )
        assert found == {"node": None, "nodes": [None]}


async def shown_of(api, made):
    return (await api.data(SHOWN, {"id": made["webhook"]["id"]}))["webhook"]


async def test_who_is_gone_is_told_no_more(api, create, given_case):
    with receiver(lambda _number: Answer(410)) as gone:
        made = await create(gone.url, events=["case_created"])
        await given_case()

        async def paused():
            found = await shown_of(api, made)
            return found if found["state"] == "PAUSED" else None

        assert (await until(paused))["reason"] == "The receiver answered 410 Gone."
        assert len(gone.messages) == 1


async def test_who_wants_to_be_left_alone_is(api, create, given_case):
    busy = Answer(503, (("Retry-After", "3600"),))
    with receiver(lambda _number: busy) as away:
        made = await create(away.url, events=["case_created"])
        await given_case()

        async def failed():
            found = await shown_of(api, made)
            return found if found["failures"] else None

        found = await until(failed)
        due, since = map(datetime.fromisoformat, (found["dueAt"], found["failingSince"]))
        assert 3_590 <= (due - since).total_seconds() <= 3_610


async def test_deliveries_are_counted(api, create, given_case):
    def counted():
        name = "casegraph_webhook_deliveries_total"
        return [
            metrics.REGISTRY.get_sample_value(name, {"outcome": one}) or 0
            for one in ("delivered", "failed")
        ]

    before = counted()
    with receiver(lambda number: Answer(503 if number == 0 else 200)) as flaky:
        await create(flaky.url, events=["case_created"])
        await given_case()
        await until(lambda: len(flaky.messages) == 2)
        await until(lambda: counted() == [before[0] + 1, before[1] + 1])


@asynccontextmanager
async def serving(settings, key):
    """One more gateway over the same database; how to ask it."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://testserver", headers=headers
        ) as http:

            async def asked(query, **variables):
                body = {"query": query, "variables": variables}
                answer = (await http.post("/graphql", json=body)).json()
                assert "errors" not in answer, answer
                return answer["data"]

            yield asked


async def test_a_gateway_may_deliver_nothing(settings, firms, hooked):
    async with serving(settings.but(webhooks=False), firms[1]["all"]) as asked:
        await asked(CREATE, input={"url": hooked.url})
        await asked(NEW)
        await asyncio.sleep(1.5)
    assert hooked.messages == []


async def test_a_stop_lets_others_go_on_at_once(settings, firms):
    """Neither a long answer nor the hold of who has stopped is waited for."""
    key = firms[1]["all"]
    with receiver(lambda number: Answer(delay=20 if number == 0 else 0)) as slow:
        async with serving(settings, key) as asked:
            await asked(CREATE, input={"url": slow.url, "events": ["case_created"]})
            await asked(NEW)
            await until(lambda: slow.messages)
            began = time.monotonic()
        assert time.monotonic() - began < 8
        async with serving(settings, key):
            await until(lambda: len(slow.messages) >= 2, 8)
        first, second = slow.messages[:2]
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_a_stop_begins_no_delivery_any_more(settings, firms):
    with receiver(lambda _number: Answer(delay=0.3)) as slow:
        async with serving(settings, firms[1]["all"]) as asked:
            await asked(CREATE, input={"url": slow.url, "events": ["case_created"]})
            for _ in range(12):
                await asked(NEW)
            await until(lambda: slow.messages)
            count, began = len(slow.messages), time.monotonic()
        assert time.monotonic() - began < 2
        assert len(slow.messages) <= count + 1


async def test_a_key_that_was_narrowed_pauses_its_webhook(api, create, hooked, given_case, owner):
    raw, key = await administration.create_key(
        owner, "guest", ["cases:read", "webhooks:write"], slug="default"
    )
    made = await create(hooked.url, key=raw)
    async with owner.write(1) as db:
        await change_key(db, 1, key.id, scopes="cases:read")
    await given_case()

    async def paused():
        return (await shown_of(api, made))["reason"]

    assert "lacks the scope webhooks:write" in await until(paused)
    assert hooked.messages == []


async def test_what_is_erased_since_it_was_read_is_left_out(
    api, create, hooked, given_case, monkeypatch
):
    real, left_out = claims.events, []

    async def events(*arguments):
        found = await real(*arguments)
        if found and not left_out:
            left_out.append(found.pop(min(found))[0])
        return found

    monkeypatch.setattr(claims, "events", events)
    await create(hooked.url, events=["case_created"])
    for _ in range(3):
        await given_case()
    await until(lambda: len(hooked.messages) >= 2)
    await asyncio.sleep(0.5)
    told = [one.node["databaseId"] for one in hooked.messages]
    assert len(left_out) == 1
    assert left_out[0] not in told[:1]


@pytest.mark.parametrize("asked", ["webhooks", 'webhook(id: "{}")'])
async def test_no_answer_about_webhooks_is_a_kept_one(api, create, given_case, asked):
    """How far one has got, and how often it failed, changes without an event of the timeline."""
    with receiver(lambda _number: Answer(503)) as failing:
        made = await create(failing.url, events=["case_created"])
        await given_case()

        async def failures():
            found = await api.data(f"{{ {asked.format(made['webhook']['id'])} {{ failures }} }}")
            [value] = found.values()
            return value[0]["failures"] if isinstance(value, list) else value["failures"]

        async def twice():
            return await failures() >= 2

        await until(failures)
        await until(twice)
