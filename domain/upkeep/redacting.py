"""Events without what they tell of a person: in names, references and texts.

Pure functions: what is looked for, and where, forgetting.py knows.
"""

import re
from collections.abc import Collection
from typing import Any

import orjson
from sqlalchemy import Table

from domain import folding
from domain.models import EventSource
from domain.storage.tables import (
    api_key,
    case_party,
    cases,
    party,
    staff,
    staff_assignment,
    webhook,
)
from domain.upkeep import erasing
from domain.upkeep.erasing import Event
from domain.writing.cases import CASE_FIELDS
from domain.writing.register import PARTY_FIELDS, STAFF_FIELDS
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES

ERASED = "erased"
"""What stands in place of a name."""
SHORT = 4
"""Characters of a name below which it may well be a part of other words."""
CHOICES = ("status", "type", "kind")
"""The fields that are no texts."""
TEXTS: dict[Table, tuple[str, ...]] = {
    cases: CASE_FIELDS,
    case_party: (PARTY_ROLES.remark,),
    staff_assignment: (STAFF_ROLES.remark,),
    party: PARTY_FIELDS,
    staff: STAFF_FIELDS,
    api_key: ("name",),
    webhook: ("url", "query", "reason"),
}
"""Where people may have written a name; the first key after the workspace is the object's id."""
WRITTEN = {name for names in TEXTS.values() for name in names} - set(CHOICES)

Standing = set[tuple[str, str]]
"""Texts that have the name, each with the id of the object that has it now."""


def names_in(own: Collection[Event]) -> set[str]:
    """Every name that the recorded events of parties tell; an import might claim any other."""
    return {
        value
        for event in own
        if event["source"] == EventSource.RECORDED
        for change in orjson.loads(event["changes"])
        if change["field"] == "name"
        for value in (change["before"], change["after"])
        if isinstance(value, str)
    }


def own_left(event: Event) -> Event | None:
    """What is left of an event of the party's own; None if nothing has to go."""
    if event["source"] == EventSource.IMPORTED:
        return _emptied(event)
    changes = orjson.loads(event["changes"])
    for change in changes:
        if change["field"] == "name":
            for side in ("before", "after"):
                change[side] = None if change[side] is None else ERASED
    return _changed(event, changes)


def left_of(
    event: Event, ids: set[str], spellings: set[str], standing: Standing | None
) -> Event | None:
    """What is left of an event that may name the party; None if it does not."""
    changes = orjson.loads(event["changes"])
    if event["source"] == EventSource.IMPORTED:
        told = [event["title"], event["claimed_actor"], *_texts(changes)]
        folded = [folding.plain(text) for text in told if text]
        if ids & set(told) or any(mentions_one(text, spellings) for text in folded):
            return _emptied(event)
        return None
    for change in changes:
        for side in ("before", "after"):
            role = change[side]
            if change["field"] == "parties" and isinstance(role, dict) and role.get("id") in ids:
                role |= {"name": ERASED, "reference": None}
    if standing is not None:
        _erase_texts(event["case_id"] or event["subject_id"], changes, spellings, standing)
    return _changed(event, changes)


def _erase_texts(
    object_id: str, changes: list[Any], spellings: set[str], standing: Standing
) -> None:
    """Erase the texts that have one of the names, but for those that stand: rows follow them."""

    def erase(told: dict[str, Any], name: str) -> None:
        text = told.get(name)
        if (
            isinstance(text, str)
            and mentions_one(folding.plain(text), spellings)
            and not {(object_id, text), (told.get("id"), text)} & standing
        ):
            told[name] = ERASED

    for change in changes:
        for side in ("before", "after"):
            if change["field"] in WRITTEN:
                erase(change, side)
            elif isinstance(change[side], dict):
                for name in ("name", PARTY_ROLES.remark, STAFF_ROLES.remark):
                    erase(change[side], name)


def mentions_one(text: str, spellings: Collection[str]) -> bool:
    """Whether a folded text has one of the names; a short one counts as a word only."""
    return any(
        one in text and (len(one) >= SHORT or re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text))
        for one in spellings
    )


def _emptied(event: Event) -> Event | None:
    emptied = event | erasing.EMPTIED
    return None if emptied == event else emptied


def _changed(event: Event, changes: list[Any]) -> Event | None:
    told = orjson.dumps(changes).decode()
    return None if told == event["changes"] else event | {"changes": told}


def _texts(value: Any) -> list[str]:
    """All strings in a JSON value, names of fields included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in _texts(one)]
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else []
