"""Search in the index: the row that makes an object found, and the SQL that finds it.

What is sought is in terms.py; how the index keeps a text, in domain/words.py. One file, since the
statements and the values of their parameters agree by their names.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    SelectBase,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    intersect,
    literal,
    or_,
    select,
    union_all,
)

from domain.reading import terms
from domain.reading.terms import Score, Sought
from domain.storage.database import Snapshot
from domain.storage.spellings import Asked, candidates, found_by_index, holds
from domain.storage.statements import Fetch, Prepared
from domain.storage.tables import case_party, search_entry, staff_assignment

KINDS = ("case", "party", "staff", "reference")
"""What has entries. A reference is the one of a party in a case: see reference_id()."""
GRAM = 3  # characters; a shorter term cannot use a trigram index
INDEXED_VISITS = 100
"""What a term that is found by the index is taken to visit."""
MOST_VISITS = 50_000
"""What any other search is taken to visit at most, so that the largest firm can make a few."""
MUCH_MORE = 3
"""How many times as many entries a term may have as the rarest, and still be found by the index."""
MOST_KNOWN = 500
"""Up to so many entries of a term are kept while it is found out which term has the fewest, on
PostgreSQL many times as many: see spellings.candidates."""
_ID = 36
"""Characters in the id of a case."""
_ENTRIES = Prepared(
    select(func.count())
    .select_from(search_entry)
    .where(search_entry.c.workspace_id == bindparam("workspace_id"))
)


class MatchField(StrEnum):
    """Where cases are searched."""

    NAME = "name"
    FILE_NUMBER = "file_number"
    PARTY = "parties"
    REFERENCE = "references"
    STAFF = "staff"


DEFAULT_FIELDS = (
    MatchField.NAME,
    MatchField.FILE_NUMBER,
    MatchField.PARTY,
    MatchField.REFERENCE,
)


class Mode(StrEnum):
    """How it is found out which objects have a term."""

    INDEX = "index"
    """Those that the index finds."""
    KNOWN = "known"
    """Those of what the index has found: see ordered()."""
    SCAN = "scan"
    """All entries are compared."""
    CHECK = "check"
    """The entries of those that have another term are compared."""


class Source(NamedTuple):
    """Entries of a kind, and the columns of theirs in which a term may be."""

    kind: str
    columns: tuple[str, ...]


class Wanted(NamedTuple):
    """A part of a filter's shape: the objects of a kind that have all terms of a search.

    *name* begins the names of its parameters. For each term there is a mode, and the numbers of its
    spellings in texts, and in codes beside these.
    """

    what: str
    name: str
    kind: str
    sources: tuple[Source, ...]
    modes: tuple[Mode, ...]
    spellings: tuple[tuple[int, int], ...]

    @property
    def indexed(self) -> bool:
        """Whether it starts from what the index finds."""
        return Mode.INDEX in self.modes


def entry(
    workspace_id: int, kind: str, id: str, *, name: str = "", code: str = ""
) -> dict[str, Any]:
    """The search_entry row of an object: found by a name and a code, as words.py has them."""
    return {
        "workspace_id": workspace_id,
        "kind": kind,
        "id": id,
        "scope": scope(workspace_id, kind),
        "name": name,
        "code": code,
    }


def reference_id(case_id: str, position: int) -> str:
    """The id of a reference's entry, by the place of the role that it is written to."""
    return f"{case_id}/{position}"


def scope(workspace_id: int, kind: str) -> str:
    """A workspace and kind as one trigram of private-use characters, in base 4096."""
    value = workspace_id * len(KINDS) + KINDS.index(kind)
    return "".join(chr(0xE000 + (value >> shift & 0xFFF)) for shift in (24, 12, 0))


def visits(text: str, entries: int) -> int:
    """About how many index entries a search for *text* visits, of a workspace that has *entries*.

    A search of which each term is too short for the index is compared with every entry.
    """
    modes = modes_of(terms.sought(text))
    if not modes:
        return 0
    if Mode.INDEX in modes:
        return INDEXED_VISITS * modes.count(Mode.INDEX)
    return max(INDEXED_VISITS, min(entries, MOST_VISITS))


def is_short(text: str) -> bool:
    """Whether a search for *text* cannot use the index."""
    return Mode.SCAN in modes_of(terms.sought(text))


async def count_entries(workspace_id: int, db: Snapshot) -> int:
    """How many entries the workspace has."""
    [(count,)] = await db.fetch(Fetch(_ENTRIES, {"workspace_id": workspace_id}))
    return int(count)


def modes_of(asked: Sought) -> tuple[Mode, ...]:
    """How each term is found: by the index, if it is long enough, else beside one that is."""
    long = [min(map(len, (*term.texts, *term.codes))) >= GRAM for term in asked.terms]
    if any(long):
        return tuple(Mode.INDEX if one else Mode.CHECK for one in long)
    longest = max(asked.terms, key=lambda term: len(term.plain), default=None)
    return tuple(Mode.SCAN if term is longest else Mode.CHECK for term in asked.terms)


def spellings_of(asked: Sought) -> tuple[tuple[int, int], ...]:
    """For each term, the number of its spellings in texts, and in codes beside these."""
    return tuple((len(term.texts), len(term.codes)) for term in asked.terms)


def sources_of(kind: str, fields: Collection[MatchField] = DEFAULT_FIELDS) -> tuple[Source, ...]:
    """Where objects of a kind are searched; the fields are those of cases."""
    if kind == "party":
        return (Source("party", ("name",)),)
    if kind == "staff":
        return (Source("staff", ("name", "code")),)
    own = {MatchField.NAME: "name", MatchField.FILE_NUMBER: "code"}
    others = {
        MatchField.PARTY: Source("party", ("name",)),
        MatchField.REFERENCE: Source("reference", ("code",)),
        MatchField.STAFF: Source("staff", ("name",)),
    }
    columns = tuple(column for field, column in own.items() if field in fields)
    found = [Source("case", columns)] if columns else []
    return (*found, *(source for field, source in others.items() if field in fields))


def parameters(workspace_id: int, wanted: Wanted, asked: Sought) -> dict[str, Any]:
    """The values of the parameters of a search."""
    name = wanted.name
    values: dict[str, Any] = {
        f"{name}_{kind}": scope(workspace_id, kind)
        for kind in {wanted.kind, *(source.kind for source in wanted.sources)}
    }
    values |= {f"{name}_name": asked.name}
    values |= zip((f"{name}_raw", f"{name}_grouped"), asked.numbers, strict=True)
    for index, term in enumerate(asked.terms):
        one = f"{name}_{index}"
        texts, codes = term.texts, term.codes
        values |= {f"{one}_{place}": text for place, text in enumerate(texts)}
        values |= {f"{one}_code{place}": text for place, text in enumerate(codes)}
        values[f"{one}_whole"] = f" {term.plain} "
        values[f"{one}_begin"] = f" {term.plain}"
        values[f"{one}_groups"] = codes[1] if len(codes) > 1 else f" {term.plain} "
        scopes = [values[f"{name}_{source.kind}"] for source in wanted.sources]
        values[f"{one}_query"] = _query(scopes, wanted.sources, texts, codes)
    return values


def _query(
    scopes: Sequence[str], sources: Sequence[Source], texts: Sequence[str], codes: Sequence[str]
) -> str:
    """What SQLite's index is asked: see https://sqlite.org/fts5.html#full_text_query_syntax."""
    # In a quoted string only the quote is special; % and operators are literal.
    columns = dict.fromkeys(column for source in sources for column in source.columns)
    any_of = f"{{{' '.join(columns)}}} : ({_any_quoted(texts)})"
    if codes and any(map(_has_numbers, sources)):
        any_of += f" OR code : ({_any_quoted(codes)})"
    return f"scope : ({_any_quoted(scopes)}) AND ({any_of})"


def _any_quoted(texts: Sequence[str]) -> str:
    return " OR ".join(map(_quoted, texts))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _has_numbers(source: Source) -> bool:
    """Whether its codes are file numbers or references; those of staff are email addresses."""
    return "code" in source.columns and source.kind != "staff"


def found(wanted: Wanted, id: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that the object *id* has all terms."""
    others = [n for n, mode in enumerate(wanted.modes) if mode is Mode.CHECK]
    return and_(id.in_(_having_firsts(wanted)), *(_has(wanted, n, id) for n in others))


async def ordered(
    db: Snapshot, wanted: Wanted, values: Mapping[str, Any], few: int
) -> tuple[Wanted, dict[str, Any]]:
    """The same search, in which the terms that more entries have are checked of what others found,
    and the values of its parameters beside *values*.

    To find all objects with such a term takes longer than to look at those few. What the index has
    found for the others, it is not asked for again.
    """
    asked = [n for n, mode in enumerate(wanted.modes) if mode is Mode.INDEX]
    if len(asked) < 2:
        return wanted, {}
    [found] = await db.fetch(Fetch(_candidates(wanted), {**values, "limit": MOST_KNOWN}))
    counts = [len(orjson.loads(numbers)) if numbers else math.inf for numbers in found]
    least = min(counts)
    most = MUCH_MORE * least if least <= few else math.inf
    modes, known = list(wanted.modes), {}
    for n, numbers, count in zip(asked, found, counts, strict=True):
        if count > most:
            modes[n] = Mode.CHECK
        elif numbers is not None:
            modes[n] = Mode.KNOWN
            known[f"{wanted.name}_{n}_known"] = numbers
    return wanted._replace(modes=tuple(modes)), known


@lru_cache(maxsize=64)
def _candidates(wanted: Wanted) -> Prepared:
    """One row: for each term that the index finds, the entries that may have it, if few may."""
    limit = bindparam("limit", type_=Integer)
    return Prepared(
        select(
            *(
                candidates(_asked(wanted, n), limit)
                for n, mode in enumerate(wanted.modes)
                if mode is Mode.INDEX
            )
        )
    )


@lru_cache(maxsize=64)
def first_hits(wanted: Wanted) -> Prepared:
    """The ids of the first *limit* objects that have all terms."""
    return Prepared(hits(wanted).limit(bindparam("limit")))


def hits(wanted: Wanted) -> Select[Any]:
    """The ids of the objects that have all terms, each once, in the column *value*."""
    others = [n for n, mode in enumerate(wanted.modes) if mode is Mode.CHECK]
    found = _having_firsts(wanted).subquery("hits")
    conditions = [_has(wanted, n, found.c.id) for n in others]
    return select(found.c.id.label("value")).distinct().where(*conditions)


def reference_parameters(workspace_id: int, name: str, found: Sequence[str]) -> dict[str, Any]:
    """The values of the parameters of written(), for a reference's words in plain form."""
    whole = terms.Sought((), tuple(found)).numbers
    mine = scope(workspace_id, "reference")
    query = _query([mine], [Source("reference", ("code",))], whole, ())
    values = {f"{name}_scope": mine, f"{name}_query": query}
    return values | dict(zip((f"{name}_raw", f"{name}_grouped"), whole, strict=True))


def written(
    name: str, case_id: ColumnElement[Any], position: ColumnElement[Any]
) -> list[ColumnElement[bool]]:
    """The conditions that the role of a party at this place has a reference.

    Separators, and leading zeros of its groups, make no difference.
    """
    asked = Asked(
        bindparam("workspace_id", type_=Integer),
        _value(f"{name}_query"),
        [_value(f"{name}_scope")],
        {"reference": [("code", f"{name}_raw"), ("code", f"{name}_grouped")]},
    )
    entries = _once(found_by_index.of(asked), f"written_{name}")
    its_case = func.substr(entries.c.id, 1, _ID)
    place = _reference_id(case_id, position)
    return [case_id.in_(select(its_case)), place.in_(select(entries.c.id))]


def score(wanted: Wanted, id: ColumnElement[Any]) -> ColumnElement[str]:
    """How well the object *id* fits the search, as a digit: see terms.Score."""
    e = search_entry.alias("scored")
    own = next((source for source in wanted.sources if source.kind == wanted.kind), None)
    columns = own.columns if own is not None else ()
    numbers = own is not None and _has_numbers(own)
    name = wanted.name

    def each(*of_term: Any) -> ColumnElement[bool]:
        return and_(*(or_(*(one(n) for one in of_term)) for n in range(len(wanted.modes))))

    def within(suffix: object) -> Any:
        return lambda n: or_(
            *(holds(e.c[column], _value(f"{name}_{n}_{suffix}")) for column in columns)
        )

    def in_code(suffix: str) -> Any:
        return lambda n: holds(e.c.code, _value(f"{name}_{n}_{suffix}"))

    def in_codes(n: int) -> Any:
        places = range(wanted.spellings[n][1])
        return or_(false(), *(in_code(f"code{place}")(n) for place in places))

    tests: list[tuple[ColumnElement[bool], Score]] = []
    if numbers:
        whole = or_(*(holds(e.c.code, _value(f"{name}_{one}")) for one in ("raw", "grouped")))
        tests.append((whole, Score.NUMBER))
    if "name" in columns:
        # Two blanks end the words of a name, or one of them its end.
        begins = func.substr(e.c.name.concat(" "), 1, func.length(_value(f"{name}_name")))
        tests.append((begins == _value(f"{name}_name"), Score.NAME))
    if own is not None:
        more = [in_code("groups")] if numbers else []
        tests.append((each(within("whole"), *more), Score.WORD))
        tests.append((each(within("begin"), *more), Score.PREFIX))
        codes = [in_codes] if numbers else []
        tests.append((each(within("0"), *codes), Score.SUBSTRING))
        tests.append(
            (and_(*(_any_of(wanted, n, own, e) for n in range(len(wanted.modes)))), Score.FOLDED)
        )
    digits = [(test, literal(str(int(value)), Text)) for test, value in tests]
    other = literal(str(int(Score.OTHER)), Text)
    best = case(*digits, else_=other) if digits else other
    mine = (
        e.c.workspace_id == bindparam("workspace_id"),
        e.c.kind == wanted.kind,
        e.c.id == id,
    )
    scored: ColumnElement[str] = func.coalesce(
        select(best).where(*mine).correlate_except(e).scalar_subquery(), other, type_=Text
    )
    return scored


def _having_firsts(wanted: Wanted) -> SelectBase:
    """The ids of the objects that have all terms but those that are checked of what others found.

    For IN with each term, PostgreSQL, which does not know how many objects have it, would compare
    all of each with all of the others.
    """
    firsts = [n for n, mode in enumerate(wanted.modes) if mode is not Mode.CHECK]
    if len(firsts) == 1:
        return _having(wanted, firsts[0])
    having = (_having(wanted, n).subquery(f"having{n}") for n in firsts)
    return intersect(*(select(one.c.id) for one in having))


def _having(wanted: Wanted, n: int) -> SelectBase:
    """The ids of the objects that have the term *n*, some more than once."""
    entries = _once(_entries(wanted, n), f"found_{wanted.name}_{n}")
    found = [_led_to(wanted.kind, source, entries) for source in wanted.sources]
    return found[0] if len(found) == 1 else union_all(*found)


def _once(found: Select[Any], name: str) -> Any:
    """The same rows, found once, whatever the planner assumes of how few there are."""
    return found.cte(name).prefix_with("MATERIALIZED", dialect="postgresql")


def _entries(wanted: Wanted, n: int) -> Select[Any]:
    """The kind and the id of the entries that have the term *n*."""
    if wanted.modes[n] in (Mode.INDEX, Mode.KNOWN):
        by_index: Select[Any] = found_by_index.of(_asked(wanted, n))
        return by_index
    e = search_entry.alias("compared")
    mine = e.c.workspace_id == bindparam("workspace_id")
    has = (and_(e.c.kind == one.kind, _any_of(wanted, n, one, e)) for one in wanted.sources)
    return select(e.c.kind, e.c.id).where(mine, or_(*has))


def _asked(wanted: Wanted, n: int) -> Asked:
    """What the index is asked for the term *n*."""
    return Asked(
        bindparam("workspace_id", type_=Integer),
        _value(f"{wanted.name}_{n}_query"),
        [_value(f"{wanted.name}_{source.kind}") for source in wanted.sources],
        {source.kind: _tests(wanted, n, source) for source in wanted.sources},
        exact=_is_exact(wanted.sources),
        candidates=_value(f"{wanted.name}_{n}_known") if wanted.modes[n] is Mode.KNOWN else None,
    )


def _is_exact(sources: Sequence[Source]) -> bool:
    """Whether what SQLite's index finds in any of the columns is in those of its source."""
    columns = {column for source in sources for column in source.columns}
    return all(columns & _FILLED[one.kind] == set(one.columns) for one in sources)


def _led_to(kind: str, source: Source, entries: Any) -> Select[Any]:
    """The ids of the objects of *kind* that the entries of a source lead to."""
    of_source = entries.c.kind == source.kind
    if source.kind == kind:
        return select(entries.c.id).where(of_source)
    if source.kind == "reference":
        return select(func.substr(entries.c.id, 1, _ID).label("id")).where(of_source)
    roles, node = _ROLES[source.kind]
    mine = roles.c.workspace_id == bindparam("workspace_id")
    people = select(entries.c.id).where(of_source)
    return select(roles.c.case_id.label("id")).where(mine, roles.c[node].in_(people))


def _has(wanted: Wanted, n: int, id: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that the object *id* has the term *n*, by its own entries."""
    return or_(*(_one_has(wanted, n, source, id) for source in wanted.sources))


def _one_has(wanted: Wanted, n: int, source: Source, id: ColumnElement[Any]) -> ColumnElement[bool]:
    e = search_entry.alias("checked")
    mine = (e.c.workspace_id == bindparam("workspace_id"), e.c.kind == source.kind)
    has = _any_of(wanted, n, source, e)
    if source.kind == wanted.kind:
        return exists(select(1).where(*mine, e.c.id == id, has).correlate_except(e))
    if source.kind == "reference":
        # From x/ up to x0, which comes next: all that begin with x/.
        begins = (e.c.id >= id.concat("/"), e.c.id < id.concat("0"))
        return exists(select(1).where(*mine, *begins, has).correlate_except(e))
    table, node = _ROLES[source.kind]
    roles = table.alias("involved")
    involved = (roles.c.workspace_id == bindparam("workspace_id"), roles.c.case_id == id)
    joined = select(1).select_from(roles.join(e, e.c.id == roles.c[node]))
    return exists(joined.where(*involved, *mine, has).correlate_except(e, roles))


def role_has(
    wanted: Wanted,
    n: int,
    source: Source,
    node_id: ColumnElement[Any],
    case_id: ColumnElement[Any],
    position: ColumnElement[Any],
) -> ColumnElement[bool]:
    """The condition that whose role it is, or the role's reference, has the term *n*."""
    e = search_entry.alias("of_role")
    id = node_id if source.kind != "reference" else _reference_id(case_id, position)
    mine = (e.c.workspace_id == bindparam("workspace_id"), e.c.kind == source.kind, e.c.id == id)
    return exists(select(1).where(*mine, _any_of(wanted, n, source, e)).correlate_except(e))


def _reference_id(case_id: ColumnElement[Any], position: ColumnElement[Any]) -> Any:
    """What reference_id() makes."""
    return case_id.concat("/").concat(cast(position, Text))


def _any_of(wanted: Wanted, n: int, source: Source, e: Any) -> ColumnElement[bool]:
    """The condition that an entry *e* of a source has the term *n*."""
    return or_(
        *(holds(e.c[column], _value(parameter)) for column, parameter in _tests(wanted, n, source))
    )


def _tests(wanted: Wanted, n: int, source: Source) -> list[tuple[str, str]]:
    """Columns, and the parameters with the texts that one of them has to have."""
    name = f"{wanted.name}_{n}"
    texts, codes = wanted.spellings[n]
    found = [(column, f"{name}_{place}") for column in source.columns for place in range(texts)]
    if _has_numbers(source):
        found += [("code", f"{name}_code{place}") for place in range(codes)]
    return found


def _value(parameter: str) -> Any:
    return bindparam(parameter, type_=Text)


_FILLED = {
    "case": {"name", "code"},
    "party": {"name"},
    "staff": {"name", "code"},
    "reference": {"code"},
}
"""The columns in which entries of a kind have anything."""
_ROLES: Mapping[str, tuple[Any, str]] = {
    "party": (case_party, "party_id"),
    "staff": (staff_assignment, "staff_id"),
}
