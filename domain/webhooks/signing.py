"""Secrets of webhooks, and the signatures made with them (Standard Webhooks, version 1)."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import timedelta

PREFIX = "whsec_"
ROLLED = timedelta(hours=24)
"""How long the old secret signs, too, after a new one was made."""


def new_secret() -> str:
    """32 random bytes in base64, behind a prefix that scanners for leaked secrets know."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def digest(secret: str) -> str:
    """What the timeline has instead of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def signatures(signing: Iterable[str], id: str, timestamp: int, body: bytes) -> str:
    """The value of the header webhook-signature: one signature for each of the secrets.

    *timestamp* is in Unix seconds. A receiver that finds any of them right takes the message.
    """
    content = b"%b.%d." % (id.encode(), timestamp) + body
    macs = [
        hmac.digest(base64.b64decode(one.removeprefix(PREFIX)), content, "sha256")
        for one in signing
    ]
    return " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)
