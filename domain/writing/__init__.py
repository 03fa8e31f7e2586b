"""What changes the firm's files: a scope check, one transaction, its events.

cases     opened, changed, deleted; roles, who is involved in a case
register  parties and staff, whatever cases they appear in; links between cases
rows      the rows of all that, loaded to be changed and put in
timeline  what is written about every write; idempotency, retries of it
"""
