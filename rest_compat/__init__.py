"""The documented Cases API, version 1: fifteen routes below /api/v1, as integrations know them.

It translates between HTTP and the domain, and holds no rule of its own.
"""
