"""Webhooks: an addition to the published contract."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from domain.access.principal import Principal
from domain.errors import Invalid, Refused
from domain.models import Delivery, Webhook
from domain.reading.paging import Page
from domain.services import Services
from domain.storage.database import Pace, Snapshot
from domain.webhooks import listing, registering
from domain.webhooks.registering import Made
from rest_compat import bodies, models
from rest_compat.answers import answer, delivery, nothing, page_answer, webhook
from rest_compat.documentation import documented
from rest_compat.door import Domain, Door, Manager
from rest_compat.errors import Unreadable
from rest_compat.parameters import as_parameters, paging_of

router = APIRouter(route_class=Door)
_PACE = Pace()
_TAG = "Webhooks"
_SCOPE = "webhooks:write"
_WRITES: dict[str, Any] = {
    "headers": ("Idempotency-Key",),
    "tagged": False,
    "about": "Needs `cases:read`, too.",
}


@router.get(
    "/webhooks",
    **documented("listWebhooks", _TAG, "List the webhooks", _SCOPE, model=models.Webhooks),
)
async def list_webhooks(_request: Request, who: Manager, services: Domain) -> Response:
    found = await services.database.run(
        lambda db: listing.webhooks(who, db), _PACE, who.workspace_id
    )
    data = [webhook(one, who) for one in found]
    return answer({"data": data, "pagination": {"has_more": False}})


@router.post(
    "/webhooks",
    **documented(
        "createWebhook",
        _TAG,
        "Tell an address of what changes",
        _SCOPE,
        ok=201,
        model=models.WebhookWithSecret,
        body="webhook",
        **_WRITES,
    ),
)
async def create_webhook(request: Request, who: Manager, services: Domain) -> Response:
    new = await bodies.read_webhook(request)
    made = await registering.create_webhook(
        who, services.database, services.webhooks, new, idempotency_key=_key(request)
    )
    root = request.scope.get("root_path", "")
    return _shown(made, who, 201, {"Location": f"{root}/webhooks/{made.webhook.id}"})


@router.get(
    "/webhooks/{webhook_id}",
    **documented("getWebhook", _TAG, "Get a webhook", _SCOPE, 404, model=models.Webhook),
)
async def get_webhook(
    _request: Request, webhook_id: str, who: Manager, services: Domain
) -> Response:
    return answer(webhook(await _found(who, services, webhook_id), who))


@router.put(
    "/webhooks/{webhook_id}",
    **documented(
        "updateWebhook",
        _TAG,
        "Change, pause or resume a webhook",
        _SCOPE,
        404,
        model=models.Webhook,
        body="webhook changes",
        **_WRITES,
    ),
)
async def update_webhook(
    request: Request, webhook_id: str, who: Manager, services: Domain
) -> Response:
    try:
        wanted = await bodies.read_webhook_changes(request)
    except (HTTPException, Refused, Unreadable):
        await _found(who, services, webhook_id)  # a missing one takes precedence
        raise
    changed = await registering.update_webhook(
        who,
        services.database,
        services.webhooks,
        webhook_id,
        wanted,
        idempotency_key=_key(request),
    )
    return answer(webhook(changed, who))


@router.delete(
    "/webhooks/{webhook_id}",
    **documented(
        "deleteWebhook", _TAG, "Delete a webhook with its log", _SCOPE, 404, ok=204, **_WRITES
    ),
)
async def delete_webhook(
    request: Request, webhook_id: str, who: Manager, services: Domain
) -> Response:
    await registering.delete_webhook(
        who, services.database, webhook_id, idempotency_key=_key(request)
    )
    return nothing()


@router.post(
    "/webhooks/{webhook_id}/secret",
    **documented(
        "rollWebhookSecret",
        _TAG,
        "Give a webhook a new secret; the old one signs beside it for 24 hours",
        _SCOPE,
        404,
        model=models.WebhookWithSecret,
        **_WRITES,
    ),
)
async def roll_secret(
    request: Request, webhook_id: str, who: Manager, services: Domain
) -> Response:
    made = await registering.roll_secret(
        who, services.database, webhook_id, idempotency_key=_key(request)
    )
    return _shown(made, who)


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    **documented(
        "listWebhookDeliveries",
        _TAG,
        "List the last 1,000 attempts of a webhook, newest first",
        _SCOPE,
        404,
        model=models.WebhookDeliveries,
        paged=True,
    ),
)
async def list_deliveries(
    request: Request, webhook_id: str, who: Manager, services: Domain
) -> Response:
    async def read(db: Snapshot) -> Page[Delivery]:
        found = await listing.webhook_by_id(who, db, webhook_id)
        paging = paging_of(request)
        try:
            return await listing.deliveries(who, db, found.id, paging)
        except Invalid as error:
            raise as_parameters(error) from None

    page = await services.database.run(read, _PACE, who.workspace_id)
    return page_answer(page, map(delivery, page))


async def _found(who: Principal, services: Services, id: str) -> Webhook:
    return await services.database.run(
        lambda db: listing.webhook_by_id(who, db, id), _PACE, who.workspace_id
    )


def _shown(
    made: Made,
    who: Principal,
    status: int = 200,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """A webhook with its secret."""
    return answer({**webhook(made.webhook, who), "secret": made.secret}, status, headers)


def _key(request: Request) -> str | None:
    return request.headers.get("idempotency-key")
