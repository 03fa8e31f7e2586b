"""What a document may be, and what it costs, before it is validated.

text       what can be told without parsing: characters, tokens, nesting
fragments  the fragments that an operation spreads, each looked at once
shapes     depth, aliases, directives, repeated fields
costs      at most how many rows it reads, by what its fields declare
measured   shape and cost against the settings; points, what that is of a key's rate
"""
