"""Which fault comes when, from a seed: the same seed gives the same order and the same choices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random


def scheduled(kinds: Sequence[str], seed: int) -> Iterator[tuple[str, Random]]:
    """Without an end: every kind once, in random order, then again in another one.

    With each comes what its own choices are to be drawn from (which switch, how long); how many of
    them it draws changes nothing of what comes after it.
    """
    order, number = Random(seed), 0
    while True:
        for kind in order.sample(kinds, len(kinds)):
            number += 1
            yield kind, Random(f"{seed} {number} {kind}")
