"""Search by folded keys: the entry stored for an object, and the condition that matches it."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, bindparam, func, literal, or_, select

from domain import folding
from domain.storage.database import Snapshot
from domain.storage.spellings import first_found, found_by_index, holds
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import search_entry

KINDS = ("case", "party", "staff")
_SEPARATORS = frozenset(" -/\u2044._:")  # U+2044 divides a folded ½
INDEX_TERMS = ("query", "scope", "plain", "loose", "number")
GRAM = 3  # characters; a shorter term cannot use a trigram index
INDEXED_VISITS = 100
"""What a search by the index is taken to visit."""
MOST_VISITS = 50_000
"""What any other search is taken to visit at most, so that the largest firm can make a few."""
_ENTRIES = Prepared(
    select(func.count())
    .select_from(search_entry)
    .where(search_entry.c.workspace_id == bindparam("workspace_id"))
)


def entry(
    workspace_id: int, kind: str, id: str, *texts: str | None, number: str | None = None
) -> dict[str, Any]:
    """The search_entry row that makes an object searchable by *texts* and *number*."""
    # A line break is never part of a search term, so no match spans two texts.
    plain = "\n".join(folding.plain(text) for text in (*texts, number) if text)
    return {
        "workspace_id": workspace_id,
        "kind": kind,
        "id": id,
        "scope": scope(workspace_id, kind),
        "plain": plain,
        "loose": folding.loose(plain),
        "number": folding.number(number) if number else "",
    }


def scope(workspace_id: int, kind: str) -> str:
    """A workspace and kind as one trigram of private-use characters, in base 4096."""
    value = workspace_id * len(KINDS) + KINDS.index(kind)
    return "".join(chr(0xE000 + (value >> shift & 0xFFF)) for shift in (24, 12, 0))


def visits(text: str, entries: int) -> int:
    """About how many index entries a search for *text* visits, of a workspace that has *entries*.

    A text that is too short for the trigram index is compared with every entry.
    """
    found = terms(0, "case", text)
    if found is None:
        return 0
    indexed, _ = found
    return INDEXED_VISITS if indexed else max(INDEXED_VISITS, min(entries, MOST_VISITS))


def is_short(text: str) -> bool:
    """Whether a search for *text* cannot use the index."""
    found = terms(0, "case", text)
    return found is not None and not found[0]


async def count_entries(workspace_id: int, db: Snapshot) -> int:
    """How many entries the workspace has."""
    [(count,)] = await db.fetch(Fetch(_ENTRIES, {"workspace_id": workspace_id}))
    return int(count)


def terms(workspace_id: int, kind: str, text: str) -> tuple[bool, dict[str, str]] | None:
    """Whether the trigram index applies, and the parameters; None if *text* has no term."""
    plain = folding.plain(text)
    if not plain:
        return None
    parameters = {"plain": plain, "loose": folding.loose(plain)}
    # Only separators may be dropped: in 0% the sign is significant.
    plain_number = all(one.isalnum() or one in _SEPARATORS for one in plain)
    if plain_number and (number := folding.number(text)):
        parameters["number"] = number
    if min(map(len, parameters.values())) < GRAM:
        return False, {"number": "\n", **parameters}
    # In a quoted FTS5 string only the quote is special; % and operators are literal.
    any_of = " OR ".join(f"{column} : {_quoted(term)}" for column, term in parameters.items())
    mine = scope(workspace_id, kind)
    # Numbers contain only letters and digits, so a term with other characters matches none.
    parameters.setdefault("number", plain)
    return True, {"query": f"scope : {_quoted(mine)} AND ({any_of})", "scope": mine, **parameters}


def first_hits(kind: str, parameter: str) -> Prepared:
    """The ids of the first hits of a search by the index; parameters are named as in found()."""
    terms = (bindparam(f"{parameter}_{name}", type_=Text) for name in INDEX_TERMS)
    workspace_id = bindparam("workspace_id", type_=Integer)
    limit = bindparam("limit", type_=Integer)
    return Prepared(first_found.of(workspace_id, literal(kind), *terms, limit))


def found(
    kind: str, id: ColumnElement[Any], parameter: str, *, indexed: bool
) -> ColumnElement[bool]:
    """The condition that *id* matches; its parameters are named *parameter*_plain and so on."""
    c = search_entry.c
    if indexed:
        terms = (bindparam(f"{parameter}_{name}", type_=Text) for name in INDEX_TERMS)
        workspace_id = bindparam("workspace_id", type_=Integer)
        return id.in_(found_by_index.of(workspace_id, literal(kind), *terms))
    matches = select(c.id).where(c.workspace_id == bindparam("workspace_id"), c.kind == kind)
    columns = (c.plain, c.loose, c.number)
    any_of = (holds(column, bindparam(f"{parameter}_{column.name}")) for column in columns)
    return id.in_(matches.where(or_(*any_of)))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
