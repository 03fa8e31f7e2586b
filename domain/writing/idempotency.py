"""Idempotency keys: a retried request finds the result of the first one.

A key belongs to the API key that sent it and is remembered for a day. A retry returns the object as
it is now, not a copy of the first response, so that names are stored in one place only.
"""

import contextlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from domain import checks, instants
from domain.access.principal import Principal
from domain.checks import Check
from domain.errors import IdempotencyKeyReused
from domain.inputs import UNSET
from domain.instants import Instant
from domain.storage import seals
from domain.storage.database import Database, Transaction
from domain.storage.statements import Prepared
from domain.storage.tables import idempotency_key
from domain.writing import timeline
from domain.writing.timeline import NewEvent

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
    delete(idempotency_key).where(
        idempotency_key.c.workspace_id == bindparam("workspace_id"),
        idempotency_key.c.created_at <= bindparam("limit"),
    )
)
_REMEMBER = Prepared(insert(idempotency_key))


@dataclass(slots=True)
class Call:
    """A call of a write: its transaction, and the *events* to record at the end.

    *before* is the *result* of the request that this one repeats; None if it repeats none. A call
    sets *result* to the id that a retry is to find.
    """

    db: Transaction
    events: list[NewEvent]
    before: str | None
    result: str = ""


@contextlib.asynccontextmanager
async def once(
    who: Principal,
    database: Database,
    check: Check,
    key: str | None,
    operation: str,
    *arguments: Any,
) -> AsyncIterator[Call]:
    """A transaction for *operation* with *arguments*, dataclasses and JSON values.

    With a *key*, its result is remembered. Adds a bad key to *check*; raises IdempotencyKeyReused
    if the key belongs to a different request.
    """
    key = check.optional_line(key, checks.IDEMPOTENCY_KEY_MAX, *FIELD)
    async with timeline.recorded(who, database) as (db, events):
        if not key or check.problems:
            yield Call(db, events, None)
            return
        # Not orjson, which refuses lone surrogates: ids are hashed before they are looked up.
        content = json.dumps([operation, *arguments], default=_plain)
        # Keyed, since a bare hash would tell a name to who guesses it.
        request = hmac.digest(bytes.fromhex(who.secret), content.encode(), "sha256").hex()
        call = Call(db, events, await _result(db, who, key, request))
        yield call
        if call.before is None:
            assert call.result, operation
            await db.run(_EXPIRE, {"workspace_id": who.workspace_id, "limit": _limit(db)})
            row = {"request": request, "result_id": call.result, "created_at": db.now}
            row = seals.sealed(who.secret, idempotency_key, _name(who, key) | row)
            await db.run(_REMEMBER, row)


async def _result(db: Transaction, who: Principal, key: str, request: str) -> str | None:
    row = await db.first(_REMEMBERED, {**_name(who, key), "limit": _limit(db)})
    if row is None:
        return None
    first_request, result_id = row
    if first_request != request:
        raise IdempotencyKeyReused
    result: str = result_id
    return result


def _plain(value: Any) -> Any:
    """*value* as JSON can hold it. A field that was not mentioned differs from null."""
    return {"unset": True} if value is UNSET else asdict(value)


def _name(who: Principal, key: str) -> dict[str, Any]:
    return {"workspace_id": who.workspace_id, "id": f"{who.key_id}:{key}"}


def _limit(db: Transaction) -> Instant:
    return instants.before(db.now, KEPT)
