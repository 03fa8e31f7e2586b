"""Replaying events: the rows that a history leads to.

Only what casegraph recorded itself counts: what an import claims changes nothing. One event tells
the whole state of an object that an import or a migration brought; the rest follows from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.storage.tables import cases
from domain.writing.cases import CASE_FIELDS
from domain.writing.register import PARTY_FIELDS, STAFF_FIELDS
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES, RoleTable

Row = dict[str, Any]
Event = Mapping[str, Any]
"""A recorded event: seq, type, at and changes, which are a list of mappings."""

_WHOLE = ("_imported", "_migrated")
"""Events of these types tell a whole state instead of a change."""


@dataclass(slots=True)
class CaseState:
    """A case, its roles by number, and its ends of links by their ids."""

    row: Row | None = None
    roles: dict[RoleTable, dict[int, Row]] = field(
        default_factory=lambda: {PARTY_ROLES: {}, STAFF_ROLES: {}}
    )
    links: dict[str, Row] = field(default_factory=dict)


def case(events: Sequence[Event]) -> CaseState:
    """What the events of one case lead to; *row* is None if none of them opens it.

    Raises ValueError, KeyError or TypeError for changes that casegraph does not write.
    """
    state = CaseState()
    for event in _readable(events):
        _apply(state, event)
    return state


def person(events: Sequence[Event]) -> Row | None:
    """The row that the events of a party or staff member as such lead to; None if it is gone."""
    row: Row | None = None
    for event in _readable(events):
        kind, _, what = event["type"].partition("_")
        told = {change["field"]: change["after"] for change in event["changes"]}
        if what == "created" or f"_{what}" in _WHOLE:
            names = PARTY_FIELDS if kind == "party" else STAFF_FIELDS
            row = {**dict.fromkeys(names), **_new(event["at"]), **told}
        elif what in ("deleted", "orphaned", "merged"):
            row = None
        elif what in ("updated", "erased") and row is not None:
            row |= _touched(row, event["at"]) | told
    return row


def key(events: Sequence[Event]) -> Row | None:
    """The columns of a key that its events tell."""
    row: Row | None = None
    for event in _readable(events):
        told = {change["field"]: change["after"] for change in event["changes"]}
        if event["type"] in ("key_created", "key_migrated"):
            row = {"created_at": event["at"], "revoked_at": None, "expires_at": None, **told}
            row["scopes"] = " ".join(told["scopes"])
        elif event["type"] == "key_revoked" and row is not None:
            row["revoked_at"] = event["at"]
    return row


def webhook(events: Sequence[Event]) -> Row | None:
    """The columns of a webhook that its events tell; None if it is gone."""
    row: Row | None = None
    for event in events:
        told = {change["field"]: change["after"] for change in event["changes"]}
        if event["type"] == "webhook_created":
            row = {"created_at": event["at"], **told}
        elif event["type"] == "webhook_deleted":
            row = None
        elif row is not None:
            row |= told
    return row


def _readable(events: Sequence[Event]) -> Sequence[Event]:
    """The events from the last one on that a migration wrote: older ones have an older form."""
    for place in range(len(events) - 1, -1, -1):
        kind = events[place]["type"]
        if kind.endswith("_migrated") and not kind.startswith("link_"):
            return events[place:]
    return events


def _apply(state: CaseState, event: Event) -> None:
    kind, at, changes = event["type"], event["at"], event["changes"]
    opens = kind == "case_created" or (kind.startswith("case_") and kind.endswith(_WHOLE))
    if opens:
        fresh = CaseState()
        state.roles, state.links = fresh.roles, fresh.links
        state.row = {**dict.fromkeys(CASE_FIELDS), **_new(at), "deleted_at": None}
        state.row["last_position"] = 0
    row = state.row
    if row is None:
        return
    counted = 0
    for change in changes:
        name, before, after = change["field"], change["before"], change["after"]
        if name in ("parties", "staff"):
            table = PARTY_ROLES if name == "parties" else STAFF_ROLES
            counted += _role(state.roles[table], table, before, after, at)
        elif name == "links":
            _link(state.links, before, after)
        elif name == "parties_order":
            first = row["last_position"] + 1
            parties = state.roles[PARTY_ROLES]
            for place, number in enumerate(after):
                parties[number]["position"] = first + place
            counted = len(after)
    row["last_position"] += counted
    if kind == "case_deleted":
        row["deleted_at"] = at
    elif kind == "case_restored":
        row["deleted_at"] = None
    if opens:
        numbers = [number for roles in state.roles.values() for number in roles]
        row["last_position"] = max(numbers, default=0)
    elif not kind.startswith("link_"):
        row |= _touched(row, at)
    row |= {
        change["field"]: change["after"] for change in changes if change["field"] in cases.columns
    }


def _role(
    roles: dict[int, Row],
    table: RoleTable,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    at: str,
) -> int:
    """Take a role away, change it or add it; return 1 if it was added."""
    old = roles.pop(before["number"], None) if before is not None else None
    if after is None:
        return 0
    number = after["number"]
    row = {
        "position": after.get("position", number if old is None else old["position"]),
        table.since: after.get(table.since, at if old is None else old[table.since]),
    }
    row |= {table.node: after["id"], "role": after["role"], table.remark: after[table.remark]}
    roles[number] = row | {"number": number}
    return int(old is None)


def _link(
    links: dict[str, Row], before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    if before is not None:
        links.pop(before["id"], None)
    if after is not None:
        links[after["id"]] = {name: after[name] for name in LINK_COLUMNS}


def _new(at: str) -> Row:
    return {"created_at": at, "updated_at": at, "version": 1}


def _touched(row: Row, at: str) -> Row:
    return {"version": row["version"] + 1, "updated_at": max(at, row["created_at"])}


LINK_COLUMNS = ("id", "linked_case_id", "type", "created_at")
