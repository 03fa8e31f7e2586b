"""Making, changing and deleting webhooks.

A webhook reads by the rights of the API key that made it, or changed it last. When that key is
revoked or expires, it is told of nothing any more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, delete, func, select

from domain import ids, instants
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import Invalid, WebhookNotFound
from domain.inputs import NewWebhook, WebhookChanges, mentioned
from domain.models import Change, Webhook, WebhookState
from domain.reading.changes import changes
from domain.storage.database import Database, Transaction
from domain.storage.statements import Prepared
from domain.storage.tables import webhook, webhook_delivery
from domain.webhooks import rows, signing
from domain.webhooks.addresses import Network, checked_url
from domain.webhooks.rows import Stored
from domain.writing import idempotency
from domain.writing.idempotency import Call
from domain.writing.timeline import NewEvent

MOST = 20
"""How many webhooks a workspace may have."""
MOST_EVENTS = 100
QUERY_MAX = 20_000
"""Characters of a query."""

_COUNT = Prepared(select(func.count()).where(webhook.c.workspace_id == bindparam("workspace_id")))
_DELETE = Prepared(delete(webhook).where(*rows.MINE))
_DELETE_LOG = Prepared(
    delete(webhook_delivery).where(
        webhook_delivery.c.workspace_id == bindparam("mine"),
        webhook_delivery.c.webhook_id == bindparam("its_id"),
    )
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a webhook may be, as whoever runs the gateway decides."""

    networks: Sequence[Network] = ()
    """Networks of one's own that webhooks may go to."""
    wrong: Callable[[str, Sequence[str] | None], str | None] = lambda _query, _events: None
    """What is wrong with a query, given the types of changes, in a sentence; None if nothing is."""
    query: str = ""
    """The query of a webhook that names none."""


@dataclass(frozen=True, slots=True)
class Made:
    """A webhook, and its secret, which is not shown again."""

    webhook: Webhook
    secret: str | None
    """None if it was rolled since: a retry shows only what it would have shown at first."""


async def create_webhook(
    who: Principal,
    database: Database,
    terms: Terms,
    new: NewWebhook,
    *,
    idempotency_key: str | None = None,
) -> Made:
    """Tell an address of what changes from now on, or from a cursor on.

    Raises InsufficientScope, Invalid, IdempotencyKeyReused.
    """
    _require(who)
    check = Check()
    url = checked_url(check, new.url, terms.networks)
    events = _checked_events(check, new.events)
    query = _checked_query(check, terms, new.query, events)
    async with idempotency.once(
        who, database, check, idempotency_key, "create_webhook", new
    ) as call:
        if call.before:
            return await _shown_again(call, who)
        seq = await _begin(check, call, who, new.after)
        [(count,)] = await call.db.rows(_COUNT, {"workspace_id": who.workspace_id})
        if count >= MOST:
            check.wrong(f"A workspace may have at most {MOST} webhooks.", "url")
        check.done()
        made = Webhook(
            id=ids.new_id(ids.WEBHOOK),
            url=url,
            events=events,
            query=query,
            key_id=who.key_id,
            state=WebhookState.ACTIVE,
            reason=None,
            created_at=call.db.now,
            seq=seq,
            failures=0,
            failing_since=None,
            due_at=call.db.now,
        )
        secret = signing.new_secret()
        row = {"workspace_id": who.workspace_id, "secret": secret, "attempts": 0, "edits": 0}
        await rows.add(call.db, Stored(rows.row_of(made) | row, who.secret))
        told = [Change(name, None, value) for name, value in _told(made).items()]
        told.append(Change("secret_digest", None, signing.digest(secret)))
        call.events.append(NewEvent("webhook_created", subject_id=made.id, changes=told))
        call.result = _result(made.id, secret)
        return Made(made, secret)


async def update_webhook(
    who: Principal,
    database: Database,
    terms: Terms,
    webhook_id: str,
    changed: WebhookChanges,
    *,
    idempotency_key: str | None = None,
) -> Webhook:
    """Change, pause or resume a webhook, which has the rights of this key from then on.

    Raises InsufficientScope, WebhookNotFound, Invalid, IdempotencyKeyReused.
    """
    _require(who)
    check = Check()
    async with idempotency.once(
        who, database, check, idempotency_key, "update_webhook", webhook_id, changed
    ) as call:
        if call.before:
            return (await _found(call.db, who, call.before, idempotency.FIELD)).webhook
        found = await _found(call.db, who, webhook_id)
        before = found.webhook
        after = replace(before, key_id=who.key_id)
        values = mentioned(changed)
        if "url" in values:
            after = replace(after, url=checked_url(check, values["url"], terms.networks))
        if "events" in values:
            after = replace(after, events=_checked_events(check, values["events"]))
        if "query" in values or "events" in values:
            query = values.get("query", before.query)
            after = replace(after, query=_checked_query(check, terms, query, after.events))
        if "after" in values and values["after"] is not None:
            after = replace(after, seq=await _begin(check, call, who, values["after"]))
        if "state" in values:
            state = check.one_of(values["state"], tuple(WebhookState), "state")
            if not check.problems:
                after = replace(after, state=WebhookState(state))
        check.done()
        if after.state is WebhookState.PAUSED:
            if before.state is not WebhookState.PAUSED:
                after = replace(after, reason=f"Paused by {who.key_name}.")
        else:
            # Whoever changes it has mended something: it is tried again at once.
            after = replace(after, reason=None, failures=0, failing_since=None, due_at=call.db.now)
        call.result = before.id
        edits = {"edits": found.row["edits"] + 1}
        await rows.change(call.db, found, rows.row_of(after) | edits)
        old, new = _told(before), _told(after)
        if told := [Change(name, old[name], new[name]) for name in new if old[name] != new[name]]:
            call.events.append(NewEvent("webhook_updated", subject_id=before.id, changes=told))
        return after


async def delete_webhook(
    who: Principal, database: Database, webhook_id: str, *, idempotency_key: str | None = None
) -> str:
    """Delete a webhook with its log; returns its id.

    Raises InsufficientScope, WebhookNotFound, Invalid, IdempotencyKeyReused.
    """
    _require(who)
    check = Check()
    async with idempotency.once(
        who, database, check, idempotency_key, "delete_webhook", webhook_id
    ) as call:
        check.done()
        if call.before:
            return call.before
        gone = await _found(call.db, who, webhook_id)
        await call.db.run(_DELETE_LOG, gone.place)
        await call.db.run(_DELETE, gone.place)
        call.events.append(NewEvent("webhook_deleted", subject_id=webhook_id))
        call.result = webhook_id
        return webhook_id


async def roll_secret(
    who: Principal, database: Database, webhook_id: str, *, idempotency_key: str | None = None
) -> Made:
    """Give a webhook a new secret; the old one signs, too, for a day.

    Raises InsufficientScope, WebhookNotFound, Invalid, IdempotencyKeyReused.
    """
    _require(who)
    check = Check()
    async with idempotency.once(
        who, database, check, idempotency_key, "roll_webhook_secret", webhook_id
    ) as call:
        check.done()
        if call.before:
            return await _shown_again(call, who)
        before = await _found(call.db, who, webhook_id)
        old, new = before.row["secret"], signing.new_secret()
        until = instants.after(call.db.now, signing.ROLLED)
        values = {"secret": new, "old_secret": old, "old_until": until}
        after = await rows.change(call.db, before, values)
        told = Change("secret_digest", signing.digest(old), signing.digest(new))
        call.events.append(NewEvent("webhook_updated", subject_id=webhook_id, changes=[told]))
        call.result = _result(webhook_id, new)
        return Made(after.webhook, new)


def _require(who: Principal) -> None:
    who.require(Scope.WEBHOOKS_WRITE)
    who.require(Scope.CASES_READ)  # what it will be told


async def _found(
    db: Transaction, who: Principal, id: str, field: tuple[str, ...] = ("id",)
) -> Stored:
    found = await rows.find(db, who.workspace_id, id)
    if found is None:
        raise WebhookNotFound(id, field)
    return found


def _result(id: str, secret: str) -> str:
    """What a retry is to find: the webhook, and which of its secrets it may show."""
    return f"{id} {signing.digest(secret)}"


async def _shown_again(call: Call, who: Principal) -> Made:
    id, _, digest = str(call.before).partition(" ")
    found = await _found(call.db, who, id, idempotency.FIELD)
    secret: str = found.row["secret"]
    return Made(found.webhook, secret if signing.digest(secret) == digest else None)


async def _begin(check: Check, call: Call, who: Principal, after: str | None) -> int:
    """The number of the last change that it need not be told of."""
    listed = changes(who)
    if after is None:
        return await listed.last(call.db)
    try:
        await listed.require_reached(call.db, after)
    except Invalid as error:
        check.refuse(error)
        return 0
    return listed.number(after)


def _checked_events(check: Check, events: Sequence[str] | None) -> tuple[str, ...] | None:
    if events is None:
        return None
    if not events:
        check.wrong("events must name a type; leave them out to be told of all changes.", "events")
    if len(events) > MOST_EVENTS:
        check.wrong(f"events must have at most {MOST_EVENTS} entries.", "events")
        return ()
    words = [
        check.word(one, "events", str(place), like="case_updated")
        for place, one in enumerate(events)
    ]
    return tuple(dict.fromkeys(words))


def _checked_query(
    check: Check, terms: Terms, query: str | None, events: Sequence[str] | None
) -> str:
    text = check.prose(terms.query if query is None else query, QUERY_MAX, "query") or ""
    if not check.problems and not text:
        check.wrong("query must not be empty.", "query")
    if not check.problems and (wrong := terms.wrong(text, events)) is not None:
        check.wrong(wrong, "query")
    return text


def _told(one: Webhook) -> dict[str, Any]:
    """What the timeline tells of a webhook."""
    events = None if one.events is None else list(one.events)
    told = {"url": one.url, "events": events, "query": one.query, "key_id": one.key_id}
    return {**told, "state": str(one.state)}
