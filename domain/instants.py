"""Instants: UTC, whole seconds, kept and stored as text like 2026-01-15T09:00:00Z.

This form is used everywhere (both databases, both surfaces, cursors, hashes). It sorts
chronologically and needs no conversion on output.
"""

import re
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


def after(instant: Instant, span: timedelta) -> Instant:
    """The instant *span* later."""
    return before(instant, -span)


def day(instant: Instant) -> str:
    """The day of an instant, as YYYY-MM-DD, in UTC."""
    return instant[:10]


_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)?([Zz]|[+-]\d\d(:?\d\d)?)?)?", re.ASCII
)
_FRACTION = re.compile(r"[.,]0*[1-9]")


def parse(text: str) -> Instant:
    """Read a date or date-time of RFC 3339, section 5.6; fractions of a second are dropped.

    A date means its first second; a time without an offset is taken as UTC, and may lack the
    seconds. Raises ValueError.
    """
    try:
        if len(text) > 40 or not _RFC_3339.fullmatch(text):
            raise ValueError
        moment = datetime.fromisoformat(text.upper())
        return of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError("An instant looks like 2026-01-15T09:00:00Z.") from None


def is_whole(text: str) -> bool:
    """Whether a text that parse() reads has no fraction of a second."""
    return not _FRACTION.search(text)
