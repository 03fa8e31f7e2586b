"""The operator's work: workspaces and API keys. Anyone who can open the database may do it."""

import re
import secrets
from collections.abc import Iterable

from sqlalchemy import insert, select, update

from domain import checks
from domain.access import keys
from domain.access.principal import Principal, Scope
from domain.checks import Check
from domain.errors import invalid
from domain.models import ApiKey, Change, Mode, Workspace
from domain.storage import seals
from domain.storage.database import Database, Row, Snapshot
from domain.storage.tables import api_key, timeline_head, workspace
from domain.writing import timeline
from domain.writing.timeline import OPERATOR, NewEvent

DEFAULT_SLUG = "default"
_WORKSPACES = select(
    workspace.c.id, workspace.c.slug, workspace.c.mode, workspace.c.name, workspace.c.secret
)
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


async def create_workspace(database: Database, slug: str, name: str | None = None) -> None:
    """Create a workspace and its sandbox, unless it exists. Raises Invalid."""
    if not _SLUG.fullmatch(slug):
        raise invalid(
            "A workspace's name must have only lower-case letters, digits and hyphens.", "slug"
        )
    check = Check()
    name = check.line(name or slug, checks.NAME_MAX, "name")
    check.done()
    async with database.read() as reading:
        if await _workspace(reading, slug, Mode.LIVE):
            return
    async with database.write() as db:
        if await _workspace(db, slug, Mode.LIVE):
            return
        for mode in Mode:
            row = {"slug": slug, "mode": str(mode), "name": name, "created_at": db.now}
            row |= {"secret": secrets.token_hex(32), "seal": ""}
            made = await db.first(insert(workspace).values(row).returning(workspace.c.id))
            assert made is not None
            sealed = seals.sealed(row["secret"], workspace, row | {"id": made[0]})
            mine = workspace.c.id == made[0]
            await db.run(update(workspace).where(mine).values(seal=sealed["seal"]))
            head = {"seq": 0, "hash": timeline.GENESIS, "at": db.now}
            await db.run(insert(timeline_head), head | {"workspace_id": made[0]})


async def workspaces(database: Database) -> list[Workspace]:
    """All workspaces and their sandboxes, by name."""
    async with database.read() as db:
        rows = await db.rows(_WORKSPACES.order_by(workspace.c.slug, workspace.c.mode))
    return [_workspace_of(row) for row in rows]


async def operator(
    database: Database, slug: str = DEFAULT_SLUG, mode: Mode = Mode.LIVE
) -> Principal:
    """The principal for commands on a workspace, with every scope. Raises Invalid."""
    async with database.read() as db:
        owner = await _require_workspace(db, slug, mode)
    return Principal(
        owner.id,
        slug,
        owner.name,
        mode,
        key_id="",
        key_name=OPERATOR,
        scopes=frozenset(Scope),
        secret=owner.secret,
    )


def nobody() -> Principal:
    """A principal of no workspace: statements can be built for it, and match no rows."""
    return Principal(
        0,
        "",
        "",
        Mode.LIVE,
        key_id="",
        key_name=OPERATOR,
        scopes=frozenset(Scope),
        secret="0" * 64,
    )


async def create_key(
    database: Database,
    name: str,
    scopes: Iterable[str],
    *,
    slug: str = DEFAULT_SLUG,
    mode: Mode = Mode.LIVE,
    expires_at: str | None = None,
) -> tuple[str, ApiKey]:
    """Create a key; return the key itself, to show once, and its entry. Raises Invalid.

    From *expires_at* on, an instant or a date, it opens nothing.
    """
    check = Check()
    expires_at = check.instant(expires_at, "expires_at")
    if expires_at is not None and not check.problems and expires_at <= database.clock():
        check.wrong("A key must expire in the future.", "expires_at")
    name = check.line(name, 100, "name")
    granted = {check.one_of(scope, tuple(Scope), "scopes") for scope in scopes}
    if not granted:
        check.wrong("A key must have at least one scope.", "scopes")
    check.done()
    raw, id = keys.new_key(mode)
    ordered = " ".join(scope for scope in Scope if scope in granted)
    async with database.write() as db:
        owner = await _require_workspace(db, slug, mode)
        same_name = select(api_key.c.id).where(
            api_key.c.workspace_id == owner.id, api_key.c.name == name
        )
        if await db.first(same_name):
            # The timeline refers to keys by name, so a name is never reused.
            raise invalid(f"A key named {name} exists or existed. Choose another name.", "name")
        row = {
            "workspace_id": owner.id,
            "id": id,
            "name": name,
            "scopes": ordered,
            "digest": keys.key_digest(raw),
            "created_at": (made_at := db.now),
            "expires_at": expires_at,
        }
        await db.run(insert(api_key), seals.sealed(owner.secret, api_key, row))
        changes = [Change("name", None, name), Change("scopes", None, ordered.split())]
        if expires_at is not None:
            changes.append(Change("expires_at", None, expires_at))
        event = NewEvent("key_created", subject_id=id, changes=changes)
        await timeline.record(db, owner.id, OPERATOR, [event])
    scopes_ = frozenset(ordered.split())
    return raw, ApiKey(id, name, slug, mode, scopes_, made_at, None, expires_at, None)


async def list_keys(database: Database) -> list[ApiKey]:
    """All keys, including revoked ones, oldest first."""
    columns = [
        api_key.c.id,
        api_key.c.name,
        workspace.c.slug,
        workspace.c.mode,
        api_key.c.scopes,
        api_key.c.created_at,
        api_key.c.revoked_at,
        api_key.c.expires_at,
        api_key.c.last_used_on,
    ]
    statement = select(*columns).join(workspace, workspace.c.id == api_key.c.workspace_id)
    async with database.read() as db:
        rows = await db.rows(statement.order_by(api_key.c.created_at, api_key.c.id))
    return [
        ApiKey(id, name, slug, Mode(mode), frozenset(scopes.split()), *times)
        for id, name, slug, mode, scopes, *times in rows
    ]


async def revoke_key(database: Database, id: str) -> ApiKey:
    """Revoke a key, given its id. Raises Invalid if it is unknown, or the key itself.

    Running gateways reject it within keys.CACHED_SECONDS.
    """
    if public := keys.key_id(id):
        # Others on the machine can read a command line, and a shell remembers it.
        raise invalid(f"Give the id of the key, {public}, and never the key itself.", "key")
    mine = api_key.c.id == id
    async with database.read() as reading:
        row = await reading.first(select(api_key.c.workspace_id).where(mine))
    if row is None:
        raise invalid("There is no such key. See: casegraph keys list", "key")
    [workspace_id] = row
    async with database.write(workspace_id) as db:
        if await db.first(select(api_key.c.id).where(mine, api_key.c.revoked_at.is_(None))):
            await keys.change_key(db, workspace_id, id, revoked_at=db.now)
            event = NewEvent("key_revoked", subject_id=id)
            await timeline.record(db, workspace_id, OPERATOR, [event])
    return next(entry for entry in await list_keys(database) if entry.id == id)


async def _workspace(db: Snapshot, slug: str, mode: Mode) -> Workspace | None:
    mine = (workspace.c.slug == slug, workspace.c.mode == str(mode))
    row = await db.first(_WORKSPACES.where(*mine))
    return _workspace_of(row) if row else None


def _workspace_of(row: Row) -> Workspace:
    id, slug, mode, name, secret = row
    return Workspace(id, slug, Mode(mode), name, secret)


async def _require_workspace(db: Snapshot, slug: str, mode: Mode) -> Workspace:
    owner = await _workspace(db, slug, mode)
    if owner is None:
        raise invalid(f"There is no workspace {slug}. Create it with: casegraph init", "workspace")
    return owner
