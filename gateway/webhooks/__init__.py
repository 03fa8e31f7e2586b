"""Delivering to webhooks.

payloads    what a webhook is told: the answers to its subscription
sending     one POST, to an address that was looked at
telling     one webhook, change after change; delivering, all of them
"""
