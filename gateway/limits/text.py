"""The limits on a document's text, checked before parsing, which takes ten times as long."""

import re

from graphql import GraphQLError

from gateway.settings import Settings

MOST_CHARACTERS = 1 << 16
"""The most characters in a document: a string or comment is one token, however long it is."""

NESTED = 100
"""How deep brackets may nest: the parser is recursive."""

TOO_LARGE = "QUERY_TOO_LARGE"
TOO_DEEP = "QUERY_TOO_DEEP"

# GraphQL specification, 2.1. Possessive, so that no text makes it backtrack. Comments count as
# tokens here, since they take the parser as long.
_TOKEN = re.compile(
    r"""[\s,\ufeff]*+(?:\#[^\n\r]*+
    | \"{3}(?:\\\"{3}|(?!\"{3})[\s\S])*+\"{3}
    | \"(?:[^\"\\\n\r]|\\.)*+\"
    | [_A-Za-z][_0-9A-Za-z]*+
    | -?[0-9][0-9.eE+\-]*+
    | \.\.\.
    | (\S))""",
    re.VERBOSE,
)


def check_text(text: str, settings: Settings) -> None:
    """Raise GraphQLError for a document whose text exceeds a limit."""
    most_tokens, most_objects = settings.query_tokens, settings.query_objects
    if len(text) > MOST_CHARACTERS:
        raise too(TOO_LARGE, "The document has {} characters", len(text), MOST_CHARACTERS)
    open_ = arguments = objects = tokens = 0
    for tokens, match in enumerate(_TOKEN.finditer(text), 1):
        sign = match[1]
        if sign is None:
            continue
        if sign in "{[(":
            open_ += 1
            if open_ > NESTED:
                raise too(
                    TOO_DEEP, "The document nests brackets {} or more levels deep", open_, NESTED
                )
            arguments += sign == "("
            objects += sign == "{" and arguments > 0
        elif sign in "}])":
            open_ -= 1
            arguments -= sign == ")"
        if tokens > most_tokens:
            break
    if tokens > most_tokens:
        raise too(TOO_LARGE, "The document has {} or more tokens", tokens, most_tokens)
    if objects > most_objects:
        raise too(TOO_LARGE, "The document has {} input objects", objects, most_objects)


def too(code: str, told: str, figure: int, most: int) -> GraphQLError:
    """The refusal for an exceeded limit, with the figure and the limit."""
    sentence = told.format(f"{figure:,}")
    return GraphQLError(
        f"{sentence}, and the limit is {most:,}.",
        extensions={"code": code, "figure": figure, "limit": most},
    )
