"""The rules together find what graphql-core finds with them, in documents of every kind of fault.

CASEGRAPH_DIFFERENTIAL=10000 tries that many documents.
"""

import os
import random
import re
from collections.abc import Mapping

import pytest
from graphql import BREAK, SKIP, ASTValidationRule, GraphQLError, parse, validate
from graphql.language.visitor import VisitorActionEnum

from gateway.http import validating
from gateway.http.validating import RULES, AllRules, NotValid, check_valid
from gateway.schema.assembled import schema
from gateway.settings import Settings
from tests.gateway.execution.random_operations import Generator

SCHEMA = schema._schema
COUNT = int(os.environ.get("CASEGRAPH_DIFFERENTIAL", "100"))
SEED = int(os.environ.get("CASEGRAPH_SEED", "1"))
EXAMPLE = """query One($id: ID!, $n: Int = 2, $unused: String, $input: CreateCaseInput!) {
  case(id: $id) { ...Named parties(first: $n) @include(if: true) { nodes { role } } }
  node(id: "x") { id ... on Party { name kind } __typename }
}
query Two { viewer { permissions } other: cases(first: 1, filter: {status: [OPEN]}) { totalCount } }
mutation Three($input: UpdateCaseInput!) { updateCase(input: $input) { case { name } } }
mutation Four { createCase(input: {name: "x", name: "y", nothing: 1}) { case { id } } }
subscription Five { caseChanges { cursor } }
fragment Named on Case { name fileNumber ...Deeper }
fragment Deeper on Case { links { nodes { id } } }
fragment Lost on Nothing { id }
type Unexpected { id: ID }"""
WORD = re.compile(r"[$@]?(?!(query|mutation|subscription|fragment|on|type)$)\w")
TOKEN = re.compile(r'\.\.\.|"[^"\n]*"|[$@]?\w+|\S')


def kind(word):
    """Variables, directives, numbers and names stand in different places."""
    return word[0] if word[0] in "$@" else word[0].isdigit()


def documents():
    """Valid ones, and some in which words were left out, doubled, or exchanged for others."""
    for seed in range(SEED * 1_000_000, SEED * 1_000_000 + COUNT):
        chance = random.Random(seed)
        text = chance.choice([EXAMPLE, Generator(SCHEMA, chance).document()])
        tokens = TOKEN.findall(text)
        for _ in range(chance.choice([0, 1, 3, 10])):
            words = [number for number, token in enumerate(tokens) if WORD.match(token)]
            if not words:
                break
            place = chance.choice(words)
            word = tokens[place]
            others = [tokens[number] for number in words if kind(tokens[number]) == kind(word)]
            other = [chance.choice(others)]
            tokens[place : place + 1] = chance.choice([[], [word, word], other, other, other])
        try:
            yield chance, parse(" ".join(tokens))
        except GraphQLError:
            continue


def told(errors):
    return [(error.message, error.locations) for error in errors]


def test_they_find_what_graphql_core_finds():
    different = set()
    for chance, document in documents():
        how = {"max_errors": chance.choice([3, 1_000]), "hide_suggestions": chance.random() < 0.5}
        mine, reference = (
            validate(SCHEMA, document, rules, **how) for rules in ((AllRules,), RULES)
        )
        assert told(mine) == told(reference)
        different |= {re.sub(r"'[^']*'|\d+", "_", error.message) for error in reference}

    assert len(different) > 12, different


class Restless(ASTValidationRule):
    """Tells of all that it enters and leaves; *actions* say what comes of it."""

    actions: Mapping[str, VisitorActionEnum | bool]

    def told(self, verb, node):
        text = f"{verb} {node.kind} {node.loc.start}"
        self.report_error(GraphQLError(text, node))
        return self.actions.get(f"{verb} {node.kind}")

    def enter(self, node, *_where):
        return self.told("enter", node)

    def leave(self, node, *_where):
        return self.told("leave", node)

    def leave_variable(self, node, *_where):
        return self.told("have done with", node)


@pytest.mark.parametrize(
    "actions",
    [
        {},
        {"enter fragment_spread": SKIP, "enter field": False},
        {"enter field": BREAK},
        {"enter inline_fragment": True},
        {"leave operation_definition": BREAK},
        {"leave field": True, "leave argument": SKIP},
    ],
    ids=str,
)
def test_rules_skip_and_end_as_they_like(actions, monkeypatch):
    other = type("Other", (Restless,), {"actions": actions})
    rules = (other, *RULES, other)
    monkeypatch.setattr(validating, "RULES", rules)
    monkeypatch.setattr(validating, "_visiting", validating._visiting.__wrapped__)
    document = parse(EXAMPLE)

    mine, reference = (
        validate(SCHEMA, document, chosen, max_errors=1_000) for chosen in ((AllRules,), rules)
    )

    assert told(mine) == told(reference)


def test_a_document_within_the_rules_is_let_through():
    check_valid(SCHEMA, parse("{ cases { nodes { id } } }"), Settings())


def test_of_many_unknown_fields_nothing_else_is_looked_at():
    twice = "query Q { __typename } " * 2
    wide = twice + "query R {" + "".join(f" nothing{number}" for number in range(50)) + "}"

    with pytest.raises(NotValid) as refused:
        check_valid(SCHEMA, parse(wide), Settings())

    *unknown, last = [error.message for error in refused.value.errors]
    assert unknown == [f"Cannot query field 'nothing{n}' on type 'Query'." for n in range(7)]
    assert "Too many validation errors" in last
