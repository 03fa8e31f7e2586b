"""How somebody would search by hand, in one statement: the hits once, for the page and the total.

The terms of a search are taken from the program. The SQL is its own, the same for both databases
but for the way into the index.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from domain.reading import search, terms
from domain.reading.search import Wanted

Placeholder = Callable[[str], str]
"""How a statement names the parameter of this name."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """What the databases spell differently."""

    holds: str
    """A condition: that {0} contains {1}."""
    entries: str
    """The kind and id of entries with a term: with {workspace}, {index}, {terms} and {test}."""


SQLITE = Spelling(
    "instr({0}, {1}) > 0",
    "SELECT one.kind, one.id FROM search_entry AS one WHERE one.entry IN"
    " (SELECT rowid FROM search_index WHERE search_index MATCH {index})"
    " AND +one.workspace_id = {workspace} AND ({test})",
)
POSTGRESQL = Spelling(
    "strpos({0}, {1}) > 0",
    "SELECT one.kind, one.id FROM casegraph_candidates(ARRAY[{index}], ARRAY[{terms}])"
    " AS given(entry), LATERAL (SELECT * FROM search_entry WHERE entry = given.entry OFFSET 0)"
    " AS one WHERE one.workspace_id = {workspace} AND ({test})",
)
SOURCES = (("case", ("name", "code")), ("reference", ("code",)), ("party", ("name",)))


Spellings = tuple[tuple[int, int], ...]
"""For each term, how many spellings it has in texts, and in codes beside these."""


def asked(workspace_id: int, text: str) -> tuple[Spellings, dict[str, Any]]:
    """The terms of a search, and the values of the parameters."""
    sought = terms.sought(text)
    modes, spellings = search.modes_of(sought), search.spellings_of(sought)
    wanted = Wanted("search", "t", "case", search.sources_of("case"), modes, spellings)
    assert set(wanted.modes) == {search.Mode.INDEX}
    values = search.parameters(workspace_id, wanted, sought)
    return spellings, {**values, "workspace": workspace_id}


def statement(terms: Spellings, spelling: Spelling, name: Placeholder) -> str:
    """The first 21 active cases that have all of *terms*, the best first, and the total."""
    found, holding = [], []
    for n, (texts_of, _codes) in enumerate(terms):
        tests = []
        for kind, columns in SOURCES:
            texts = _texts(n, terms[n], kind)
            any_of = " OR ".join(
                spelling.holds.format(f"one.{column}", name(text))
                for column in columns
                for text in (texts if column == "code" else texts[:texts_of])
            )
            tests.append(f"one.kind = '{kind}' AND ({any_of})")
        scopes = [f"t_{kind}" for kind, _columns in SOURCES]
        entries = spelling.entries.format(
            workspace=name("workspace"),
            index=", ".join(map(name, [f"t_{n}_query"] if spelling is SQLITE else scopes)),
            terms=", ".join(map(name, _texts(n, terms[n], "case"))),
            test=" OR ".join(tests),
        )
        found.append(f"found{n} AS MATERIALIZED ({entries})")
        holding.append(
            f"SELECT id FROM found{n} WHERE kind = 'case'"
            f" UNION ALL SELECT substr(id, 1, 36) FROM found{n} WHERE kind = 'reference'"
            f" UNION ALL SELECT case_id FROM case_party WHERE workspace_id = {name('workspace')}"
            f" AND party_id IN (SELECT id FROM found{n} WHERE kind = 'party')"
        )
    first, *rest = holding
    also = "".join(f" AND id IN ({one})" for one in rest)
    return (
        f"WITH {', '.join(found)},"
        f" hits AS (SELECT DISTINCT id FROM ({first}) AS first WHERE true{also})"
        f" SELECT c.id, c.name, c.file_number, count(*) OVER () FROM hits"
        f" JOIN cases c ON c.workspace_id = {name('workspace')} AND c.id = hits.id"
        f" JOIN search_entry e ON e.workspace_id = {name('workspace')} AND e.kind = 'case'"
        " AND e.id = hits.id"
        " WHERE c.deleted_at IS NULL AND c.status = 'active'"
        f" ORDER BY {_score(terms, spelling, name)} DESC, c.created_at DESC, c.id DESC LIMIT 21"
    )


def _texts(n: int, counts: tuple[int, int], kind: str) -> list[str]:
    texts, codes = counts
    found = [f"t_{n}_{place}" for place in range(texts)]
    return found if kind == "party" else [*found, *_codes(n, codes)]


def _codes(n: int, count: int) -> list[str]:
    return [f"t_{n}_code{place}" for place in range(count)]


def _score(terms: Spellings, spelling: Spelling, name: Placeholder) -> str:
    def holds(column: str, parameter: str) -> str:
        return spelling.holds.format(f"e.{column}", name(parameter))

    def each(*suffixes: str, codes: bool = False) -> str:
        of_terms = []
        for n, (texts, more) in enumerate(terms):
            wanted = suffixes or map(str, range(texts))
            tests = [holds(column, f"t_{n}_{one}") for one in wanted for column in ("name", "code")]
            tests += [holds("code", one) for one in _codes(n, more) if codes]
            of_terms.append(f"({' OR '.join(tests)})")
        return " AND ".join(of_terms)

    levels = (
        f"{holds('code', 't_raw')} OR {holds('code', 't_grouped')}",
        f"substr(e.name || ' ', 1, length({name('t_name')})) = {name('t_name')}",
        each("whole", "groups"),
        each("begin", "groups"),
        each("0", codes=True),
        each(codes=True),
    )
    whens = " ".join(f"WHEN {test} THEN {6 - place}" for place, test in enumerate(levels))
    return f"CASE {whens} ELSE 0 END"


@lru_cache(maxsize=64)
def for_sqlite(terms: Spellings) -> str:
    """The statement with parameters by their names."""
    return statement(terms, SQLITE, lambda name: f":{name}")


@lru_cache(maxsize=64)
def for_postgresql(terms: Spellings) -> tuple[str, Sequence[str]]:
    """The statement with parameters by number, and their names in this order."""
    names: dict[str, int] = {}

    def placeholder(name: str) -> str:
        number = names.setdefault(name, len(names) + 1)
        return f"${number}::{'int' if name == 'workspace' else 'text'}"

    sql = statement(terms, POSTGRESQL, placeholder)
    return sql, tuple(names)


def ordered(values: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    """The values of the parameters of these names."""
    return [values[name] for name in names]
