"""The flows that count something, as slices that are read one by one.

A switch deals with a question in one go, and so does who reads the answer: whoever programs the
switch meanwhile waits for that. Slices are so small that nobody notices.

Must not know: how a switch is asked, what is made of the counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from openflow.cookies import OWNER_MASK, Cookie, Kind

KIND_MASK: Final = OWNER_MASK | 0xFF << 32
COUNTED: Final = (Kind.SERVICE, Kind.CONTAINER)  # what all that is counted belongs to
_FLOWS: Final = 2048  # in a slice, about


class Slice(NamedTuple):
    """The flows of one kind of object whose cookie is `cookie` under `mask`."""

    kind: Kind
    cookie: int
    mask: int


def counted_slices(flows: Mapping[Kind, int]) -> list[Slice]:
    """All flows that are counted. flows: about how many a switch has, by their kind."""
    return [each for kind in COUNTED for each in _slices(kind, flows[kind])]


def _slices(kind: Kind, flows: int) -> list[Slice]:
    """By the last bits of objects' numbers, which the database gives one after the other."""
    count = 1 << (max(0, flows - 1) // _FLOWS).bit_length()
    mask = KIND_MASK | (count - 1)
    return [Slice(kind, Cookie(kind, number).value, mask) for number in range(count)]
