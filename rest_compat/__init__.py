"""The documented Cases API, version 1: the routes below /api/v1 that integrations use.

It translates between HTTP and the domain, and adds no rules of its own.
"""
