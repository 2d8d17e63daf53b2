"""What is sent to ports that should take no harm of it."""

from __future__ import annotations

import struct
from random import Random

import pytest

from tests.chaos import garbage
from tests.chaos.verdict import tracebacks

HEADER = struct.Struct("!BBHI")
HELLO, FEATURES_REPLY = 0, 6


@pytest.mark.parametrize("made", [garbage.openflow, garbage.http, garbage.grpc, garbage.ovsdb])
def test_a_seed_says_all_and_no_piece_is_empty(made: garbage.Pieces) -> None:
    pieces = made(Random(3))
    assert pieces == made(Random(3))
    assert pieces != made(Random(4))
    assert len(pieces) >= garbage.PIECES // 2
    assert all(pieces)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_that_greets_as_a_switch_says_that_it_is_one(seed: int) -> None:
    """A controller without TLS would have to believe it, and to wait for it ever after."""
    greeting = [piece for piece in garbage.openflow(Random(seed)) if piece[:2] == b"\x04\x00"]
    seen = set()
    for piece in greeting:
        place = 0
        while len(piece) - place >= HEADER.size:
            _, kind, length, _ = HEADER.unpack_from(piece, place)
            seen.add(kind)
            place += max(length, HEADER.size)
    assert HELLO in seen
    assert FEATURES_REPLY not in seen
    assert len(seen) > 10


@pytest.mark.parametrize("seed", range(5))
def test_no_request_deletes_or_changes_what_is_there(seed: int) -> None:
    for piece in garbage.http(Random(seed)):
        assert not piece.startswith(b"DELETE /v1/services/held")


def test_tracebacks_are_counted_by_how_they_end() -> None:
    log = """\
2026-11-23 06:13:43,834 ERROR a thing failed
Traceback (most recent call last):
  File "x.py", line 1, in f
    raise ValueError
ValueError: wrong
INFO no exception
Traceback (most recent call last):
  File "y.py", line 1, in g
ValueError: wrong
"""
    assert tracebacks(log) == {"ValueError: wrong": 2}
    assert not tracebacks("ValueError: told, not raised")
