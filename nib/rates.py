"""Rates as people write them, and as text for people: bits a second, decimal prefixes.

Must not know: what a rate is for.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

MOST_BPS: Final = 4_000_000_000_000  # OpenFlow 1.3 meters count kilobits a second in 32 bits
LEAST_BPS: Final = 1_000

_POWERS: Final = {"": 0, "k": 3, "K": 3, "M": 6, "G": 9, "T": 12}
_RATE: Final = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?) ?([kKMGT]?)(bps|bit/s|b/s|bit)?")
_HINT: Final = 'write bits a second with a prefix, such as "10M", "1.5Gbps" or 10000000'


def read_rate(given: int | str) -> int:
    """Bits a second, from a whole number of them or a text such as "10M" or "1.5 Gbps".

    ValueError says what is wrong, and how to write it: bytes, binary prefixes, a small "m" and
    texts without any unit could be meant in two ways.
    """
    rate = given if isinstance(given, int) else _from_text(given.strip())
    if not LEAST_BPS <= rate <= MOST_BPS:
        raise ValueError(f"{given} is not between 1k and 4T bits a second")
    return rate


def _from_text(text: str) -> int:
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} {_misread(text)}; {_HINT}")
    number, prefix, unit = found.groups()
    if not prefix and not unit:
        raise ValueError(f"{text!r} has no unit; {_HINT}")
    rate = Decimal(number) * 10 ** _POWERS[prefix]
    if rate != int(rate):
        raise ValueError(f"{text!r} is no whole number of bits a second; {_HINT}")
    return int(rate)


def _misread(text: str) -> str:
    if re.search(r"[0-9] ?[kKMGT]i", text):
        return "has a binary prefix"
    if re.search(r"[0-9] ?[kKMGT]?(B|byte|oct)", text):
        return "may mean bytes"
    if re.search(r"[0-9] ?m", text):
        return 'has a small "m", which is a thousandth'
    return "is no rate"


def show_rate(bps: float) -> str:
    """A rate for people: "10M", "1.5G", "500k", at most three digits after the point."""
    for prefix in ("T", "G", "M", "k"):
        unit = 10 ** _POWERS[prefix]
        if bps >= unit:
            return f"{round(bps / unit, 3):g}{prefix}" if bps < 1000 * unit else f"{bps:g}"
    return f"{bps:g}"
