"""What the record needs to prove itself.

Every workspace gets a secret; rows that no event tells of get seals keyed with it; events say
whether they were recorded or imported; and each object gets an event that tells its whole state,
from which `casegraph verify` can tell it again. The hashes of the timeline are computed anew,
because their content has grown: anchors are taken from here on.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from domain import ids

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Sorted by code point, as SQLite does by default.
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
BLOCK = 1_000
"""Rows in memory at a time."""
GENESIS = "0" * 64
CONTENT = (
    "seq",
    "id",
    "case_id",
    "subject_id",
    "type",
    "actor",
    "at",
    "occurred_at",
    "title",
    "changes",
    "source",
    "claimed_actor",
)
SEALED = {
    "workspace": ("id", "slug", "mode", "name", "created_at", "secret"),
    "api_key": (
        "workspace_id",
        "id",
        "name",
        "scopes",
        "digest",
        "created_at",
        "revoked_at",
        "expires_at",
        "last_used_on",
    ),
    "idempotency_key": ("workspace_id", "id", "request", "result_id", "created_at"),
    "imported": ("workspace_id", "id", "object_id"),
}
CASE = ("name", "file_number", "status", "type", "description", "dezernat")
TIMES = ("created_at", "updated_at", "version")


def upgrade() -> None:
    of_sqlite = op.get_context().dialect.name == "sqlite"
    for statement in OPENED[of_sqlite]:
        op.execute(statement)
    columns()
    op.create_table(
        "timeline_erasure",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_timeline_erasure_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "seq", name="pk_timeline_erasure"),
        sqlite_with_rowid=False,
    )
    for (workspace_id,) in run("SELECT id FROM workspace ORDER BY id"):
        secret = secrets.token_hex(32)
        run("UPDATE workspace SET secret = :s WHERE id = :w", s=secret, w=workspace_id)
        key_marks(workspace_id, secret)
        for table in SEALED:
            seal(table, workspace_id, bytes.fromhex(secret))
        last = rehash(workspace_id)
        state(workspace_id, last)
    for statement in CLOSED[of_sqlite]:
        op.execute(statement)


def columns() -> None:
    added = {
        "workspace": {"secret": False, "seal": False},
        "api_key": {"expires_at": True, "last_used_on": True, "seal": False},
        "idempotency_key": {"seal": False},
        "imported": {"seal": False},
        "timeline_event": {"source": False, "claimed_actor": True},
    }
    for table, new in added.items():
        for name, nullable in new.items():
            # SQLite adds a column without a copy of the table only if it has a default.
            default = None if nullable else "recorded" if name == "source" else ""
            column = sa.Column(name, TEXT, nullable=nullable, server_default=default)
            op.add_column(table, column)


def run(statement: str, **values: Any) -> Any:
    return op.get_bind().execute(sa.text(statement), values)


def key_marks(workspace_id: int, secret: str) -> None:
    """Key the hashes of what was imported."""
    key = bytes.fromhex(secret)
    marks = [id for (id,) in run("SELECT id FROM imported WHERE workspace_id = :w", w=workspace_id)]
    keyed = [
        {"w": workspace_id, "old": id, "new": hmac.digest(key, id.encode(), "sha256").hex()}
        for id in marks
    ]
    if keyed:
        statement = "UPDATE imported SET id = :new WHERE workspace_id = :w AND id = :old"
        op.get_bind().execute(sa.text(statement), keyed)


def seal(table: str, workspace_id: int, secret: bytes) -> None:
    names = SEALED[table]
    own = "id" if table == "workspace" else "workspace_id"
    rows = run(
        f"SELECT {', '.join(names)} FROM {table} WHERE {own} = :w",  # noqa: S608
        w=workspace_id,
    ).mappings()
    sealed = []
    for row in rows:
        key = [str(row[name]) for name in names if name in ("workspace_id", "id")]
        parts = (
            orjson.dumps([table, *key, name, None if row[name] is None else str(row[name])])
            for name in names
        )
        macs = [hashlib.blake2b(part, key=secret, digest_size=8).hexdigest() for part in parts]
        sealed.append({"w": workspace_id, "id": row["id"], "seal": "".join(macs)})
    if sealed:
        mine = "id = :w AND id = :id" if table == "workspace" else "workspace_id = :w AND id = :id"
        statement = f"UPDATE {table} SET seal = :seal WHERE {mine}"  # noqa: S608
        op.get_bind().execute(sa.text(statement), sealed)


class Rehashed(NamedTuple):
    """The end of a timeline, its latest time, and its erased events with what is left of them."""

    seq: int
    hash: str
    at: str
    erased: list[tuple[int, str]]


def rehash(workspace_id: int) -> Rehashed:
    """Tell imported events apart and chain all anew.

    An event whose time goes back, or that took place at another time than it was recorded, came
    from a file: casegraph itself writes nothing earlier than what it wrote before.
    """
    last, latest, seq = GENESIS, "", 0
    erased: list[tuple[int, str]] = []
    names = ", ".join((*CONTENT, "hash"))
    page = (
        f"SELECT {names} FROM timeline_event"  # noqa: S608
        " WHERE workspace_id = :w AND seq > :seq ORDER BY seq LIMIT :most"
    )
    while rows := run(page, w=workspace_id, seq=seq, most=BLOCK).mappings().all():
        changed = []
        for row in rows:
            event = dict(row)
            earlier = event["at"] < latest
            elsewhen = event["occurred_at"] != event["at"] and event["type"] != "case_created"
            latest = max(latest, event["at"])
            if event["type"] == "purged" and event["case_id"] is None:
                last = event["hash"]
                content = orjson.dumps([event[name] for name in CONTENT])
                erased.append((event["seq"], hashlib.sha256(content).hexdigest()))
                continue
            if earlier or elsewhen:
                event |= {"source": "imported", "claimed_actor": event["actor"]}
            content = orjson.dumps([event[name] for name in CONTENT])
            last = hashlib.sha256(last.encode() + b"\n" + content).hexdigest()
            changed.append(
                {
                    "w": workspace_id,
                    "s": event["seq"],
                    "source": event["source"],
                    "claimed": event["claimed_actor"],
                    "hash": last,
                }
            )
        if changed:
            statement = (
                "UPDATE timeline_event SET source = :source, claimed_actor = :claimed,"
                " hash = :hash WHERE workspace_id = :w AND seq = :s"
            )
            op.get_bind().execute(sa.text(statement), changed)
        seq = rows[-1]["seq"]
    return Rehashed(seq, last, latest, erased)


def state(workspace_id: int, rehashed: Rehashed) -> None:
    """Append an event for each object that tells its whole state."""
    seq, last, latest, erased = rehashed
    [(at,)] = run("SELECT at FROM timeline_head WHERE workspace_id = :w", w=workspace_id).all()
    now = max(at, latest)
    names = ("workspace_id", *CONTENT, "hash")
    statement = sa.text(
        f"INSERT INTO timeline_event ({', '.join(names)})"  # noqa: S608
        f" VALUES ({', '.join(f':{name}' for name in names)})"
    )
    block: list[dict[str, Any]] = []
    told = objects(workspace_id)
    if erased:
        events = {"before": [seq for seq, _ in erased], "after": [hash for _, hash in erased]}
        told = chain([(None, None, "case_purged", [("events", events)])], told)
    for case_id, subject_id, type_, changes in told:
        seq += 1
        event: dict[str, Any] = {
            "workspace_id": workspace_id,
            "seq": seq,
            "id": ids.new_id(ids.EVENT),
            "case_id": case_id,
            "subject_id": subject_id,
            "type": type_,
            "actor": "casegraph",
            "at": now,
            "occurred_at": now,
            "title": None,
            "changes": orjson.dumps(
                [
                    {"field": field, **after}
                    if field == "events"
                    else {"field": field, "before": None, "after": after}
                    for field, after in changes
                ]
            ).decode(),
            "source": "recorded",
            "claimed_actor": None,
        }
        content = orjson.dumps([event[name] for name in CONTENT])
        last = event["hash"] = hashlib.sha256(last.encode() + b"\n" + content).hexdigest()
        block.append(event)
        if len(block) == BLOCK:
            op.get_bind().execute(statement, block)
            block = []
    if block:
        op.get_bind().execute(statement, block)
    values = {"seq": seq, "hash": last, "at": now}
    head_is = "UPDATE timeline_head SET seq = :seq, hash = :hash, at = :at WHERE workspace_id = :w"
    run(head_is, w=workspace_id, **values)


Told = tuple[str | None, str | None, str, Sequence[tuple[str, Any]]]


def objects(workspace_id: int) -> Iterator[Told]:
    """The case, the subject, the type and the changes of each object's event."""
    for kind, names in (("party", ("name", "kind")), ("staff", ("name", "email"))):
        for row in rows_of(kind, workspace_id, "id", "id", *names, *TIMES):
            changes = [(name, row[name]) for name in (*names, *TIMES)]
            yield None, row["id"], f"{kind}_migrated", changes
    keys = ("name", "scopes", "created_at", "revoked_at")
    for row in rows_of("api_key", workspace_id, "id", "id", *keys):
        changes = [(name, row[name]) for name in keys]
        changes[1] = ("scopes", row["scopes"].split())
        yield None, row["id"], "key_migrated", changes
    whole = ("id", *CASE, *TIMES, "deleted_at", "last_position")
    names_of = {
        kind: {row["id"]: row["name"] for row in rows_of(kind, workspace_id, "id", "id", "name")}
        for kind in ("party", "staff")
    }
    for row in rows_of("cases", workspace_id, "id", *whole):
        changes = [(name, row[name]) for name in whole[1:]]
        changes += roles(workspace_id, row["id"], "case_party", "parties", names_of["party"])
        changes += roles(workspace_id, row["id"], "staff_assignment", "staff", names_of["staff"])
        yield row["id"], None, "case_migrated", changes
    links = ("id", "case_id", "linked_case_id", "type", "created_at")
    for row in rows_of("case_link", workspace_id, "case_id || '/' || id", *links):
        told = {name: row[name] for name in links if name != "case_id"}
        yield row["case_id"], row["id"], "link_migrated", [("links", told)]


def roles(
    workspace_id: int, case_id: str, table: str, field: str, names: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    party = table == "case_party"
    node, remark, since = (
        ("party_id", "reference", "added_at") if party else ("staff_id", "note", "assigned_at")
    )
    statement = (
        f"SELECT {node}, role, {remark}, number, position, {since} FROM {table}"  # noqa: S608
        " WHERE workspace_id = :w AND case_id = :c ORDER BY position"
    )
    for id, role, said, number, position, at in run(statement, w=workspace_id, c=case_id).all():
        told = {"id": id, "name": names.get(id, ""), "role": role, remark: said}
        yield field, told | {"number": number, "position": position, since: at}


def rows_of(table: str, workspace_id: int, key: str, *names: str) -> Iterator[Mapping[str, Any]]:
    """Every row of a workspace, in blocks, by *key*."""
    page = (
        f"SELECT {key} AS place, {', '.join(names)} FROM {table}"  # noqa: S608
        f" WHERE workspace_id = :w AND {key} > :after ORDER BY {key} LIMIT :most"
    )
    after = ""
    while rows := run(page, w=workspace_id, after=after, most=BLOCK).mappings().all():
        yield from rows
        after = rows[-1]["place"]


OPENED = {
    True: (
        "DROP TRIGGER timeline_event_is_final",
        "DROP TRIGGER timeline_event_is_kept",
    ),
    False: (
        "DROP TRIGGER timeline_event_is_final ON timeline_event",
        "DROP TRIGGER timeline_event_is_kept ON timeline_event",
        "DROP FUNCTION casegraph_keep_events()",
    ),
}
CLOSED = {
    True: (
        """CREATE TRIGGER timeline_event_is_final BEFORE UPDATE ON timeline_event BEGIN
            SELECT RAISE(ABORT, 'timeline events are append-only');
        END""",
        """CREATE TRIGGER timeline_event_is_kept BEFORE DELETE ON timeline_event
        WHEN NOT EXISTS (SELECT 1 FROM timeline_erasure
            WHERE workspace_id = old.workspace_id AND seq = old.seq)
        BEGIN
            SELECT RAISE(ABORT, 'timeline events are append-only');
        END""",
    ),
    False: (
        """CREATE FUNCTION casegraph_keep_events() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT EXISTS (SELECT 1 FROM timeline_erasure
                WHERE workspace_id = old.workspace_id AND seq = old.seq)
            THEN
                RAISE EXCEPTION 'timeline events are append-only';
            END IF;
            RETURN old;
        END $$""",
        """CREATE TRIGGER timeline_event_is_final BEFORE UPDATE ON timeline_event
        FOR EACH ROW EXECUTE FUNCTION casegraph_append_only()""",
        """CREATE TRIGGER timeline_event_is_kept BEFORE DELETE ON timeline_event
        FOR EACH ROW EXECUTE FUNCTION casegraph_keep_events()""",
        *(
            statement
            for table, mine in (
                ("timeline_erasure", "workspace_id"),
                ("api_key", "workspace_id"),
                ("workspace", "id"),
            )
            for statement in (
                f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
                f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
                f"""CREATE POLICY of_workspace ON {table} USING (
                    {mine} = (SELECT casegraph_workspace())
                    OR (SELECT casegraph_every_workspace())
                )""",
            )
        ),
    ),
}
