"""Maintaining a database from the command line.

administration  manages workspaces and API keys
copying         copies a whole database to another one; restoring puts a backup back
diagnosing      what an operator looks at first
purging         erases deleted cases for good, forgetting a party; redacting and erasing, events
verifying       checks every invariant: replaying tells what the events lead to, comparing finds
                what is stored otherwise
"""
