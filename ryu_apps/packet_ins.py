"""Packets that switches hand to the controller, on their way to the app that looks at them.

Several apps hear every packet-in; the table that it is from says whose it is. Beyond MAX_WAITING
packets not yet looked at, more are dropped.

Must not know: what is in the packets, what is done with them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from openflow.tables import Table
from ryu_apps.mailbox import Mailbox

MAX_WAITING: Final = 2000


class PacketIns:
    """The packet-ins of some tables.

    look: takes each message in the mailbox's thread; overflowed: called for each that is dropped,
    in the thread that heard it.
    """

    def __init__(
        self,
        of: Iterable[Table],
        mailbox: Mailbox,
        look: Callable[[Any], object],
        overflowed: Callable[[], object],
    ) -> None:
        self._tables = frozenset(table.number for table in of)
        self._mailbox = mailbox
        self._look = look
        self._overflowed = overflowed
        self._waiting: deque[Any] = deque()

    def heard(self, message: Any) -> None:
        """A packet-in of any table; from any thread. One that names no port is none."""
        if message.table_id not in self._tables or "in_port" not in message.match:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._overflowed()
            return
        self._waiting.append(message)
        self._mailbox.post(self._next)

    def _next(self) -> None:
        self._look(self._waiting.popleft())
