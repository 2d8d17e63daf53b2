"""A faster JSON parser in the place of the OVSDB library's own, where that one is pure Python.

The library's parser looks at every character in Python: half of what a connection costs, and most
of the time to load a large database. This one looks only for where a message ends, by its brackets
and quotes, and leaves the rest to the standard library. It has the same interface (`feed`,
`is_done`, `finish`), and a property test holds that both give the same for every message cut
anywhere; where the library comes with its C parser, that one stays.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import ovs.json

# What can end a message or hide its end: an escaped character, a quote, a bracket.
_MARKS: Final = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_BLANK: Final = " \t\r\n"


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
        try:
            return json.loads("".join(self._pieces), parse_constant=_refused)
        except (ValueError, RecursionError) as error:
            return f"not a JSON message: {error}"

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
    """Have the OVSDB library use it, unless it has its parser in C."""
    if ovs.json.PARSER != ovs.json.PARSER_C:
        ovs.json.Parser = StreamParser


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
