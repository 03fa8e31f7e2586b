"""What can be asked, its SQL and its values; who asks is checked inside.

asking     questions, as statements ready to be fetched
lists      the lists at the root; relations what hangs on objects
objects    rows as domain objects
filters    CaseFilter to SQL; search and folding, how texts are found
paging     pages by keyset; cursors, a position in one list
"""
