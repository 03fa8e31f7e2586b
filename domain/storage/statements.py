"""Statements that SQLAlchemy Core compiles once and the driver runs many times."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ClauseElement, Dialect
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.sql.compiler import SQLCompiler

SQLITE: Dialect = sqlite_dialect(paramstyle="qmark")
POSTGRESQL: Dialect = asyncpg_dialect()  # type: ignore[no-untyped-call]


class Prepared:
    """A statement with named parameters; its SQL is compiled once per dialect.

    In an INSERT, all columns are parameters; those without a value are null. *postgresql* replaces
    the statement on PostgreSQL, where a different one works better.
    """

    __slots__ = ("_compiled", "_postgresql", "statement")

    def __init__(self, statement: ClauseElement, postgresql: ClauseElement | None = None) -> None:
        self.statement = statement
        self._postgresql = postgresql
        self._compiled: dict[str, _Compiled] = {}

    def bound(self, dialect: Dialect, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        """The SQL text and its positional parameters."""
        sql, parameters, defaults = self._compiled.get(dialect.name) or self._compile(dialect)
        try:
            return sql, parameters(values)
        except KeyError:
            return sql, parameters({**defaults, **values})

    def sql(self, dialect: Dialect = SQLITE) -> str:
        """The SQL text alone."""
        return (self._compiled.get(dialect.name) or self._compile(dialect))[0]

    def _compile(self, dialect: Dialect) -> "_Compiled":
        statement = self.statement
        if self._postgresql is not None and dialect.name == "postgresql":
            statement = self._postgresql
        compiler = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        assert isinstance(compiler, SQLCompiler)
        names = compiler.positiontup or ()
        known = compiler.construct_params(_check=False)
        defaults = {name: known.get(name) for name in names}
        entry = self._compiled[dialect.name] = str(compiler), _in_order(names), defaults
        return entry


def _in_order(names: Sequence[str]) -> "_Parameters":
    """A function that takes the values of *names* out of a mapping; raises KeyError."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple([values[name] for name in names])


_Parameters = Callable[[Mapping[str, Any]], tuple[Any, ...]]
_Compiled = tuple[str, _Parameters, Mapping[str, Any]]
"""The text, what orders its parameters, and the defaults of those that are not given."""


class Fetch(NamedTuple):
    """A query: a statement and the values of its parameters."""

    statement: Prepared
    values: Mapping[str, Any]


class Known(NamedTuple):
    """Rows that need not be fetched, in place of a Fetch among others."""

    rows: list[tuple[Any, ...]]


Fetchable = Fetch | Known | None
"""What is fetched together with others; None has no rows."""
