"""One line of an import: a JSON case object in the REST shape, parsed and checked.

Nothing here reads the database; batches.py compares a line with the rows that exist.
"""

import contextlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from domain import checks
from domain.checks import Check
from domain.errors import Problem
from domain.ids import canonical_case_id
from domain.instants import Instant
from domain.models import CaseStatus, Change, EventSource, LinkType, PartyKind
from domain.transfer import kinds
from domain.transfer.formats import BOM, MAX_LINE, TOO_LONG
from domain.transfer.marks import mark_of
from domain.writing.cases import CASE_FIELDS, check_values
from domain.writing.role_rows import PARTY_ROLES, STAFF_ROLES, RoleTable
from domain.writing.timeline import NewEvent

MAX_EVENTS = 100_000
MAX_LINKS = 10_000
MAX_NUMBER = 1_000_000_000  # PostgreSQL's integer ends at 2^31
MAX_VERSION = 1_000_000_000  # later writes count on, and GraphQL's Int ends at 2^31
_CASE = {*CASE_FIELDS, "id", "created_at", "updated_at", "version"}
_LISTS = {"parties", "staff", "timeline", "links"}
_NODE = {"id", "name", "role", "number", "created_at", "updated_at", "version", "timeline"}
_PARTY = {*_NODE, "kind", "type", "reference", "added_at"}
_STAFF = {*_NODE, "email", "note", "assigned_at"}
_EVENT = {"id", "type", "actor", "at", "occurred_at", "title", "subject_id", "changes"}
_LINK = {"id", "type", "linked_case_id", "created_at"}
_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
# Only these may be numbers that orjson would change: a letter or a quote before means a text.
_LONG = re.compile(rb"(?:^|[\s:,\[])-?(?:[\d.]{17}|[\d.]+[eE])")


class BadLine(Exception):
    """A line that cannot be imported; the message says why."""


@dataclass(frozen=True, slots=True)
class Involved:
    """A party or staff member on a line, with a role unless it is a register line.

    *number* is the role's in its case, *events* are those of the party or staff member as such.
    """

    id: str | None
    name: str | None
    detail: str | None  # a party's kind, a staff member's email
    guessed: bool  # the kind was not in the file
    number: int | None
    events: Sequence[NewEvent]
    role: str
    remark: str | None
    since: Instant | None
    created_at: Instant | None
    updated_at: Instant | None
    version: int


@dataclass(frozen=True, slots=True)
class LineLink:
    id: str | None
    type: str
    linked_case_id: str
    created_at: Instant | None


@dataclass(frozen=True, slots=True)
class Line:
    """A valid line. *values* has every field of a case; *mentioned* names those the line sets."""

    number: int
    raw: bytes
    mark: str
    is_case: bool
    id: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    mentioned: frozenset[str] = frozenset()
    created_at: Instant | None = None
    updated_at: Instant | None = None
    version: int = 1
    parties: Sequence[Involved] = ()
    staff: Sequence[Involved] = ()
    events: Sequence[NewEvent] = ()
    links: Sequence[LineLink] = ()


def dumped(case: dict[str, Any]) -> bytes:
    """Serialize a JSON object as a line."""
    return orjson.dumps(case)


def read_line(number: int, raw: bytes) -> Line:
    """Parse a line. Raises BadLine with its first five problems."""
    if raw is TOO_LONG or len(raw) > MAX_LINE:
        raise BadLine(f"The line must have at most {MAX_LINE:,} bytes.")
    try:
        content = orjson.loads(_whole(raw.removeprefix(BOM) if number == 1 else raw))
    except orjson.JSONDecodeError as error:
        raise BadLine(f"The line must be valid JSON in UTF-8: {error.msg}.") from None
    if not isinstance(content, dict):
        raise BadLine("The line must be a JSON object.")
    check = Check()
    try:
        canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        raise BadLine("The line is nested too deeply.") from None
    line = _line(check, number, raw, mark_of("line", canonical), content)
    if check.problems:
        raise BadLine(reason(check.problems))
    return line


def reason(problems: Sequence[Problem]) -> str:
    """The first five problems as one text, each after the path of its field."""
    return " ".join(f"{'.'.join(problem.field)}: {problem.message}" for problem in problems[:5])


def _line(check: Check, number: int, raw: bytes, mark: str, content: dict[str, Any]) -> Line:
    _check_names(check, content, _CASE | _LISTS)
    is_case = bool(content.keys() - {"parties", "staff"})
    parties = [
        _party(check, one, is_case, "parties", str(index))
        for index, one in enumerate(_objects(check, content, "parties", PARTY_ROLES.most))
    ]
    staff = [
        _member(check, one, is_case, "staff", str(index))
        for index, one in enumerate(_objects(check, content, "staff", STAFF_ROLES.most))
    ]
    if not is_case:
        if not (parties or staff):
            check.wrong("A line without a name must have parties or staff.", "name")
        return Line(number, raw, mark, is_case=False, parties=parties, staff=staff)
    values = dict.fromkeys(CASE_FIELDS) | {"status": CaseStatus.ACTIVE}
    values |= {
        name: content[name] if name == "description" else _spaced(content[name])
        for name in CASE_FIELDS
        if name in content
    }
    created_at = check.instant(content.get("created_at"), "created_at")
    updated_at = check.instant(content.get("updated_at"), "updated_at")
    if created_at and updated_at and updated_at < created_at:
        check.wrong("updated_at must not be before created_at.", "updated_at")
    id = content.get("id")
    if id is not None:
        id = canonical_case_id(id) if isinstance(id, str) else None
        if id is None:
            check.wrong("id must be a UUID.", "id")
    links = [
        _link(check, one, str(index))
        for index, one in enumerate(_objects(check, content, "links", MAX_LINKS))
    ]
    if id is not None and any(canonical_case_id(link.linked_case_id) == id for link in links):
        check.wrong("A case cannot be linked to itself.", "links")
    return Line(
        number,
        raw,
        mark,
        is_case=True,
        id=id,
        values=check_values(check, values),
        mentioned=frozenset(content),
        created_at=created_at,
        updated_at=updated_at,
        version=_version(check, content, ()),
        parties=_merged(parties, PARTY_ROLES.remark_max),
        staff=_merged(staff, STAFF_ROLES.remark_max),
        events=_events(check, content),
        links=links,
    )


def _party(check: Check, one: dict[str, Any], with_role: bool, *path: str) -> Involved:
    _check_names(check, one, _PARTY, *path)
    kind = one.get("kind", one.get("type"))
    guess = kinds.guessed(_spaced(one.get("name", ""))) if kind is None else None
    kind = check.one_of(guess or kind or PartyKind.PERSON, tuple(PartyKind), *path, "kind")
    return _involved(check, one, kind, with_role, PARTY_ROLES, path, guessed=guess is not None)


def _member(check: Check, one: dict[str, Any], with_role: bool, *path: str) -> Involved:
    _check_names(check, one, _STAFF, *path)
    email = check.email(one.get("email"), *path, "email")
    return _involved(check, one, email, with_role, STAFF_ROLES, path)


def _involved(
    check: Check,
    one: dict[str, Any],
    detail: str | None,
    with_role: bool,
    roles: RoleTable,
    path: tuple[str, ...],
    *,
    guessed: bool = False,
) -> Involved:
    id, name = one.get("id"), _spaced(one.get("name"))
    if id is None and name is None:
        check.wrong("id or name must be given.", *path)
    if not with_role and "role" in one:
        check.wrong("A line without a name has no roles.", *path, "role")
    return Involved(
        id=None if id is None else check.identifier(id, *path, "id"),
        name=None if name is None else check.line(name, checks.NAME_MAX, *path, "name"),
        detail=detail,
        guessed=guessed,
        number=_number(check, one, with_role, path),
        events=_events(check, one, *path),
        role=check.word(one.get("role"), *path, "role", like=roles.like) if with_role else "",
        remark=check.optional_line(
            _spaced(one.get(roles.remark)), roles.remark_max, *path, roles.remark
        ),
        since=check.instant(one.get(roles.since), *path, roles.since),
        created_at=check.instant(one.get("created_at"), *path, "created_at"),
        updated_at=check.instant(one.get("updated_at"), *path, "updated_at"),
        version=_version(check, one, path),
    )


def _merged(involved: Sequence[Involved], longest: int) -> list[Involved]:
    """One entry for each person in each role, with their different remarks joined."""
    merged: dict[tuple[str | None, str | None, str], Involved] = {}
    for one in involved:
        key = (one.id, None if one.id else one.name, one.role)
        before = merged.get(key)
        if before is None:
            merged[key] = one
        elif one.remark and one.remark not in (before.remark or ""):
            joined = "; ".join(filter(None, (before.remark, one.remark)))
            merged[key] = replace(before, remark=joined[:longest])
    return list(merged.values())


def _events(check: Check, content: dict[str, Any], *path: str) -> list[NewEvent]:
    events = [
        _event(check, one, *path, "timeline", str(index))
        for index, one in enumerate(_objects(check, content, "timeline", MAX_EVENTS, *path))
    ]
    if path and not all(event.type.startswith(("party_", "staff_")) for event in events):
        # Without a case, a case_purged that somebody made up would vouch in verify for erased rows.
        check.wrong("Events of parties begin with party_, of staff with staff_.", *path, "timeline")
    if not any("at" in one for one in _objects(Check(), content, "timeline", MAX_EVENTS)):
        # Foreign files: sort events by when they happened. Exports keep the order of recording.
        events.sort(key=lambda event: event.occurred_at or "")
    return events


def _event(check: Check, one: dict[str, Any], *path: str) -> NewEvent:
    _check_names(check, one, _EVENT, *path)
    occurred_at = check.instant(one.get("occurred_at"), *path, "occurred_at")
    if one.get("occurred_at") is None:
        check.wrong("occurred_at must be given.", *path, "occurred_at")
    changes: list[Change] = []
    for change in _objects(check, one, "changes", MAX_EVENTS, *path):
        if change.keys() != {"field", "before", "after"} or not isinstance(change["field"], str):
            check.wrong("A change has field, before and after.", *path, "changes")
            break
        changes.append(Change(**change))
    check.instant(one.get("at"), *path, "at")
    return NewEvent(
        type=check.word(one.get("type"), *path, "type", like="hearing"),
        title=check.optional_line(_spaced(one.get("title")), checks.NAME_MAX, *path, "title"),
        occurred_at=occurred_at,
        source=EventSource.IMPORTED,
        claimed_actor=check.optional_line(
            _spaced(one.get("actor")), checks.NAME_MAX, *path, "actor"
        ),
        id=_optional_id(check, one, "id", *path),
        subject_id=_optional_id(check, one, "subject_id", *path),
        changes=changes,
    )


def _link(check: Check, one: dict[str, Any], index: str) -> LineLink:
    _check_names(check, one, _LINK, "links", index)
    return LineLink(
        id=_optional_id(check, one, "id", "links", index),
        type=check.one_of(one.get("type"), tuple(LinkType), "links", index, "type"),
        linked_case_id=check.identifier(
            one.get("linked_case_id"), "links", index, "linked_case_id"
        ),
        created_at=check.instant(one.get("created_at"), "links", index, "created_at"),
    )


def _optional_id(check: Check, one: dict[str, Any], name: str, *path: str) -> str | None:
    return None if one.get(name) is None else check.identifier(one[name], *path, name)


def _number(
    check: Check, one: dict[str, Any], with_role: bool, path: tuple[str, ...]
) -> int | None:
    """The number of a role in its case, as an export has it."""
    number = one.get("number")
    if number is None:
        return None
    if not with_role or type(number) is not int or not 1 <= number <= MAX_NUMBER:
        check.wrong("number must be a whole number from 1 on, of a role.", *path, "number")
        return None
    return number


def _spaced(value: Any) -> Any:
    """A text for a field of one line, with a space for each tab and line break."""
    return _BREAKS.sub(" ", value) if isinstance(value, str) else value


def _whole(raw: bytes) -> bytes:
    """*raw*. Raises BadLine for a number that orjson would round."""
    if _LONG.search(raw):
        with contextlib.suppress(ValueError, RecursionError):  # told by orjson
            json.loads(raw, parse_int=_fitting, parse_float=_exact)
    return raw


def _fitting(digits: str) -> int:
    # Longer ones would make int() raise ValueError, as bad JSON does.
    if len(digits) > 21 or not -(2**63) <= int(digits) < 2**64:
        raise BadLine("A whole number must have at most 64 bits: write it as a string.")
    return int(digits)


def _exact(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        return value  # told by orjson
    with contextlib.suppress(InvalidOperation):  # of an exponent beyond all bounds
        if Decimal(text) == Decimal(repr(value)):
            return value
    raise BadLine("A decimal number has more digits than are kept: write it as a string.")


def _version(check: Check, one: dict[str, Any], path: tuple[str, ...]) -> int:
    version = one.get("version", 1)
    if type(version) is not int or not 1 <= version <= MAX_VERSION:
        check.wrong("version must be a whole number from 1 on.", *path, "version")
        return 1
    return version


def _objects(
    check: Check, content: dict[str, Any], name: str, most: int, *path: str
) -> list[dict[str, Any]]:
    """The objects in an optional list."""
    objects = content.get(name)
    if objects is None:
        return []
    if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
        check.wrong(f"{name} must be a list of objects.", *path, name)
        return []
    if len(objects) > most:
        check.wrong(f"{name} must have at most {most:,} entries.", *path, name)
        return []
    return objects


def _check_names(check: Check, content: dict[str, Any], names: set[str], *path: str) -> None:
    for name in sorted(content.keys() - names)[:5]:
        check.wrong("There is no such field.", *path, name[:80])
