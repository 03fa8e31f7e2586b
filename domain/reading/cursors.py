"""Cursors: positions in one list, opaque to clients and identical on both surfaces.

A cursor is padded standard base64 of compact JSON, {"id": ..., "k": [...], "f": "..."}: the last
part of the sort key, the parts before it, and the seal of its list. The seal covers workspace,
list, filter and order, so a cursor from another list is refused, never misread.
A forged position is harmless: it only sets where the caller's own list continues.
"""

import base64
import binascii
import hashlib
from typing import Any

import orjson

from domain.errors import invalid

Position = tuple[str | int, ...]

LONGEST = 4_000  # characters; a sort key has at most 200
_INT64 = range(-(2**63), 2**63)


def seal(workspace_id: int, name: str, *arguments: Any) -> str:
    """Fingerprint a list: takes JSON values, returns twelve characters."""
    content = orjson.dumps([workspace_id, name, *arguments], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2s(content, digest_size=6).hexdigest()


def encode(position: Position, sealed: str) -> str:
    *first, last = position
    return base64.b64encode(orjson.dumps({"id": last, "k": first, "f": sealed})).decode()


def decode(cursor: str, sealed: str, types: tuple[type, ...], name: str) -> Position:
    """Return the position in a cursor; its parts must have *types*.

    Raises Invalid on the field *name* unless the cursor carries the seal *sealed*.
    """
    refusal = invalid(
        f"{name} must be a cursor of this list, with the same filter and order.", name
    )
    # A space was a + that the client did not percent-encode in a URL.
    text = cursor.replace(" ", "+")
    try:
        if len(text) > LONGEST:
            raise refusal
        content = orjson.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise refusal from None
    if not isinstance(content, dict) or content.keys() != {"id", "k", "f"}:
        raise refusal
    if content["f"] != sealed or not isinstance(content["k"], list):
        raise refusal
    position = (*content["k"], content["id"])
    if len(position) != len(types) or not all(map(_fits, position, types)):
        raise refusal
    return position


def _fits(part: Any, kind: type) -> bool:
    if kind is int:
        return type(part) is int and part in _INT64
    return isinstance(part, str) and "\0" not in part
