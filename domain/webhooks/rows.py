"""The rows of webhooks: read whole, and sealed anew whenever they change."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select, update

from domain import checks
from domain.models import Webhook, WebhookState
from domain.storage import seals
from domain.storage.database import Row, Transaction
from domain.storage.statements import Prepared
from domain.storage.tables import webhook, workspace

COLUMNS = [webhook.c[name] for name in Webhook.__dataclass_fields__]
MINE = (webhook.c.workspace_id == bindparam("mine"), webhook.c.id == bindparam("its_id"))
_NAMES = webhook.columns.keys()
_CHANGING = [name for name in _NAMES if name not in ("workspace_id", "id")]
_FIND = Prepared(
    select(*webhook.columns, workspace.c.secret)
    .join(workspace, workspace.c.id == webhook.c.workspace_id)
    .where(*MINE)
    .with_for_update(of=webhook)
)
_INSERT = Prepared(insert(webhook))
_CHANGE = Prepared(
    update(webhook).where(*MINE).values({name: bindparam(f"new_{name}") for name in _CHANGING})
)


@dataclass(frozen=True, slots=True)
class Stored:
    """A webhook's whole row; *key* is the workspace's secret, which seals it."""

    row: Mapping[str, Any]
    key: str

    @property
    def webhook(self) -> Webhook:
        return webhook_of(tuple(self.row[name] for name in Webhook.__dataclass_fields__))

    @property
    def place(self) -> dict[str, Any]:
        return {"mine": self.row["workspace_id"], "its_id": self.row["id"]}


async def find(db: Transaction, workspace_id: int, id: str) -> Stored | None:
    """A webhook that nobody else changes before the transaction has ended."""
    if not checks.may_be_id(id):
        return None
    row = await db.first(_FIND, {"mine": workspace_id, "its_id": id})
    if row is None:
        return None
    return Stored(dict(zip(_NAMES, row, strict=False)), row[-1])


async def add(db: Transaction, new: Stored) -> None:
    await db.run(_INSERT, dict.fromkeys(_NAMES) | seals.sealed(new.key, webhook, new.row))


async def change(db: Transaction, before: Stored, values: Mapping[str, Any]) -> Stored:
    row = seals.sealed(before.key, webhook, {**before.row, **values})
    await db.run(_CHANGE, {**before.place, **{f"new_{name}": row[name] for name in _CHANGING}})
    return replace(before, row=row)


def webhook_of(row: Row) -> Webhook:
    """The webhook in a row of COLUMNS."""
    id, url, events, query, key_id, state, *rest = row
    listed = None if events is None else tuple(orjson.loads(events))
    return Webhook(id, url, listed, query, key_id, WebhookState(state), *rest)


def row_of(one: Webhook) -> dict[str, Any]:
    """The columns that a webhook has values for."""
    row = {name: getattr(one, name) for name in Webhook.__dataclass_fields__}
    row["events"] = None if one.events is None else orjson.dumps(one.events).decode()
    row["state"] = str(one.state)
    return row
