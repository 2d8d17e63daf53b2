"""Values out of bytes, for parsers whose first check random bytes would never pass.

What is taken beyond the end is zero, empty or the first choice, so any bytes are some value.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")

_ODD_NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63), 2**64, 10**30, 10**400)
_ODD_FLOATS = (0.5, -0.0, 1e308, float("inf"), float("nan"))


class Taker:
    """Takes from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._data)

    def take(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))

    def number(self, most: int) -> int:
        """From 0 to `most`."""
        size = (most.bit_length() + 7) // 8
        return int.from_bytes(self.take(size), "big") % (most + 1)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of these."""
        return choices[self.number(len(choices) - 1)]

    def text(self, most: int = 24) -> str:
        """Text of at most so many characters, of any kind."""
        return self.take(self.number(most)).decode("utf-8", "replace")

    def value(self, words: Sequence[str], depth: int = 4) -> Any:
        """What JSON holds, with these words as keys and texts."""
        kind = self.number(9) if depth else 4 + self.number(5)
        if kind == 0:
            return [self.value(words, depth - 1) for _ in range(self.number(4))]
        if kind < 4:
            keys = [self._word(words) for _ in range(self.number(6))]
            return {key: self.value(words, depth - 1) for key in keys}
        if kind < 8:
            odd = (_ODD_NUMBERS, _ODD_FLOATS, (True, False, None), range(2**16))[kind - 4]
            return self.one_of(odd)
        return self._word(words)

    def json(self, words: Sequence[str], seeds: Sequence[Any] = ()) -> bytes:
        """A JSON text: bytes as they are, or a value, perhaps a seed with some parts replaced."""
        kind = self.number(7)
        if kind == 0:
            return self.rest()
        given = self.value(words)
        if kind > 2 and seeds:
            given = self._varied(self.one_of(seeds), words)
        return json.dumps(given).encode()

    def _word(self, words: Sequence[str]) -> str:
        return self.text() if self.number(7) == 0 else self.one_of(words or ("",))

    def _varied(self, value: Any, words: Sequence[str]) -> Any:
        if self.is_empty or self.number(11) == 1:
            return value if self.is_empty else self.value(words, 2)
        if isinstance(value, dict):
            return {key: self._varied(each, words) for key, each in value.items()}
        if isinstance(value, list):
            return [self._varied(each, words) for each in value]
        return value
