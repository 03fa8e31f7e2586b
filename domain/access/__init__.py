"""Who may.

principal  who asks, and what they may do
keys       API keys, and from a raw key to a principal
rates      how much may be done in a minute
"""
