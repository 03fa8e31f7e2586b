"""The complete schema, and its text in the schema definition language (SDL)."""

import strawberry
from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    build_schema,
    lexicographic_sort_schema,
    print_schema,
)

from gateway.schema.mutations import Mutation
from gateway.schema.queries import Query
from gateway.schema.scalars import CONFIG
from gateway.schema.subscriptions import Subscription
from gateway.schema.types import CaseLink, TimelineEvent

schema = strawberry.Schema(
    Query, Mutation, Subscription, types=[CaseLink, TimelineEvent], config=CONFIG
)


def _without_null_defaults(built: GraphQLSchema) -> None:
    """Publish optional inputs without Strawberry's "= null"; resolvers see None either way."""
    for kind in built.type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            places = list(kind.fields.values())
        elif isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            places = [place for field in kind.fields.values() for place in field.args.values()]
        else:
            continue
        for place in places:
            if place.default_value is None:
                place.default_value = Undefined


_without_null_defaults(schema._schema)
schema._schema.description = (
    "A law firm's cases, their parties, staff and links, and the timeline of all changes. Lists "
    "are Relay connections; mutations answer refusals as `userErrors`. Every request needs an API "
    "key, whose scopes decide what it may do."
)


def sdl() -> str:
    """The schema in SDL, sorted, exactly as in schema.graphql."""
    built = lexicographic_sort_schema(build_schema(schema.as_str()))
    built.description = schema._schema.description
    return print_schema(built) + "\n"
