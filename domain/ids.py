"""Identifiers: UUIDv7 for cases (RFC 9562, section 5.7), prefixed Crockford strings for the rest.

All sort by creation time; a process never creates two out of order.
"""

import os
import re
import threading
import time
from uuid import UUID

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LINK, EVENT, PARTY, STAFF, WEBHOOK = "lnk_", "evt_", "pty_", "usr_", "whk_"

_lock = threading.Lock()
_last = 0


def _tick() -> int:
    """60 bits: Unix milliseconds and a 12-bit counter, strictly increasing in this process."""
    global _last
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1_000_000 << 12)
        return _last


def new_case_id() -> str:
    """A new UUIDv7 in canonical form; the 12 bits of rand_a are a counter (method 1 of 6.2)."""
    tick = _tick()
    random = int.from_bytes(os.urandom(8)) & (1 << 62) - 1
    value = tick >> 12 << 80 | 7 << 76 | (tick & 0xFFF) << 64 | 0b10 << 62 | random
    return str(UUID(int=value))


def new_id(prefix: str) -> str:
    """*prefix* and 26 Crockford characters: 60 bits of time and counter, 70 random."""
    return prefix + crockford(_tick() << 70 | int.from_bytes(os.urandom(9)) >> 2, 26)


def crockford(value: int, length: int) -> str:
    """The lowest 5 x *length* bits of *value* in Crockford's base 32."""
    return "".join(CROCKFORD[value >> 5 * place & 31] for place in reversed(range(length)))


_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def canonical_case_id(text: str) -> str | None:
    """The canonical form of a case id, or None if *text* is not a 36-character UUID."""
    lowered = text.lower() if len(text) == 36 else ""
    return lowered if _UUID.fullmatch(lowered) else None
