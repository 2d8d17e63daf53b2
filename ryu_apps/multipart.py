"""Answers that come in several parts, put together; and when to ask again.

Must not know: what was asked, what time it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ryu_apps import reports

# Dealing with what a switch tells takes one part in so many of the time at most: who has a hundred
# thousand flows is asked less often, and programming it goes on as quickly.
REST: Final = 5.0
PATIENCE_SECONDS: Final = 120.0  # for an answer
_SLACK_SECONDS: Final = 0.5  # of the timer that leads to the question


class Multipart:
    """For one thread. What was not expected, or no more, is dropped."""

    def __init__(self) -> None:
        self._parts: dict[int, list[Any]] = {}

    def expect(self, *xids: int) -> None:
        """Answers with these ids are to come."""
        self._parts.update((xid, []) for xid in xids)

    def clear(self) -> None:
        """Expect no answer any more."""
        self._parts.clear()

    def part(self, message: Any, whole: Callable[[list[Any]], None]) -> None:
        """A part came; `whole` is called with all entries when it was the last."""
        entries = self._parts.get(message.xid)
        if entries is None:
            return
        entries += message.body
        if not message.flags & reports.MORE:
            del self._parts[message.xid]
            whole(entries)


@dataclass(slots=True)
class Asked:
    """What a switch was asked for at once, since a time (monotonic seconds)."""

    since: float
    parts: Multipart = field(default_factory=Multipart)
    took_s: float | None = None  # until the answer was dealt with to its end; None: it was not

    def end(self, now: float) -> None:
        """All of the answer was dealt with."""
        self.took_s = now - self.since

    def is_due(self, now: float, every_s: float) -> bool:
        """Whether to ask again; never while an answer waits, so that none pile up."""
        if self.took_s is None:
            return now - self.since >= PATIENCE_SECONDS
        return now - self.since >= max(every_s - _SLACK_SECONDS, self.took_s * REST)
