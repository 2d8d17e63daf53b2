"""The controller's database connection: what it writes holds only while it leads.

A change is dropped, with NotLeading, where this process does not lead, and where the Leader row
shows another epoch by the time the change is made.

Must not know: who leads, or why.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from nib.database import Nib
from nib.draft import Draft
from nib.errors import NibError
from nib.flight import Committed
from nib.records import Leader

T = TypeVar("T")


class NotLeading(NibError):
    """Another controller leads, or none; nothing was written."""

    def __init__(self) -> None:
        super().__init__("this controller does not lead; not written")


class FencedNib(Nib):
    """epoch: in which this process leads; 0 = it does not, and writes nothing."""

    epoch = 0

    def write(self, change: Callable[[Draft], T]) -> Future[Committed[T]]:
        """As `Nib.write`, while this process leads; else the future holds NotLeading."""
        epoch = self.epoch
        if not epoch:
            future: Future[Committed[T]] = Future()
            future.set_exception(NotLeading())
            return future

        def fenced(draft: Draft) -> T:
            leader = draft.get(Leader, ())
            if leader is None or leader.epoch != epoch:
                raise NotLeading
            return change(draft)

        return super().write(fenced)

    def campaign(self, change: Callable[[Draft], T]) -> Future[Committed[T]]:
        """Write what needs no leadership: the claim of it."""
        return super().write(change)

    def _found(self, deadline: float) -> None:
        """The leader's claim makes the Global row."""
