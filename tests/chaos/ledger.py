"""What was written, and what became of each write: the model that the database is compared with.

A write that was acknowledged holds. One whose answer never came is in doubt: it may have been made,
and it may still be made much later, by a server that hangs now. So a key in doubt is written no
more, and ever after may have the value it had or any that is in doubt. All methods are safe between
threads.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

Key = tuple[str, ...]
Value = tuple[object, ...] | None
"""What is stored under a key; None: nothing."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A key that has none of the values it may have."""

    key: Key
    allowed: tuple[Value, ...]
    found: Value

    def __str__(self) -> str:
        may = " or ".join(map(str, self.allowed))
        return f"{'/'.join(self.key)} is {self.found}, should be {may}"


@dataclass(slots=True)
class _Entry:
    allowed: list[Value]
    writing: bool = False
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Expectation:
    """What keys may have at a time; those being written at that time are left out."""

    entries: Mapping[Key, tuple[int, tuple[Value, ...]]]


@dataclass(slots=True)
class Ledger:
    """acknowledged, refused, doubted: how many writes ended so."""

    acknowledged: int = 0
    refused: int = 0
    doubted: int = 0
    _entries: dict[Key, _Entry] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, key: Key, value: Value) -> None:
        """A write of this value is sent; ValueError where one is under way or in doubt."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry([None]))
            if entry.writing or len(entry.allowed) > 1:
                raise ValueError(f"{key} is being written, or in doubt")
            entry.writing = True
            entry.allowed.append(value)
            entry.changes += 1

    def acknowledge(self, key: Key) -> None:
        """It was made."""
        with self._lock:
            del self._ended(key)[:-1]
            self.acknowledged += 1

    def refuse(self, key: Key) -> None:
        """It was not made, and will not be."""
        with self._lock:
            del self._ended(key)[-1]
            self.refused += 1

    def doubt(self, key: Key) -> None:
        """Nobody knows."""
        with self._lock:
            self._ended(key)
            self.doubted += 1

    def value(self, key: Key) -> Value:
        """What is stored under a key that may be written; None for one never written."""
        with self._lock:
            entry = self._entries.get(key)
            return None if entry is None else entry.allowed[-1]

    def is_sure(self, key: Key) -> bool:
        """Whether it may be written: it is neither being written nor in doubt."""
        with self._lock:
            entry = self._entries.get(key)
            return entry is None or (not entry.writing and len(entry.allowed) == 1)

    def expected(self) -> Expectation:
        """To be taken before the database is read."""
        with self._lock:
            return Expectation(
                {
                    key: (entry.changes, tuple(entry.allowed))
                    for key, entry in self._entries.items()
                    if not entry.writing
                }
            )

    def lost(self, expected: Expectation, found: Mapping[Key, Value]) -> list[Lost]:
        """What the database should have and has not; keys written since then do not count."""
        with self._lock:
            return [
                Lost(key, allowed, found.get(key))
                for key, (changes, allowed) in expected.entries.items()
                if self._entries[key].changes == changes and found.get(key) not in allowed
            ]

    def _ended(self, key: Key) -> list[Value]:
        entry = self._entries[key]
        entry.writing = False
        return entry.allowed
