"""API keys: their format, and the lookup of a Principal by a raw key.

A key is cg_live_ or cg_test_, then 12 characters of id, 32 of secret and 6 of checksum, all
Crockford. Only its SHA-256 is stored. The checksum exposes typing errors, and lets a scanner for
leaked keys recognize one, without asking the database.
"""

import asyncio
import contextlib
import hashlib
import hmac
import re
import secrets
import time
import zlib
from typing import Any

from sqlalchemy import bindparam, or_, select, text, update

from domain import instants
from domain.access.principal import Principal, Scope
from domain.access.rates import Ledger, RateLimiter, network
from domain.errors import DomainError, InvalidKey, RateLimited
from domain.ids import crockford
from domain.models import Mode
from domain.storage import seals, turns
from domain.storage.database import Database, Pace, Row, Transaction
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import api_key, workspace

CACHED_SECONDS = 1.0
"""How long a revoked key may still be accepted, by this process and by others."""
FAILURES_A_MINUTE = 60
"""How many wrong keys one address may try, by default."""
_CACHED_KEYS = 10_000
_LONGEST = 100  # characters
_TOO_MANY = "Too many requests with wrong API keys from this address."

_FORM = re.compile(r"cg_(live|test)_([0-9A-HJKMNP-TV-Z]{12})[0-9A-HJKMNP-TV-Z]{32}([0-9A-Z]{6})")

KEY_BY_ID = Prepared(
    select(
        api_key.c.digest,
        api_key.c.name,
        api_key.c.scopes,
        workspace.c.id,
        workspace.c.slug,
        workspace.c.name,
        workspace.c.mode,
        workspace.c.secret,
        api_key.c.last_used_on,
    )
    .join(workspace, workspace.c.id == api_key.c.workspace_id)
    .where(
        api_key.c.id == bindparam("id"),
        api_key.c.revoked_at.is_(None),
        or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > bindparam("now")),
    ),
    # The role that serves cannot read the keys of all workspaces: this is the one way to them.
    postgresql=text("SELECT * FROM casegraph_key(CAST(:id AS text), CAST(:now AS text))"),
)


def new_key(mode: Mode) -> tuple[str, str]:
    """A new key and its id."""
    id = crockford(secrets.randbits(60), 12)
    body = f"cg_{mode}_{id}{crockford(secrets.randbits(160), 32)}"
    return body + _checksum(body), id


def bearer(header: str) -> str | None:
    """The key in the header Authorization; None if it is of another scheme (RFC 6750, 2.1)."""
    scheme, _, key = header.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def key_digest(raw: str) -> str:
    return hashlib.sha256(raw.encode()).hexdigest()


def key_id(raw: str) -> str | None:
    """The id in a well-formed key, else None."""
    match = _FORM.fullmatch(raw)
    if match is None or match[3] != _checksum(raw[:-6]):
        return None
    return match[2]


async def change_key(db: Transaction, workspace_id: int, id: str, **values: Any) -> None:
    """Store *values* in columns of a key, and seal it anew."""
    names = seals.columns(api_key)
    mine = (api_key.c.workspace_id == workspace_id, api_key.c.id == id)
    stored = await db.first(select(*(api_key.c[name] for name in names)).where(*mine))
    secret = await db.first(select(workspace.c.secret).where(workspace.c.id == workspace_id))
    assert stored is not None
    assert secret is not None
    row = dict(zip(names, stored, strict=True)) | values
    values["seal"] = seals.seal_of(secret[0], api_key, row)
    await db.run(update(api_key).where(*mine).values(values))


class KeyRing:
    """Looks up the keys of a database, and caches the valid ones for a moment.

    An address that tries many wrong keys is told to wait for the rest of the minute, by all
    processes that have the same *ledger*. A valid key is looked up first: nobody is refused because
    of what others send from the same address.
    """

    def __init__(
        self,
        database: Database,
        failures: int = FAILURES_A_MINUTE,
        ledger: Ledger | None = None,
    ) -> None:
        self._database = database
        self._failures = RateLimiter(failures, ledger)
        self._pace = Pace()
        # By digest: when to ask the database again, and the key's principal. Kept after that.
        self._cached: dict[str, tuple[float, Principal]] = {}
        self._noted: dict[str, str] = {}  # by key: the day of use that was written last
        self._writing: set[asyncio.Task[None]] = set()

    async def authenticate(self, raw: str | None, address: str = "") -> Principal:
        """The principal that holds the key *raw*, sent from *address*.

        What this task reads from here on is counted in READING. Raises InvalidKey, without saying
        why, and RateLimited after many wrong keys.
        """
        if not raw:
            raise InvalidKey
        if len(raw) > _LONGEST or not raw.isascii():
            raise await self._failed(address)
        if (known := self.known(raw)) is not None:
            return known
        digest = key_digest(raw)
        turns.READING.set(None)
        id = key_id(raw)
        if id is None:
            raise await self._failed(address)
        query = Fetch(KEY_BY_ID, {"id": id, "now": self._database.clock()})
        rows = await self._database.run(lambda db: db.fetch(query), self._pace)
        if not rows or not hmac.compare_digest(rows[0][0], digest):
            self._cached.pop(digest, None)
            raise await self._failed(address)
        principal = _principal(id, rows[0])
        self._note_use(principal, rows[0][-1])
        if len(self._cached) >= _CACHED_KEYS:
            self._cached.clear()
        self._cached[digest] = (time.monotonic() + CACHED_SECONDS, principal)
        turns.begin(id)
        return principal

    def known(self, raw: str) -> Principal | None:
        """The principal that holds the key *raw*, if the database said so a moment ago.

        What this task reads from here on is counted in READING.
        """
        until, principal = self._cached.get(key_digest(raw), (0.0, None))
        if principal is None or time.monotonic() >= until:
            return None
        turns.begin(principal.key_id)
        return principal

    async def holder(self, id: str) -> Principal:
        """The principal of a key, for what is done in its name later: webhooks.

        What this task reads from here on is counted in READING. Raises InvalidKey once the key was
        revoked or has expired; TimedOut, Unavailable.
        """
        query = Fetch(KEY_BY_ID, {"id": id, "now": self._database.clock()})
        turns.READING.set(None)
        rows = await self._database.run(lambda db: db.fetch(query), self._pace)
        if not rows:
            raise InvalidKey
        principal = _principal(id, rows[0])
        self._note_use(principal, rows[0][-1])
        turns.begin(id)
        return principal

    def _note_use(self, principal: Principal, noted: str | None) -> None:
        """Have the day of a key's last use written, once a day and without waiting for it."""
        today = instants.day(self._database.clock())
        if today <= max(noted or "", self._noted.get(principal.key_id, "")):
            return
        self._noted[principal.key_id] = today
        task = asyncio.get_running_loop().create_task(self._write_use(principal, today))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write_use(self, principal: Principal, today: str) -> None:
        # A full disk or a busy writer keeps nobody from reading: the next day is noted again.
        with contextlib.suppress(DomainError):
            async with self._database.write(principal.workspace_id) as db:
                await change_key(db, principal.workspace_id, principal.key_id, last_used_on=today)

    async def settled(self) -> None:
        """Wait until the days of use are written."""
        while self._writing:
            await asyncio.wait(self._writing)

    async def _failed(self, address: str) -> InvalidKey | RateLimited:
        try:
            # A proxy may pass on any text as an address, and keys are counted in the same table.
            await self._failures.take(f"address {network(address)}")
        except RateLimited as error:
            return RateLimited(error.retry_after, _TOO_MANY)
        return InvalidKey()


def _principal(id: str, row: Row) -> Principal:
    _digest, name, scopes, workspace_id, slug, workspace_name, mode, secret, _used = row
    return Principal(
        workspace_id=workspace_id,
        workspace_slug=slug,
        workspace_name=workspace_name,
        mode=Mode(mode),
        key_id=id,
        key_name=name,
        scopes=frozenset(map(Scope, scopes.split())),
        secret=secret,
    )


def _checksum(text: str) -> str:
    return crockford(zlib.crc32(text.encode()), 6)
