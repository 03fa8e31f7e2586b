"""A database in a SQLite file, in WAL.

file     the database itself
readers  snapshots: on the event loop what is brief, the rest in threads
writer   one transaction at a time, with a lock between processes (lock)
errors   what the driver raises, in the domain's words
backup   a copy while it is in use
"""
