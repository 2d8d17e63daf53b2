"""Shares of links at the edges: nothing to share, nothing to take, too much promised."""

from __future__ import annotations

import pytest

from qos.allocation import Claim, allocate

A = frozenset("a")
BOTH = frozenset("ab")


def test_nobody_gets_nothing() -> None:
    assert allocate([], {"a": 10}) == []


def test_equal_weights_share_equally_and_others_by_weight() -> None:
    assert allocate([Claim(A), Claim(A)], {"a": 10}) == pytest.approx([5, 5])
    assert allocate([Claim(A, weight=3), Claim(A)], {"a": 10}) == pytest.approx([7.5, 2.5])


def test_floors_come_first_and_the_rest_is_shared() -> None:
    assert allocate([Claim(A, floor=6), Claim(A)], {"a": 10}) == pytest.approx([8, 2])


def test_a_full_link_has_nothing_above_floors() -> None:
    claims = [Claim(A, floor=10), Claim(A)]
    assert allocate(claims, {"a": 10}) == pytest.approx([10, 0])


def test_floors_above_the_capacity_are_cut_by_the_same_part() -> None:
    claims = [Claim(A, floor=15), Claim(A, floor=5), Claim(A)]
    assert allocate(claims, {"a": 10}) == pytest.approx([7.5, 2.5, 0])


def test_a_floor_is_cut_by_its_worst_link() -> None:
    claims = [Claim(BOTH, floor=8), Claim(A, floor=2)]
    assert allocate(claims, {"a": 10, "b": 4}) == pytest.approx([4, 6])


def test_without_capacity_there_is_nothing() -> None:
    assert allocate([Claim(A, floor=5), Claim(A)], {"a": 0}) == [0, 0]


def test_a_cap_that_is_the_floor_leaves_the_rest_to_others() -> None:
    claims = [Claim(A, floor=3, cap=3), Claim(A)]
    assert allocate(claims, {"a": 10}) == pytest.approx([3, 7])


def test_without_links_a_claim_has_its_cap() -> None:
    assert allocate([Claim(frozenset(), cap=7)], {"a": 1}) == [7]


def test_what_is_stopped_elsewhere_leaves_its_part_to_others() -> None:
    claims = [Claim(BOTH), Claim(A)]
    assert allocate(claims, {"a": 10, "b": 2}) == pytest.approx([2, 8])


def test_of_parallel_links_the_narrowest_counts() -> None:
    assert allocate([Claim(BOTH), Claim(BOTH)], {"a": 10, "b": 6}) == pytest.approx([3, 3])
