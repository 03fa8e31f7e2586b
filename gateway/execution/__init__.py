"""How an operation is executed: compiled once into a plan and run many times, or by graphql-core.

declarations  what a field shows, or loads: said once, for both ways of executing
loads         what a field loads: what graphql-core does with it, and what a plan asks for
selections    a selection set, with fragments and directives worked out
planning      from an operation to a Plan: what to load, layer by layer
source        from a Plan to the Python function that runs it
operations    a compiled operation at work, and when graphql-core takes over
documents     the operations that were compiled before
explaining    a Plan for people
"""
