"""Keeps the rows. Knows no rule of the firm.

database    the interface for all reads and writes; opening opens one by its URL
statements  SQL that is compiled once; spellings, the SQL that the two databases spell differently
tables      the tables; seals, of rows that no event tells of
turns       at the connections; cancellation, and what goes on in spite of it; watch, who is told
migrating   and migrations/ bring a database's schema up to date; revisions, which one that is
sqlite/     a database in a file; postgresql/, one on a server
"""
