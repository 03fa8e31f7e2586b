"""A plausible value with something hostile in it, as the bytes of JSON."""

import json
import random
from typing import Any

from tests.fault.hostile_values import FRAGMENTS, HUGE, Raw

LONG = 50_000


class Pairs(list[tuple[str, Any]]):
    """An object whose names may repeat."""


def encoded(value: Any) -> bytes:
    """JSON, but for what is Raw."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        value = Pairs(value.items())
    if isinstance(value, Pairs):
        members = (json.dumps(name).encode() + b": " + encoded(one) for name, one in value)
        return b"{" + b", ".join(members) + b"}"
    if isinstance(value, list):
        return b"[" + b", ".join(map(encoded, value)) + b"]"
    return json.dumps(value).encode()


def spoiled(value: Any, chance: random.Random) -> Any:
    """*value*, with one place in it replaced, added, doubled, dropped or wrapped."""
    if isinstance(value, Raw | Pairs):
        return value  # was spoiled before
    if isinstance(value, dict) and value and chance.random() < 0.8:
        name = chance.choice(list(value))
        if chance.random() < 0.75:
            return {**value, name: spoiled(value[name], chance)}
        return _spoiled_object(value, name, chance)
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        return [*value[:place], spoiled(value[place], chance), *value[place + 1 :]]
    return _replacement(value, chance)


def _spoiled_object(value: dict[str, Any], name: str, chance: random.Random) -> Any:
    match chance.randrange(4):
        case 0:
            return {one: part for one, part in value.items() if one != name}
        case 1:
            return Pairs([*value.items(), (name, fragment(chance))])
        case 2:
            return {**value, chance.choice(("", "__typename", "id", "$where", "\0")): "more"}
        case _:
            return {**value, name.upper(): value[name]}


def _replacement(value: Any, chance: random.Random) -> Any:
    match chance.randrange(12):
        case 0:
            return [value]
        case 1:
            return {"id": value}
        case 2:
            return None
        case 3 if len(one := encoded(value)) < 1_000:  # it may be long already
            return Raw(b"[" + b", ".join([one] * 1_100) + b"]")
        case 4 if chance.random() < 0.02:
            return HUGE
        case _:
            return fragment(chance)


def fragment(chance: random.Random) -> Raw:
    """One of FRAGMENTS; the long ones are rarer, since each takes as long as a hundred others."""
    found = chance.choice(FRAGMENTS)
    return found if len(found) < LONG or chance.random() < 0.2 else chance.choice(FRAGMENTS)
