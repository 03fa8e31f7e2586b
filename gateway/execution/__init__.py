"""How an operation is executed: compiled once into a plan and run many times, or by graphql-core.

declarations  what a field shows, or loads (loads): declared once, for both ways of execution
context       the state of one operation; requests, what a field loads with its arguments
selections    collects a selection set's fields; planning, from an operation to a Plan (plans)
source        from a Plan to the Python function that runs it
operations    runs a compiled operation; documents, the cache of compiled operations
explaining    shows a Plan to people; feeds, a subscription as a query
"""
