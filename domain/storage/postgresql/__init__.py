"""A database on a PostgreSQL server.

server   the database itself: pools, snapshots, transactions
errors   what the driver raises, in the domain's words
"""
