"""A database on a PostgreSQL server.

server     the database itself: its pools, checks and migrations
snapshots  what reads and writes run their statements in
errors     translates the driver's errors into the domain's
"""
