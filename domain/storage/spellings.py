"""The SQL that the two databases spell differently: each construct has one name here.

Both compare and sort text by code point. SQLite does so by default (BINARY); PostgreSQL needs
COLLATE "C", because the order of its other collations depends on the machine's libraries. The
order that people see comes from the folded columns, which sort correctly by code point.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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


class found_by_index(FunctionElement[Any]):
    """The ids of the entries of a kind that the trigram index finds.

    *scope* is for PostgreSQL's index, and *query* asks SQLite's. On PostgreSQL, what the index has
    found is compared: *tests* are columns, and parameters one of which such a column has.
    """

    name = "found_by_index"
    inherit_cache = False

    def __init__(
        self,
        workspace_id: Any,
        kind: str,
        scope: Any,
        query: Any,
        tests: Sequence[tuple[str, str]],
    ) -> None:
        texts = [bindparam(parameter, type_=Text) for _column, parameter in tests]
        super().__init__(workspace_id, scope, query, *texts)
        self.kind = kind
        self.compared = [column for column, _parameter in tests]

    @classmethod
    def of(
        cls,
        workspace_id: Any,
        kind: str,
        scope: Any,
        query: Any,
        tests: Sequence[tuple[str, str]],
    ) -> Any:
        """A SELECT of one column."""
        found = cls(workspace_id, kind, scope, query, tests)
        return select(found.table_valued(column("id", sqlalchemy.Text)).c.id)


@compiles(found_by_index, "sqlite")
def _found_sqlite(element: found_by_index, compiler: SQLCompiler, **options: Any) -> str:
    # Clauses that are not needed are not compiled, so that they do not become parameters.
    workspace_id, _scope, query = list(element.clauses)[:3]
    asked, workspace = _each_argument([query, workspace_id], compiler, options)
    # The + 0 keeps the planner from scanning all entries of the workspace instead of the matches.
    return (
        "(SELECT id FROM search_entry WHERE entry IN "  # noqa: S608
        f"(SELECT rowid FROM search_index WHERE search_index MATCH {asked}) "
        f"AND workspace_id + 0 = {workspace} AND kind = '{element.kind}')"
    )


@compiles(found_by_index, "postgresql")
def _found_postgresql(element: found_by_index, compiler: SQLCompiler, **options: Any) -> str:
    workspace_id, scope, _query, *texts = element.clauses
    once = {text.key: text for text in texts}
    needed = [workspace_id, scope, *once.values(), *texts]
    workspace, mine, *sought = _each_argument(needed, compiler, options)
    terms, compared = sought[: len(once)], sought[len(once) :]
    any_of = " OR ".join(
        f"strpos(one.{column}, {term}) > 0"
        for column, term in zip(element.compared, compared, strict=True)
    )
    # MATERIALIZED runs it once, whatever the planner assumes of a table it has not analyzed yet,
    # and each match is looked up by itself: it would scan all entries of the workspace instead.
    # The trigrams have a table of their own: see the migration 0008.
    return (
        "(WITH found AS MATERIALIZED (SELECT one.id "  # noqa: S608
        f"FROM casegraph_candidates({mine}, {', '.join(terms)}) AS given(entry), "
        "LATERAL (SELECT * FROM search_entry WHERE entry = given.entry OFFSET 0) AS one "
        f"WHERE one.workspace_id = {workspace} AND one.kind = '{element.kind}' AND ({any_of})) "
        "SELECT id FROM found)"
    )


class counted_by_index(FunctionElement[int]):
    """How many entries found_by_index() finds, up to *limit*, before they are compared."""

    name = "counted_by_index"
    inherit_cache = False
    type = Integer()

    @classmethod
    def of(cls, asked: Sequence[Any], limit: Any) -> "counted_by_index":
        """*asked* is what found_by_index.of() takes."""
        _workspace_id, _kind, scope, query, tests = asked
        texts = {parameter: bindparam(parameter, type_=Text) for _column, parameter in tests}
        return cls(limit, scope, query, *texts.values())


@compiles(counted_by_index, "sqlite")
def _counted_sqlite(element: counted_by_index, compiler: SQLCompiler, **options: Any) -> str:
    limit, _scope, query = list(element.clauses)[:3]
    asked, most = _each_argument([query, limit], compiler, options)
    return (
        "(SELECT count(*) FROM (SELECT 1 FROM search_index "  # noqa: S608
        f"WHERE search_index MATCH {asked} LIMIT {most}))"
    )


@compiles(counted_by_index, "postgresql")
def _counted_postgresql(element: counted_by_index, compiler: SQLCompiler, **options: Any) -> str:
    limit, scope, _query, *texts = element.clauses
    most, mine, *terms = _each_argument([limit, scope, *texts], compiler, options)
    return (
        "(SELECT count(*) FROM (SELECT 1 "  # noqa: S608
        f"FROM casegraph_candidates({mine}, {', '.join(terms)}) LIMIT {most}) AS counted)"
    )


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
