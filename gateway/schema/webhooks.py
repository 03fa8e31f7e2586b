"""Webhooks in the schema: what there is, how deliveries went, and how to change them.

No plan is compiled for these: few ask, and seldom. How far a webhook has got no event tells, so
that no answer about it may be kept.
"""

from enum import Enum
from typing import Annotated, Any

import strawberry
from strawberry import UNSET, Parent

from domain import inputs, models
from domain.access.principal import Scope
from domain.errors import WebhookNotFound
from domain.reading import changes
from domain.reading.paging import relay_paging
from domain.webhooks import listing, registering
from gateway.execution.context import Info
from gateway.execution.declarations import shown_as
from gateway.execution.loads import Listing, once
from gateway.limits.costs import PRICE, Price
from gateway.schema.connections import After, Before, Connection, Edge, First, Last
from gateway.schema.inputs import IDEMPOTENCY, described
from gateway.schema.refusals import UserError, refusable, user_errors
from gateway.schema.scalars import DateTime

_NEEDS = " Needs `webhooks:write`."
_NEEDS_BOTH = " Needs `webhooks:write` and `cases:read`."
_EVENTS = "The types of changes, like `case_updated`, at most 100; all if absent or null."
_QUERY = (
    "A document with one subscription to `caseChanges`: each change is answered to it, and the "
    "answer is what the webhook gets. It may have fragments and the argument `caseId`, but no "
    "variables without a default. If absent or null, a selection of the change itself."
)
_URL = "Where to deliver, like `https://hooks.example.org/casegraph`: a public address, over TLS."


@strawberry.enum(description="Whether a webhook is told of changes.")
class WebhookState(Enum):
    ACTIVE = strawberry.enum_value(models.WebhookState.ACTIVE.value, description="It is.")
    PAUSED = strawberry.enum_value(
        models.WebhookState.PAUSED.value,
        description="Not at the moment. When it is active again, it is told of all that it missed.",
    )


@strawberry.type(description="One attempt to tell a webhook of a change.")
class WebhookDelivery:
    event_id: strawberry.ID = strawberry.field(
        description="The `databaseId` of the change in the timeline."
    )
    type: str = strawberry.field(description="The type of the change.")
    attempt: int = strawberry.field(description="1 for the first attempt, 2 for the next.")
    at: DateTime = strawberry.field(description="When it was tried.")
    duration_ms: int = strawberry.field(description="How many milliseconds it took.")
    status: int | None = strawberry.field(
        description="The HTTP status that was answered; null if nothing was."
    )
    error: str | None = strawberry.field(
        description="Why it failed, in a sentence; null if it was delivered."
    )

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Delivery)


@strawberry.type(description="An attempt in the log of a webhook.")
class WebhookDeliveryEdge(Edge[WebhookDelivery]):
    pass


@strawberry.type(description="A page of the log of a webhook.")
class WebhookDeliveryConnection(Connection[WebhookDeliveryEdge, WebhookDelivery]):
    pass


@strawberry.type(
    description="An address that is told of changes, one after the other in their order, at least "
    "once each: what `caseChanges` answers is posted to it, signed."
)
class Webhook:
    id: strawberry.ID = strawberry.field(
        description="The id, which the REST routes and the header `casegraph-webhook` have, too."
    )
    url: str = strawberry.field(description="Where its deliveries go.")
    events: list[str] | None = strawberry.field(
        description="The types of changes that it is told of; null for all."
    )
    query: str = strawberry.field(description="The subscription whose answers it gets.")
    key_id: str = strawberry.field(
        description="The id of the API key that made it or changed it last, with whose rights it "
        "reads. When that key is revoked or expires, the webhook is paused."
    )

    @strawberry.field(description="Whether it is told of changes.")
    def state(root: Parent[Any]) -> WebhookState:
        return WebhookState(root.state.value)

    reason: str | None = strawberry.field(
        description="Why it is paused, in a sentence; null if it is not."
    )
    created_at: DateTime = strawberry.field(description="When it was created.")

    @strawberry.field(
        description="The cursor of the last change that it has been told of, or need not be. "
        "`changes(after:)` lists what it will be told of next."
    )
    def cursor(root: Parent[Any], info: Info) -> str:
        return changes.cursor(info.context.who, root.seq)

    failures: int = strawberry.field(
        description="How many times in a row a delivery has failed; 0 if the last one arrived."
    )
    failing_since: DateTime | None = strawberry.field(
        description="When the first of these failed. After three days the webhook is paused."
    )
    due_at: DateTime = strawberry.field(
        description="When the next delivery is tried, at the earliest."
    )

    @strawberry.field(
        description="Its last 1,000 attempts, the newest first, at most 100 per page.",
        metadata={PRICE: Price.LOADS},
    )
    async def deliveries(
        root: Parent[Any],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> WebhookDeliveryConnection:
        paging = relay_paging(first, after, last, before)
        context = info.context
        db = await context.snapshot()
        page = await listing.deliveries(context.who, db, root.id, paging)

        async def count() -> int:
            return await listing.count_deliveries(context.who, await context.snapshot(), root.id)

        async def outside() -> tuple[bool, bool]:
            db = await context.snapshot()
            return await listing.outside_deliveries(context.who, db, root.id, paging)

        return shown_as(WebhookDeliveryConnection, Listing(page, once(count), outside))

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, models.Webhook)


@strawberry.type
class WebhookQueries:
    @strawberry.field(
        description="The workspace's webhooks, oldest first." + _NEEDS,
        metadata={PRICE: Price.LOADS},
    )
    async def webhooks(self, info: Info) -> list[Webhook] | None:
        context = info.context
        context.lasting = False
        found = await listing.webhooks(context.who, await context.snapshot())
        return shown_as(list[Webhook], found)

    @strawberry.field(
        description="One webhook; null if there is none with this id." + _NEEDS,
        metadata={PRICE: Price.LOADS},
    )
    async def webhook(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the webhook.")],
    ) -> Webhook | None:
        context = info.context
        context.lasting = False
        try:
            found = await listing.webhook_by_id(context.who, await context.snapshot(), id)
        except WebhookNotFound:
            return None
        return shown_as(Webhook, found)


@strawberry.input(description="A new webhook.")
class CreateWebhookInput:
    url: str = described(_URL)
    events: list[str] | None = described(_EVENTS, default=None)
    query: str | None = described(_QUERY, default=None)
    after: str | None = described(
        "A cursor of `changes` to begin after; from now on if absent.", default=None
    )
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="Changes to a webhook. Absent fields stay unchanged.")
class UpdateWebhookInput:
    id: strawberry.ID = described("The webhook.")
    url: str | None = described(_URL + " Null is refused.", default=UNSET)
    events: list[str] | None = described(_EVENTS.replace("absent or null", "null"), default=UNSET)
    query: str | None = described(_QUERY.replace("absent or null", "null"), default=UNSET)
    state: WebhookState | None = described(
        "Pause it, or let it go on where it was. Null is refused.", default=UNSET
    )
    after: str | None = described(
        "A cursor of `changes` to go on after, to leave something out or repeat it.", default=UNSET
    )
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)

    def to_domain(self) -> inputs.WebhookChanges:
        values = {
            name: getattr(self, name)
            for name in ("url", "events", "query", "state", "after")
            if getattr(self, name) is not UNSET
        }
        if isinstance(values.get("state"), WebhookState):
            values["state"] = values["state"].value
        return inputs.WebhookChanges(**values)


@strawberry.input(description="A webhook to delete.")
class DeleteWebhookInput:
    id: strawberry.ID = described("The webhook.")
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


@strawberry.input(description="A webhook that is to have a new secret.")
class RollWebhookSecretInput:
    id: strawberry.ID = described("The webhook.")
    idempotency_key: str | None = described(IDEMPOTENCY, default=None)


_SHOWN_ONCE = (
    "The secret that signs its deliveries (Standard Webhooks), which is not shown again; null if "
    "the mutation was refused, or is repeated after another secret was made."
)


def _object(description: str) -> Any:
    return strawberry.field(
        description=f"{description}; null if the mutation was refused.", default=None
    )


@strawberry.type(description="The new webhook, or why the mutation was refused.")
class CreateWebhookPayload:
    webhook: Webhook | None = _object("The webhook")
    secret: str | None = strawberry.field(description=_SHOWN_ONCE, default=None)
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The changed webhook, or why the mutation was refused.")
class UpdateWebhookPayload:
    webhook: Webhook | None = _object("The webhook as it is now")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The webhook that is gone, or why the mutation was refused.")
class DeleteWebhookPayload:
    deleted_webhook_id: strawberry.ID | None = _object("The id of the deleted webhook")
    user_errors: list[UserError] = user_errors()


@strawberry.type(description="The new secret, or why the mutation was refused.")
class RollWebhookSecretPayload:
    webhook: Webhook | None = _object("The webhook")
    secret: str | None = strawberry.field(description=_SHOWN_ONCE, default=None)
    user_errors: list[UserError] = user_errors()


@strawberry.type
class WebhookMutations:
    @refusable(
        CreateWebhookPayload,
        "Tell an address of what changes. A workspace may have 20 webhooks." + _NEEDS_BOTH,
        scope=Scope.WEBHOOKS_WRITE,
    )
    async def create_webhook(info: Info, input: CreateWebhookInput) -> CreateWebhookPayload | None:
        services = info.context.services
        made = await registering.create_webhook(
            info.context.who,
            services.database,
            services.webhooks,
            inputs.NewWebhook(input.url, input.events, input.query, input.after),
            idempotency_key=input.idempotency_key,
        )
        return CreateWebhookPayload(webhook=shown_as(Webhook, made.webhook), secret=made.secret)

    @refusable(
        UpdateWebhookPayload,
        "Change, pause or resume a webhook. It reads with the rights of this key from then on, and "
        "what failed is tried again at once." + _NEEDS_BOTH,
        scope=Scope.WEBHOOKS_WRITE,
    )
    async def update_webhook(info: Info, input: UpdateWebhookInput) -> UpdateWebhookPayload | None:
        services = info.context.services
        changed = await registering.update_webhook(
            info.context.who,
            services.database,
            services.webhooks,
            input.id,
            input.to_domain(),
            idempotency_key=input.idempotency_key,
        )
        return UpdateWebhookPayload(webhook=shown_as(Webhook, changed))

    @refusable(
        DeleteWebhookPayload,
        "Delete a webhook with its log." + _NEEDS_BOTH,
        scope=Scope.WEBHOOKS_WRITE,
    )
    async def delete_webhook(info: Info, input: DeleteWebhookInput) -> DeleteWebhookPayload | None:
        id = await registering.delete_webhook(
            info.context.who,
            info.context.services.database,
            input.id,
            idempotency_key=input.idempotency_key,
        )
        return DeleteWebhookPayload(deleted_webhook_id=strawberry.ID(id))

    @refusable(
        RollWebhookSecretPayload,
        "Give a webhook a new secret. The old one signs beside it for 24 hours." + _NEEDS_BOTH,
        scope=Scope.WEBHOOKS_WRITE,
    )
    async def roll_webhook_secret(
        info: Info, input: RollWebhookSecretInput
    ) -> RollWebhookSecretPayload | None:
        made = await registering.roll_secret(
            info.context.who,
            info.context.services.database,
            input.id,
            idempotency_key=input.idempotency_key,
        )
        return RollWebhookSecretPayload(webhook=shown_as(Webhook, made.webhook), secret=made.secret)
