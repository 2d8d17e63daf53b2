"""Rates of what is offered, from counts."""

from __future__ import annotations

from qos.offered import Offered

HERE, THERE = f"{1:016x}", f"{2:016x}"


def test_no_rate_before_the_second_reading() -> None:
    offered = Offered()
    offered.read("p", HERE, 1000, 1.0)
    assert offered.rates() == {}
    offered.read("p", HERE, 2000, 2.0)
    assert offered.rates() == {"p": {HERE: 8000.0}}


def test_a_rate_is_of_the_last_readings_together() -> None:
    """Counts that come up to date late are no burst."""
    offered = Offered()
    for second, count in enumerate((0, 1000, 1000, 3000), 1):
        offered.read("p", HERE, count, second)
    assert offered.rates() == {"p": {HERE: 8000.0}}
    for second in range(5, 9):
        offered.read("p", HERE, 3000, second)
    assert offered.rates() == {"p": {HERE: 0.0}}


def test_counts_that_begin_again_are_no_rate() -> None:
    offered = Offered()
    for second, count in enumerate((9000, 10_000, 500), 1):
        offered.read("p", HERE, count, second)
    assert offered.rates() == {}
    offered.read("p", HERE, 1500, 4)
    assert offered.rates() == {"p": {HERE: 8000.0}}


def test_each_policy_in_each_switch_until_it_is_forgotten() -> None:
    offered = Offered()
    for policy, switch, step in (("p", HERE, 1), ("p", THERE, 2), ("q", HERE, 3)):
        for second in range(2):
            offered.read(policy, switch, second * step, second)
    assert offered.rates() == {"p": {HERE: 8.0, THERE: 16.0}, "q": {HERE: 24.0}}
    offered.keep(lambda policy, switch: (policy, switch) == ("p", THERE))
    assert offered.rates() == {"p": {THERE: 16.0}}
