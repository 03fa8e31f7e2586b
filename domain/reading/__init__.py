"""The queries: each checks the caller's scope, then gives its SQL and parameter values.

lists      the root lists; facets: their counts; mixed: of several kinds
changes    all events in order; following: waiting for the next ones
lookups    single objects; relations: the nested lists; narrowing, their filters; related loads them
objects    the same queries, returning domain objects; revisions tell when a case looks otherwise
filters    a filter; conditions: its SQL; terms: what is sought; search: its SQL; matches: why found
paging     by keys; cursors: a position; anchors: ends of timelines; kept answers; fences; sizes
"""
