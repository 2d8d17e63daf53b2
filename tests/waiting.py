"""Waiting for something to become true, bounded, and saying what was seen when it does not."""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from tests.disturbance import now

T = TypeVar("T")

PACE_S: Final = 0.02
_REST: Final = 3  # times as long as a look takes: what is waited for needs the processor too
_MOST_S: Final = 0.5


def until(
    look: Callable[[], T], holds: Callable[[T], object], what: str, timeout_s: float = 30.0
) -> T:
    """What `look` returned as soon as it `holds`; an AssertionError with the last look otherwise.

    For things that push nothing: a REST server's view, a switch's counters, a process's files.
    Time in which this machine had no processor does not count.
    """
    since = had_s()
    never = threading.Event()
    while True:
        began = time.monotonic()
        seen = look()
        if holds(seen):
            return seen
        if had_s() - since > timeout_s:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last seen: {seen!r}"[:4000])
        never.wait(min(max(PACE_S, _REST * (time.monotonic() - began)), _MOST_S))


def had_s() -> float:
    """Seconds that grow while the machine has its processors."""
    at, stolen = now()
    return at - stolen
