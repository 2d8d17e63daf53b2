"""Hears from the kernel that somebody changed a qdisc, class or filter of this network namespace.

Must not know: which devices matter, what to do about it.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
from collections.abc import Callable
from typing import Final

_RTMGRP_TC: Final = 8  # linux/rtnetlink.h
_CHUNK: Final = 1 << 16


class QueueNotices:
    """Calls `changed`, from a thread of its own, at least once after any number of changes."""

    def __init__(self, changed: Callable[[], object]) -> None:
        self._changed = changed
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, _RTMGRP_TC))
        self._socket.setblocking(False)
        self._end = os.eventfd(0)
        self._thread = threading.Thread(target=self._run, name="qdiscs", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """End; after this nothing is called."""
        os.eventfd_write(self._end, 1)
        if self._thread.is_alive():
            self._thread.join(5)
        self._socket.close()
        os.close(self._end)

    def _run(self) -> None:
        watched: list[socket.socket | int] = [self._socket, self._end]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if self._end in ready:
                return
            self._drain()
            self._changed()

    def _drain(self) -> None:
        """What it says is not read: whoever is told looks for himself."""
        while True:
            try:
                self._socket.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # more than the socket holds: some were lost, which is all the same
