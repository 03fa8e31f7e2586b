"""Maintaining a database from the command line.

administration  manages workspaces and API keys
purging         erases deleted cases for good; erasing takes events out of the timeline
verifying       checks every invariant: replaying tells what the events lead to, comparing finds
                what is stored otherwise
"""
