"""Global object identifiers (Relay): base64 of the type's name and the key within it.

An argument that takes a global id also takes the plain id of the REST routes. A CaseLink's global
id also names the case it is seen from: type and linkedCase differ between its two ends, and a
client's cache must not mix them up. A role's consists of its case and its number there.
"""

import base64
import binascii
from typing import Any

from domain.reading import lookups

KINDS = {kind.model.__name__: kind for kind in lookups.KINDS}
"""The types that have a global id; each has the same name as its domain model."""


def of(value: object) -> str:
    """The global id of a domain object."""
    name = type(value).__name__
    return encode(name, KINDS[name].key_of(value))


def encode(name: str, key: Any) -> str:
    text = key if isinstance(key, str) else "/".join(map(str, key))
    return base64.b64encode(f"{name}:{text}".encode()).decode()


def decode(global_id: str) -> tuple[str, Any] | None:
    """The type's name and the key (see Kind.key), or None for a text that is no global id."""
    try:
        name, colon, text = base64.b64decode(global_id, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    kind = KINDS.get(name) if colon else None
    if kind is None:
        return None
    if len(kind.key) == 1:
        return name, text
    case_id, _, last = text.rpartition("/")
    if "number" not in kind.key:
        return name, (case_id, last)
    number = _number(last)
    return None if number is None else (name, (case_id, number))


def local(id: str, name: str) -> str:
    """The plain id in a global id of type *name*; any other text is returned as it is."""
    key = key_of(id, name)
    if key is None:
        return id
    plain: str = key[-1] if isinstance(key, tuple) else key
    return plain


def key_of(id: str, name: str) -> Any:
    """The key in a global id of type *name*; None for any other text."""
    decoded = decode(id)
    return decoded[1] if decoded is not None and decoded[0] == name else None


def link_owner(id: str) -> str | None:
    """The case that a link's global id is seen from; None for a plain id."""
    key = key_of(id, "CaseLink")
    return (key[0] or None) if key is not None else None


def _number(text: str) -> int | None:
    """A role's number as it is written in a global id, and in no other way."""
    plausible = text.isascii() and text.isdecimal() and len(text) < 10 and not text.startswith("0")
    return int(text) if plausible else None
