"""How somebody would search by hand, in one statement: the hits once, for the page and the total.

The terms of a search are taken from the program. The SQL is its own, the same for both databases
but for the way into the index.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from domain.reading import search, terms
from domain.reading.search import CODES, TEXTS, Wanted

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


def asked(workspace_id: int, text: str) -> tuple[int, dict[str, Any]]:
    """How many terms a search has, and the values of the parameters."""
    sought = terms.sought(text)
    wanted = Wanted("search", "t", "case", search.sources_of("case"), search.modes_of(sought))
    assert set(wanted.modes) == {search.Mode.INDEX}
    values = search.parameters(workspace_id, wanted, sought)
    return len(sought.terms), {**values, "workspace": workspace_id}


def statement(count: int, spelling: Spelling, name: Placeholder) -> str:
    """The first 21 active cases that have all of *count* terms, the best first, and the total."""
    found, holding = [], []
    for n in range(count):
        tests = []
        for kind, columns in SOURCES:
            texts = _texts(n, kind)
            any_of = " OR ".join(
                spelling.holds.format(f"one.{column}", name(text))
                for column in columns
                for text in (texts if column == "code" else texts[:TEXTS])
            )
            tests.append(f"one.kind = '{kind}' AND ({any_of})")
        scopes = [f"t_{kind}" for kind, _columns in SOURCES]
        entries = spelling.entries.format(
            workspace=name("workspace"),
            index=", ".join(map(name, [f"t_{n}_query"] if spelling is SQLITE else scopes)),
            terms=", ".join(map(name, _texts(n, "case"))),
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
        f" ORDER BY {_score(count, spelling, name)} DESC, c.created_at DESC, c.id DESC LIMIT 21"
    )


def _texts(n: int, kind: str) -> list[str]:
    count = TEXTS if kind == "party" else TEXTS + CODES
    return [f"t_{n}_{place}" for place in range(count)]


def _score(count: int, spelling: Spelling, name: Placeholder) -> str:
    def holds(column: str, parameter: str) -> str:
        return spelling.holds.format(f"e.{column}", name(parameter))

    def each(*tests: tuple[str, str]) -> str:
        return " AND ".join(
            "(" + " OR ".join(holds(column, f"t_{n}_{suffix}") for column, suffix in tests) + ")"
            for n in range(count)
        )

    both = lambda suffix: (("name", suffix), ("code", suffix))  # noqa: E731
    codes = tuple(("code", str(TEXTS + place)) for place in range(CODES))
    texts = tuple(pair for place in range(TEXTS) for pair in both(str(place)))
    levels = (
        f"{holds('code', 't_raw')} OR {holds('code', 't_grouped')}",
        f"substr(e.name || ' ', 1, length({name('t_name')})) = {name('t_name')}",
        each(*both("whole"), ("code", "groups")),
        each(*both("begin"), ("code", "groups")),
        each(*both("0"), *codes),
        each(*texts, *codes),
    )
    whens = " ".join(f"WHEN {test} THEN {6 - place}" for place, test in enumerate(levels))
    return f"CASE {whens} ELSE 0 END"


@lru_cache(maxsize=16)
def for_sqlite(count: int) -> str:
    """The statement with parameters by their names."""
    return statement(count, SQLITE, lambda name: f":{name}")


@lru_cache(maxsize=16)
def for_postgresql(count: int) -> tuple[str, Sequence[str]]:
    """The statement with parameters by number, and their names in this order."""
    names: dict[str, int] = {}

    def placeholder(name: str) -> str:
        number = names.setdefault(name, len(names) + 1)
        return f"${number}::{'int' if name == 'workspace' else 'text'}"

    sql = statement(count, POSTGRESQL, placeholder)
    return sql, tuple(names)


def ordered(values: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    """The values of the parameters of these names."""
    return [values[name] for name in names]
