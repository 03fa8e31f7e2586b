"""The tables. Every key starts with workspace_id, so a row cannot refer to another workspace's.

On SQLite they are WITHOUT ROWID: rows are stored in key order, the order they are read in.
The migrations create the full-text indexes and the timeline's triggers; a test checks the
declarations here against the migrations.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    text,
)

from domain.storage.spellings import Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _of_workspace() -> Column[int]:
    return Column("workspace_id", Integer, ForeignKey("workspace.id"), nullable=False)


def _sealed() -> Column[str]:
    """The seal of a row that no event tells of: see seals.py."""
    return Column("seal", Text, nullable=False)


def _reference(*columns: str, to: str) -> ForeignKeyConstraint:
    """A foreign key within the workspace."""
    return ForeignKeyConstraint(
        ["workspace_id", *columns], [f"{to}.workspace_id", *(f"{to}.id" for _ in columns)]
    )


workspace = Table(
    "workspace",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    # 32 random bytes in hexadecimal: what the workspace's marks, seals and cursors are keyed with.
    Column("secret", Text, nullable=False),
    _sealed(),
    Index("uq_workspace_slug_mode", "slug", "mode", unique=True),
)

api_key = Table(
    "api_key",
    metadata,
    _of_workspace(),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("revoked_at", Text),
    Column("expires_at", Text),
    Column("last_used_on", Text),  # a date
    _sealed(),
    PrimaryKeyConstraint("workspace_id", "id"),
    Index("uq_api_key_id", "id", unique=True),
    Index("uq_api_key_name", "workspace_id", "name", unique=True),
    sqlite_with_rowid=False,
)

_VISIBLE = text("deleted_at IS NULL")


def _case_order(name: str, *columns: str) -> Index:
    """An index over the visible cases, from which pages of them are read."""
    return Index(
        name,
        "workspace_id",
        *columns,
        "id",
        sqlite_where=_VISIBLE,
        postgresql_where=_VISIBLE,
    )


cases = Table(
    "cases",
    metadata,
    _of_workspace(),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("file_number", Text),
    Column("status", Text, nullable=False),
    Column("type", Text),
    Column("description", Text),
    Column("dezernat", Text),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("deleted_at", Text),
    Column("name_order", Text, nullable=False),
    Column("number_order", Text, nullable=False),
    # The highest position given to a party or staff member: positions are never reused.
    Column("last_position", Integer, nullable=False),
    # What the file number is unique by. The index is not unique, because numbers that were two
    # before they were compared by this key are kept: writes look first, one at a time.
    Column("number_key", Text),
    PrimaryKeyConstraint("workspace_id", "id"),
    CheckConstraint("status IN ('active', 'closed', 'archived')", name="status"),
    CheckConstraint("version >= 1", name="version"),
    _case_order("ix_cases_created_at", "created_at"),
    _case_order("ix_cases_updated_at", "updated_at"),
    _case_order("ix_cases_name_order", "name_order"),
    _case_order("ix_cases_number_order", "number_order"),
    _case_order("ix_cases_status", "status", "created_at"),
    Index(
        "ix_cases_deleted_at",
        "workspace_id",
        "deleted_at",
        "id",
        sqlite_where=text("deleted_at IS NOT NULL"),
        postgresql_where=text("deleted_at IS NOT NULL"),
    ),
    Index(
        "ix_cases_number_key",
        "workspace_id",
        "number_key",
        "id",
        sqlite_where=text("deleted_at IS NULL AND number_key IS NOT NULL"),
        postgresql_where=text("deleted_at IS NULL AND number_key IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

party = Table(
    "party",
    metadata,
    _of_workspace(),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name_order", Text, nullable=False),
    PrimaryKeyConstraint("workspace_id", "id"),
    CheckConstraint("kind IN ('person', 'organization', 'court')", name="kind"),
    Index("ix_party_name_order", "workspace_id", "name_order", "id"),
    sqlite_with_rowid=False,
)

# A party that was merged into another: its id leads to the one that was kept.
party_alias = Table(
    "party_alias",
    metadata,
    _of_workspace(),
    Column("id", Text, nullable=False),
    Column("party_id", Text, nullable=False),
    PrimaryKeyConstraint("workspace_id", "id"),
    _reference("party_id", to="party"),
    Index("ix_party_alias_party", "workspace_id", "party_id"),
    sqlite_with_rowid=False,
)

staff = Table(
    "staff",
    metadata,
    _of_workspace(),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name_order", Text, nullable=False),
    PrimaryKeyConstraint("workspace_id", "id"),
    Index("ix_staff_name_order", "workspace_id", "name_order", "id"),
    sqlite_with_rowid=False,
)

case_party = Table(
    "case_party",
    metadata,
    _of_workspace(),
    Column("case_id", Text, nullable=False),
    # The order of the list. The number stays when the list is replaced: it identifies the role.
    Column("position", Integer, nullable=False),
    Column("party_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("reference", Text),
    Column("added_at", Text, nullable=False),
    Column("number", Integer, nullable=False),
    PrimaryKeyConstraint("workspace_id", "case_id", "position"),
    _reference("case_id", to="cases"),
    _reference("party_id", to="party"),
    Index("uq_case_party_role", "workspace_id", "party_id", "case_id", "role", unique=True),
    sqlite_with_rowid=False,
)

staff_assignment = Table(
    "staff_assignment",
    metadata,
    _of_workspace(),
    Column("case_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("staff_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("note", Text),
    Column("assigned_at", Text, nullable=False),
    Column("number", Integer, nullable=False),
    PrimaryKeyConstraint("workspace_id", "case_id", "position"),
    _reference("case_id", to="cases"),
    _reference("staff_id", to="staff"),
    Index("uq_staff_assignment_role", "workspace_id", "staff_id", "case_id", "role", unique=True),
    sqlite_with_rowid=False,
)

# Two rows per link, one as seen from each end, so that a case finds its links by its own key.
case_link = Table(
    "case_link",
    metadata,
    _of_workspace(),
    Column("case_id", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("linked_case_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    PrimaryKeyConstraint("workspace_id", "case_id", "id"),
    _reference("case_id", to="cases"),
    _reference("linked_case_id", to="cases"),
    CheckConstraint("case_id <> linked_case_id", name="two_cases"),
    Index("ix_case_link_id", "workspace_id", "id"),
    Index("uq_case_link_pair", "workspace_id", "case_id", "linked_case_id", "type", unique=True),
    sqlite_with_rowid=False,
)

timeline_event = Table(
    "timeline_event",
    metadata,
    _of_workspace(),
    Column("seq", BigInteger, nullable=False),
    Column("id", Text, nullable=False),
    Column("case_id", Text),
    Column("subject_id", Text),
    Column("type", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("occurred_at", Text, nullable=False),
    Column("title", Text),
    Column("changes", Text, nullable=False),
    Column("hash", Text, nullable=False),
    # What an import claims is told apart from what casegraph saw happen: see models.EventSource.
    Column("source", Text, nullable=False),
    Column("claimed_actor", Text),
    PrimaryKeyConstraint("workspace_id", "seq"),
    _reference("case_id", to="cases"),
    Index("uq_timeline_event_id", "workspace_id", "id", unique=True),
    Index("ix_timeline_event_case", "workspace_id", "case_id", "seq"),
    # The events of parties and staff as such.
    Index(
        "ix_timeline_event_subject",
        "workspace_id",
        "subject_id",
        "seq",
        sqlite_where=text("case_id IS NULL"),
        postgresql_where=text("case_id IS NULL"),
    ),
    sqlite_with_rowid=False,
)

timeline_head = Table(
    "timeline_head",
    metadata,
    Column("workspace_id", Integer, ForeignKey("workspace.id"), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    # When the workspace was last written: a clock that is set back writes nothing earlier.
    Column("at", Text, nullable=False),
)

# What cases, parties, staff and references are found by: see domain/words.py. *scope* is one
# trigram for the workspace and the kind, so that the trigram index itself keeps tenants apart.
search_entry = Table(
    "search_entry",
    metadata,
    Column("entry", Integer, primary_key=True),
    _of_workspace(),
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("code", Text, nullable=False),
    Index("uq_search_entry", "workspace_id", "kind", "id", unique=True),
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    _of_workspace(),
    Column("id", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("result_id", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    _sealed(),
    PrimaryKeyConstraint("workspace_id", "id"),
    Index("ix_idempotency_key_created_at", "workspace_id", "created_at"),
    sqlite_with_rowid=False,
)

# The events that the running transaction may take out of the timeline; empty when it ends. The
# triggers that keep the timeline append-only let go of these and of no others.
timeline_erasure = Table(
    "timeline_erasure",
    metadata,
    _of_workspace(),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "seq"),
    sqlite_with_rowid=False,
)

# Maps each thing that an import read, a line of a file or a name in it, to the object it became.
imported = Table(
    "imported",
    metadata,
    _of_workspace(),
    Column("id", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    _sealed(),
    PrimaryKeyConstraint("workspace_id", "id"),
    sqlite_with_rowid=False,
)

# Who is told of changes. What it is told, and by whose rights, is in the timeline, too; how far it
# has got is only here.
webhook = Table(
    "webhook",
    metadata,
    _of_workspace(),
    Column("id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text),  # a JSON array; null for all
    Column("query", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("secret", Text, nullable=False),
    # Signs beside the new one until then.
    Column("old_secret", Text),
    Column("old_until", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("created_at", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Text),
    Column("due_at", Text, nullable=False),
    # The process that delivers at the moment, and until when nobody else does.
    Column("holder", Text),
    Column("held_until", Text),
    # How often somebody has changed it: what was begun before is of no account any more.
    Column("edits", Integer, nullable=False),
    # The number of the last attempt in the log.
    Column("attempts", BigInteger, nullable=False),
    _sealed(),
    PrimaryKeyConstraint("workspace_id", "id"),
    CheckConstraint("state IN ('active', 'paused')", name="state"),
    sqlite_with_rowid=False,
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    _of_workspace(),
    Column("webhook_id", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    PrimaryKeyConstraint("workspace_id", "webhook_id", "number"),
    _reference("webhook_id", to="webhook"),
    sqlite_with_rowid=False,
)
