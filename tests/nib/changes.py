"""Change functions for tests that write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nib.draft import Draft
from nib.intent import Service
from nib.records import Record


def service(number: int, **changes: Any) -> Service:
    """A service `s1`, `s2`, ... with a VIP of its own."""
    values: dict[str, Any] = {
        "name": f"s{number}",
        "vip": f"10.0.{number // 250}.{number % 250 + 1}",
        "port": 80,
    }
    return Service(**values | changes)


def put(*records: Record) -> Callable[[Draft], Any]:
    """Put them all; what becomes of the last one."""
    return lambda draft: [draft.put(record) for record in records][-1]
