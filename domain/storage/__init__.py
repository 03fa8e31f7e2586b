"""Where rows are kept. Knows no rule of the firm.

database    what everybody reads and writes through; opening makes one of a URL
statements  SQL that is written once; spellings, what the two databases spell differently
tables      the tables; migrating and migrations/ bring a database up to them
sqlite/     a database in a file; postgresql/, one on a server
"""
