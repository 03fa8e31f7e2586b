"""The limits on a document and its cost, checked before validation.

text       limits that need no parsing: characters, tokens, nesting
fragments  the fragments that an operation spreads, in an order that visits each once
shapes     depth, aliases, directives, repeated fields
costs      the most rows it may read, by what its fields declare
measured   shape and cost against the settings; points, their share of a key's rate limit
"""
