"""What changes the firm's files: a scope check, one transaction, its events.

cases      opened, changed, deleted; roles, who is involved in a case
register   parties and staff, whatever cases they appear in; links between cases
rows       their rows, loaded to be changed and put in; role_rows, those of roles
timeline   what is written about every write; idempotency, retries of it
"""
