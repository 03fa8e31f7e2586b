"""A database on a PostgreSQL server.

server   the database itself: pools, snapshots, transactions
errors   translates the driver's errors into the domain's
"""
