"""The validation rules of the GraphQL specification (section 5), as graphql-core has them.

For each document, graphql-core asks every rule what it does with each kind of node in it, and most
do nothing with it. Here that is found out once, and validation takes half the time.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from graphql import (
    BREAK,
    ASTValidationRule,
    DocumentNode,
    FieldsOnCorrectTypeRule,
    GraphQLError,
    GraphQLSchema,
    Node,
    specified_rules,
    validate,
)
from graphql.language.visitor import EnterLeaveVisitor, VisitorActionEnum
from graphql.validation import ValidationContext
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.settings import Settings

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
_MOST_ERRORS = 8
"""Validation stops at this many errors, the last of which says so: nobody reads more."""

_Visit = Callable[..., VisitorActionEnum | bool | None]


class NotValid(Exception):
    """A document that breaks rules of the GraphQL specification."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(len(errors))
        self.errors = errors


def check_valid(schema: GraphQLSchema, document: DocumentNode, settings: Settings) -> None:
    """Raise NotValid with the errors of a document; only the first ones, if there are many.

    Unknown fields are checked first. Within the limits, only they can make a document wide. A few
    of them are enough to report, but the other rules would walk the whole document.
    """
    for rule in (FieldsOnCorrectTypeRule, AllRules):
        errors = validate(
            schema,
            document,
            (rule,),
            max_errors=_MOST_ERRORS - 1,
            hide_suggestions=not settings.suggestions,
        )
        if len(errors) >= _MOST_ERRORS:
            break
    if errors:
        raise NotValid(errors)


class AllRules(ASTValidationRule):
    """RULES as one rule, which finds the same errors in the same order."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._rules = [rule(context) for rule in RULES]
        self._skipping: list[Node | VisitorActionEnum | None] = [None] * len(RULES)
        """What each rule waits to leave until it goes on; BREAK if it has ended."""

    def get_enter_leave_for_kind(self, kind: str) -> EnterLeaveVisitor:
        if kind not in self.enter_leave_map:
            self.enter_leave_map[kind] = self._together(kind)
        return self.enter_leave_map[kind]

    def _together(self, kind: str) -> EnterLeaveVisitor:
        """What the rules do with a kind of node, like ParallelVisitor: but no rule edits one."""
        skipping = self._skipping
        entering: list[tuple[int, _Visit]] = []
        leaving: list[tuple[int, _Visit | None]] = []
        for number, enter_name, leave_name in _visiting(kind):
            rule = self._rules[number]
            if enter_name:
                entering.append((number, getattr(rule, enter_name)))
            leaving.append((number, getattr(rule, leave_name) if leave_name else None))

        def enter(node: Node, *where: Any) -> None:
            for number, visit in entering:
                if skipping[number] is None:
                    action = visit(node, *where)
                    if action is not None:
                        skipping[number] = BREAK if action in (BREAK, True) else node

        def leave(node: Node, *where: Any) -> None:
            for number, visit in leaving:
                if skipping[number] is node:
                    skipping[number] = None
                elif skipping[number] is None and visit and visit(node, *where) in (BREAK, True):
                    skipping[number] = BREAK

        return EnterLeaveVisitor(enter if entering else None, leave if leaving else None)


@cache
def _visiting(kind: str) -> tuple[tuple[int, str | None, str | None], ...]:
    """The rules that do anything with a kind of node: their numbers, and the names of what does."""
    found = []
    for number, rule in enumerate(RULES):
        enter, leave = (
            next((name for name in (f"{verb}_{kind}", verb) if hasattr(rule, name)), None)
            for verb in ("enter", "leave")
        )
        if enter or leave:
            found.append((number, enter, leave))
    return tuple(found)
