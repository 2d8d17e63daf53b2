"""Tokens by which a subscriber goes on where it was.

A token tells the stream it is of, the predictor that gave it, the version of that predictor's log,
and the time. The predictor that gave it resumes by the version, exactly. Another one, which hears
the same rows, resumes by the time, and begins OVERLAP_MS earlier: so far clocks of predictors may
be apart; a change may be told twice.

Must not know: what streams carry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeVar

from nib.errors import FieldError
from predictor.outward.log import Entry, Log

R = TypeVar("R")

OVERLAP_MS: Final = 10_000

_TEXT: Final = re.compile(r"1\.([a-z]+)\.([0-9a-f]{8,32})\.(\d{1,18})\.(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Token:
    """stream: "plans", "requests", "forecasts"; instance: of the predictor's process."""

    stream: str
    instance: str
    version: int
    at_ms: int

    def __str__(self) -> str:
        return f"1.{self.stream}.{self.instance}.{self.version}.{self.at_ms}"


def read_token(text: str, stream: str) -> Token:
    """The token that a subscriber sent back; FieldError where it is none of this stream."""
    match = _TEXT.fullmatch(text)
    if match is None or match[1] != stream:
        said = f"{text[:80]!r} is no token of this stream"
        raise FieldError("resume_token", said, "give one that this stream gave, or leave it out")
    return Token(match[1], match[2], int(match[3]), int(match[4]))


def resume(log: Log[R], token: Token, instance: str, *, shared: bool) -> list[Entry[R]] | None:
    """What changed since the token; None where only a snapshot can tell.

    shared: whether other predictors' logs tell of the same things.
    """
    if token.instance == instance:
        return log.since(token.version)
    return log.since_ms(token.at_ms - OVERLAP_MS) if shared else None
