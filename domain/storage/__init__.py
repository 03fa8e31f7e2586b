"""Where rows are kept. Knows no rule of the firm.

database     what everybody reads and writes through: Database, Snapshot, Transaction
statements   SQL that is written once and run often
tables       the tables; migrating and migrations/ bring a database up to them
sqlite/      a database in a file
postgresql/  a database on a server
"""
