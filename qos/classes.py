"""The QoS classes there are: built-in ones, and those that an operator wrote in their place.

Must not know: flows, queues of a port, who writes rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nib.mirror import Lookups
from nib.qos import QosClass

# What no policy speaks of is of this class.
DEFAULT: Final = "default"

# Marks by RFC 4594 and, of bulk, RFC 8622. What is left of a link goes by priority, 0 first.
PRESETS: Final[Mapping[str, QosClass]] = {
    each.name: each
    for each in (
        QosClass("realtime", 46, 3, priority=0, min_percent=10, max_percent=50, weight=4),
        QosClass("interactive", 18, 2, priority=1, min_percent=20, weight=4),
        QosClass(DEFAULT, 0, 0, priority=2, min_percent=20, weight=2),
        QosClass("bulk", 1, 1, priority=3, min_percent=5, weight=1),
    )
}

# The class and burst (milliseconds of the rate) that suit what a platform's data services send.
TRAFFIC: Final[Mapping[str, tuple[str, int]]] = {
    "sql": ("interactive", 500),
    "key-value": ("realtime", 200),
    "messaging": ("interactive", 1000),
    "streaming": (DEFAULT, 2000),
    "batch": ("bulk", 2000),
}


def classes_of(view: Lookups) -> Mapping[str, QosClass]:
    """All classes by name, in the order of their queues; the same object for the same rows."""
    return view.derived(_classes_in, QosClass)


def _classes_in(view: Lookups) -> Mapping[str, QosClass]:
    written = {each.name: each for each in view.all(QosClass)}
    listed = sorted({**PRESETS, **written}.values(), key=lambda each: each.queue)
    return {each.name: each for each in listed}


def class_number(each: QosClass) -> int:
    """What stands for a class in a register of a switch: above 0, and no two have the same."""
    return each.dscp + 1
