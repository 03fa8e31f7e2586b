"""Global object identifiers (Relay): base64 of the type's name and the id within it.

An argument that takes a global id also takes the plain id of the REST routes. A CaseLink's global
id also names the case it is seen from: type and linkedCase differ between its two ends, and a
client's cache must not mix them up.
"""

import base64
import binascii

from domain import models

TYPES = {
    models.Case: "Case",
    models.Party: "Party",
    models.Staff: "Staff",
    models.CaseLink: "CaseLink",
    models.TimelineEvent: "TimelineEvent",
}
_NAMES = frozenset(TYPES.values())


def of(value: object) -> str:
    """The global id of a domain object."""
    name = TYPES[type(value)]
    if isinstance(value, models.CaseLink):
        return encode(name, f"{value.case_id}/{value.id}")
    return encode(name, value.id)  # type: ignore[attr-defined]


def encode(name: str, id: str) -> str:
    return base64.b64encode(f"{name}:{id}".encode()).decode()


def decode(global_id: str) -> tuple[str, str] | None:
    """The type's name and the id, or None for a text that is not one of our global ids."""
    try:
        name, colon, id = base64.b64decode(global_id, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, id) if colon and name in _NAMES else None


def local(id: str, name: str) -> str:
    """The plain id in a global id of type *name*; any other text is returned as it is."""
    decoded = decode(id)
    if decoded is None or decoded[0] != name:
        return id
    return decoded[1].rpartition("/")[2] if name == "CaseLink" else decoded[1]


def link_owner(id: str) -> str | None:
    """The case that a link's global id is seen from; None for a plain id."""
    decoded = decode(id)
    if decoded is None or decoded[0] != "CaseLink":
        return None
    return decoded[1].rpartition("/")[0] or None
