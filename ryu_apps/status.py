"""Writes what the controller decided and learned into the database, one transaction at a time.

Notes wait under a key, the newest wins; all that wait when the work at hand is done go in one
transaction, and what could not be written is tried again. So a hundred acknowledgements in a row
cost a few transactions, and an unreachable database loses nothing but time. Where another
controller leads, notes are dropped: it writes its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from nib.database import Nib
from nib.draft import Draft
from ryu_apps.fenced import NotLeading
from ryu_apps.mailbox import Mailbox

LOG = logging.getLogger(__name__)

Change = Callable[[Draft], object]
NoteKey = tuple[str, ...]

_RETRY_SECONDS: Final = 1.0


class StatusWriter:
    """To be used in the mailbox's thread only."""

    def __init__(self, nib: Nib, mailbox: Mailbox) -> None:
        self._nib = nib
        self._mailbox = mailbox
        self._waiting: dict[NoteKey, Change] = {}
        self._under_way: dict[NoteKey, Change] = {}
        self._busy = False

    def note(self, key: NoteKey, change: Change) -> None:
        """Have `change` committed soon, in place of an older one with this key."""
        if not self._waiting and not self._busy:
            self._mailbox.post(self._send)
        self._waiting[key] = change

    def forget(self, key: NoteKey) -> None:
        """Do not write what waits under this key: something newer is written otherwise."""
        self._waiting.pop(key, None)
        self._under_way.pop(key, None)

    def _send(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        self._under_way, self._waiting = self._waiting, {}
        changes = tuple(self._under_way.values())
        future = self._nib.write(lambda draft: [change(draft) for change in changes])
        future.add_done_callback(lambda done: self._mailbox.post(lambda: self._done(done)))

    def _done(self, future: Future[Any]) -> None:
        self._busy = False
        error = future.exception()
        if error is None or isinstance(error, NotLeading):
            self._send()
            return
        LOG.warning("status not written, trying again: %s", error)
        self._waiting = self._under_way | self._waiting
        self._mailbox.after(_RETRY_SECONDS, self._send)
