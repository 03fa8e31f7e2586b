"""The SQL that the two databases spell differently: each construct has one name here.

Both compare and sort text by code point. SQLite does so by default (BINARY); PostgreSQL needs
COLLATE "C", because the order of its other collations depends on the machine's libraries. The
order that people see comes from the folded columns, which sort correctly by code point.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import Boolean, Integer, bindparam, column, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Text = sqlalchemy.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


class each(FunctionElement[Any]):
    """The strings of a JSON array, as rows with a column *value*."""

    name = "each"
    inherit_cache = True

    @classmethod
    def value(cls, parameter: Any, alias: str = "each") -> Any:
        return cls(parameter).table_valued("value", name=alias)

    @classmethod
    def numbered(cls, parameter: Any, alias: str = "each") -> Any:
        """As rows that also have a column *key*: the string's index in the array, from 0."""
        return cls(parameter).table_valued(column("key", Integer), "value", name=alias)


@compiles(each, "sqlite")
def _each_sqlite(element: each, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({_arguments(element, compiler, options)})"


@compiles(each, "postgresql")
def _each_postgresql(element: each, compiler: SQLCompiler, **options: Any) -> str:
    texts = f"jsonb_array_elements_text({_arguments(element, compiler, options)})"
    return f"(SELECT value, n - 1 AS key FROM {texts} WITH ORDINALITY AS texts(value, n))"  # noqa: S608


class Asked(NamedTuple):
    """What the trigram index is asked for one term.

    *query* is for SQLite's index; PostgreSQL's has the *scopes*. *tests* are, for each kind of
    entries, columns, and parameters with the texts that one of these has to have. If the query is
    *exact*, SQLite need not compare them. *candidates* is what candidates() found, if it was asked.
    """

    workspace_id: Any
    query: Any
    scopes: Sequence[Any]
    tests: Mapping[str, Sequence[tuple[str, str]]]
    exact: bool = False
    candidates: Any = None

    @property
    def texts(self) -> list[Any]:
        """The parameters of the tests, each once."""
        names = dict.fromkeys(name for tests in self.tests.values() for _column, name in tests)
        return [bindparam(name, type_=Text) for name in names]


class found_by_index(FunctionElement[Any]):
    """The kind and the id of the entries that the trigram index finds, or that it has found."""

    name = "found_by_index"
    inherit_cache = False

    def __init__(self, asked: Asked) -> None:
        known = [] if asked.candidates is None else [asked.candidates]
        super().__init__(asked.workspace_id, asked.query, *asked.scopes, *asked.texts, *known)
        self.asked = asked

    @classmethod
    def of(cls, asked: Asked) -> Any:
        """A SELECT of two columns."""
        columns = (column("kind", sqlalchemy.Text), column("id", sqlalchemy.Text))
        found = cls(asked).table_valued(*columns)
        return select(found.c.kind, found.c.id)


@compiles(found_by_index, "sqlite")
def _found_sqlite(element: found_by_index, compiler: SQLCompiler, **options: Any) -> str:
    asked = element.asked
    # Clauses that are not needed are not compiled, so that they do not become parameters. They are
    # compiled in the order in which they stand there.
    if asked.candidates is None:
        [query] = _each_argument([asked.query], compiler, options)
        numbers = f"SELECT rowid FROM search_index WHERE search_index MATCH {query}"  # noqa: S608
    else:
        [known] = _each_argument([asked.candidates], compiler, options)
        numbers = f"SELECT value FROM json_each({known})"  # noqa: S608
    [workspace] = _each_argument([asked.workspace_id], compiler, options)
    tests = "" if asked.exact else f" AND ({_compared(asked.tests, 'instr', compiler, options)})"
    # The + 0 keeps the planner from scanning all entries of the workspace instead of the matches.
    return (
        f"(SELECT one.kind, one.id FROM search_entry AS one WHERE one.entry IN ({numbers}) "  # noqa: S608
        f"AND one.workspace_id + 0 = {workspace}{tests})"
    )


@compiles(found_by_index, "postgresql")
def _found_postgresql(element: found_by_index, compiler: SQLCompiler, **options: Any) -> str:
    asked = element.asked
    if asked.candidates is None:
        numbers, number = _candidates(asked, compiler, options), "given.entry"
    else:
        [known] = _each_argument([asked.candidates], compiler, options)
        numbers, number = f"jsonb_array_elements_text(({known})::jsonb)", "given.entry::bigint"
    [workspace] = _each_argument([asked.workspace_id], compiler, options)
    # Each match is looked up by itself: it would scan all entries of the workspace instead.
    # The trigrams have a table of their own: see the migration 0008.
    return (
        f"(SELECT one.kind, one.id FROM {numbers} AS given(entry), "  # noqa: S608
        f"LATERAL (SELECT * FROM search_entry WHERE entry = {number} OFFSET 0) AS one "
        f"WHERE one.workspace_id = {workspace} "
        f"AND ({_compared(asked.tests, 'strpos', compiler, options)}))"
    )


class candidates(FunctionElement[str]):
    """A JSON array of the numbers of the entries that the index finds, before they are compared.

    NULL if there are more than *limit*, on PostgreSQL ON_SERVER times as many: there they are all
    found in any case, and SQLite finds one after another.
    """

    ON_SERVER = 40

    name = "candidates"
    inherit_cache = False
    type = Text

    def __init__(self, asked: Asked, limit: Any) -> None:
        super().__init__(limit, asked.query, *asked.scopes, *asked.texts)
        self.asked = asked
        self.limit = limit


@compiles(candidates, "sqlite")
def _candidates_sqlite(element: candidates, compiler: SQLCompiler, **options: Any) -> str:
    limit = element.limit
    most, query, more = _each_argument([limit, element.asked.query, limit], compiler, options)
    return (
        f"(SELECT CASE WHEN count(*) <= {most} THEN json_group_array(rowid) END "  # noqa: S608
        f"FROM (SELECT rowid FROM search_index WHERE search_index MATCH {query} LIMIT {more} + 1))"
    )


@compiles(candidates, "postgresql")
def _candidates_postgresql(element: candidates, compiler: SQLCompiler, **options: Any) -> str:
    found = _candidates(element.asked, compiler, options)
    [limit] = _each_argument([element.limit], compiler, options)
    most = f"{limit} * {element.ON_SERVER}"
    return (
        f"(SELECT CASE WHEN count(*) <= {most} "  # noqa: S608
        "THEN coalesce(jsonb_agg(given.entry)::text, '[]') END "
        f"FROM (SELECT entry FROM {found} AS found(entry) LIMIT {most} + 1) AS given)"
    )


def _candidates(asked: Asked, compiler: SQLCompiler, options: Mapping[str, Any]) -> str:
    """The entries whose trigrams fit; see the migration 0015."""
    scopes = ", ".join(_each_argument(asked.scopes, compiler, options))
    texts = ", ".join(_each_argument(asked.texts, compiler, options))
    return f"casegraph_candidates(ARRAY[{scopes}], ARRAY[{texts}])"


def _compared(
    tests: Mapping[str, Sequence[tuple[str, str]]],
    place: str,
    compiler: SQLCompiler,
    options: Mapping[str, Any],
) -> str:
    """The condition that an entry *one* has one of the texts; *place* is where a text is in it."""
    of_kinds = []
    for kind, pairs in tests.items():
        parameters = [bindparam(name, type_=Text) for _column, name in pairs]
        texts = _each_argument(parameters, compiler, options)
        any_of = " OR ".join(
            f"{place}(one.{column}, {text}) > 0"
            for (column, _name), text in zip(pairs, texts, strict=True)
        )
        of_kinds.append(f"one.kind = '{kind}' AND ({any_of})")
    return " OR ".join(of_kinds)


class aside(FunctionElement[Any]):
    """A column that SQLite must not look for an index for: the rows are found in a better way."""

    name = "aside"
    inherit_cache = True

    def __init__(self, of: Any) -> None:
        super().__init__(of)
        self.type = of.type


@compiles(aside, "sqlite")
def _aside_sqlite(element: aside, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{_arguments(element, compiler, options)}"


@compiles(aside, "postgresql")
def _aside_postgresql(element: aside, compiler: SQLCompiler, **options: Any) -> str:
    return _arguments(element, compiler, options)


class filed_under(FunctionElement[Any]):
    """The id and number_key of the visible cases whose key is among the strings of a JSON array."""

    name = "filed_under"
    inherit_cache = True

    @classmethod
    def of(cls, workspace_id: Any, keys: Any) -> Any:
        """As a table."""
        columns = (column("id", sqlalchemy.Text), column("number_key", sqlalchemy.Text))
        return cls(workspace_id, keys).table_valued(*columns, name="filed")


@compiles(filed_under, "sqlite")
def _filed_sqlite(element: filed_under, compiler: SQLCompiler, **options: Any) -> str:
    workspace, keys = _each_argument(element.clauses, compiler, options)
    # INDEXED BY, since SQLite takes every case of the workspace for no more rows than one number's.
    return (
        "(SELECT id, number_key FROM cases INDEXED BY ix_cases_number_key "  # noqa: S608
        f"WHERE workspace_id = {workspace} AND deleted_at IS NULL AND number_key IS NOT NULL "
        f"AND number_key IN (SELECT value FROM json_each({keys}) AS each))"
    )


@compiles(filed_under, "postgresql")
def _filed_postgresql(element: filed_under, compiler: SQLCompiler, **options: Any) -> str:
    workspace, keys = _each_argument(element.clauses, compiler, options)
    # Each number by itself: PostgreSQL would read all of the workspace for one of them.
    return (
        "(SELECT one.id, one.number_key "  # noqa: S608
        f"FROM (SELECT DISTINCT jsonb_array_elements_text(({keys})::jsonb) AS key) AS given, "
        "LATERAL (SELECT id, number_key FROM cases "
        f"WHERE workspace_id = {workspace} AND deleted_at IS NULL AND number_key = given.key "
        "OFFSET 0) AS one)"
    )


class holds(FunctionElement[bool]):
    """Whether the first text contains the second, character for character."""

    type = Boolean()
    name = "holds"
    inherit_cache = True


@compiles(holds, "sqlite")
def _holds_sqlite(element: holds, compiler: SQLCompiler, **options: Any) -> str:
    return f"(instr({_arguments(element, compiler, options)}) > 0)"


@compiles(holds, "postgresql")
def _holds_postgresql(element: holds, compiler: SQLCompiler, **options: Any) -> str:
    return f"(strpos({_arguments(element, compiler, options)}) > 0)"


def _arguments(
    element: FunctionElement[Any], compiler: SQLCompiler, options: Mapping[str, Any]
) -> str:
    return ", ".join(_each_argument(element.clauses, compiler, options))


def _each_argument(
    clauses: Iterable[Any], compiler: SQLCompiler, options: Mapping[str, Any]
) -> list[str]:
    return [compiler.process(clause, **options) for clause in clauses]
