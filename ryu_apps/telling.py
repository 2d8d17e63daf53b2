"""Writes what happened while this controller leads into the event log, some at a time.

Must not know: what is worth telling (`ryu_apps.chronicle`).
"""

from __future__ import annotations

import itertools
from typing import Final

from nib.mirror import RowChange
from ryu_apps import rows
from ryu_apps.chronicle import Told, shortened, told
from ryu_apps.mailbox import Mailbox
from ryu_apps.status import StatusWriter
from ryu_apps.ticks import now_ms

_PACE_SECONDS: Final = 0.2


class Telling:
    """To be used in the mailbox's thread only. actor: who tells."""

    def __init__(self, mailbox: Mailbox, status: StatusWriter, actor: str) -> None:
        self._mailbox = mailbox
        self._status = status
        self._actor = actor
        self._numbers = itertools.count()
        self._waiting: list[Told] = []

    def hear(self, change: RowChange) -> None:
        """A row has changed."""
        found = told(change)
        if found is not None:
            self.tell(found)

    def tell(self, found: Told) -> None:
        """Have it written soon."""
        if not self._waiting:
            self._mailbox.after(_PACE_SECONDS, self._write)
        self._waiting.append(found)

    def _write(self) -> None:
        several, self._waiting = self._waiting, []
        at_ms = now_ms()
        events = [each.event(self._actor, at_ms) for each in shortened(several)]
        self._status.note(("events", str(next(self._numbers))), rows.tell(events))
