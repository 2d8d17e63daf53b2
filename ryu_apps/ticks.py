"""Work that is done once for all that becomes due within an interval.

Must not know: what is due, or what the work is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from ryu_apps.mailbox import Mailbox

# A clock that is set anew must not put work off for long: wake up this often where any is ahead.
_LONGEST_MS: Final = 1000


def now_ms() -> int:
    """The time, in milliseconds since 1970."""
    return round(time.time() * 1000)


class Ticks:
    """To be used in the mailbox's thread only. interval_ms: from the first request to the work."""

    def __init__(self, mailbox: Mailbox, work: Callable[[], object], interval_ms: int = 0) -> None:
        self._mailbox = mailbox
        self._work = work
        self._interval_ms = interval_ms
        self._next: int | None = None

    def ask(self, due_ms: int | None) -> None:
        """Have the work done when this time has come, and no earlier than an interval from now.

        It may be done early; None: it need not be done.
        """
        if due_ms is None:
            return
        now = now_ms()
        at = min(max(due_ms, now + self._interval_ms), now + _LONGEST_MS)
        if self._next is None or at < self._next:
            self._next = at
            self._mailbox.after((at - now) / 1000, partial(self._strike, at))

    def _strike(self, at: int) -> None:
        if at != self._next:
            return  # done since, for an earlier request
        self._next = None
        self._work()
