"""Waiting for something to become true, bounded, and saying what was seen when it does not."""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

PACE_S: Final = 0.02


def until(
    look: Callable[[], T], holds: Callable[[T], object], what: str, timeout_s: float = 15.0
) -> T:
    """What `look` returned as soon as it `holds`; an AssertionError with the last look otherwise.

    For things that push nothing: a REST server's view, a switch's counters, a process's files.
    """
    deadline = time.monotonic() + timeout_s
    never = threading.Event()
    while True:
        seen = look()
        if holds(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last seen: {seen!r}"[:4000])
        never.wait(PACE_S)
