"""Instants: UTC, whole seconds, kept and stored as text like 2026-01-15T09:00:00Z.

This form is used everywhere (both databases, both surfaces, cursors, hashes). It sorts
chronologically and needs no conversion on output.
"""

from datetime import UTC, datetime, timedelta

Instant = str


def now() -> Instant:
    return of(datetime.now(UTC))


def of(moment: datetime) -> Instant:
    """The instant of an aware datetime; fractions of a second are dropped."""
    utc = moment.astimezone(UTC)
    # strftime does not pad years below 1000 on every platform; isoformat does.
    return utc.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def before(instant: Instant, span: timedelta) -> Instant:
    """The instant *span* earlier."""
    return of(datetime.fromisoformat(instant) - span)


def parse(text: str) -> Instant:
    """Read an ISO 8601 date or date-time (RFC 3339 and its common relatives).

    A date means its first second; a time without an offset is taken as UTC. Raises ValueError.
    """
    if len(text) > 40 or len(text) < 10:
        raise ValueError("An instant looks like 2026-01-15T09:00:00Z.")
    try:
        moment = datetime.fromisoformat(text)
        return of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError("An instant looks like 2026-01-15T09:00:00Z.") from None
