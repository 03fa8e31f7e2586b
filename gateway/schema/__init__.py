"""What can be asked for, in Strawberry's words; the domain decides, this describes.

types, queries, mutations, inputs  what is published
connections  Relay's pages; scalars, with the enums
refusals     how the domain's refusals look in GraphQL
assembled    the schema, and its text
"""
