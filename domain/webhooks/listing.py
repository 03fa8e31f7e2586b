"""What webhooks there are, and how their deliveries went."""

from typing import Any

from sqlalchemy import Select, bindparam, func, select

from domain import checks
from domain.access.principal import Principal, Scope
from domain.errors import WebhookNotFound
from domain.models import Delivery, Webhook
from domain.reading import cursors
from domain.reading.paging import Edge, Page, Paging, page_of
from domain.storage.database import Snapshot
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import webhook, webhook_delivery
from domain.webhooks.rows import COLUMNS, webhook_of

_d = webhook_delivery.c
_LOGGED = [_d[name] for name in Delivery.__dataclass_fields__]
_MINE = webhook.c.workspace_id == bindparam("workspace_id")
_ALL = Prepared(select(*COLUMNS).where(_MINE).order_by(webhook.c.id))
_ONE = Prepared(select(*COLUMNS).where(_MINE, webhook.c.id == bindparam("id")))
_FIRST, _LAST = 0, 2**63 - 1


def _of_its(*columns: Any) -> Select[Any]:
    return select(*columns).where(
        _d.workspace_id == bindparam("workspace_id"),
        _d.webhook_id == bindparam("id"),
        _d.number > bindparam("above"),
        _d.number < bindparam("below"),
    )


_NEWEST = Prepared(_of_its(*_LOGGED).order_by(_d.number.desc()).limit(bindparam("limit")))
_OLDEST = Prepared(_of_its(*_LOGGED).order_by(_d.number).limit(bindparam("limit")))
_COUNT = Prepared(_of_its(func.count()))


async def webhooks(who: Principal, db: Snapshot) -> list[Webhook]:
    """The workspace's webhooks, oldest first. Raises InsufficientScope."""
    who.require(Scope.WEBHOOKS_WRITE)
    rows = await db.fetch(Fetch(_ALL, {"workspace_id": who.workspace_id}))
    return [webhook_of(row) for row in rows]


async def webhook_by_id(who: Principal, db: Snapshot, id: str) -> Webhook:
    """One webhook. Raises InsufficientScope, WebhookNotFound."""
    who.require(Scope.WEBHOOKS_WRITE)
    asked = Fetch(_ONE, {"workspace_id": who.workspace_id, "id": id})
    rows = await db.fetch(asked) if checks.may_be_id(id) else []
    if not rows:
        raise WebhookNotFound(id)
    return webhook_of(rows[0])


async def deliveries(who: Principal, db: Snapshot, id: str, paging: Paging) -> Page[Delivery]:
    """A page of a webhook's last attempts, the newest first.

    Raises InsufficientScope, Invalid for a bad cursor.
    """
    values = _values(who, id, paging) | {"limit": paging.limit + 1}
    rows = await db.fetch(Fetch(_OLDEST if paging.backwards else _NEWEST, values))
    found = [Delivery(*row) for row in rows]
    sealed = _seal(who, id)
    return page_of([Edge(one, (one.number,), sealed) for one in found], paging)


async def count_deliveries(who: Principal, db: Snapshot, id: str) -> int:
    """How many attempts the log has. Raises InsufficientScope."""
    [(count,)] = await db.fetch(Fetch(_COUNT, _values(who, id, Paging())))
    total: int = count
    return total


async def outside_deliveries(
    who: Principal, db: Snapshot, id: str, paging: Paging
) -> tuple[bool, bool]:
    """Whether there are attempts before *after*, and behind *before*, of the paging's."""
    values = _values(who, id, paging)
    # The newest come first.
    preceding = values | {"above": values["below"] - 1, "below": _LAST}
    following = values | {"above": _FIRST, "below": values["above"] + 1}
    found = [
        bool((await db.fetch(Fetch(_COUNT, one)))[0][0]) if given is not None else False
        for one, given in ((preceding, paging.after), (following, paging.before))
    ]
    return found[0], found[1]


def _values(who: Principal, id: str, paging: Paging) -> dict[str, Any]:
    who.require(Scope.WEBHOOKS_WRITE)
    sealed = _seal(who, id)
    bounds = {"above": _FIRST, "below": _LAST}
    for name, cursor, field in (
        ("below", paging.after, "after"),
        ("above", paging.before, "before"),
    ):
        if cursor is not None:
            [number] = cursors.decode(cursor, sealed, (int,), field)
            bounds[name] = int(number)
    return {"workspace_id": who.workspace_id, "id": id, **bounds}


def _seal(who: Principal, id: str) -> cursors.Seal:
    return cursors.seal(who.secret, "webhook_deliveries", id)
