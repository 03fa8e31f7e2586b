"""Maintaining a database from the command line.

administration  manages workspaces and API keys
purging         erases deleted cases for good
verifying       checks every invariant of a database
"""
