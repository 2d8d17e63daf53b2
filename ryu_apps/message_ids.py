"""Ids of OpenFlow messages (xid): every app has a range of its own on a connection they all use.

An answer or an error has the id of what it is about, and every app hears it. The ids of
`ryu_apps.link` begin with 1.

Must not know: what is sent.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

# Where each range begins.
TELEMETRY: Final = 0x4000_0000
LEARNING: Final = 0x4800_0000
OUTCOMES: Final = 0x5000_0000
PROBER: Final = 0x5800_0000
PUNT: Final = 0x6000_0000
QUEUES: Final = 0x6800_0000  # of DPDK ports, asked for one by one
DOUBLES: Final = 0x7000_0000
LAST_READINGS: Final = 0x7800_0000  # of meters, just before their counters start at zero

_SIZE: Final = 0x0800_0000


def is_of(first: int, xid: int) -> bool:
    """Whether a message's id is of the range that begins there."""
    return first <= xid < first + _SIZE


def message_ids(first: int) -> Iterator[int]:
    """The ids of the range that begins there, over and over; for one thread."""
    return (first + number % _SIZE for number in itertools.count())
