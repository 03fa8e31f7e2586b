"""Documents and requests that are meant to hurt: each kind of abuse, and how it is refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.settings import Settings

LONG = Settings().query_tokens * 11 // 12
"""Tokens of a document that is long, but not so long that it is refused for that."""
MANY = Settings().variable_objects - 10
"""The same of the objects of variables."""
MUTATION = """mutation($i: CreateCaseInput!) { createCase(input: $i) { userErrors { code } } }"""
SEARCH = "query($f: CaseFilter) { cases(filter: $f) { totalCount } }"


@dataclass(frozen=True, slots=True)
class Abuse:
    """A body to be sent, and the code of the refusal."""

    name: str
    code: str
    body: Any = field(repr=False)


def abuses() -> Iterator[Abuse]:
    """The corpus."""
    for name, code, query in _documents():
        yield Abuse(name, code, {"query": query})
    yield from _requests()


def _documents() -> Iterator[tuple[str, str, str]]:
    large, deep, cost = "QUERY_TOO_LARGE", "QUERY_TOO_DEEP", "QUERY_TOO_COSTLY"
    aliases, duplicates = "QUERY_TOO_MANY_ALIASES", "QUERY_TOO_MANY_DUPLICATES"
    directives, invalid = "QUERY_TOO_MANY_DIRECTIVES", "GRAPHQL_VALIDATION_FAILED"

    yield "deep braces", deep, "{ cases { nodes " * 2_000 + "}" * 4_000
    yield "deep brackets", deep, "{ nodes(ids: " + "[" * 30_000 + "]" * 30_000 + ") { id } }"
    yield "deep", deep, _nested("links { nodes { linkedCase", 15)
    yield "deep through fragments", deep, _chain(50, "links {{ nodes {{ linkedCase {{ {} }} }} }}")
    there_and_back = "parties(first: 100) { nodes { party { cases(first: 100) { nodes { case"
    yield "costly", cost, _nested(there_and_back, 4)
    yield (
        "costly through fragments",
        cost,
        _chain(3, "parties {{ nodes {{ party {{ cases {{ nodes {{ case {{ {} }} }} }} }} }} }}"),
    )
    yield "wide", large, _each(20_000, "a{0}: viewer {{ mode }}")
    yield "wide, short of the limit", invalid, _each(LONG, "wrong{0}")
    yield "alias flood", aliases, _each(150, "a{0}: viewer {{ mode }}")
    yield "aliases multiplied", aliases, _chain(30, "a: name {} {}", "...{}")
    yield "fragment chain", deep, _chain(105, "{}")
    yield "fragment chain, doubled", duplicates, _chain(85, "{} {}")
    yield "fragment cycle", invalid, _cycle(60)
    yield "fragment cycles", invalid, _cycle(30, spread=4)
    yield "fragments side by side", duplicates, _side_by_side(80)
    yield "fragments, each in each", duplicates, _each_in_each(27)
    yield "unused fragments", large, "{ viewer { mode } } " + "fragment F on Query { a } " * 600
    yield "directive flood", directives, "{ viewer " + "@include(if: true) " * 125 + "{ mode } }"
    yield "unknown directive flood", directives, "{ viewer " + "@no " * (LONG // 2) + "{ mode } }"
    yield "duplicate fields", duplicates, "{ " + "viewer { mode } " * (LONG // 4) + "}"
    yield "duplicate leaves", duplicates, "{ viewer { " + "mode " * LONG + "} }"
    yield "duplicate fields, nested", duplicates, "{ case(id: 1) { " + _doubled(5) + " } }"
    yield (
        "duplicates through fragments",
        duplicates,
        _chain(5, "links {{ nodes {{ linkedCase {{ {} }} }} }} " * 17),
    )
    objects = Settings().query_objects - 1  # beside the filter itself
    yield "wide literal", "VALIDATION_ERROR", _wide(objects, '{search: "xyz"}')
    yield "wider literal", large, _wide(900, "{}")
    yield "huge list", large, "{ nodes(ids: [" + '"x" ' * 20_000 + "]) { id } }"
    yield "huge string", large, '{ node(id: "' + "x" * 1_000_000 + '") { id } }'
    yield "huge block string", large, '{ node(id: """' + "x\n" * 300_000 + '""") { id } }'
    yield "huge comment", large, "#" + "x" * 1_000_000 + "\n{ viewer { mode } }"
    yield "many comments", large, "#\n" * 30_000 + "{ viewer { mode } }"
    yield "huge number", large, "{ cases(first: " + "9" * 1_000_000 + ") { totalCount } }"
    yield "long number", invalid, "{ cases(first: " + "9" * 60_000 + ") { totalCount } }"
    yield "huge name", large, "{ " + "a" * 1_000_000 + " }"
    yield "long name", invalid, "{ " + "a" * 60_000 + " }"
    yield "commas", large, "{ viewer { mode } }" + "," * 1_000_000
    yield "open string", invalid, '{ node(id: "' + "x" * 60_000
    yield "open block string", large, '{ node(id: """' + '\\"""' * 15_000
    yield "operations", large, _each(600, "query Q{0} {{ viewer {{ mode }} }}")[1:-1]
    yield "variables", invalid, f"query({_each(225, '$v{0}: Int')[1:-1]}) {{ viewer {{ mode }} }}"
    yield "misspelt", invalid, _each(590, "cases{0}")
    yield "misspelt types", invalid, _each(60, "... on Case{0} {{ id }}")


def _requests() -> Iterator[Abuse]:
    operation = {"query": "{ viewer { mode } }"}
    yield Abuse("batch", "BATCH_NOT_SUPPORTED", [operation] * 1_000)
    yield Abuse(
        "huge variables", "VARIABLES_TOO_LARGE", operation | {"variables": {"v": [0] * 50_000}}
    )
    yield Abuse(
        "huge input",
        "GRAPHQL_VALIDATION_FAILED",
        {"query": MUTATION, "variables": {"i": {"name": "x", "parties": [{}] * MANY}}},
    )
    nested: dict[str, Any] = {"search": "x"}
    for _ in range(MANY):
        nested = {"and": [nested]}
    yield Abuse(
        "deep input", "GRAPHQL_VALIDATION_FAILED", {"query": SEARCH, "variables": {"f": nested}}
    )
    yield Abuse(
        "wide input",
        "VALIDATION_ERROR",
        {"query": SEARCH, "variables": {"f": {"or": [{"status": "CLOSED"}] * MANY}}},
    )
    yield Abuse(
        "wide input of nothing",
        "VALIDATION_ERROR",
        {"query": SEARCH, "variables": {"f": {"or": [{}] * MANY}}},
    )
    yield Abuse(
        "many objects",
        "VARIABLES_TOO_LARGE",
        {"query": SEARCH, "variables": {"f": {"or": [{}] * 1_900}}},
    )
    yield Abuse("huge body", "PAYLOAD_TOO_LARGE", operation | {"x": "x" * (1 << 20)})


def _wide(count: int, part: str) -> str:
    return "{ cases(filter: {or: [" + part * count + "]}) { totalCount } }"


def _each(count: int, text: str) -> str:
    return "{" + " ".join(text.format(index) for index in range(count)) + "}"


def _nested(text: str, times: int) -> str:
    opened = text.count("{") + 1
    return "{ case(id: 1) { " + f"{text} {{ " * times + "id " + "} " * (opened * times) + "} }"


def _chain(length: int, text: str, spread: str = "...{}") -> str:
    """Fragments of Case, each of which spreads the next."""
    places = text.count("{}")
    found = ["{ case(id: 1) { ...F0 } }"]
    for index in range(length):
        inner = text.format(*[spread.format(f"F{index + 1}")] * places)
        found.append(f"fragment F{index} on Case {{ {inner} }}")
    return " ".join([*found, f"fragment F{length} on Case {{ id }}"])


def _cycle(length: int, spread: int = 1) -> str:
    found = ["{ case(id: 1) { ...F0 } }"]
    for index in range(length):
        inner = " ".join(f"...F{(index + step) % length}" for step in range(1, spread + 1))
        found.append(f"fragment F{index} on Case {{ {inner} }}")
    return " ".join(found)


def _side_by_side(count: int) -> str:
    spreads = " ".join(f"...F{index}" for index in range(count))
    fragments = " ".join(f"fragment F{index} on Case {{ a{index}: id }}" for index in range(count))
    return f"{{ case(id: 1) {{ {spreads} }} }} {fragments}"


def _each_in_each(count: int) -> str:
    found = ["{ case(id: 1) { ...F0 } }"]
    for index in range(count):
        inner = " ".join(f"...F{other}" for other in range(index + 1, count))
        found.append(f"fragment F{index} on Case {{ id {inner} }}")
    return " ".join(found)


def _doubled(depth: int) -> str:
    if depth == 0:
        return "id"
    return f"links {{ nodes {{ case {{ {_doubled(depth - 1)} }} }} }} " * 2
