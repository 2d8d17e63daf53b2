"""A faster JSON parser in the place of the OVSDB library's own, where that one is pure Python.

The library's parser looks at every character in Python: half of what a connection costs, and most
of the time to load a large database. This one leaves a message that is there in one piece to the
standard library, and of others looks only for where they end, by brackets and quotes. It has the
same interface (`feed`, `is_done`, `finish`), and a property test holds that both give the same for
every message cut anywhere; where the library comes with its C parser, that one stays.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import ovs.json
import ovs.stream

# What can end a message or hide its end: an escaped character, a quote, a bracket.
_MARKS: Final = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_BLANK: Final = " \t\r\n"
_READ_BYTES: Final = 1 << 16


class StreamParser:
    """Takes pieces of text until one JSON object or array is complete.

    check_trailer: take all text there is, and let `finish` complain of what follows the message.
    """

    def __init__(self, check_trailer: bool = False) -> None:
        self._check_trailer = check_trailer
        self._pieces: list[str] = []
        self._depth = 0
        self._quoted = False
        self._escaped = False
        self._done = False
        self._alien = ""
        self._whole: Any = None

    def feed(self, text: str) -> int:
        """Take what belongs to the message; returns how many characters that is."""
        if self._check_trailer:
            self._pieces.append(text)
            return len(text)
        start = 0
        if not self._depth:
            start = len(text) - len(text.lstrip(_BLANK))
            if start < len(text) and text[start] not in "{[":
                self._alien = text[start]
                self._done = True
                return len(text)
            if not self._pieces:
                end = self._all_of(text, start)
                if end:
                    return end
        end = self._end(text, start + self._escaped)
        self._pieces.append(text[start:end])
        return end

    def is_done(self) -> bool:
        """Whether the message is complete."""
        return self._done

    def finish(self) -> Any:
        """The message, or as the library has it a text that says what is wrong."""
        if self._alien:
            return f"a message cannot begin with {self._alien!r}"
        if self._whole is not None:
            return self._whole
        try:
            return _DECODER.decode("".join(self._pieces))
        except (ValueError, RecursionError) as error:
            return f"not a JSON message: {error}"

    def _all_of(self, text: str, start: int) -> int:
        """Where a message ends that is there in one piece, read; 0: it is not, or no message."""
        try:
            self._whole, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return 0
        self._done = True
        return end

    def _end(self, text: str, start: int) -> int:
        """Where the message ends in this piece: behind its last bracket, or at the piece's end."""
        last = start
        for mark in _MARKS.finditer(text, start):
            last = mark.end()
            character = mark.group()
            if character == '"':
                self._quoted = not self._quoted
            elif self._quoted or len(character) > 1:
                continue
            elif character in "{[":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 0:
                    self._done = True
                    return mark.end()
        # a backslash that ends the piece escapes the first character of the next
        self._escaped = "\\" in text[last:]
        return len(text)


def install() -> None:
    """Have the OVSDB library use it, unless it has its parser in C, and read more at a time."""
    if ovs.json.PARSER != ovs.json.PARSER_C:
        ovs.json.Parser = StreamParser
    ovs.stream.Stream.recv = _recv


_library_recv: Final[Any] = ovs.stream.Stream.recv


def _recv(stream: Any, most: int) -> Any:
    """As the library's; it would take 4 KiB at a time, which cuts most messages in pieces."""
    return _library_recv(stream, max(most, _READ_BYTES) if most else 0)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refused)
