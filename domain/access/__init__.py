"""Permissions and limits.

principal  the caller and its scopes
keys       API keys, and the lookup of a principal by a raw key
rates      limits on the work done in a minute, in this process
leases     the same for all processes together
positions  reading one's own writes, where reads may lag behind
"""
