"""How the OVSDB library waits for descriptors: poll(2) in the place of its select(2).

Owns: what `ovs.poller` is told to use, and whether eventlet has replaced the system's calls.
Must not know: what is waited for.
"""

from __future__ import annotations

import select
import sys
from typing import Any

import ovs.poller


def is_green() -> bool:
    """Whether eventlet has replaced blocking calls in this process."""
    patcher = sys.modules.get("eventlet.patcher")
    return patcher is not None and bool(patcher.is_monkey_patched("select"))


class MaskedPoll:
    """poll(2) with the `register` that `ovs.poller` expects: events of one descriptor add up.

    In `select.poll` itself the last call wins. A connection registers to write and then to read, so
    with plain `select.poll` a message larger than the socket's buffer would stay half sent.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        self._masks: dict[int, int] = {}

    def register(self, source: Any, events: int) -> None:
        """Wait for these events too; `source` is a descriptor or has a `fileno()`."""
        fd = source if isinstance(source, int) else source.fileno()
        self._masks[fd] = self._masks.get(fd, 0) | events
        self._poll.register(fd, self._masks[fd])

    def poll(self, timeout_ms: int) -> list[tuple[int, int]]:
        """Descriptors and what happened on them; -1 waits for ever."""
        return self._poll.poll(timeout_ms)


def use_poll() -> None:
    """Make `ovs.poller` use poll(2): its select(2) fails on descriptors from 1024 on.

    Under eventlet select stays: it is the call eventlet has made cooperative.
    """
    if not is_green():
        ovs.poller.SelectPoll = MaskedPoll
