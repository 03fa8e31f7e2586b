"""Webhooks: addresses that are told of changes, one after the other, at least once.

registering  makes, changes and deletes them; listing: what there is, and how deliveries went
claims       whose turn it is to deliver, how far a webhook has got, and when to try again
rows         how they are stored
signing      secrets and signatures; addresses: where a delivery may go
"""
