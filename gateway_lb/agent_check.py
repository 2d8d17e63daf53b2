"""HAProxy's agent-check words: what a container, or the gateway for it, says of itself.

One line of words, divided by blanks, tabs or commas, in any order and case (HAProxy, Configuration
Manual, "agent-check"):

    75%                          of its weight, 0 % to 100 %
    maxconn:30                   what it works at in parallel; 0 = no limit
    ready, up                    it takes new connections (ends drain and down alike)
    drain, maint                 no new connection; it keeps those it has
    down, fail, failed, stopped  it cannot be used; a description may follow after #

What is not said stays as it was. Of several words for the state the gravest counts.

Must not know: services, rows of others, who sent the words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from nib.errors import FieldError
from nib.observed import Report

# Word -> Report.word.
_STATES: Final = {
    **dict.fromkeys(("ready", "up"), ""),
    **dict.fromkeys(("drain", "maint"), "drain"),
    **dict.fromkeys(("down", "fail", "failed", "stopped"), "down"),
}
_GRAVITY: Final = ("", "drain", "down")
_DIVIDERS: Final = re.compile(r"[ \t,]+")
_PERCENT: Final = re.compile(r"([0-9]{1,9})%")
_MAXCONN: Final = re.compile(r"maxconn:([0-9]{1,9})")
_MAX_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class Said:
    """What a report says; None: nothing about it. max_inflight: 0 = no limit."""

    percent: int | None = None
    max_inflight: int | None = None
    word: str | None = None
    inflight: int | None = None

    def then(self, newer: Said) -> Said:
        """Both in order: what the newer does not say stays."""
        return Said(
            self.percent if newer.percent is None else newer.percent,
            self.max_inflight if newer.max_inflight is None else newer.max_inflight,
            self.word if newer.word is None else newer.word,
            self.inflight if newer.inflight is None else newer.inflight,
        )

    def of(self, before: Report) -> Report:
        """The report that was known, with what is said. FieldError where a value is not allowed."""
        limit = before.max_inflight if self.max_inflight is None else self.max_inflight
        return replace(
            before,
            percent=before.percent if self.percent is None else self.percent,
            max_inflight=limit or None,
            word=before.word if self.word is None else self.word,
            inflight=before.inflight if self.inflight is None else self.inflight,
        )


NOTHING: Final = Said()


@lru_cache(maxsize=4096)
def said(words: str) -> Said:
    """What a line of words says. FieldError "words" names the first that is none."""
    if len(words) > _MAX_LENGTH:
        raise FieldError("words", f"has {len(words)} characters", f"give at most {_MAX_LENGTH}")
    line = re.split(r"[\r\n]", words, maxsplit=1)[0]
    spoken, described, _ = line.partition("#")
    found = NOTHING
    for word in filter(None, _DIVIDERS.split(spoken)):
        found = _gravest(found, _word(word.lower()))
    if described and found.word != "down":
        raise FieldError("words", "a description follows no word for down", "say down before the #")
    return found


def _word(word: str) -> Said:
    if word in _STATES:
        return Said(word=_STATES[word])
    percent = _PERCENT.fullmatch(word)
    if percent is not None:
        return Said(percent=_bounded(word, int(percent[1]), 100))
    limit = _MAXCONN.fullmatch(word)
    if limit is not None:
        return Said(max_inflight=_bounded(word, int(limit[1]), 1_000_000))
    raise FieldError(
        "words",
        f"{word!r} is unknown",
        "use 50%, maxconn:30, ready, up, drain, maint, down, fail, failed or stopped",
    )


def _bounded(word: str, value: int, most: int) -> int:
    if value > most:
        raise FieldError("words", f"{word} is out of range", f"give 0 to {most}")
    return value


def _gravest(found: Said, newer: Said) -> Said:
    if found.word is None or newer.word is None:
        return found.then(newer)
    return found.then(replace(newer, word=max(found.word, newer.word, key=_GRAVITY.index)))
