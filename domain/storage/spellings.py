"""The SQL that the two databases spell differently: each construct has one name here.

Both compare and sort text by code point. SQLite does so by default (BINARY); PostgreSQL needs
COLLATE "C", because the order of its other collations depends on the machine's libraries. The
order that people see comes from the folded columns, which sort correctly by code point.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy
from sqlalchemy import Boolean, Integer, column, select
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
    """The ids that the trigram index finds; search.terms() explains the parameters."""

    name = "found_by_index"
    inherit_cache = True

    @classmethod
    def of(cls, workspace_id: Any, kind: Any, *terms: Any) -> Any:
        """A subquery with one column, for use after IN."""
        return select(
            cls(workspace_id, kind, *terms).table_valued(column("id", sqlalchemy.Text)).c.id
        )


@compiles(found_by_index, "sqlite")
def _found_sqlite(element: found_by_index, compiler: SQLCompiler, **options: Any) -> str:
    # Clauses that are not needed are not compiled, so that they do not become parameters.
    workspace, kind, query = _each_argument(list(element.clauses)[:3], compiler, options)
    # The + 0 keeps the planner from scanning all entries of the workspace instead of the matches.
    return (
        "(SELECT id FROM search_entry WHERE entry IN "  # noqa: S608
        f"(SELECT rowid FROM search_index WHERE search_index MATCH {query}) "
        f"AND workspace_id + 0 = {workspace} AND kind = {kind})"
    )


@compiles(found_by_index, "postgresql")
def _found_postgresql(element: found_by_index, compiler: SQLCompiler, **options: Any) -> str:
    workspace_id, of_kind, _query, *rest = element.clauses
    needed = [workspace_id, of_kind, *rest]
    workspace, kind, scope, *terms = _each_argument(needed, compiler, options)
    any_of = " OR ".join(
        f"strpos(one.{column}, {term}) > 0"
        for column, term in zip(("plain", "loose", "number"), terms, strict=True)
    )
    # MATERIALIZED runs it once, whatever the planner assumes of a table it has not analyzed yet,
    # and each match is looked up by itself: it would scan all entries of the workspace instead.
    # The trigrams have a table of their own: see the migration 0008.
    return (
        "(WITH found AS MATERIALIZED (SELECT one.id "  # noqa: S608
        f"FROM casegraph_candidates({scope}, {', '.join(terms)}) AS given(entry), "
        "LATERAL (SELECT * FROM search_entry WHERE entry = given.entry OFFSET 0) AS one "
        f"WHERE one.workspace_id = {workspace} AND one.kind = {kind} AND ({any_of})) "
        "SELECT id FROM found)"
    )


class first_found(found_by_index):
    """The same, as a table: the first *limit* ids in the index's order, and no more is looked up.

    The terms are followed by the limit.
    """

    name = "first_found"
    inherit_cache = True

    @classmethod
    def of(cls, workspace_id: Any, kind: Any, *terms: Any) -> Any:
        """A SELECT of one column."""
        found = cls(workspace_id, kind, *terms).table_valued(column("id", sqlalchemy.Text))
        return select(found.c.id)


@compiles(first_found, "sqlite")
def _first_sqlite(element: first_found, compiler: SQLCompiler, **options: Any) -> str:
    workspace_id, of_kind, query, *_rest, limit = element.clauses
    needed = [query, workspace_id, of_kind, limit]
    found, workspace, kind, most = _each_argument(needed, compiler, options)
    # CROSS JOIN keeps the order: the index's rows one after another, as far as they are needed.
    return (
        "(SELECT e.id FROM search_index CROSS JOIN search_entry AS e "  # noqa: S608
        f"WHERE e.entry = search_index.rowid AND search_index MATCH {found} "
        f"AND e.workspace_id + 0 = {workspace} AND e.kind = {kind} LIMIT {most})"
    )


@compiles(first_found, "postgresql")
def _first_postgresql(element: first_found, compiler: SQLCompiler, **options: Any) -> str:
    *terms, limit = element.clauses
    found = _found_postgresql(found_by_index(*terms), compiler, **options)
    return f"{found[:-1]} LIMIT {compiler.process(limit, **options)})"


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
