"""Looking after a database, by command.

administration  workspaces and API keys
purging         erases deleted cases for good
verifying       checks everything that must hold
"""
