"""How an operation is executed: compiled once into a plan and run many times, or by graphql-core.

declarations  what a field shows, or loads (loads): said once, for both ways of executing
context       what one operation carries; requests, the arguments of what it loads
selections    a selection set, worked out; planning, from an operation to a Plan (plans)
source        from a Plan to the Python function that runs it
operations    a compiled operation at work; documents, those that came before
explaining    a Plan for people
"""
