"""Cursors: positions in one list, opaque to clients and identical on both surfaces.

A cursor is padded standard base64 of compact JSON, {"id": ..., "k": [...], "f": "..."}: the last
part of the sort key, the parts before it, and the mark of its list. The mark covers workspace,
list, filter and order, so a cursor from another list is refused, never misread. Cursors travel in
URLs and stand in logs: where the sort key is a name or a file number, "k" is encrypted. A forged
position in clear is harmless: it only sets where the caller's own list continues.
"""

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from domain.errors import invalid

Position = tuple[str | int, ...]

LONGEST = 4_000  # characters; a sort key has at most 200
_INT64 = range(-(2**63), 2**63)


class Seal(NamedTuple):
    """What the cursors of one list share: its mark, and the cipher if their keys are private."""

    mark: str
    cipher: AESSIV | None = None


def seal(secret: str, name: str, *arguments: Any, private: bool = False) -> Seal:
    """The seal of a list. Takes the workspace's secret, the list's name and JSON values.

    The keys of a *private* list are texts that name somebody.
    """
    content = orjson.dumps([name, *arguments], option=orjson.OPT_SORT_KEYS)
    # Keyed, since a filter may hold a name, and who has the cursor could try names.
    mark = hashlib.blake2s(content, key=bytes.fromhex(secret), digest_size=6).hexdigest()
    return Seal(mark, _cipher(secret) if private else None)


def encode(position: Position, sealed: Seal) -> str:
    *first, last = position
    mark, cipher = sealed
    key = first if cipher is None else _encrypted(cipher, first, last, mark)
    return base64.b64encode(orjson.dumps({"id": last, "k": key, "f": mark})).decode()


def decode(cursor: str, sealed: Seal, types: tuple[type, ...], name: str) -> Position:
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
    mark, cipher = sealed
    if content["f"] != mark:
        raise refusal
    key = content["k"]
    if cipher is not None:
        key = _decrypted(cipher, key, content["id"], mark)
    if not isinstance(key, list):
        raise refusal
    position = (*key, content["id"])
    if len(position) != len(types) or not all(map(_fits, position, types)):
        raise refusal
    return position


@lru_cache(maxsize=1_024)
def _cipher(secret: str) -> AESSIV:
    """AES-SIV (RFC 5297): the same position always gives the same cursor, as Relay's store needs.

    Its key is made from the workspace's secret for this purpose only.
    """
    return AESSIV(hashlib.blake2b(b"cursors", key=bytes.fromhex(secret), digest_size=64).digest())


def _encrypted(cipher: AESSIV, key: list[Any], id: Any, mark: str) -> str:
    about = [orjson.dumps(id), mark.encode()]
    return base64.b64encode(cipher.encrypt(orjson.dumps(key), about)).decode()


def _decrypted(cipher: AESSIV, key: Any, id: Any, mark: str) -> Any:
    """The parts of a key; None if they were not encrypted for this cursor."""
    try:
        data = base64.b64decode(key, validate=True)
        about = [orjson.dumps(id), mark.encode()]
        return orjson.loads(cipher.decrypt(data, about))
    except (InvalidTag, binascii.Error, TypeError, ValueError):
        return None


def _fits(part: Any, kind: type) -> bool:
    if kind is int:
        return type(part) is int and part in _INT64
    return isinstance(part, str) and "\0" not in part
