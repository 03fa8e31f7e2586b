"""Content negotiation: which of the two media types answers a GraphQL request, or the page.

RFC 9110, section 12.5.1, and the GraphQL-over-HTTP specification (draft), section 6.
"""

from collections.abc import Iterable
from functools import lru_cache

from gateway.http.parameters import JSON_TYPE, BadRequest

RESPONSE_TYPE = "application/graphql-response+json"
_UTF_8 = ("utf-8", "utf8", "*")


def accepted(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The value of Accept; one that is repeated is one list (RFC 9110, section 5.3)."""
    values = [value for name, value in headers if name == b"accept"]
    return b",".join(values) if values else None


@lru_cache(maxsize=256)
def wants_page(accept: bytes | None) -> bool:
    """Whether the client names text/html, as browsers do."""
    if not accept or b"html" not in accept.lower():
        return False
    return any(name == "text/html" and weight > 0 for name, weight in _ranges(accept))


@lru_cache(maxsize=256)
def weight_of_events(accept: bytes | None) -> float:
    """How well the client likes text/event-stream; 0 if it does not name it."""
    if not accept or b"event-stream" not in accept.lower():
        return 0.0
    named = (weight for name, weight in _ranges(accept) if name == "text/event-stream")
    return max(named, default=0.0)


@lru_cache(maxsize=256)
def wants_events(accept: bytes | None) -> bool:
    """Whether the client names text/event-stream, and likes it best."""
    events = weight_of_events(accept)
    ranges = _ranges(accept or b"")
    named = [weight for name, weight in ranges if name in (JSON_TYPE, RESPONSE_TYPE)]
    return events > 0 and all(events > weight for weight in named)


@lru_cache(maxsize=256)
def media_type(accept: bytes | None) -> str:
    """The media type to answer with. Raises BadRequest if the client accepts neither.

    Of two that it likes as well, it gets application/graphql-response+json only if it names it.
    """
    if not accept or accept == b"*/*":
        return JSON_TYPE
    ranges = _ranges(accept)
    json, response = (_quality(ranges, name) for name in (JSON_TYPE, RESPONSE_TYPE))
    named = any(name == RESPONSE_TYPE for name, _quality in ranges)
    if response > json or (response == json > 0 and named):
        return RESPONSE_TYPE
    if json > 0:
        return JSON_TYPE
    raise BadRequest(
        406, "NOT_ACCEPTABLE", f"Answers are {RESPONSE_TYPE} or {JSON_TYPE}; accept one of them."
    )


def _ranges(accept: bytes) -> list[tuple[str, float]]:
    return [_range(part) for part in accept.decode("latin-1").lower().split(",") if part.strip()]


def _range(part: str) -> tuple[str, float]:
    """A media range and its weight; 0 for a character set other than ours."""
    name, *parameters = (piece.strip() for piece in part.split(";"))
    weight = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            weight = _weight(value.strip())
        elif key.strip() == "charset" and value.strip().strip('"') not in _UTF_8:
            return name, 0.0
    return name, weight


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 1.0
    return weight if 0 <= weight <= 1 else 1.0


def _quality(ranges: list[tuple[str, float]], name: str) -> float:
    """The weight of the most specific range that matches."""
    for matching in (name, "application/*", "*/*"):
        weights = [weight for one, weight in ranges if one == matching]
        if weights:
            return max(weights)
    return 0.0
