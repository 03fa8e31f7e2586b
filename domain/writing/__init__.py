"""The mutations of the firm's files: each is a scope check, one transaction and its events.

cases      opens, changes and deletes cases; roles, the parties and staff of a case
wanted     the roles that a caller wants: checked, and turned into rows
register   parties and staff, independent of any case; merging makes one of two parties
links      links between cases
rows       loads, locks and inserts their rows; role_rows does so for roles
timeline   the events of every write; idempotency, retried writes; showing, what was stored
"""
