"""What webhooks there are, and how their deliveries went."""

from typing import Any

from sqlalchemy import bindparam, select

from domain.access.principal import Principal, Scope
from domain.errors import WebhookNotFound
from domain.models import Delivery, Webhook
from domain.reading.paging import MAX_LIMIT
from domain.storage.database import Snapshot
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import webhook, webhook_delivery
from domain.webhooks.rows import COLUMNS, webhook_of

_LOGGED = [webhook_delivery.c[name] for name in Delivery.__dataclass_fields__]
_MINE = webhook.c.workspace_id == bindparam("workspace_id")
_ALL = Prepared(select(*COLUMNS).where(_MINE).order_by(webhook.c.id))
_ONE = Prepared(select(*COLUMNS).where(_MINE, webhook.c.id == bindparam("id")))
_DELIVERIES = Prepared(
    select(*_LOGGED)
    .where(
        webhook_delivery.c.workspace_id == bindparam("workspace_id"),
        webhook_delivery.c.webhook_id == bindparam("id"),
        webhook_delivery.c.number < bindparam("before"),
    )
    .order_by(webhook_delivery.c.number.desc())
    .limit(bindparam("limit"))
)
_NONE_AFTER = 2**63 - 1


async def webhooks(who: Principal, db: Snapshot) -> list[Webhook]:
    """The workspace's webhooks, oldest first. Raises InsufficientScope."""
    who.require(Scope.WEBHOOKS_WRITE)
    rows = await db.fetch(Fetch(_ALL, {"workspace_id": who.workspace_id}))
    return [webhook_of(row) for row in rows]


async def webhook_by_id(who: Principal, db: Snapshot, id: str) -> Webhook:
    """One webhook. Raises InsufficientScope, WebhookNotFound."""
    who.require(Scope.WEBHOOKS_WRITE)
    values = {"workspace_id": who.workspace_id, "id": id}
    row = await db.first(_ONE, values)
    if row is None:
        raise WebhookNotFound(id)
    return webhook_of(row)


async def deliveries(
    who: Principal, db: Snapshot, id: str, limit: int, before: int | None = None
) -> list[Delivery]:
    """The last attempts of a webhook, the newest first; only ones with a number below *before*."""
    who.require(Scope.WEBHOOKS_WRITE)
    values: dict[str, Any] = {"workspace_id": who.workspace_id, "id": id}
    values |= {"before": _NONE_AFTER if before is None else before, "limit": min(limit, MAX_LIMIT)}
    return [Delivery(*row) for row in await db.fetch(Fetch(_DELIVERIES, values))]
