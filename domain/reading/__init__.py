"""What can be asked, its SQL and its values; who asks is checked inside.

lists      the lists at the root: cases, parties, staff
lookups    single objects by id or file number; the one table of their kinds
relations  what hangs on objects, as data; related loads it for many parents at once
objects    all of that as domain objects
filters    CaseFilter to SQL; search and folding, how texts are found
paging     pages by keyset; cursors, a position in one list
"""
