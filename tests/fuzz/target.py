"""What a target is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and how to try it.

    read: parses the bytes, whatever they are; refuses: the errors that it documents; seeds: bytes
    to begin with, made by real encoders where there are any; words: parts of what it understands.
    """

    name: str
    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...] = ()
    seeds: Callable[[], Iterable[bytes]] = tuple
    words: tuple[str | bytes, ...] = ()

    def attempt(self, data: bytes) -> None:
        """Raises what a parser must not."""
        with suppress(*self.refuses):
            self.read(data)

    @property
    def tokens(self) -> list[bytes]:
        """The words as bytes."""
        return [word.encode() if isinstance(word, str) else word for word in self.words]
