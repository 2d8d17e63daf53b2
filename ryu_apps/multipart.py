"""Answers that come in several parts, put together; and when to ask again.

Must not know: what was asked, what time it is.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from openflow.cookies import Kind
from ryu_apps import reports
from ryu_apps.counted_slices import COUNTED, Slice

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
    """What a switch is asked for, question by question, since a time (monotonic seconds)."""

    since: float
    left: deque[Slice] = field(default_factory=deque)  # questions to come
    xid: int = 0  # of the one that waits for its answer
    flows: Counter[Kind] = field(default_factory=Counter)  # that were read, by their kind
    parts: Multipart = field(default_factory=Multipart)
    busy_s: float = 0.0  # from each question until its answer was dealt with
    ended: bool = False
    asked_at: float = field(init=False)
    is_long: bool = field(init=False)  # so many slices that the switch rests between them

    def __post_init__(self) -> None:
        self.asked_at = self.since
        self.is_long = len(self.left) > len(COUNTED)

    def ask(self, xid: int, now: float) -> None:
        """The next question."""
        self.xid, self.asked_at = xid, now

    def answered(self, now: float) -> float:
        """An answer was dealt with; for how many seconds to rest before the next question."""
        took_s = now - self.asked_at
        self.busy_s += took_s
        return took_s * (REST - 1)

    def end(self, now: float) -> None:
        """The last answer was dealt with."""
        self.answered(now)
        self.ended = True

    def is_due(self, now: float, every_s: float) -> bool:
        """Whether to begin again; never while an answer waits, so that none pile up."""
        if not self.ended:
            return now - self.asked_at >= PATIENCE_SECONDS
        return now - self.since >= max(every_s - _SLACK_SECONDS, self.busy_s * REST)
