"""Durations and points in time as people write them.

Durations are a number with a unit ("500ms", "20m", "7d"); points in time are RFC 3339, with their
offset from UTC.

Must not know: the clock, what a time is for.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)?")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_LAST_YEAR: Final = 9998  # of any offset

DURATION_REMEDY: Final = "give a number with ms, s, m, h or d, such as 20m"
INSTANT_REMEDY: Final = "give date, time and offset as in RFC 3339, such as 2026-11-22T18:30:00Z"


def read_duration(text: str) -> float:
    """Seconds from "500ms", "60s", "20m", "2h", "7d" or a bare number of seconds.

    ValueError for any other text.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration")
    return float(found[1]) * _SECONDS[found[2] or "s"]


def show_duration(seconds: float) -> str:
    """A duration for people, in the largest unit that it is a multiple of: "250ms", "90s", "7d"."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g}ms"
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:g}{unit}"
    return f"{seconds:g}s"


def read_instant(text: str) -> int:
    """Milliseconds since 1970 from RFC 3339 text. ValueError for any other, and before 1970."""
    if _INSTANT.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no point in time")
    try:
        found = datetime.fromisoformat(text.upper().replace(" ", "T"))
    except ValueError as error:
        raise ValueError(f"{text!r} is no point in time: {error}") from None
    if not 1970 < found.year <= _LAST_YEAR:
        raise ValueError(f"{text!r} is out of range")
    return round(found.timestamp() * 1000)


def show_instant(at_ms: int) -> str:
    """RFC 3339 of a point in time, in UTC, to the second; the number itself where it has none."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(at_ms)
