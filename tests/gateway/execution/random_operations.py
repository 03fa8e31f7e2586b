"""Random valid operations over the schema: fragments, aliases, directives, variables, nulls."""

import random
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

PAGES = [
    "",
    "first: 2",
    "last: 2",
    "first: 100",
    "first: $n",
    "last: $n",
    "after: $after",
    "first: $n, after: $after",
    "last: 3, before: $before",
    "first: null, after: null",
    "first: $size",
    "last: $size, before: $before",
]
FILTERS = [
    "",
    "filter: $filter",
    "filter: {status: [ACTIVE, CLOSED]}",
    "filter: {or: [{search: $search}, {not: {status: $statuses}}]}",
    'filter: {party: {search: "m"}}, orderBy: {field: NAME}',
    'filter: {search: "muller"}',
    'filter: {search: "muller weiss", in: [NAME, STAFF]}, orderBy: {field: RELEVANCE}',
    'filter: {search: "muller"}, orderBy: {field: RELEVANCE, direction: $direction}',
    'filter: {party: {reference: "12 C 7/26"}}',
    "orderBy: $order",
    "orderBy: {field: UPDATED_AT, direction: $direction}",
    "orderBy: {field: NAME, direction: $perhapsDirection}",
    'filter: {status: ACTIVE, type: "litigation"}',
    "filter: {fileNumber: $number, party: {role: [$word]}, createdAt: {gte: $instant}}",
    "filter: {dezernat: [$word], updatedAt: {lt: $instant, gt: $instant}}",
]
EVENT_FILTERS = [
    "",
    "filter: $events",
    'filter: {type: ["case_created"]}',
    'filter: {type: "case_linked", actor: [$word]}',
    "filter: {at: {gte: $instant}}",
    "filter: {actor: []}",
]
ARGUMENTS = {
    ("CaseConnection", "facets"): [
        "by: [STATUS]",
        "by: [STAFF, YEAR], first: 2",
        "by: STATUS, first: 1",
        "by: []",
        "by: [TYPE, PARTY_ROLE, DEZERNAT], first: 101",
    ],
    ("Query", "case"): [
        "id: $id",
        "id: $someId",
        "fileNumber: $number",
        'fileNumber: "AZ-1"',
        "id: $someId, fileNumber: $number",
    ],
    ("Query", "node"): ["id: $id", "id: $someId", 'id: "nothing"'],
    ("Query", "nodes"): ["ids: $ids", "ids: [$id, $id]", "ids: []", "ids: $someIds"],
    ("Query", "party"): ["id: $id", "id: $someId"],
    ("Query", "search"): [
        'query: "az 2026/04", types: []',
        'query: "mu", first: $n, after: $after',
        'query: "muller", types: [PARTY, STAFF]',
        'query: "weiss", types: CASE, first: 2',
    ],
    ("Query", "staffMember"): ["id: $id", "id: $someId"],
    ("Query", "webhook"): ["id: $id", 'id: "whk_1"'],
}
CHANGE_FILTERS = [
    "",
    "filter: $changes",
    'filter: {type: ["case_created", "party_created"]}',
    "filter: {at: {gte: $instant}, source: [RECORDED]}",
    'filter: {at: {lt: "2027-01-01T00:00:00Z"}, actor: [$word, "test"]}',
    "filter: {party: $someIds}",
    "filter: {case: [$someId]}",
]
NARROWED = {
    "cases": "role: $role",
    "parties": "role: $role",
    "staff": "role: $role",
    "links": "type: $link",
}
TYPES = {
    "n": "Int",
    "after": "String",
    "before": "String",
    "events": "TimelineFilter",
    "changes": "ChangeFilter",
    "filter": "CaseFilter",
    "search": "String",
    "statuses": "[CaseStatus!]",
    "order": "CaseOrder",
    "direction": "OrderDirection! = ASC",
    "id": "ID!",
    "ids": "[ID!]!",
    "number": "String",
    "role": "String",
    "link": "CaseLinkType = RELATED",
    "yes": "Boolean!",
    "no": "Boolean! = false",
    # Nullable, with a default: where null is not allowed, null may still be given.
    "maybe": "Boolean = true",
    "perhaps": "Boolean = false",
    "someId": 'ID = "x"',
    "someIds": '[ID!] = ["x"]',
    "size": "Int = 2",
    "perhapsDirection": "OrderDirection = DESC",
    "word": 'String = "client"',
    "instant": "DateTime",
}


@dataclass
class Generator:
    """Makes one document; *used* are the variables it mentions."""

    schema: GraphQLSchema
    random: random.Random
    used: set[str] = field(default_factory=set)
    fragments: list[str] = field(default_factory=list)
    numbers: dict[tuple[str, str, str], int] = field(default_factory=dict)
    left: int = 60

    def document(self) -> str:
        query = self.schema.query_type
        assert query is not None
        selections = self.selections(query, 0)
        declared = ", ".join(f"${name}: {TYPES[name]}" for name in sorted(self.used))
        head = f"query Random({declared})" if declared else "query Random"
        return "\n".join([f"{head} {selections}", *self.fragments])

    def selections(self, type: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
        parts = [self.selection(type, depth) for _ in range(self.random.randint(1, 4))]
        return "{ " + " ".join(parts) + " }"

    def selection(self, type: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
        kind = self.random.random()
        if depth and kind < 0.12:
            return f"... {self.directive()} {self.selections(type, depth + 1)}"
        if depth and kind < 0.2:
            return f"... on {type.name} {self.directive()} {self.selections(type, depth + 1)}"
        if depth and kind < 0.3:
            name = f"F{len(self.fragments)}"
            self.fragments.append("")
            place = len(self.fragments) - 1
            body = self.selections(type, depth + 1)
            self.fragments[place] = f"fragment {name} on {type.name} {body}"
            twice = f" ...{name} {self.directive()}" if self.random.random() < 0.3 else ""
            return f"...{name} {self.directive()}{twice}"
        if isinstance(type, GraphQLUnionType) or (
            isinstance(type, GraphQLInterfaceType) and kind < 0.8
        ):
            some = self.random.choice(self.schema.get_possible_types(type))
            return f"... on {some.name} {self.directive()} {self.selections(some, depth + 1)}"
        return self.field(type, depth)

    def field(self, type: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
        self.left -= 1
        names = [
            name
            for name, one in type.fields.items()
            if is_leaf_type(get_named_type(one.type)) or (depth < 9 and self.left > 0)
        ]
        name = self.random.choice([*names, "__typename"])
        if name == "__typename":
            return f"__typename {self.directive()}"
        definition = type.fields[name]
        arguments = self.arguments(type.name, name, set(definition.args))
        # One alias always means one field with one choice of arguments, so that fields merge.
        number = self.numbers.setdefault((type.name, name, arguments), len(self.numbers))
        alias = f"{type.name}_{name}_{number}: "
        if not arguments and self.random.random() < 0.5 and type.name in ("Query", "Case"):
            alias = ""
        if alias == "" and isinstance(type, GraphQLInterfaceType):
            alias = "any_id: "
        given = f"({arguments})" if arguments else ""
        text = f"{alias}{name}{given} {self.directive()}"
        named = get_named_type(definition.type)
        if not is_leaf_type(named):
            text += " " + self.selections(named, depth + 1)
        return text

    def arguments(self, type_name: str, name: str, known: set[str]) -> str:
        if not known:
            return ""
        text = self.random.choice(ARGUMENTS.get((type_name, name), PAGES))
        if "filter" in known:
            of_events = {"timeline": EVENT_FILTERS, "changes": CHANGE_FILTERS}
            choices = of_events.get(name, FILTERS)
            if "orderBy" not in known:
                choices = [one for one in choices if "orderBy" not in one]
            text = ", ".join(filter(None, (text, self.random.choice(choices))))
        if "search" in known and self.random.random() < 0.3:
            text = ", ".join(filter(None, (text, "search: $search")))
        if known & {"role", "type"} and name in NARROWED and self.random.random() < 0.3:
            text = ", ".join(filter(None, (text, NARROWED[name])))
        self.mention(text)
        return text

    def directive(self) -> str:
        text = self.random.choice(
            [""] * 12
            + [
                "@include(if: $yes)",
                "@skip(if: $yes)",
                "@include(if: $no)",
                "@skip(if: $no)",
                "@skip(if: true)",
                "@include(if: true)",
                "@include(if: $yes) @skip(if: $no)",
                "@include(if: $maybe)",
                "@skip(if: $perhaps)",
                "@skip(if: $perhaps) @include(if: $yes)",
            ]
        )
        self.mention(text)
        return text

    def mention(self, text: str) -> None:
        self.used |= {name for name in TYPES if f"${name}" in _words(text)}


def variables(rnd: random.Random, used: set[str], known: dict[str, list[Any]]) -> dict[str, Any]:
    """Values for variables, now and then none, null, or one that is refused."""
    choices: dict[str, list[Any]] = {
        "n": [1, 2, 3, 50, 100, 2, 3, None, 0, 101],
        "after": [*known["cursors"], None, None, "forged"],
        "before": [*known["cursors"], None, None],
        "filter": [None, {"status": ["ACTIVE"]}, {"search": "müller"}, {"not": {"type": []}}],
        "events": [None, {}, {"type": ["case_created", "x"]}, {"actor": ["all"]}],
        "changes": [None, {}, {"type": ["case_updated"]}, {"case": known["ids"], "party": []}],
        "search": ["muller", "mu\u0308ller", "az 1", "a\0b", "", None, "%"],
        "statuses": [["CLOSED"], [], None],
        "order": [None, {"field": "NAME", "direction": "DESC"}, {"field": "FILE_NUMBER"}],
        "direction": ["ASC", "DESC"],
        "id": known["ids"],
        "ids": [known["ids"], known["ids"][:3], []],
        "number": ["AZ-1", "nothing", "A\0Z", None],
        "role": ["client", "lead_attorney", "kla\u0308ger", "a\0b", "", None],
        "link": ["RELATED", "CHILD", None],
        "yes": [True, False],
        "no": [True, False],
        "maybe": [True, False, True, False, None],
        "perhaps": [True, False, True, False, None],
        "someId": [*known["ids"], None],
        "someIds": [known["ids"][:3], known["ids"][0], None],
        "size": [1, 2, 100, None],
        "perhapsDirection": ["ASC", None],
        "word": ["client", "kla\u0308ger", "a\0b", "", None],
        "instant": ["2026-01-15T09:00:00.5Z", "2020-01-01", "9999-12-31T23:59:59Z", "x", None],
    }
    values = {name: rnd.choice(choices[name]) for name in sorted(used)}
    for name in list(values):
        optional = not TYPES[name].endswith("!")
        if optional and rnd.random() < 0.15:
            del values[name]
    return values


def _words(text: str) -> set[str]:
    for sign in "(){}[]:,":
        text = text.replace(sign, " ")
    return set(text.split())
