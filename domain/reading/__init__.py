"""The queries: each checks the caller's scope, then gives its SQL and parameter values.

lists      the root lists, facets their counts; lookups: single objects, and their kinds
relations  the nested lists, declared as data; related loads them for many parents at once
objects    the same queries, returning domain objects; revisions tell when a case looks otherwise
filters    CaseFilter to SQL; search by folded keys; sizes, how much there is
paging     keyset pagination; cursors encode a position; anchors end a timeline; kept has
           finished answers of a state; fences keep PostgreSQL's plans to one way
"""
