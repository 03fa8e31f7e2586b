"""A database on a PostgreSQL server: *server*, and *standby* for another one that may be behind.

connecting  how connections are made, and transactions begin
sessions    a connection's life: taken, in a transaction, given back or cut off
listening   being told of commits; snapshots: what reads and writes run their statements in
grants      what the role that serves may do
damage      what only the server knows to be wrong
errors      translates the driver's errors into the domain's
"""
