"""A database in a SQLite file, in WAL mode.

file     the database itself
readers  snapshots: short reads on the event loop, the rest in threads
writer   one transaction at a time, with a lock between processes (lock), committed in groups
errors   translates the driver's errors into the domain's
backup   copies the database while it is in use; swap puts another file in its place
"""
