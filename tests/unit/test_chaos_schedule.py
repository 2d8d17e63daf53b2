"""The order of faults, from a seed."""

from __future__ import annotations

from itertools import islice

from tests.chaos.schedule import scheduled

KINDS = [f"kind {number}" for number in range(9)]


def order(seed: int, draws: int = 0) -> list[str]:
    """Of three rounds, in which each fault draws so many numbers."""
    found = []
    for kind, random in islice(scheduled(KINDS, seed), 27):
        for _ in range(draws):
            random.random()
        found.append(kind)
    return found


def test_every_round_has_every_kind_in_an_order_of_its_own() -> None:
    rounds = [order(7)[start : start + 9] for start in (0, 9, 18)]
    assert all(sorted(each) == KINDS for each in rounds)
    assert len({tuple(each) for each in rounds}) == 3


def test_a_seed_says_all() -> None:
    assert order(7) == order(7)
    assert order(7) != order(8)
    assert order(7, draws=5) == order(7), "what a fault draws changes nothing of the others"
    choices = [[each.random() for _, each in islice(scheduled(KINDS, 7), 20)] for _ in range(2)]
    assert choices[0] == choices[1]
    assert len(set(choices[0])) == 20
