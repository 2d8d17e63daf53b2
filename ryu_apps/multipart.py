"""Answers that come in several parts, put together.

Must not know: what was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ryu_apps import reports


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
