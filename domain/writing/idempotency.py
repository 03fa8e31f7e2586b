"""Idempotency keys: a retried request finds the result of the first one.

A key belongs to the API key that sent it and is remembered for a day. A retry returns the object as
it is now, not a copy of the first response, so that names are stored in one place only.
"""

import hashlib
import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from domain import checks, instants
from domain.access.principal import Principal
from domain.checks import Check
from domain.errors import IdempotencyKeyReused
from domain.instants import Instant
from domain.storage.database import Transaction
from domain.storage.statements import Prepared
from domain.storage.tables import idempotency_key

KEPT = timedelta(hours=24)
FIELD = ("idempotency_key",)
"""The field of the error if the object that a retry refers to is gone."""


_REMEMBERED = Prepared(
    select(idempotency_key.c.request, idempotency_key.c.result_id).where(
        idempotency_key.c.workspace_id == bindparam("workspace_id"),
        idempotency_key.c.id == bindparam("id"),
        idempotency_key.c.created_at > bindparam("limit"),
    )
)
_EXPIRE = Prepared(
    delete(idempotency_key).where(idempotency_key.c.created_at <= bindparam("limit"))
)
_REMEMBER = Prepared(insert(idempotency_key))


def checked(key: str | None) -> str | None:
    """Check the key and return it normalized, None if blank. Raises Invalid."""
    check = Check()
    valid = check.optional_line(key, checks.IDEMPOTENCY_KEY_MAX, "idempotency_key")
    check.done()
    return valid


def fingerprint(key: str | None, operation: str, *arguments: Any) -> str:
    """Fingerprint a request: takes dataclasses and JSON values, returns their SHA-256.

    Empty without a *key*, since it is then never compared.
    """
    if key is None:
        return ""
    # Not orjson, which refuses lone surrogates: ids are hashed before they are looked up.
    content = json.dumps([operation, *arguments], default=asdict)
    return hashlib.sha256(content.encode()).hexdigest()


async def replayed(db: Transaction, who: Principal, key: str | None, request: str) -> str | None:
    """The id that the first request with *key* produced, or None if this is the first.

    Raises IdempotencyKeyReused if the first request was a different one.
    """
    if key is None:
        return None
    row = await db.first(_REMEMBERED, {**_name(who, key), "limit": _limit(db)})
    if row is None:
        return None
    first_request, result_id = row
    if first_request != request:
        raise IdempotencyKeyReused
    first_result: str = result_id
    return first_result


async def remember(
    db: Transaction, who: Principal, key: str | None, request: str, result_id: str
) -> None:
    """Store the result of the first request with *key*, in that request's transaction."""
    if key is None:
        return
    await db.run(_EXPIRE, {"limit": _limit(db)})
    row = {"request": request, "result_id": result_id, "created_at": db.now}
    await db.run(_REMEMBER, _name(who, key) | row)


def _name(who: Principal, key: str) -> dict[str, Any]:
    return {"workspace_id": who.workspace_id, "id": f"{who.key_id}:{key}"}


def _limit(db: Transaction) -> Instant:
    return instants.before(db.now, KEPT)
