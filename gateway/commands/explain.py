"""casegraph explain: the plan of a GraphQL operation."""

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from domain.errors import invalid
from gateway.commands.terminal import out


def explain(
    query: Annotated[
        str, typer.Argument(help="The document; @FILE reads it from a file, - from standard input.")
    ],
    variables: Annotated[
        str, typer.Option(metavar="JSON", help="The variables, as a JSON object.")
    ] = "{}",
    operation: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The operation to explain, if there are several."),
    ] = None,
    source: Annotated[
        bool, typer.Option("--source", help="Also show the generated Python function.")
    ] = False,
) -> None:
    """Show the plan of a GraphQL operation, its SQL and the most rows it can read.

    It reads no database.

    Examples:

        casegraph explain '{ cases(first: 10) { nodes { name parties { nodes { name } } } } }'

        casegraph explain @query.graphql --variables '{"id": "..."}' --source
    """
    # Imported here so that other commands need not load GraphQL.
    from gateway.execution.explaining import explain as explained
    from gateway.schema.assembled import schema

    explanation = explained(schema, _text(query), _object(variables), operation)
    if explanation.not_covered:
        out.print(explanation.not_covered, markup=False)
        out.print(f"Cost: {explanation.cost:,}.", markup=False)
        return
    for step in explanation.steps:
        place = f"below {step.above}" if step.above else "at the root"
        when = f", if {step.when}" if step.when else ""
        out.print(
            f"{step.number}. {step.path}: {step.loads}, {place}, at most {step.rows:,} rows{when}",
            markup=False,
        )
        out.print(f"   columns: {', '.join(step.columns) or 'none'}", markup=False)
        for statement in step.statements:
            out.print("   " + statement.replace("\n", "\n   "), markup=False)
    statements = sum(len(step.statements) for step in explanation.steps)
    rows = sum(step.rows for step in explanation.steps)
    out.print(
        f"At most {rows:,} rows in {statements} statements. Cost: {explanation.cost:,}.",
        markup=False,
    )
    for text in explanation.sources if source else ():
        out.print("\n" + text, markup=False)


def _text(query: str) -> str:
    if query == "-":
        return sys.stdin.read()
    if not query.startswith("@"):
        return query
    try:
        return Path(query[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(f"{query[1:]} cannot be read: {error}.", "query") from None


def _object(text: str) -> dict[str, Any]:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        raise invalid("--variables must be a JSON object.", "variables")
    return content
