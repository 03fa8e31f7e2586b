"""The GraphQL schema, in Strawberry. The domain decides; these modules describe.

types, queries, mutations, subscriptions, inputs  the published types and fields
connections  Relay's pages, facets their counts; searching: of several types; scalars, and enums
webhooks     their types, fields and mutations
refusals     how the domain's refusals look in GraphQL
assembled    the complete schema, and its SDL
"""
