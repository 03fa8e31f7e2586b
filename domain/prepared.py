"""Statements that SQLAlchemy Core writes once and the driver runs many times.

Also the few constructs that databases spell differently: each has one name here.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Boolean, ClauseElement, Dialect, Integer, column, select
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

SQLITE: Dialect = sqlite_dialect(paramstyle="qmark")


class Prepared:
    """A statement with named parameters; its SQL is compiled once for a dialect.

    Of an INSERT, all columns are parameters; those without a value are null.
    """

    __slots__ = ("_compiled", "statement")

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement
        self._compiled: dict[str, tuple[str, tuple[tuple[str, Any], ...]]] = {}

    def bound(self, dialect: Dialect, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        """The SQL text and its positional parameters."""
        sql, names = self._compiled.get(dialect.name) or self._compile(dialect)
        return sql, tuple([values.get(name, default) for name, default in names])

    def sql(self, dialect: Dialect = SQLITE) -> str:
        """The SQL text alone."""
        return (self._compiled.get(dialect.name) or self._compile(dialect))[0]

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[tuple[str, Any], ...]]:
        made = self.statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        assert isinstance(made, SQLCompiler)
        defaults = made.construct_params(_check=False)
        names = tuple((name, defaults.get(name)) for name in made.positiontup or ())
        found = self._compiled[dialect.name] = str(made), names
        return found


class Fetch(NamedTuple):
    """Something to be read: a statement and the values of its parameters."""

    statement: Prepared
    values: Mapping[str, Any]


class each(FunctionElement[Any]):
    """The texts of a JSON array, as rows with a column *value*."""

    name = "each"
    inherit_cache = True

    @classmethod
    def value(cls, parameter: Any, alias: str = "each") -> Any:
        return cls(parameter).table_valued("value", name=alias)

    @classmethod
    def numbered(cls, parameter: Any, alias: str = "each") -> Any:
        """With the place of each text in the array, from 0 on, as the column *key*."""
        return cls(parameter).table_valued(column("key", Integer), "value", name=alias)


@compiles(each, "sqlite")
def _each_sqlite(element: each, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({_arguments(element, compiler, options)})"


class search_index_entries(FunctionElement[Any]):
    """The entries that the trigram index finds for a full-text query."""

    name = "search_index_entries"
    inherit_cache = True

    @classmethod
    def of(cls, parameter: Any) -> Any:
        """A subquery with one column, to stand behind IN."""
        return select(cls(parameter).table_valued(column("rowid", Integer)).c.rowid)


@compiles(search_index_entries, "sqlite")
def _search_sqlite(element: search_index_entries, compiler: SQLCompiler, **options: Any) -> str:
    query = _arguments(element, compiler, options)
    return f"(SELECT rowid FROM search_index WHERE search_index MATCH {query})"  # noqa: S608


class holds(FunctionElement[bool]):
    """Whether the first text contains the second, character for character."""

    type = Boolean()
    name = "holds"
    inherit_cache = True


@compiles(holds, "sqlite")
def _holds_sqlite(element: holds, compiler: SQLCompiler, **options: Any) -> str:
    return f"(instr({_arguments(element, compiler, options)}) > 0)"


def _arguments(
    element: FunctionElement[Any], compiler: SQLCompiler, options: Mapping[str, Any]
) -> str:
    return ", ".join(compiler.process(clause, **options) for clause in element.clauses)
